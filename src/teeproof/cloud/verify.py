"""What a stranger can check of a KMS's statements, with nothing but the proof in hand.

    recipient   the subject is the key that is named, and the owner signed the policy under which
                keys are released
    release     the workload's machine had committed to this job and to this challenge, and is of
                the code that the KMS says it is
    erasure     the subject is what was ordered, and who ordered it is the owner for whom the
                recipient was made

Importing this registers the judges (``proof.verify.claims``).

Trusts: the judges' rules.  Does not trust: the proof, the KMS's host.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from teeproof.cloud.owner import verify_text
from teeproof.cloud.statements import ERASURE, RECIPIENT, RELEASE, Erasure, Recipients, Release
from teeproof.core.digests import parse_named
from teeproof.core.errors import Error
from teeproof.core.sealed import Recipient
from teeproof.evidence.binding import job_nonce
from teeproof.evidence.verdict import Check, failed, not_checked, passed
from teeproof.proof.source import Read
from teeproof.proof.verify.claims import View, judge

__all__ = ["erasure_holds", "recipient_holds", "release_holds"]


@judge(RECIPIENT)
def recipient_holds(read: Read, _: View) -> Iterable[Check]:
    """Return what the proof shows of such a statement."""
    said = _predicate(read)
    assert isinstance(said, Recipients)
    digest = Recipient.parse(said.recipient).digest.hex()
    return (
        _subject("recipient-key", read, digest),
        _signed("recipient-owner", said.policy, said.signature, said.policy.owner),
    )


@judge(ERASURE)
def erasure_holds(read: Read, view: View) -> Iterable[Check]:
    """Return what the proof shows of such a statement."""
    said = _predicate(read)
    assert isinstance(said, Erasure)
    return (
        _subject("erasure-key", read, said.order.recipient),
        _signed("erasure-owner", said.order, said.signature, said.owner),
        _made_for(said, view),
    )


@judge(RELEASE)
def release_holds(read: Read, view: View) -> Iterable[Check]:
    """Return what the proof shows of such a statement."""
    said = _predicate(read)
    assert isinstance(said, Release)
    if said.decision != "released":
        return (passed("release-decision", f"refused: {said.code}"),)
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


def _made_for(said: Erasure, view: View) -> Check:
    name = "erasure-recipient"
    made = view.statement(said.materials[0].statement or "") if said.materials else None
    if made is None:
        return not_checked(name, "the statement with which the key was made is not in this proof")
    recipient = _predicate(made)
    owner = recipient.policy.owner if isinstance(recipient, Recipients) else "none"
    if owner == said.owner:
        return passed(name, "who ordered it is the owner for whom the key was made")
    return failed(
        name,
        "erasure_owner_other",
        "who ordered it is not the owner for whom the key was made",
        expected=owner,
        got=said.owner,
    )


def _committed(said: Release, view: View) -> Check:
    name = "release-job"
    record = view.identity(parse_named(said.workload))
    if record is None:
        return not_checked(name, "the workload's identity is not in this proof")
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
    application = view.facts(parse_named(said.workload)).get("application") or {}
    code = str(application.get("compose_hash") or "")
    if not code:
        return not_checked(name, "no evidence in this proof establishes which code asked")
    if code == said.compose_hash:
        return passed(name, "the workload is of the code that the KMS says it is")
    return failed(
        name,
        "release_code_other",
        "keys were released to other code than the KMS says",
        expected=said.compose_hash,
        got=code,
    )


def _signed(name: str, what: Any, signature: str, owner: str) -> Check:
    try:
        verify_text(what, signature, owner, what="order")
    except Error as error:
        return failed(name, error.code, error.detail, expected=error.expected, got=error.got)
    return passed(name, "the file's owner signed it")


def _predicate(read: Read) -> Any:
    return None if read.statement is None else read.statement.predicate
