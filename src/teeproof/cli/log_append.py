"""``teeproof log append``: append statements, receipts and identities to a log."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

from teeproof.cli.log_options import (
    bar,
    client_of,
    is_url,
    key_options,
    read_records,
    target_argument,
    token_option,
)
from teeproof.cli.options import output_options, paths_argument
from teeproof.cli.screen import ColorChoice, Screen, standard
from teeproof.core.clock import format_time
from teeproof.core.digests import named
from teeproof.core.errors import Error, Usage

if TYPE_CHECKING:
    from teeproof.proof.log.http.client import LogClient

__all__ = ["command"]

_MAX_INPUT_BYTES = 64 << 20
_TOGETHER = 2048  # records that are appended between two looks at the bar
_MANY = 20  # records; of more, only the first and the last are shown


class _Row(NamedTuple):
    where: str
    id: str
    entry: int
    salt: bytes
    published_by: str | None


@click.command("append")
@target_argument
@paths_argument
@key_options
@token_option
@click.option("--wait", is_flag=True, help="Wait until the log has proved that they are in it.")
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

    A FILE holds one record, or one in each line; - is standard input. A record that the log has
    keeps its place, so asking twice does no harm. Signatures are not checked here.

    \b
    Examples
      teeproof log append my-log step.json
      teeproof log append https://log.example/main step.json --key VKEY --token-file my.token
    """  # noqa: D301  click reads the \b
    records = read_records(files, limit=_MAX_INPUT_BYTES)
    with bar("append", len(records)) as progress:
        if is_url(target):
            client, _ = client_of(target, key=key, policy_file=policy_file, token_file=token_file)
            with client:
                rows = _to_log(client, records, wait=wait, progress=progress)
        else:
            if wait or key or policy_file or token_file:
                raise Usage("a log in a directory needs no key, no token and no waiting")
            rows = _to_directory(Path(target), records, progress)
    _say(standard(color), target, rows, proved=wait, as_json=as_json)
    return 0


def _to_directory(
    directory: Path, records: list[tuple[str, bytes]], progress: Callable[[int, int], None]
) -> list[_Row]:
    from teeproof.proof.log.admission import read_record  # noqa: PLC0415
    from teeproof.proof.log.http.keysets import Keysets  # noqa: PLC0415
    from teeproof.proof.log.storage.items import Item  # noqa: PLC0415
    from teeproof.proof.log.storage.log import Log  # noqa: PLC0415

    keysets, found = Keysets(), []
    with Log.open(directory) as log:
        keysets.read(log)
        for where, data in records:  # all of them are read before one is appended
            with _named(where):
                record = read_record(data, identity_of_keyset=keysets.identity_of)
            keysets.learn(record)
            found.append((where, record))
        items = [Item(r.kind, r.id, r.identity, r.seal, r.data) for _, r in found]
        appended = []
        for start in range(0, len(items), _TOGETHER):
            appended += log.append_many(items[start : start + _TOGETHER])
            progress(len(appended), len(items))
    return [
        _Row(where, record.name, place.index, place.salt, None)
        for (where, record), place in zip(found, appended, strict=True)
    ]


def _to_log(
    client: LogClient,
    records: list[tuple[str, bytes]],
    *,
    wait: bool,
    progress: Callable[[int, int], None],
) -> list[_Row]:
    rows: list[_Row] = []
    for where, data in records:  # all of them are read before one is sent
        with _named(where):
            client.introduce(data)
    for batch in _batches(records):
        with _named(batch[0][0]):
            promises = client.append_many([data for _, data in batch])
        for (where, _), promise in zip(batch, promises, strict=True):
            by = format_time(promise.published_by)
            rows.append(_Row(where, named(promise.id), promise.index, promise.salt, by))
        for promise in promises if wait else ():
            client.wait_included(promise)
        progress(len(rows), len(records))
    return rows


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


def _say(screen: Screen, target: str, rows: list[_Row], *, proved: bool, as_json: bool) -> None:
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
    if proved:
        screen.row("proved", "each is in the log's tree, under a checkpoint that it signed")
    elif rows[-1].published_by:
        screen.row("published", f"by {rows[-1].published_by}, as the log promises")
    else:
        screen.row("next", f"teeproof log publish {target}", "bold")
