"""What a market asks of whoever comes with a claim: is it signed, is the machine real, is it fresh.

Only authentic claims get a decision: where a signature or the evidence does not hold, nobody has
claimed anything, and nothing is written down.

Trusts: the policy's roots, this code.  Does not trust: the node, its host, what it sends.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import msgspec

from teeproof.core.digests import named, parse_named, sha256
from teeproof.core.errors import Error, Malformed, NotAllowed, NotAuthentic, Unavailable
from teeproof.evidence.policy import Policy
from teeproof.evidence.verdict import Check
from teeproof.network.admission import Reason
from teeproof.network.claim import MAX_GPUS, NodeClaim
from teeproof.network.forms import require
from teeproof.network.statements import NODE, say
from teeproof.proof import canonical
from teeproof.proof.identity import IdentityRecord
from teeproof.proof.signing import holds_ed25519
from teeproof.proof.source import Read, read_record
from teeproof.proof.statement import Statement
from teeproof.proof.verify.identities import judge_identity
from teeproof.proof.verify.places import not_logged
from teeproof.proof.verify.trust import Trust

__all__ = [
    "MAX_BODY",
    "Applicant",
    "Challenges",
    "Registration",
    "Renewal",
    "check_rotation",
    "parse",
    "read_applicant",
    "verified",
]

MAX_BODY = 4 << 20
ROTATION = "urn:teeproof:rotation:v1"
MAX_CHALLENGES = 1 << 16
MAX_GPU_REPORT = 64 << 10


class Registration(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a node sends to be admitted.

    Attributes:
        identity: its identity record.
        blobs: its evidence's parts, base64, by ``sha256:…``.
        claim: its claim's statement, in its envelope.
        gpu_reports: each GPU's report, base64, in the order in which the claim names them.
    """

    identity: msgspec.Raw
    blobs: dict[str, bytes]
    claim: msgspec.Raw
    gpu_reports: tuple[bytes, ...] = ()


