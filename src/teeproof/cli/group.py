"""The command ``teeproof``: which commands there are, each with one line."""

from __future__ import annotations

import click

from teeproof.cli.lazy import LazyGroup

__all__ = ["COMMANDS", "teeproof"]

COMMANDS = {
    "verify": "Check evidence or a proof and say what may be believed.",
    "show": "Print what a file claims, without checking it.",
    "measure": "Say what a machine will measure when it boots these files.",
    "why": "Say what a machine measured, or where two machines first differ.",
    "simulate": "Make simulated evidence, right or wrong in a way you choose.",
    "evidence": "Ask this machine for evidence; serve verdicts, or read others'.",
    "policy": "List, show, explain, check or begin a policy.",
    "seal": "Encrypt a file for whoever shall open it.",
    "open": "Decrypt a sealed file with your key.",
    "keys": "Make keys that files are sealed for, or that sign verdicts.",
    "export": "Make one page of a proof, that checks itself in a browser.",
    "merge": "Put several proof files into one.",
    "graph": "Draw who made what of what.",
    "agent": "Say who can still change, stop or drain an agent.",
    "log": "Keep, serve, fill and check a log of what was said.",
    "network": "Check a market that lets machines.",
    "data": "Contribute data to a pool, and take it back.",
    "endorsements": "Keep Intel's collateral, to verify old evidence later.",
    "samples": "Get real evidence that others published.",
    "bench": "Say what a TEE costs an AI workload.",
    "report": "Go through the report that all this answers, claim by claim.",
    "doctor": "Say what this machine has, and what it lacks.",
    "explorer": "Serve pages on which a person checks and follows proofs.",
    "up": "Bring the whole stack up, and start its parts one by one.",
    "demo": "See the whole lifecycle happen, and be proved.",
}


def _print_version(context: click.Context, _: click.Parameter, asked: bool) -> None:
    if asked:
        from teeproof.core.version import VERSION  # noqa: PLC0415

        click.echo(f"teeproof {VERSION}")
        context.exit()


@click.command(
    cls=LazyGroup,
    lines=COMMANDS,
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
      teeproof verify answer.proof --logs trusted-logs
      teeproof verify quote.bin collateral.json
    """  # noqa: D301  click reads the \b
