"""The commands that teeproof has, by the words that a person types."""

from __future__ import annotations

from collections.abc import Iterator

import click


def commands() -> dict[str, click.Command]:
    """Return every command and group: ``{"teeproof": …, "teeproof verify": …}``."""
    from teeproof.cli.group import teeproof

    return dict(_walk("teeproof", teeproof, None))


def _walk(
    words: str, command: click.Command, above: click.Context | None
) -> Iterator[tuple[str, click.Command]]:
    yield words, command
    if isinstance(command, click.Group):
        context = click.Context(command, info_name=words, parent=above)
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            assert found is not None, f"{words} lists {name} and does not have it"
            yield from _walk(f"{words} {name}", found, context)
