"""Judge an identity: who holds these keys, and does hardware commit to them.

    identity-statement   the document is one, and was signed as one
    possession           each signing key in it signed it
    key-dates            the time lies between the dates of the keys: at most 30 days
    machine              the evidence can be read; whether it holds is a verdict of its own
    evidence-name        the evidence is the one that the statement names
    key-binding          the evidence commits to this key document and no other
    author-policy        of a root's author: the machine is the one that is expected

Trusts: the policy's roots; T where somebody vouches for it.
Does not trust: host, operator, whoever handed over the evidence.
"""

from __future__ import annotations

from collections.abc import Callable, MutableMapping

from teeproof.core.clock import format_time, from_epoch
from teeproof.core.digests import framed_sha256
from teeproof.core.errors import Error, Unavailable
from teeproof.core.version import VERSION
from teeproof.evidence.policy import Policy
from teeproof.evidence.record import Evidence
from teeproof.evidence.verdict import Check, Concern, Verdict, failed, not_checked, passed
from teeproof.evidence.verify import verify as verify_evidence
from teeproof.proof.envelope import IN_TOTO
from teeproof.proof.identity import IdentityRecord
from teeproof.proof.keyring import verify_possession
from teeproof.proof.verify.places import Place
from teeproof.proof.verify.record import IdentityVerdict

__all__ = ["Known", "judge_identity"]

Known = MutableMapping[bytes, tuple[tuple[Check, ...], Verdict | None]]
"""What was found of identities before, by a key that holds all that it depends on."""


def judge_identity(
    record: IdentityRecord,
    *,
    blob: Callable[[str], bytes],
    place: Place,
    now: int,
    policy: Policy | None,
    further: Policy | None,
    both_paths: bool,
    known: Known,
) -> IdentityVerdict:
    """Return the verdict on one identity.

    Args:
        record: the identity.
        blob: the evidence's bytes, asked by ``sha256:…``.
        place: what the log says of the identity statement.
        now: the verifier's time; the evidence is verified as of it where the log gives no T.
        policy: expectations about the machine.
        further: more expectations, of whoever wrote a root statement; None for everyone else.
        both_paths: whether the second verifier is asked too.
        known: identities judged before; new ones are added.
    """
    time = now if place.time is None else place.time
    timed = place.time is not None
    when, policies = (time, timed), (policy, further)
    try:
        evidence = record.evidence(blob)
    except Error as error:  # another proof may have what this one lacks: nothing to remember
        checks, machine = (*_own(record, when), _no_machine(error)), None
    else:
        key = _known_key(record, when, policies, both_paths=both_paths)
        if key not in known:
            known[key] = _judge(record, evidence, when, policies, both_paths=both_paths)
        checks, machine = known[key]
    return IdentityVerdict(
        id=record.name,
        checks=(*checks, *place.checks),
        evidence=machine,
        time=format_time(time),
        timed=timed,
        not_before=format_time(record.keys.not_before),
        not_after=format_time(record.keys.not_after),
    )


def _judge(
    record: IdentityRecord,
    evidence: Evidence,
    when: tuple[int, bool],
    policies: tuple[Policy | None, Policy | None],
    *,
    both_paths: bool,
) -> tuple[tuple[Check, ...], Verdict | None]:
    at = from_epoch(when[0])

    def verify(policy: Policy | None) -> Verdict:
        return verify_evidence(evidence, now=at, policy=policy, both_paths=both_paths)

    own = _own(record, when)
    policy, further = policies
    try:
        machine = verify(policy)
        expected = () if further is None else (_author_policy(verify(further)),)
    except Error as error:
        return (*own, _no_machine(error)), None
    return (*own, _name(record, machine), _binding(record, machine), *expected), machine


def _own(record: IdentityRecord, when: tuple[int, bool]) -> tuple[Check, ...]:
    """Return the checks that need no evidence."""
    return _statement(record), _possession(record), _dates(record, *when)


def _no_machine(error: Error) -> Check:
    concern: Concern = "availability" if isinstance(error, Unavailable) else "authenticity"
    return failed(
        "machine", error.code, error.detail, concern, expected=error.expected, got=error.got
    )


def _statement(record: IdentityRecord) -> Check:
    """The payload was read when the file was opened; what it was signed as was not."""
    kind = record.envelope.payload_type
    if kind != IN_TOTO:
        return failed(
            "identity-statement",
            "payload_type_wrong",
            "the identity statement was signed as something else than a statement",
            expected=IN_TOTO,
            got=kind[:100],
        )
    return passed("identity-statement", "the identity statement is written in the one way")


