"""Run a command and turn whatever happens into one clear block and an exit code.

Results go to standard output, complaints to standard error. With ``--json`` a complaint is the one
error object, on standard output, so that a program reads one stream.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import click

from teeproof.core.errors import Error, Usage

__all__ = ["INTERNAL", "complain", "run"]

INTERNAL = 70  # sysexits.h, EX_SOFTWARE
INTERRUPTED = 130  # 128 + SIGINT, as shells count
PIPE_CLOSED = 141  # 128 + SIGPIPE


def run(command: click.Command, arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code; only a fault of ours can leave a traceback."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    as_json = "--json" in given
    try:
        code = command.main(given, prog_name="teeproof", standalone_mode=False)
        sys.stdout.flush()
        return int(code or 0)
    except BrokenPipeError:
        # Whoever read has seen enough. Python would complain again while it closes the stream.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return PIPE_CLOSED
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        return INTERRUPTED
    except Error as error:
        return complain(error, as_json=as_json)
    except click.ClickException as error:
        return complain(_usage(error), as_json=as_json)
    except Exception as error:
        return _fault(error, as_json=as_json)


def complain(error: Error, *, as_json: bool) -> int:
    """Say what was expected, what came and what to do; return the error's exit code."""
    from teeproof.cli.screen import Screen  # noqa: PLC0415  most runs have nothing to complain of

    if as_json:
        Screen.of(sys.stdout).json(error.to_json())
        return error.exit_code
    sys.stdout.flush()
    screen = Screen.of(sys.stderr)
    screen.row("error", f"{error.detail}", "bold", indent=0, column=10)
    if error.expected:
        screen.row("expected", error.expected, indent=0, column=10)
    if error.got and error.got not in error.detail:
        screen.row("got", error.got, indent=0, column=10)
    return error.exit_code


def _usage(error: click.ClickException) -> Usage:
    context = getattr(error, "ctx", None)
    advice = f" (see {context.command_path} --help)" if context else ""
    return Usage(error.format_message().rstrip(".") + advice)


def _fault(error: Exception, *, as_json: bool) -> int:
    if os.environ.get("TEEPROOF_DEBUG") == "1":
        import traceback  # noqa: PLC0415

        traceback.print_exc()
    complaint = Error(
        "teeproof made a mistake here, which is never right whatever the input: please report it,"
        " with what TEEPROOF_DEBUG=1 prints",
        code="internal",
        got=f"{type(error).__name__}: {error}"[:300],
    )
    complain(complaint, as_json=as_json)
    return INTERNAL
