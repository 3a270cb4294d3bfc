"""Run a command and turn whatever happens into one clear block and an exit code.

Results go to standard output, complaints to standard error. With ``--json`` a complaint is the one
error object, on standard output, so that a program reads one stream. Output that cannot be written
is an error too: half a verdict must not pass for one.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO, TextIO, cast

import click

from teeproof.core.errors import Error, Usage

__all__ = ["INTERNAL", "NOT_WRITTEN", "complain", "run", "send"]

INTERNAL = 70  # sysexits.h, EX_SOFTWARE
NOT_WRITTEN = 74  # sysexits.h, EX_IOERR
INTERRUPTED = 130  # 128 + SIGINT, as shells count
PIPE_CLOSED = 141  # 128 + SIGPIPE


def run(command: click.Command, arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code; only a fault of ours can leave a traceback."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    _open_what_is_closed()
    with contextlib.redirect_stdout(cast("TextIO", _Output(sys.stdout))):
        try:
            code = _run(command, given)
            sys.stdout.flush()
            return code
        except _NotWritten as error:
            return _not_written(error.reason)


def _run(command: click.Command, given: list[str]) -> int:
    as_json = "--json" in given
    try:
        return int(command.main(given, prog_name="teeproof", standalone_mode=False) or 0)
    except _NotWritten:
        raise
    except (click.Abort, KeyboardInterrupt):
        _to_stderr("interrupted")
        return INTERRUPTED
    except Error as error:
        return complain(error, as_json=as_json)
    except click.exceptions.NoArgsIsHelpError as error:
        _to_stderr(error.format_message())  # the help; nothing was done, so it is no success
        return Usage.exit_code
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
    with _whatever_happens():
        screen = Screen.of(sys.stderr)
        screen.row("error", f"{error.detail}", "bold", indent=0, column=10)
        if error.expected:
            screen.row("expected", error.expected, indent=0, column=10)
        if error.got and error.got not in error.detail:
            screen.row("got", error.got, indent=0, column=10)
    return error.exit_code


class _NotWritten(Exception):
    """Standard output took no more; not an OSError, which click would turn into exit code 1."""

    def __init__(self, reason: OSError) -> None:
        super().__init__(str(reason))
        self.reason = reason


@contextlib.contextmanager
def send() -> Iterator[BinaryIO]:
    """Give standard output for bytes; what cannot be written ends the command, as with text."""
    sys.stdout.flush()
    try:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
    except OSError as error:
        raise _NotWritten(error) from None


class _Output:
    """Standard output, on which a failure to write is told from every other."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        try:
            return self._stream.write(text)
        except OSError as error:
            raise _NotWritten(error) from None

    def flush(self) -> None:
        try:
            self._stream.flush()
        except OSError as error:
            raise _NotWritten(error) from None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def _not_written(reason: OSError) -> int:
    _discard(1)  # Python would complain again while it closes the stream
    if isinstance(reason, BrokenPipeError):
        return PIPE_CLOSED  # whoever read has seen enough
    _to_stderr(f"error     standard output cannot be written: {reason.strerror}")
    return NOT_WRITTEN


def _to_stderr(line: str) -> None:
    with _whatever_happens():
        sys.stderr.write(line + "\n")


@contextlib.contextmanager
def _whatever_happens() -> Iterator[None]:
    """Give up on standard error where it cannot be written: the exit code still says it all."""
    try:
        yield
        sys.stderr.flush()
    except OSError:
        _discard(2)


def _discard(descriptor: int) -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), descriptor)


def _open_what_is_closed() -> None:
    """Where a stream was closed by whoever started the program, write it to nowhere."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115


def _usage(error: click.ClickException) -> Usage:
    context = getattr(error, "ctx", None)
    advice = f" (see {context.command_path} --help)" if context else ""
    return Usage(error.format_message().rstrip(".") + advice)


def _fault(error: Exception, *, as_json: bool) -> int:
    if os.environ.get("TEEPROOF_DEBUG") == "1":
        import traceback  # noqa: PLC0415

        with _whatever_happens():
            traceback.print_exc()
    complaint = Error(
        "teeproof made a mistake here, which is never right whatever the input: please report it,"
        " with what TEEPROOF_DEBUG=1 prints",
        code="internal",
        got=f"{type(error).__name__}: {error}"[:300],
    )
    complain(complaint, as_json=as_json)
    return INTERNAL