def _possession(record: IdentityRecord) -> Check:
    keys, signatures = record.keys.signing, record.envelope.signatures
    if len(keys) != len(signatures):
        return failed(
            "possession",
            "possession_count",
            "each signing key must sign the identity statement, in the document's order",
            expected=f"{len(keys)} signatures",
            got=f"{len(signatures)} signatures",
        )
    signed = record.envelope.signed
    for key, signature in zip(keys, signatures, strict=True):
        if not verify_possession(key, signed, signature.sig):
            return failed(
                "possession",
                "possession_unproven",
                f"the {key.role} key did not sign: it may be somebody else's public key",
                expected=f"a signature of {key.algorithm} key {key.public_key[:16]}…",
            )
    who = "the signing key" if len(keys) == 1 else f"all {len(keys)} signing keys"
    return passed("possession", f"{who} signed the identity statement")


def _known_key(
    record: IdentityRecord,
    when: tuple[int, bool],
    policies: tuple[Policy | None, ...],
    *,
    both_paths: bool,
) -> bytes:
    """Return what a judgement depends on: one under another policy, or as of another T, is another.

    The attachments' digests stand for evidence and endorsements; the policy's digest covers roots.
    The signatures are not in the identity's digest, so they are named too.
    """
    attached = (f"{name}={digest}" for name, digest in sorted(record.attachments.items()))
    return framed_sha256(
        "teeproof.known-identity.v1",
        record.envelope.encode(),
        "\n".join(attached).encode(),
        *(policy.digest.encode() if policy else b"" for policy in policies),
        b"%d %d %d" % (*when, both_paths),
        VERSION.encode(),
    )


def _name(record: IdentityRecord, machine: Verdict) -> Check:
    stated = record.claim.evidence[0]
    if machine.subject != stated.id or machine.kind != stated.kind:
        return failed(
            "evidence-name",
            "evidence_of_another",
            "this is not the evidence that the identity statement names: it was swapped",
            expected=f"{stated.kind} {stated.id}",
            got=f"{machine.kind} {machine.subject}",
        )
    return passed("evidence-name", "the evidence is the one that the identity statement names")


def _binding(record: IdentityRecord, machine: Verdict) -> Check:
    found = machine.facts.get("report_data")
    if found is None and machine.failures:
        return not_checked("key-binding", "the evidence does not hold, so nothing is bound to it")
    if found != record.report_data.hex():
        return failed(
            "key-binding",
            "key_binding_mismatch",
            "the hardware committed to other keys: this key document was put beside evidence that"
            " was made for somebody else",
            expected=record.report_data.hex(),
            got=found or "nothing",
        )
    return passed("key-binding", "the hardware commits to exactly this key document")


def _author_policy(machine: Verdict) -> Check:
    refused = machine.failures
    if not refused:
        return passed("author-policy", "the author is whom you expect", "policy")
    first = refused[0]
    return failed(
        "author-policy",
        first.code or "author_not_expected",
        f"the root's author is not whom you expect: {first.detail}",
        first.concern,
        expected=first.expected,
        got=first.got,
    )


def _dates(record: IdentityRecord, time: int, timed: bool) -> Check:
    """The workload's clock is its host's: bound what it says by a T that somebody vouches for.

    Keys live for at most 30 days (``KeyDocument.check``), so what holds here ends 30 days after T.
    """
    keys = record.keys
    dates = f"from {format_time(keys.not_before)} until {format_time(keys.not_after)}"
    if keys.begins_after(time):
        return failed(
            "key-dates",
            "keys_not_yet",
            "the identity was seen before its keys were made, by its own clock: the machine's clock"
            " was set ahead"
            if timed
            else "at the time that you ask about these keys were not made yet, by the machine's own"
            " clock, which is its host's",
            expected=f"a time {dates}",
            got=format_time(time),
        )
    if time <= keys.not_after:
        return passed("key-dates", f"the keys are valid {dates}")
    if not timed:
        return not_checked(
            "key-dates",
            f"the keys were valid {dates}, and nobody vouches for when they were made",
        )
    return failed(
        "key-dates",
        "keys_expired",
        "the identity was first seen after its keys had expired",
        expected=f"a time {dates}",
        got=format_time(time),
    )
