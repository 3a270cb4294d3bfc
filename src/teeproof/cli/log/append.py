"""``teeproof log append``: append statements, receipts and identities to a log."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

from teeproof.cli.log.input import Given, read_given
from teeproof.cli.log.options import (
    accepting,
    bar,
    client_of,
    is_url,
    key_options,
    target_argument,
    token_option,
    warn,
)
from teeproof.cli.options import output_options, paths_argument
from teeproof.cli.quoting import shell
from teeproof.cli.screen import ColorChoice, Screen, standard
from teeproof.core.clock import format_time
from teeproof.core.digests import named
from teeproof.core.errors import Error, Unavailable, Usage

if TYPE_CHECKING:
    from teeproof.proof.log.formats.policy import TlogPolicy
    from teeproof.proof.log.http.client import LogClient
    from teeproof.proof.log.storage.reader import Reader

__all__ = ["command"]

_TOGETHER = 2048  # records that are appended between two looks at the bar
_MANY = 20  # records; of more, only the first and the last are shown


class _Row(NamedTuple):
    where: str
    id: str
    entry: int
    salt: bytes
    published_by: str | None
    lacking: tuple[str, ...] = ()  # evidence that it names and the log does not have


@click.command("append")
@target_argument
@paths_argument
@key_options
@token_option
@click.option("--wait", is_flag=True, help="Wait for the log's proof; with --logs, for its quorum.")
@output_options
def command(
    target: str,
    files: Sequence[Path],
    *,
    key: str | None,
    policy_file: Path | None,
    token_file: Path | None,
    wait: bool,
    as_json: bool,
    color: ColorChoice,
) -> int:
    """Append the records in FILEs to a log: statements, ACI receipts, identities.

    A FILE is a proof file, of which the evidence is stored beside the log too; or it holds one
    record, or one in each line; - is standard input. A record that the log has keeps its place, so
    asking twice does no harm. Signatures are not checked here.

    \b
    Examples
      teeproof log append my-log step.json
      teeproof log append https://log.example/main x.proof --key VKEY --token-file my.token
    """  # noqa: D301  click reads the \b
    given = read_given(files)
    with bar("append", len(given.records)) as progress:
        if is_url(target):
            client, policy = client_of(
                target, key=key, policy_file=policy_file, token_file=token_file
            )
            with client:
                rows = _to_log(client, given, policy if wait else None, progress)
        else:
            if wait or key or policy_file or token_file:
                raise Usage("a log in a directory needs no key, no token and no waiting")
            rows = _to_directory(Path(target), given, progress)
    _say(standard(color), target, given, rows, proved=wait, as_json=as_json)
    return 0


def _to_directory(
    directory: Path, given: Given, progress: Callable[[int, int], None]
) -> list[_Row]:
    from teeproof.proof.log.admission import read_record  # noqa: PLC0415
    from teeproof.proof.log.http.keysets import Keysets  # noqa: PLC0415
    from teeproof.proof.log.storage.items import Item  # noqa: PLC0415
    from teeproof.proof.log.storage.log import Log  # noqa: PLC0415

    keysets, found = Keysets(), []
    with Log.open(directory) as log:
        warn(log)
        keysets.read(log)
        for where, data in given.records:  # all of them are read before one is appended
            with _named(where):
                record = read_record(data, identity_of_keyset=keysets.identity_of)
            keysets.learn(record)
            found.append((where, record))
        for blob in given.blobs:
            log.put_blob(blob)
        items = [Item(r.kind, r.id, r.identity, r.seal, r.data) for _, r in found]
        appended = []
        for start in range(0, len(items), _TOGETHER):
            appended += log.append_many(items[start : start + _TOGETHER])
            progress(len(appended), len(items))
        return [
            _Row(where, r.name, at.index, at.salt, None, _lacking(r.data, partial(_holds, log)))
            for (where, r), at in zip(found, appended, strict=True)
        ]


def _to_log(
    client: LogClient,
    given: Given,
    wait: TlogPolicy | None,
    progress: Callable[[int, int], None],
) -> list[_Row]:
    """Append over HTTP; with a policy, wait for a checkpoint with its quorum."""
    rows: list[_Row] = []
    for where, data in given.records:  # all of them are read before one is sent
        with _named(where):
            client.introduce(data)
    for blob in given.blobs:
        client.put_blob(blob)
    for batch in _batches(given.records):
        with _named(batch[0][0]):
            promises = client.append_many([data for _, data in batch])
        for (where, data), promise in zip(batch, promises, strict=True):
            by, lacking = format_time(promise.published_by), _lacking(data, client.has_blob)
            rows.append(_Row(where, named(promise.id), promise.index, promise.salt, by, lacking))
        for promise in promises if wait else ():
            client.wait_included(promise, accept=accepting(wait))
        progress(len(rows), len(given.records))
    return rows


def _lacking(data: bytes, holds: Callable[[str], bool]) -> tuple[str, ...]:
    """Return the evidence of an identity that the log does not have; of other records, nothing."""
    from teeproof.proof.identity import IdentityRecord  # noqa: PLC0415
    from teeproof.proof.source import kind_of  # noqa: PLC0415

    if kind_of(data) != "identity":
        return ()
    attached = sorted(set(IdentityRecord.parse(data).attachments.values()))
    return tuple(digest for digest in attached if not holds(digest))


def _holds(log: Reader, digest: str) -> bool:
    try:
        log.blob(digest)
    except Unavailable:
        return False
    return True


def _batches(records: list[tuple[str, bytes]]) -> Iterator[list[tuple[str, bytes]]]:
    """Yield what fits into one request each."""
    from teeproof.proof.log.http.limits import MAX_BATCH, MAX_BATCH_BYTES  # noqa: PLC0415

    batch: list[tuple[str, bytes]] = []
    size = 0
    for where, data in records:
        line = _one_line(data)
        if batch and (len(batch) == MAX_BATCH or size + len(line) >= MAX_BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append((where, line))
        size += len(line) + 1
    if batch:
        yield batch


def _one_line(data: bytes) -> bytes:
    """Return JSON without line ends, which stand between its parts and never in its texts."""
    return data.replace(b"\r", b" ").replace(b"\n", b" ")


class _named:  # noqa: N801  reads as a word
    """Says which record an error is about."""

    def __init__(self, where: str) -> None:
        self._where = where

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, Error):
            raise type(error)(
                f"{self._where}: {error.detail}",
                code=error.code,
                expected=error.expected,
                got=error.got,
            ) from None


def _say(
    screen: Screen, target: str, given: Given, rows: list[_Row], *, proved: bool, as_json: bool
) -> None:
    if as_json:
        screen.json(
            [
                {
                    "file": row.where,
                    "id": row.id,
                    "index": row.entry,
                    "salt": row.salt.hex(),
                    "published_by": row.published_by,
                    "proved": proved,
                    "evidence_missing": list(row.lacking),
                }
                for row in rows
            ]
        )
        return
    shown = rows if len(rows) <= _MANY else [rows[0], rows[-1]]
    for row in shown:
        screen.row(f"entry {row.entry}", row.id, mark=screen.paint("✓", "green", "bold"))
    if shown is not rows:
        screen.row("in all", f"{len(rows)} records")
    if given.blobs:
        screen.row("evidence", f"{len(given.blobs)} blobs beside the log")
    _say_lacking(screen, target, rows)
    if proved:
        screen.row("proved", "each is in the log's tree, under a checkpoint that it signed")
    elif rows[-1].published_by:
        screen.row("published", f"by {rows[-1].published_by}, as the log promises")
    else:
        screen.copied("next", shell("teeproof", "log", "publish", target), "bold")


def _say_lacking(screen: Screen, target: str, rows: list[_Row]) -> None:
    lacking = [row for row in rows if row.lacking]
    if not lacking:
        return
    which = f"entry {lacking[0].entry}" + (f" and {len(lacking) - 1} more" if lacking[1:] else "")
    screen.row(
        "evidence",
        f"not in the log, for {which}: nobody can export a proof of what it said. Send the proof"
        " file that its workload saved:",
        mark=screen.paint("–", "yellow"),
    )
    screen.copied("", shell("teeproof", "log", "append", target, "x.proof"), indent=16)
