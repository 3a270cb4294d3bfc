"""What the commands of ``teeproof log`` share: a log here or elsewhere, keys, witnesses, bars."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from teeproof.cli.options import PATH
from teeproof.cli.screen import Screen
from teeproof.core.clock import to_epoch, wall_clock
from teeproof.core.errors import Usage
from teeproof.core.reading import read_bounded
from teeproof.core.writing import write_file
from teeproof.proof.log.formats.checkpoint import Accept
from teeproof.proof.log.formats.note import VerifierKey
from teeproof.proof.log.formats.policy import TlogPolicy

if TYPE_CHECKING:
    from teeproof.proof.log.http.client import LogClient
    from teeproof.proof.log.storage.reader import Reader
    from teeproof.proof.witness.client import Asked

__all__ = [
    "accepting",
    "bar",
    "client_of",
    "exposure",
    "force_option",
    "is_url",
    "key_options",
    "logs_out_option",
    "policy_of",
    "target_argument",
    "token_option",
    "warn",
    "witness_options",
    "witnesses_of",
    "write_policy",
]

_Function = TypeVar("_Function", bound=Callable[..., Any])

_MAX_POLICY_BYTES = 256 << 10
_LARGE = 2048  # entries; fewer are done before a bar is seen


def target_argument(function: _Function) -> _Function:
    """Add the log: a directory, or the address at which one is served."""
    return click.argument("target", metavar="DIRECTORY|URL")(function)


def key_options(function: _Function) -> _Function:
    """Add ``--key`` and ``--logs``: by what the log is recognised."""
    key = click.option("--key", metavar="VKEY", help="The log's verifier key.")
    return key(_policy_option(function))


def token_option(function: _Function) -> _Function:
    """Add ``--token-file``."""
    return click.option(
        "--token-file",
        type=PATH,
        help="The file with your token: the first of its lines 'name token'.",
    )(function)


def witness_options(function: _Function) -> _Function:
    """Add ``--witness`` and ``--logs``: whom to ask for cosignatures."""
    witness = click.option(
        "--witness",
        "witnesses",
        metavar='"VKEY URL"',
        multiple=True,
        help="Ask this witness to cosign; may be repeated.",
    )
    return witness(_policy_option(function))


def logs_out_option(function: _Function) -> _Function:
    """Add ``--logs-out`` and ``--force``: where to write a tlog-policy that knows the log."""
    out = click.option(
        "--logs-out",
        metavar="FILE",
        type=PATH,
        help="Write a tlog-policy that knows this log, for --logs of other commands.",
    )
    return out(force_option(function))


def force_option(function: _Function) -> _Function:
    """Add ``--force``."""
    return click.option("--force", is_flag=True, help="Write over a file that is there.")(function)


def write_policy(out: Path, key: VerifierKey, *, force: bool) -> None:
    """Write the policy that knows a log and asks for no witness.

    Raises:
        Usage, Unavailable: as ``core.writing.write_file``.
    """
    write_file(out, f"log {key.text()}\nquorum none\n".encode(), overwrite=force)


def exposure(log: Reader) -> str | None:
    """Return what is to be said of a log whose private files others could use; None if none."""
    if not log.exposed:
        return None
    names = ", ".join(log.exposed)
    key = "key" in log.exposed
    worst = ": who copied the key can sign for the log, for ever; make a new log if one may have"
    return f"others of this machine could use {names}{worst if key else ''}"


def warn(log: Reader) -> None:
    """Say on standard error what others could use of a log until it was opened."""
    said = exposure(log)
    if said:
        Screen.of(sys.stderr).row("warning", said, "bold", indent=0, column=10)


def _policy_option(function: _Function) -> _Function:
    return click.option(
        "--logs",
        "policy_file",
        metavar="FILE",
        type=PATH,
        help="A tlog-policy: keys of logs and witnesses, and the quorum.",
    )(function)


def is_url(target: str) -> bool:
    """Whether a person named an address, and not a directory."""
    return target.startswith(("http://", "https://"))


def policy_of(key: str | None, policy_file: Path | None) -> TlogPolicy | None:
    """Return the policy that ``--key`` or ``--logs`` means; None without either.

    Raises:
        Usage: both are given.
        Malformed, Unavailable: the key or the file cannot be read.
    """
    if key is not None and policy_file is not None:
        raise Usage("--key and --logs both say whom to trust: give one of them")
    if key is not None:
        return TlogPolicy.parse(f"log {VerifierKey.parse(key).text()}\nquorum none\n")
    if policy_file is None:
        return None
    return TlogPolicy.parse(read_bounded(policy_file, limit=_MAX_POLICY_BYTES, what="policy"))


def client_of(
    url: str, *, key: str | None, policy_file: Path | None, token_file: Path | None = None
) -> tuple[LogClient, TlogPolicy]:
    """Return a client for the log at an address, and the policy to judge it by.

    Raises:
        Usage: no key, or a policy in which it is not clear which log this is.
    """
    from teeproof.proof.log.http.client import LogClient  # noqa: PLC0415  only for logs elsewhere
    from teeproof.proof.log.http.tokens import first_token  # noqa: PLC0415
    from teeproof.proof.log.http.whose import keys_at  # noqa: PLC0415

    policy = policy_of(key, policy_file)
    if policy is None:
        raise Usage(
            "an answer from elsewhere is worth nothing without a key: give --key or --logs",
            code="key_missing",
            expected="--key VKEY, as the log's operator published it",
        )
    token = None if token_file is None else first_token(token_file)
    return LogClient(url, keys_at(url, policy), token=token), policy


def accepting(policy: TlogPolicy | None) -> Accept:
    """Return whether a checkpoint has the policy's quorum; without a policy, any has."""
    if policy is None:
        return lambda _: True
    return lambda signed: policy.judge(signed, now=to_epoch(wall_clock())).quorum


def witnesses_of(given: Sequence[str], policy: TlogPolicy | None) -> list[Asked]:
    """Return the witnesses to ask: those of ``--witness``, and those of a policy with a URL.

    Raises:
        Usage: one is not a key and an address.
    """
    from teeproof.proof.witness.client import Asked  # noqa: PLC0415  only who asks

    found = {}
    for text in given:
        words = text.split()
        if len(words) != 2 or not is_url(words[1]):
            raise Usage(
                "a witness is a key and an address",
                code="witness_malformed",
                expected='--witness "VKEY https://HOST"',
                got=text[:200],
            )
        key = VerifierKey.parse(words[0])
        found[key.name] = Asked(words[1], key)
    for witness in policy.witnesses.values() if policy else ():
        if witness.url:
            found[witness.key.name] = Asked(witness.url, witness.key)
    return list(found.values())


@contextmanager
def bar(title: str, total: int) -> Iterator[Callable[[int, int], None]]:
    """Show a bar on a terminal while many entries are worked on, and nothing elsewhere."""
    if not sys.stderr.isatty() or total < _LARGE:
        yield lambda _done, _total: None
        return
    from rich import progress  # noqa: PLC0415  only for large logs
    from rich.console import Console  # noqa: PLC0415

    columns = (
        progress.TextColumn("{task.description}", markup=False),
        progress.BarColumn(),
        progress.MofNCompleteColumn(),
        progress.TimeRemainingColumn(),
    )
    with progress.Progress(*columns, console=Console(stderr=True), transient=True) as shown:
        task = shown.add_task(Screen.of(sys.stderr).paint(title), total=total)
        yield lambda done, of: shown.update(task, completed=done, total=of)