class Renewal(Registration, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a node sends to prove itself anew: the same claim, by the identity that follows.

    Attributes:
        node: its name in the market, ``sha256:…``.
        rotation: the old identity's statement that this one follows it, in its envelope.
    """

    node: str
    rotation: msgspec.Raw


class Applicant(NamedTuple):
    """A node whose claim is its own.

    Attributes:
        record: its identity.
        claim: what it says.
        envelope: the claim's statement, as it was signed.
        statement: the same, parsed.
    """

    record: IdentityRecord
    claim: NodeClaim
    envelope: bytes
    statement: Statement


class Challenges:
    """Nonces that were handed out, each good for one answer."""

    def __init__(self, *, seconds: int, random: Callable[[int], bytes] = os.urandom) -> None:
        self._seconds, self._random = seconds, random
        self._until: OrderedDict[str, int] = OrderedDict()

    def issue(self, now: int) -> tuple[str, int]:
        """Return a fresh nonce and when it expires; Unavailable if too many are open."""
        while self._until and next(iter(self._until.values())) < now:
            self._until.popitem(last=False)
        if len(self._until) >= MAX_CHALLENGES:
            raise Unavailable("the market is busy: ask again in a minute", code="market_busy")
        nonce = self._random(32).hex()
        self._until[nonce] = now + self._seconds
        return nonce, now + self._seconds

    def take(self, nonce: str | None, now: int) -> bool:
        """Return whether this nonce was open; it is used up then."""
        until = self._until.pop(nonce or "", None)
        return until is not None and now <= until


def read_applicant(given: Registration) -> Applicant:
    """Return the node behind a registration; its evidence is not looked at yet.

    Raises:
        Malformed, TooLarge: something has not the form that it should.
        NotAuthentic: the identity's keys did not sign it, or did not sign the claim.
    """
    record = _record(given.identity)
    envelope = bytes(given.claim)
    read = _said_by(record.name, record.statement_key, envelope, kind=NODE, what="claim")
    predicate = read.statement.predicate if read.statement else None
    claim: NodeClaim = predicate.claim  # type: ignore[union-attr]
    claim.check()
    honest = say(predicate, claim, name=claim.name) == read.statement  # type: ignore[arg-type]
    require(
        honest and predicate.payout == claim.payout,  # type: ignore[union-attr]
        "claim_not_its_subject",
        "the statement is not about the claim in it: its subject is another, or its payout",
        expected=f"the subject {claim.digest_name}, the payout {claim.payout}",
        got=str(read.subjects[0].sha256),
    )
    _check_reports(claim, given.gpu_reports)
    return Applicant(record, claim, envelope, read.statement)  # type: ignore[arg-type]


def check_rotation(given: Renewal, record: IdentityRecord, *, before: str, key: bytes) -> None:
    """Raise unless one identity follows another, and that one says so itself.

    Args:
        given: what the node sent.
        record: the new identity.
        before: the identity that the node has had so far, ``sha256:…``.
        key: that identity's ``statement`` key, 32 bytes.

    Raises:
        Malformed, TooLarge: something has not the form that it should.
        NotAuthentic: the old key did not sign, or neither names the other.
    """
    read = _said_by(before, key, bytes(given.rotation), kind=ROTATION, what="rotation")
    if record.keys.previous != before or [one.sha256 for one in read.subjects] != [record.name]:
        raise NotAuthentic(
            "this identity does not follow the node's newest one: rotate that one",
            code="not_the_following_identity",
            expected=f"an identity behind {before}",
            got=record.keys.previous or "one that follows none",
        )


def verified(
    record: IdentityRecord, blobs: Mapping[str, bytes], *, policy: Policy, now: int
) -> tuple[Mapping[str, Any], tuple[Reason, ...]]:
    """Return what an identity's evidence establishes, and what the policy has against it.

    Raises:
        NotAuthentic, NotAllowed: the evidence does not hold, or a simulator made it that the policy
            does not accept: there is no machine that could be admitted or refused.
        Malformed, Unavailable: it is no evidence, or a part is missing.
    """

    def blob(digest: str) -> bytes:
        if digest not in blobs:
            raise Unavailable(
                "a part of the evidence is missing: send every part that the identity names",
                code="blob_unknown",
                expected=digest,
            )
        return blobs[digest]

    verdict = judge_identity(
        record, blob=blob, place=not_logged(Trust()), now=now, policy=policy, further=None,
        both_paths=True, known={},
    )  # fmt: skip
    own = next((check for check in verdict.checks if check.state == "failed"), None)
    evidence = verdict.evidence
    if own is not None or evidence is None:
        raise _does_not_hold(own)
    refused = evidence.failures
    if not evidence.authentic:
        raise _does_not_hold(refused[0] if refused else None)
    return evidence.facts, tuple(_reason(check) for check in refused[:4])


def _does_not_hold(check: Check | None) -> Error:
    detail = check.detail if check else "there is no evidence that could be verified"
    kinds: dict[str, type[Error]] = {"policy": NotAllowed, "availability": Unavailable}
    return kinds.get(check.concern if check else "", NotAuthentic)(
        f"the node's evidence does not hold: {detail}",
        code=check.code if check else "evidence_missing",
        expected=check.expected if check else None,
        got=check.got if check else None,
    )


def _reason(check: Check) -> Reason:
    return Reason(
        code="evidence_refused",
        detail=f"the policy refuses its evidence: {check.detail}"[:300],
        expected=(check.expected or "")[:200],
        got=(check.got or "")[:200],
    )


def _record(data: msgspec.Raw) -> IdentityRecord:
    record = IdentityRecord.parse(bytes(data))
    if not record.is_possessed:
        raise NotAuthentic(
            "not every key in the identity has signed it: it may name somebody else's keys",
            code="possession_unproven",
            expected=f"{len(record.keys.signing)} signatures that hold",
        )
    return record


def _said_by(author: str, key: bytes, data: bytes, *, kind: str, what: str) -> Read:
    read = read_record(data)
    if read.type != kind or read.statement is None:
        raise Malformed(
            f"this is not the statement of a {what}", code="statement_of_another_kind",
            expected=kind, got=read.type[:100],
        )  # fmt: skip
    signed = read.envelope is not None and holds_ed25519(
        key, read.envelope.signed, read.envelope.signatures[0].sig
    )
    if read.author != parse_named(author) or not signed:
        raise NotAuthentic(
            f"the {what} was not signed by the identity that it came with: a node speaks for itself"
            " only",
            code=f"{what}_of_another",
            expected=author,
            got=named(read.author) if read.author else "nobody",
        )
    return read


def _check_reports(claim: NodeClaim, reports: tuple[bytes, ...]) -> None:
    require(
        len(reports) <= MAX_GPUS and all(0 < len(one) <= MAX_GPU_REPORT for one in reports),
        "gpu_reports_malformed",
        "GPU reports are few, and each is short",
        expected=f"at most {MAX_GPUS} of at most {MAX_GPU_REPORT} bytes",
        got=[len(one) for one in reports[:MAX_GPUS]],
    )
    found = tuple(named(sha256(one)) for one in reports)
    require(
        found == claim.gpu_reports,
        "gpu_reports_of_another_claim",
        "the GPU reports are not those that the claim names",
        expected=", ".join(claim.gpu_reports) or "none",
        got=", ".join(found) or "none",
    )


def parse(data: bytes, kind: type[Any], what: str) -> Any:
    """Return what a node sent, in canonical JSON; Malformed, TooLarge if it is none."""
    return canonical.decode(data, limit=MAX_BODY, what=what, kind=kind)
