"""Write the pages on commands and on Python: python -m tests.reference_pages."""

from __future__ import annotations

import inspect
import re
import textwrap
from collections.abc import Callable
from pathlib import Path

import click

import teeproof
from tests.cli_tree import commands

__all__ = ["PAGES", "cli_page", "python_page"]

_FOLDER = Path(__file__).resolve().parent.parent / "docs" / "reference"
_WIDTH = 100
_FUNCTION = re.compile(r"<(?:function|built-in function) (\w+)(?: at 0x[0-9a-f]+)?>")
_CLI_HEAD = """# Commands

What each command prints with `--help`. Exit codes: 0 good, 1 usage, 2 not authentic, 3 something is
missing, 4 not allowed.
"""
_PYTHON_HEAD = """# Python

```text
import teeproof as tp
```

Every name is loaded when it is first used.
"""


def cli_page() -> str:
    """Return every command's help, in the order in which ``--help`` lists them."""
    parts = [_CLI_HEAD]
    for words, command in commands().items():
        parts.append(f"\n## {words}\n\n```text\n{_help(words, command)}\n```\n")
    return "".join(parts)


def python_page() -> str:
    """Return what ``import teeproof`` offers: signatures and docstrings."""
    parts = [_PYTHON_HEAD]
    for name in teeproof.__all__:
        if name != "__version__":
            parts.append(_described(name, getattr(teeproof, name)))
    return "".join(parts)


def _help(words: str, command: click.Command) -> str:
    above = click.Context(
        command, info_name=words, terminal_width=_WIDTH, max_content_width=_WIDTH,
        help_option_names=["-h", "--help"],
    )  # fmt: skip
    command._help_option = None  # click keeps the one of whoever asked first
    return command.get_help(above)


def _described(name: str, value: object) -> str:
    if inspect.isclass(value):
        text = f"\n## {name}\n\n{_block(inspect.getdoc(value))}"
        for method, found in vars(value).items():
            if not method.startswith("_") and _documented(found):
                text += f"\n### {name}.{method}\n\n{_call(method, found)}{_block(_doc(found))}"
        return text
    return f"\n## {name}\n\n{_call(name, value)}{_block(inspect.getdoc(value))}"


def _call(name: str, value: object) -> str:
    function = value.__func__ if isinstance(value, classmethod | staticmethod) else value
    if isinstance(value, property) or not callable(function):
        return ""
    given = _FUNCTION.sub(r"\1", str(inspect.signature(function))).replace("'", "")
    line = f"{name}{given}"
    if len(line) > _WIDTH:
        inside, _, back = line.partition("(")[2].rpartition(")")
        names = ",\n".join(f"    {part}" for part in _split(inside))
        line = f"{name}(\n{names},\n){back}"
    return f"```text\n{line}\n```\n\n"


def _split(inside: str) -> list[str]:
    """Split arguments at commas outside brackets."""
    parts, depth, last = [], 0, 0
    for at, character in enumerate(inside):
        depth += (character in "([{") - (character in ")]}")
        if character == "," and not depth:
            parts.append(inside[last:at].strip())
            last = at + 1
    return [*parts, inside[last:].strip()]


def _documented(value: object) -> bool:
    return bool(_doc(value)) and (
        isinstance(value, property | classmethod | staticmethod) or inspect.isfunction(value)
    )


def _doc(value: object) -> str | None:
    return inspect.getdoc(
        value.__func__ if isinstance(value, classmethod | staticmethod) else value
    )


def _block(doc: str | None) -> str:
    first, _, rest = (doc or "").partition("\n\n")
    text = " ".join(first.split()).replace("``", "`")
    if rest:
        text += "\n\n```text\n" + textwrap.dedent(rest).strip() + "\n```"
    return text + "\n"


PAGES: dict[Path, Callable[[], str]] = {
    _FOLDER / "cli.md": cli_page,
    _FOLDER / "python.md": python_page,
}

if __name__ == "__main__":
    for path, make in PAGES.items():
        path.write_text(make())
