"""``teeproof log``: keep, serve, fill and check a log; the group, each command in its own file.

The lines stand here, and not only in the commands' modules, so that ``teeproof log --help`` imports
none of them.
"""

from __future__ import annotations

import click

__all__ = ["COMMANDS", "command"]

COMMANDS = {
    "init": "Make a log.",
    "serve": "Serve a log over HTTP, publish it and have it witnessed.",
    "append": "Append statements, receipts and identities.",
    "publish": "Publish a log that nobody serves.",
    "prove": "Write the proof that a statement is in a log.",
    "check": "Walk a whole log: every tile, every entry, every signature.",
}


class _Lazy(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        return _load(cmd_name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group("log", cls=_Lazy)
def command() -> None:
    """Keep a log: append-only, public, and witnessed, so that nobody can deny what was said when.

    \b
    Examples
      teeproof log init my-log --origin log.example/main
      teeproof log serve my-log
      teeproof log check https://log.example/main --policy policy.txt
    """  # noqa: D301  click reads the \b


def _load(name: str) -> click.Command | None:
    # Imported by name and when called: each command costs only what it needs.
    if name == "init":
        from teeproof.cli import log_init as module  # noqa: PLC0415
    elif name == "serve":
        from teeproof.cli import log_serve as module  # type: ignore[no-redef]  # noqa: PLC0415
    elif name == "append":
        from teeproof.cli import log_append as module  # type: ignore[no-redef]  # noqa: PLC0415
    elif name == "publish":
        from teeproof.cli import log_publish as module  # type: ignore[no-redef]  # noqa: PLC0415
    elif name == "prove":
        from teeproof.cli import log_prove as module  # type: ignore[no-redef]  # noqa: PLC0415
    elif name == "check":
        from teeproof.cli import log_check as module  # type: ignore[no-redef]  # noqa: PLC0415
    else:
        return None
    return module.command
