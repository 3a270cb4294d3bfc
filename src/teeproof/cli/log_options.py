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
from teeproof.core.errors import Malformed, Unavailable, Usage
from teeproof.core.reading import read_bounded
from teeproof.proof.log.formats.checkpoint import SignedCheckpoint
from teeproof.proof.log.formats.note import VerifierKey
from teeproof.proof.log.formats.policy import TlogPolicy

if TYPE_CHECKING:
    from teeproof.proof.log.http.client import LogClient
    from teeproof.proof.witness.client import Asked

__all__ = [
    "accepting",
    "bar",
    "client_of",
    "is_url",
    "key_options",
    "policy_of",
    "read_records",
    "target_argument",
    "token_option",
    "witness_options",
    "witnesses_of",
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

    policy = policy_of(key, policy_file)
    if policy is None:
        raise Usage(
            "an answer from elsewhere is worth nothing without a key: give --key or --logs",
            code="key_missing",
            expected="--key VKEY, as the log's operator published it",
        )
    token = None if token_file is None else first_token(token_file)
    return LogClient(url, _key_at(url, policy), token=token), policy


def accepting(policy: TlogPolicy | None) -> Callable[[SignedCheckpoint], bool]:
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


def _key_at(url: str, policy: TlogPolicy) -> VerifierKey:
    logs = list(policy.logs.values())
    here = [log for log in logs if log.url and log.url.rstrip("/") == url.rstrip("/")]
    if len(here or logs) != 1:
        raise Usage(
            "the policy does not say which of its logs is at this address: give --key",
            code="log_ambiguous",
            expected="one log, or one with this URL",
            got=f"{len(logs)} logs",
        )
    return (here or logs)[0].key


def read_records(files: Sequence[Path], *, limit: int) -> list[tuple[str, bytes]]:
    """Return the records in files or on standard input (``-``), each with where it stands.

    A file is one JSON record, or one record in each of its lines.
    """
    import msgspec  # noqa: PLC0415

    found: list[tuple[str, bytes]] = []
    for file in files:
        name, data = (
            ("standard input", _standard_input(limit))
            if str(file) == "-"
            else (
                str(file),
                read_bounded(file, limit=limit, what="file of records"),
            )
        )
        try:
            msgspec.json.decode(data)
            found.append((name, data.strip()))
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            lines = data.splitlines()
            found += [(f"{name}:{n}", line) for n, line in enumerate(lines, 1) if line.strip()]
    if not found:
        raise Malformed("there is no record in there", code="record_unknown")
    return found


def _standard_input(limit: int) -> bytes:
    from teeproof.core.reading import read_stream  # noqa: PLC0415

    if sys.stdin is None:
        raise Unavailable("standard input is closed", code="file_unavailable")
    if sys.stdin.isatty():
        raise Usage("standard input is a terminal: send a file into it", code="stdin_terminal")
    return read_stream(sys.stdin.buffer, limit=limit, what="file of records", name="standard input")
