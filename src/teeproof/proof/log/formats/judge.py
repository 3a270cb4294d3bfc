"""Judge a checkpoint by a policy: is it by a known log, who cosigned it, is that enough, and when.

A cosignature of a known witness is *counted* unless

- it is by the log's operator: see ``same_operator``, and the keys that the caller names;
- it is later than now by more than five minutes, or states no time (zero);
- the quorum does not mention the witness, or the same witness cosigned earlier.

One whose signature does not hold voids the whole judgement, as c2sp.org/signed-note advises: there
is no quorum and no time. Lines by unknown keys are ignored.

The time is the earliest moment by which the counted cosignatures made up the quorum: of a group of
k, the k-th earliest. Fewer than k witnesses with slow clocks cannot date a checkpoint back.

Trusts: the policy's keys, up to its quorum.  Does not trust: the log's operator as a witness.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

import msgspec

from teeproof.core.errors import NotAuthentic
from teeproof.proof.log.formats.checkpoint import SignedCheckpoint, verify_checkpoint
from teeproof.proof.log.formats.cosignature import claimed_time, cosigned_at
from teeproof.proof.log.formats.note import SignatureLine, VerifierKey

if TYPE_CHECKING:
    from teeproof.proof.log.formats.policy import TlogPolicy

__all__ = ["CLOCK_TOLERANCE", "Cosigned", "Judgement", "judge", "same_operator"]

CLOCK_TOLERANCE = 300  # seconds by which a witness's clock may be ahead of ours

_BAD = "the signature does not hold for this checkpoint"


class Cosigned(msgspec.Struct, frozen=True):
    """What one known witness's line is worth.

    Attributes:
        name: the witness's name in the policy; octets that are no UTF-8 are shown in hex.
        time: seconds since 1970 as the line claims; None if its form holds no time.
        counted: whether it contributes to the quorum and the time.
        why: one sentence for people.
        key: the name of the witness's key.
    """

    name: str
    time: int | None
    counted: bool
    why: str
    key: str


class Judgement(msgspec.Struct, frozen=True):
    """What a policy says of a checkpoint.

    Attributes:
        log: whether the log's signature holds; None if the policy has no key for its origin.
        cosignatures: each line by a known witness once, in the note's order.
        quorum: whether the counted cosignatures suffice; true for ``quorum none``.
        time: seconds since 1970, an upper bound on when the checkpoint existed; None if there is
            no quorum, or the policy asks for none.
    """

    log: bool | None
    cosignatures: tuple[Cosigned, ...]
    quorum: bool
    time: int | None


def judge(
    policy: TlogPolicy, signed: SignedCheckpoint, *, now: int, operated: Collection[bytes] = ()
) -> Judgement:
    """Return what the policy says of the checkpoint at ``now``, in seconds since 1970.

    ``operated`` are public keys of witnesses that are known to be run by the log's operator.
    """
    found = _cosignatures(policy, signed, now, operated)
    times = {name: cosigned.time for name, cosigned in found if cosigned.counted}
    void = any(cosigned.why == _BAD for _, cosigned in found)
    time = None if void else quorum_time(policy, times)
    return Judgement(
        log=_by_log(policy, signed),
        cosignatures=tuple(cosigned for _, cosigned in found),
        quorum=not void and (policy.quorum is None or time is not None),
        time=time,
    )


def same_operator(origin: str, witness: str) -> bool:
    """Whether a witness's key name says that it is run by the log's operator.

    True if the host parts (what stands before the first ``/``, without a port, in lower case) are
    equal, or one is a subdomain of the other. Two hosts beside each other under one domain are not
    recognised: that takes knowledge of who owns it, which a policy's author has and a name has not.
    """
    log, other = _host(origin), _host(witness)
    return log == other or log.endswith("." + other) or other.endswith("." + log)


def quorum_time(policy: TlogPolicy, times: Mapping[str, int | None]) -> int | None:
    """Return the earliest moment at which the quorum had cosigned; None if it has not."""
    reached = {name: time for name, time in times.items() if time is not None}
    for name, group in policy.groups.items():  # members are defined before their group
        members = sorted(reached[member] for member in group.members if member in reached)
        if len(members) >= group.threshold:
            reached[name] = members[group.threshold - 1]
    return reached.get(policy.quorum) if policy.quorum is not None else None


def _by_log(policy: TlogPolicy, signed: SignedCheckpoint) -> bool | None:
    log = policy.logs.get(signed.checkpoint.origin)
    if log is None:
        return None
    holds = False
    for key in log.keys:
        try:
            verify_checkpoint(signed, key)
        except NotAuthentic as error:
            if error.code == "checkpoint_signature":
                return False
        else:
            holds = True
    return holds


def _cosignatures(
    policy: TlogPolicy, signed: SignedCheckpoint, now: int, operated: Collection[bytes]
) -> list[tuple[str, Cosigned]]:
    witnesses = {
        (witness.key.name, witness.key.key_id): (name, witness.key)
        for name, witness in policy.witnesses.items()
    }
    found = []
    for line in dict.fromkeys(signed.note.signatures):  # a repeated line is one line
        witness = witnesses.get((line.name, line.key_id))
        if witness is not None:
            why = _objection(policy, signed, line, witness, now)
            if why is None and witness[1].public_key in operated:
                why = "the witness's key stands in one key document with the log's key"
            found.append((witness[0], _cosigned(witness, line, why)))
    return _once_each(found)


def _objection(
    policy: TlogPolicy,
    signed: SignedCheckpoint,
    line: SignatureLine,
    witness: tuple[str, VerifierKey],
    now: int,
) -> str | None:
    """Return why a line by a known witness is not counted; None if it is."""
    name, key = witness
    time = claimed_time(line)
    if time == 0:
        return "it states no time"
    if time is None or cosigned_at(signed.note.text, line, key) is None:
        return _BAD
    if same_operator(signed.checkpoint.origin, key.name):
        return "the witness is run by the log's operator"
    if time > now + CLOCK_TOLERANCE:
        return "its time lies in the future"
    if policy.quorum is not None and name not in policy.electorate:
        return "the quorum does not mention this witness"
    return None


def _cosigned(witness: tuple[str, VerifierKey], line: SignatureLine, why: str | None) -> Cosigned:
    name, key = witness
    shown = name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return Cosigned(shown, claimed_time(line), why is None, why or "it holds", key.name)


def _once_each(found: list[tuple[str, Cosigned]]) -> list[tuple[str, Cosigned]]:
    """Count of each witness the earliest line only."""
    first: dict[str, Cosigned] = {}
    for name, line in found:
        if line.counted and (name not in first or _time(line) < _time(first[name])):
            first[name] = line
    return [
        (name, line)
        if not line.counted or line is first[name]
        else (name, msgspec.structs.replace(line, counted=False, why="it cosigned earlier"))
        for name, line in found
    ]


def _time(line: Cosigned) -> int:
    return line.time or 0


def _host(name: str) -> str:
    if name.startswith("oid/"):  # c2sp.org/tlog-cosignature: an OID, not a host of that name
        return name
    host = name.partition("/")[0].partition(":")[0]
    return host.rstrip(".").casefold()
