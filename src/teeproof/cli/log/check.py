"""``teeproof log check``: walk a whole log: every tile, every entry, every signature."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import click

from teeproof.cli.log.options import (
    bar,
    client_of,
    exposure,
    is_url,
    key_options,
    policy_of,
    target_argument,
)
from teeproof.cli.options import output_options
from teeproof.cli.screen import ColorChoice, Screen, standard
from teeproof.core.clock import format_time, to_epoch, wall_clock
from teeproof.core.errors import Malformed, NotAllowed, NotAuthentic, Unavailable
from teeproof.proof.log.formats.checkpoint import SignedCheckpoint
from teeproof.proof.log.formats.policy import Judgement, TlogPolicy
from teeproof.proof.log.formats.tiles import TILE_WIDTH
from teeproof.proof.log.http.walk import Fault, Records, files_under, walk
from teeproof.proof.log.storage.log import Log
from teeproof.proof.witness.signed import require_signed

__all__ = ["command"]


class _Found(NamedTuple):
    signed: SignedCheckpoint
    judgement: Judgement
    faults: tuple[Fault, ...]
    whose: str
    records: Records | None
    exposed: str | None

    @property
    def exit_code(self) -> int:
        if any(isinstance(fault.error, NotAuthentic | Malformed) for fault in self.faults):
            return NotAuthentic.exit_code
        if self.faults:
            return Unavailable.exit_code
        return 0 if self.judgement.quorum else NotAllowed.exit_code


@click.command("check")
@target_argument
@key_options
@output_options
def command(
    target: str, *, key: str | None, policy_file: Path | None, as_json: bool, color: ColorChoice
) -> int:
    """Walk a whole log, and say whether all of it is what the log signed.

    Compared are every bundle of entries with its tile, every tile with the one above, the tiles at
    the edge with the root, its signature with the key, the cosignatures with the policy. In a
    DIRECTORY also each record with its entry, and the evidence of each identity with its digest;
    without a key, its own is taken.

    \b
    Examples
      teeproof log check my-log
      teeproof log check https://log.example/main --logs trusted-logs
    """  # noqa: D301  click reads the \b
    if is_url(target):
        found = _of_url(target, key, policy_file)
    else:
        found = _of_directory(Path(target), policy_of(key, policy_file))
    screen = standard(color)
    if as_json:
        screen.json(_json(found))
    else:
        _say(screen, found)
    return found.exit_code


def _of_url(url: str, key: str | None, policy_file: Path | None) -> _Found:
    client, policy = client_of(url, key=key, policy_file=policy_file)
    with client:
        return _found(client.checkpoint(), policy, client.tile, "yours", None)


def _of_directory(directory: Path, policy: TlogPolicy | None) -> _Found:
    with ExitStack() as stack:
        log = stack.enter_context(Log.open(directory, read_only=True))
        whose = "yours" if policy else "the directory's own: give --key to check against yours"
        policy = policy or TlogPolicy.parse(f"log {log.verifier.text()}\nquorum none\n")
        return _found(log.checkpoint(), policy, files_under(log.public), whose, log)


def _found(
    signed: SignedCheckpoint,
    policy: TlogPolicy,
    fetch: Callable[[str], bytes],
    whose: str,
    log: Log | None,
) -> _Found:
    known = policy.logs.get(signed.checkpoint.origin)
    keys = known.keys if known else tuple(other.key for other in policy.logs.values())
    require_signed(signed, keys)
    judgement = policy.judge(signed, now=to_epoch(wall_clock()))
    records = Records(log) if log else None
    with bar("check", signed.checkpoint.size) as progress:
        faults = tuple(walk(signed.checkpoint, fetch, records=records, progress=progress))
    return _Found(signed, judgement, faults, whose, records, exposure(log) if log else None)


def _say(screen: Screen, found: _Found) -> None:
    checkpoint, judgement = found.signed.checkpoint, found.judgement
    good, bad = screen.paint("✓", "green", "bold"), screen.paint("✗", "red", "bold")
    screen.text(checkpoint.origin, "bold")
    screen.row("signature", f"by the log's key, which is {found.whose}", mark=good)
    for line in judgement.cosignatures:
        mark = good if line.counted else screen.paint("–", "yellow")
        when = "" if line.time is None else f", {format_time(line.time)}"
        screen.row("cosigned", f"{line.key}{when}: {line.why}", mark=mark)
    if judgement.time is not None:
        screen.row("quorum", f"reached at {format_time(judgement.time)}", mark=good)
    elif not judgement.quorum:
        screen.row("quorum", "not reached: too few cosignatures count", mark=bad)
    for fault in found.faults:
        screen.row(fault.where, fault.error.detail, mark=bad, column=28)
    bundles = _counted(-(-checkpoint.size // TILE_WIDTH), "bundle")
    screen.row(
        "entries",
        f"{checkpoint.size} in {bundles}, {_counted(len(found.faults), 'fault')}",
        mark=bad if found.faults else good,
    )
    _say_evidence(screen, found.records, good, bad)
    screen.copied("root", checkpoint.root.hex())
    if found.exposed:
        screen.row("warning", found.exposed, mark=screen.paint("!", "yellow", "bold"))


def _say_evidence(screen: Screen, records: Records | None, good: str, bad: str) -> None:
    if records is None:
        screen.row(
            "evidence",
            "not checked: it is not public; check the log's directory",
            mark=screen.paint("–", "yellow"),
        )
    elif records.lost:
        screen.row(
            "evidence",
            f"{records.lost} of {_counted(records.blobs, 'blob')} missing or changed",
            mark=bad,
        )
    elif records.blobs:
        screen.row("evidence", f"{_counted(records.blobs, 'blob')} of identities", mark=good)


def _counted(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _json(found: _Found) -> dict[str, object]:
    checkpoint, judgement = found.signed.checkpoint, found.judgement
    return {
        "ok": found.exit_code == 0,
        "origin": checkpoint.origin,
        "size": checkpoint.size,
        "root": checkpoint.root.hex(),
        "key": found.whose.split(":")[0],
        "quorum": judgement.quorum,
        "time": None if judgement.time is None else format_time(judgement.time),
        "cosignatures": [
            {"witness": line.key, "time": line.time, "counted": line.counted, "why": line.why}
            for line in judgement.cosignatures
        ],
        "evidence": found.records
        and {"blobs": found.records.blobs, "missing_or_changed": found.records.lost},
        "warning": found.exposed,
        "faults": [{"where": f.where} | f.error.to_json() for f in found.faults],
    }
