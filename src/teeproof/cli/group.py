"""The command ``teeproof``: which commands there are, each with one line.

The lines stand here, and not only in the commands' modules, so that ``teeproof --help`` imports
none of them.
"""

from __future__ import annotations

from importlib import import_module

import click

__all__ = ["COMMANDS", "teeproof"]

COMMANDS = {
    "verify": "Check evidence or a proof and say what may be believed.",
    "show": "Print what a file claims, without checking it.",
    "why": "Say what a machine measured, or where two machines first differ.",
    "simulate": "Make simulated evidence, right or wrong in a way you choose.",
    "policy": "List, show, explain, check or begin a policy.",
    "seal": "Encrypt a file for whoever shall open it.",
    "open": "Decrypt a sealed file with your key.",
    "keys": "Make keys that files are sealed for.",
    "merge": "Put several proof files into one.",
    "graph": "Draw who made what of what.",
    "log": "Keep, serve, fill and check a log of what was said.",
    "endorsements": "Keep Intel's collateral, to verify old evidence later.",
    "samples": "Get real evidence that others published.",
    "demo": "See it all in a few seconds.",
}


def _load(name: str) -> click.Command | None:
    """Import a command when it is called for: each costs only what it needs."""
    if name not in COMMANDS:
        return None
    found: click.Command = import_module(f"teeproof.cli.{name}").command
    return found


class _Lazy(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        return _load(cmd_name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


def _print_version(context: click.Context, _: click.Parameter, asked: bool) -> None:
    if asked:
        from teeproof.core.version import VERSION  # noqa: PLC0415

        click.echo(f"teeproof {VERSION}")
        context.exit()


@click.command(
    cls=_Lazy,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 good, 1 usage, 2 not authentic, 3 something is missing, 4 not allowed.",
)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_version,
    help="Print the version.",
)
def teeproof() -> None:
    """Prove what a workload did inside trusted hardware, and check it: offline, check by check.

    \b
    Begin with
      teeproof demo
      teeproof verify quote.bin collateral.json
    """  # noqa: D301  click reads the \b
