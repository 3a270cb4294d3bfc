"""What a stranger can check of a KMS's statements, with nothing but the proof in hand.

    recipient-key        the subject is the key that the statement shows
    recipient-owner      the owner signed the policy under which keys are released

    release-decision     of a refusal: no keys were granted, so the other two do not arise
    release-job          the workload's machine had committed to this job and to this challenge
    release-code         it is of the code that the KMS says it is

    erasure-key          the subject is the key that the order names
    erasure-owner        the owner signed the order
    erasure-recipient    this very key was made for this owner

Importing this registers the judges (``proof.verify.claims``).

Trusts: the judges' rules.  Does not trust: the proof, the KMS's host.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from teeproof.cloud.owner import verify_text
from teeproof.cloud.statements import ERASURE, RECIPIENT, RELEASE, Erasure, Recipients, Release
from teeproof.core.digests import named, parse_named
from teeproof.core.errors import Error
from teeproof.core.sealed import Recipient
from teeproof.evidence.binding import job_nonce
from teeproof.evidence.verdict import Check, failed, not_checked, passed
from teeproof.proof.source import Read
from teeproof.proof.verify.claims import View, code_of, judge, lacks

__all__ = ["erasure_holds", "recipient_holds", "release_holds"]

_CHALLENGE = 64


@judge(RECIPIENT)
def recipient_holds(read: Read, _: View) -> Iterable[Check]:
    """Return what the proof shows of such a statement."""
    said = _predicate(read)
    assert isinstance(said, Recipients)
    digest = Recipient.parse(said.recipient).digest.hex()
    return (
        _subject("recipient-key", read, digest),
        _signed("recipient-owner", said.policy, said.signature, said.policy.owner, what="policy"),
    )


@judge(ERASURE)
def erasure_holds(read: Read, view: View) -> Iterable[Check]:
    """Return what the proof shows of such a statement."""
    said = _predicate(read)
    assert isinstance(said, Erasure)
    return (
        _subject("erasure-key", read, said.order.recipient),
        _signed("erasure-owner", said.order, said.signature, said.owner, what="order"),
        _made_for(said, read, view),
    )


@judge(RELEASE)
def release_holds(read: Read, view: View) -> Iterable[Check]:
    """Return what the proof shows of such a statement."""
    said = _predicate(read)
    assert isinstance(said, Release)
    if said.decision != "released":
        return (passed("release-decision", f"refused: {said.code[:80]}"),)
    return (_committed(said, view), _code(said, view))


def _subject(name: str, read: Read, expected: str) -> Check:
    """Check that a statement is about the key that it speaks of, and about no other."""
    subjects = () if read.statement is None else read.statement.subjects
    found = [subject.digest.get("sha256", "") for subject in subjects]
    if found == [expected]:
        return passed(name, "the subject is the key that it speaks of")
    return failed(
        name,
        "recipient_other",
        "the subject is another key than the one that it speaks of",
        expected=expected,
        got=", ".join(found)[:200],
    )


def _made_for(said: Erasure, read: Read, view: View) -> Check:
    """Check that the erased key is one that was made for whoever ordered it.

    Anybody can sign an order for anybody's key, so the statement that made the key must be named.
    """
    name = "erasure-recipient"
    link = next(iter(read.links), None)
    if lacks(view, link):
        return not_checked(name, "the statement with which the key was made is not in this proof")
    stated = None if link is None or link.statement is None else named(link.statement)
    made = None if stated is None else view.statement(stated)
    recipient = None if made is None else _predicate(made)
    if not isinstance(recipient, Recipients):
        return failed(
            name, "erasure_unfounded", "it names no statement with which the key was made",
            expected=f"as its first input, a statement of the type {RECIPIENT}",
            got="none" if made is None else made.type[:100],
        )  # fmt: skip
    key = _digest_of(recipient)
    if key != said.order.recipient:
        return failed(
            name, "erasure_key_other", "the statement that it names made another key",
            expected=said.order.recipient, got=key,
        )  # fmt: skip
    if recipient.policy.owner != said.owner:
        return failed(
            name,
            "erasure_owner_other",
            "who ordered it is not the owner for whom the key was made",
            expected=recipient.policy.owner,
            got=said.owner,
        )
    return passed(name, "who ordered it is the owner for whom the key was made")


def _digest_of(said: Recipients) -> str:
    """Return the digest of the key that was made, hex; ``none`` if it is no key."""
    try:
        return Recipient.parse(said.recipient).digest.hex()
    except Error:
        return "none"


def _committed(said: Release, view: View) -> Check:
    name = "release-job"
    record = view.identity(parse_named(said.workload))
    if record is None:
        return not_checked(name, "the workload's identity is not in this proof")
    if len(said.challenge) != _CHALLENGE or said.challenge.strip("0123456789abcdef"):
        return failed(
            name, "challenge_malformed", "the challenge is none of a KMS",
            expected=f"{_CHALLENGE} lower-case hex digits", got=said.challenge[:80],
        )  # fmt: skip
    expected = job_nonce(said.job.digest, nonce=bytes.fromhex(said.challenge))
    if record.claim.nonce == expected:
        return passed(name, "the workload's machine had committed to this job and this challenge")
    return failed(
        name,
        "release_job_other",
        "keys were released to a machine that had committed to another job, or to none",
        expected=expected,
        got=record.claim.nonce or "no nonce",
    )


def _code(said: Release, view: View) -> Check:
    name = "release-code"
    facts = view.facts(parse_named(said.workload))
    if not facts:
        return not_checked(name, "no evidence in this proof establishes anything of who asked")
    code = code_of(facts)
    if code is not None and code == said.compose_hash:
        return passed(name, "the workload is of the code that the KMS says it is")
    return failed(
        name,
        "release_code_other",
        "keys were released to other code than the KMS says",
        expected=said.compose_hash,
        got=code or "none",
    )


def _signed(name: str, document: Any, signature: str, owner: str, *, what: str) -> Check:
    try:
        verify_text(document, signature, owner, what=what)
    except Error as error:
        return failed(name, error.code, error.detail, expected=error.expected, got=error.got)
    return passed(name, f"the owner signed the {what}")


def _predicate(read: Read) -> Any:
    return None if read.statement is None else read.statement.predicate
