"""Run what a page shows, and compare what it prints with what the page says it prints.

Two kinds of fenced block are run, in the order of the page and in one temporary folder, so that a
file made in one block is there in the next:

``console``   Lines that open with ``$ `` are commands, each run in a shell of its own (``> `` goes
              on with the line before); the lines below are all that it prints, on either stream.
              ``$?`` is the exit code of the command before. A command shown with no output must
              print none and succeed.
``python``    Run as a program; it must end without an error. An ``output`` block right behind it
              holds what it prints.

In expected output ``…`` stands for any text within a line, and a line ``...`` for any lines.

The word ``vectors`` behind ``console`` or ``python`` marks a block that reads real evidence: it is
skipped where there is none. Commands that set things up (``git clone``, ``cd``, ``pip install``)
are not run. Of ``make`` the targets must exist, and no output may be shown, as nobody compares
it.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.vectors import ROOT, directory

_FENCE = re.compile(
    r"^(?P<fence>`{3,})(?P<info>[^\n`]*)\n(?P<body>.*?)^(?P=fence)`*\s*$", re.M | re.S
)
_SETUP = re.compile(r"(git clone|cd|pip install|python3? -m (venv|pip)|apt(-get)? )\b")
_MAKE = re.compile(r"make\b")
BIN = Path(sys.executable).parent


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block: its language, the words behind that, its text, its first line's number."""

    language: str
    words: tuple[str, ...]
    body: str
    line: int


@dataclass(frozen=True, slots=True)
class Step:
    """One command or program of a page, and the lines that it is to print."""

    line: int
    command: tuple[str, ...]
    expected: str
    shown: str
    must_succeed: bool


class Wrong(AssertionError):
    """A page says what is not so."""


def blocks(text: str) -> list[Block]:
    """Return the fenced blocks of a Markdown page."""
    found = []
    for match in _FENCE.finditer(text):
        language, *words = match["info"].split() or [""]
        line = text.count("\n", 0, match.start()) + 2
        found.append(Block(language, tuple(words), match["body"], line))
    return found


def steps(text: str, *, vectors: bool) -> Iterator[Step]:
    """Return what of a page is run, in order."""
    page = blocks(text)
    for number, block in enumerate(page):
        if "vectors" in block.words and not vectors:
            continue
        if block.language == "console":
            yield from _session(block)
        elif block.language == "python":
            after = page[number + 1] if number + 1 < len(page) else None
            expected = after.body if after and after.language == "output" else ""
            program = (sys.executable, "-c", block.body)
            yield Step(block.line, program, expected, "the program", must_succeed=True)


def _session(block: Block) -> Iterator[Step]:
    commands: list[tuple[int, str, list[str]]] = []
    for number, line in enumerate(block.body.splitlines(), block.line):
        if line.startswith("$ "):
            commands.append((number, line[2:], []))
        elif not commands:
            raise Wrong(f"line {number}: output before the first command")
        elif line.startswith("> ") and not commands[-1][2]:
            start, command, _ = commands.pop()
            commands.append((start, f"{command}\n{line[2:]}", []))
        else:
            commands[-1][2].append(line)
    for number, command, output in commands:
        expected = "\n".join(output)
        run = _runnable(number, command, expected)
        if run is not None:
            yield Step(number, ("bash", "-c", run), expected, command, must_succeed=not output)


def _runnable(line: int, command: str, expected: str) -> str | None:
    if _MAKE.match(command):
        wanted = [word for word in command.split()[1:] if "=" not in word and word[0] != "-"]
        for target in wanted:
            if target not in make_targets():
                raise Wrong(f"line {line}: make has no target {target}")
        if expected.strip():
            raise Wrong(f"line {line}: nobody checks what `{command}` prints: show no output")
        return None
    return None if _SETUP.match(command) else command


def make_targets() -> set[str]:
    """Return the targets that the Makefile offers."""
    return set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def check(text: str, folder: Path, *, vectors: bool | None = None) -> int:
    """Run a page's blocks in a folder; return how many commands ran.

    Raises:
        Wrong: a command prints something else than the page says, or fails.
    """
    ran, before = 0, 0
    for step in steps(text, vectors=directory() is not None if vectors is None else vectors):
        command = step.command
        if command[0] == "bash":
            command = (*command[:2], f"(exit {before})\n{command[2]}")
        answer = subprocess.run(
            command,
            cwd=folder,
            env=environment(folder),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        ran, before = ran + 1, answer.returncode
        where = f"line {step.line}: {step.shown}"
        if step.must_succeed and answer.returncode:
            raise Wrong(f"{where}\nexit code {answer.returncode}\n{answer.stdout}")
        if not matches(step.expected, answer.stdout):
            raise Wrong(
                f"{where}\n--- the page says\n{step.expected}\n--- it prints\n{answer.stdout}"
            )
    return ran


def environment(folder: Path) -> dict[str, str]:
    """Return what a page's commands see: a plain terminal on a person's first day."""
    kept = {k: v for k, v in os.environ.items() if k in ("LANG", "LC_ALL", "TMPDIR")}
    found = directory()
    return kept | {
        "PATH": f"{BIN}:/usr/local/bin:/usr/bin:/bin",
        "HOME": str(folder / ".home"),
        "TEEPROOF_HOME": str(folder / ".teeproof"),
        "TEEPROOF_VECTORS": str(found.resolve()) if found else "",
        "COLUMNS": "100",
        "NO_COLOR": "1",
        "PYTHONUTF8": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def matches(expected: str, printed: str) -> bool:
    """Return whether output is what a page shows, with its two placeholders."""
    lines = [line.rstrip() for line in expected.strip("\n").splitlines()]
    pattern = "".join(
        r"(?:[^\n]*\n)*" if line == "..." else re.escape(line).replace("…", r"[^\n]*") + "\n"
        for line in lines
    )
    text = "".join(f"{line.rstrip()}\n" for line in printed.strip("\n").splitlines())
    return re.fullmatch(pattern, text) is not None
