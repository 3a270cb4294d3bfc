"""Judge the logs in a proof: are the entries in them, who vouches for that, since when.

The roots of all checkpoints of one log are computed from the same entries and nodes, so checkpoints
that belong to different histories cannot all match. The time of an entry is the earliest that a
quorum of witnesses, or a public block, vouches for over a checkpoint that covers it: substituting a
later checkpoint can only make a statement look younger, never older.

Trusts: log and witness keys, and blocks, of the relying party's trust.
Does not trust: the log's operator, a witness that the operator runs, the proof.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence

from teeproof.core.clock import format_time
from teeproof.core.errors import Error
from teeproof.evidence.verdict import Check, failed, not_checked, passed
from teeproof.proof.anchor import Anchored
from teeproof.proof.file import LogPart
from teeproof.proof.identity import IdentityRecord
from teeproof.proof.log.formats import multiproof
from teeproof.proof.log.formats.checkpoint import SignedCheckpoint
from teeproof.proof.log.formats.judge import Judgement
from teeproof.proof.verify.anchors import anchored_by
from teeproof.proof.verify.places import Place, broken_place
from teeproof.proof.verify.record import LogVerdict
from teeproof.proof.verify.trust import Trust

__all__ = ["LogView", "operators", "view"]


class LogView:
    """One log of a proof, judged.

    Attributes:
        verdict: what is known of the log as a whole.
        included: whether all entries are in the trees of all checkpoints.
        signed: whether the log is one that is trusted, and signed all checkpoints.
    """

    def __init__(
        self,
        verdict: LogVerdict,
        covers: Sequence[tuple[int, Place]],
        broken: Place | None,
        *,
        signed: bool,
    ) -> None:
        self.verdict = verdict
        self.included = broken is None
        self.signed = signed
        self._sizes = [size for size, _ in covers]
        self._places = [place for _, place in covers]
        self._broken = broken

    def place(self, index: int) -> Place:
        """Return what is known of the entry at an index."""
        if self._broken is not None:
            return self._broken
        return self._places[bisect_right(self._sizes, index)]


def view(
    part: LogPart,
    leaves: Mapping[int, bytes],
    trust: Trust,
    *,
    now: int,
    operated: Mapping[bytes, frozenset[bytes]],
) -> LogView:
    """Return the judgement of one log.

    Args:
        part: what the proof holds of it.
        leaves: leaf hashes by index, computed from the statements themselves.
        trust: keys and blocks of the relying party.
        now: the verifier's time, seconds since 1970.
        operated: see ``operators``.
    """
    sizes = [signed.checkpoint.size for signed in part.checkpoints]
    inclusion = _inclusion(part, leaves)
    own = _operated(part.origin, trust, operated)
    judged = [(signed, _judge(signed, trust, now, own)) for signed in part.checkpoints]
    documents: dict[int, list[bytes]] = {}
    for size, document in part.anchors:
        documents.setdefault(size, []).append(document)
    anchored = [
        anchored_by(documents.get(signed.checkpoint.size, ()), signed, trust)
        for signed in part.checkpoints
    ]
    checks = [
        inclusion,
        *(_softened(_signature(signed, found, trust)) for signed, found in judged),
        *(_softened(_witnesses(signed, found, trust)) for signed, found in judged),
        *(check for check, _ in anchored if check is not None),
    ]
    verdict = LogVerdict(
        origin=part.origin,
        checks=tuple(_once(checks)),
        entries=len(part.entries),
        sizes=tuple(sizes),
    )
    broken = broken_place(part.origin) if inclusion.state == "failed" else None
    times = [
        _earliest(found, block) for (_, found), (_, block) in zip(judged, anchored, strict=True)
    ]
    covers = _covers(part, sizes, judged, times, trust)
    signed = all(found is not None and found.log is True for _, found in judged)
    return LogView(verdict, covers, broken, signed=signed)


def operators(records: Iterable[IdentityRecord]) -> dict[bytes, frozenset[bytes]]:
    """Return, for each log key in these key documents, the witness keys beside it.

    One workload that has both would be its own witness, whatever names it gives to the keys.
    """
    found: dict[bytes, frozenset[bytes]] = {}
    for record in records:
        log, witness = record.key("log"), record.key("witness")
        if log is not None and witness is not None:
            found[log.raw] = found.get(log.raw, frozenset()) | {witness.raw}
    return found


def _operated(
    origin: str, trust: Trust, operated: Mapping[bytes, frozenset[bytes]]
) -> frozenset[bytes]:
    log = trust.logs.logs.get(origin) if trust.logs else None
    keys = log.keys if log is not None and operated else ()
    return frozenset().union(*(operated.get(key.public_key, frozenset()) for key in keys))


def _inclusion(part: LogPart, leaves: Mapping[int, bytes]) -> Check:
    try:
        found = multiproof.roots(leaves, part.nodes, [s.checkpoint.size for s in part.checkpoints])
    except Error as error:
        return failed("inclusion", error.code, error.detail, expected=error.expected, got=error.got)
    for signed in part.checkpoints:
        size, root = signed.checkpoint.size, signed.checkpoint.root
        if found[size] != root:
            return failed(
                "inclusion",
                "inclusion_mismatch",
                f"the entries are not those of the checkpoint of {part.origin} at size {size}:"
                " an entry was changed, or the log was rewritten",
                expected=root.hex(),
                got=found[size].hex(),
            )
    return passed("inclusion", f"every entry is in the tree of {part.origin}")


def _judge(
    signed: SignedCheckpoint, trust: Trust, now: int, operated: frozenset[bytes]
) -> Judgement | None:
    return trust.logs.judge(signed, now=now, operated=operated) if trust.logs else None


def _signature(signed: SignedCheckpoint, found: Judgement | None, trust: Trust) -> Check:
    origin = signed.checkpoint.origin
    if found is None:
        return not_checked(
            "checkpoint", f"no log keys were given, so anyone may have signed for {origin}"
        )
    if found.log is None:
        return failed(
            "checkpoint",
            "log_unknown",
            f"{origin} is none of the logs that you trust: add its key to your log policy, or ask"
            " for a proof from a log that you know",
            "policy",
            expected=", ".join(trust.logs.logs if trust.logs else ()) or "a log",
            got=origin,
        )
    if not found.log:
        return failed(
            "checkpoint",
            "checkpoint_signature",
            f"the checkpoint of {origin} at size {signed.checkpoint.size} is not signed by the key"
            " that you trust",
        )
    return passed("checkpoint", f"{origin} signed its checkpoint")


def _witnesses(signed: SignedCheckpoint, found: Judgement | None, trust: Trust) -> Check:
    if found is None or trust.logs is None:
        return not_checked("witnesses", "no witness keys were given", "policy")
    if trust.logs.quorum is None:
        return not_checked("witnesses", "your log policy asks for no witness", "policy")
    counted = [c.name for c in found.cosignatures if c.counted]
    refused = [f"{c.name}: {c.why}" for c in found.cosignatures if not c.counted]
    if found.quorum:
        return passed("witnesses", f"the quorum cosigned: {', '.join(counted)}", "policy")
    return failed(
        "witnesses",
        "quorum_missed",
        f"too few witnesses cosigned the checkpoint at size {signed.checkpoint.size}: ask for a"
        " proof with a later checkpoint",
        "policy",
        expected=f"the quorum {trust.logs.quorum}",
        got="; ".join([*counted, *refused]) or "no cosignature of a known witness",
    )


def _earliest(found: Judgement | None, block: Anchored | None) -> int | None:
    vouched = found.time if found is not None and found.log else None
    proven = block.proven_time if block is not None else None
    return min((time for time in (vouched, proven) if time is not None), default=None)


def _covers(
    part: LogPart,
    sizes: Sequence[int],
    judged: Sequence[tuple[SignedCheckpoint, Judgement | None]],
    times: Sequence[int | None],
    trust: Trust,
) -> list[tuple[int, Place]]:
    """Return, per checkpoint by size, the best that it or a larger one says of what it covers.

    The best is one by a trusted log, cosigned by the quorum, with the earliest time.
    """
    included = passed("inclusion", f"in {part.origin}")
    covers: list[tuple[int, Place]] = []
    best: Place | None = None
    for size, (signed, found), time in reversed(list(zip(sizes, judged, times, strict=True))):
        checks = (
            included,
            _signature(signed, found, trust),
            _witnesses(signed, found, trust),
            _time(time),
        )
        place = Place(checks, time)
        if best is None or place.rank <= best.rank:
            best = place
        covers.append((size, best))
    return covers[::-1]


def _softened(check: Check) -> Check:
    """A log or checkpoint that does not count fails nothing by itself: another may count."""
    if check.state == "failed" and check.concern == "policy":
        return not_checked(check.name, check.detail, "policy", got=check.got)
    return check


def _time(time: int | None) -> Check:
    if time is None:
        return not_checked(
            "time", "no witness or public block that you trust vouches for a time", "policy"
        )
    return passed(
        "time", f"said no later than {format_time(time)}", "policy", got=format_time(time)
    )


def _once(checks: Sequence[Check]) -> list[Check]:
    return list(dict.fromkeys(checks))
