"""What the KMS says in the log: whom it made recipients for, released to, refused and erased."""

from __future__ import annotations

from typing import Literal

import msgspec

from teeproof.cloud.job import Job
from teeproof.cloud.kms.policy import ReleasePolicy, Withdrawal
from teeproof.proof.links import Integer
from teeproof.proof.statement import Predicate, predicate_type

__all__ = ["ERASURE", "RECIPIENT", "RELEASE", "Erasure", "Recipients", "Release", "Released"]

RECIPIENT = "urn:teeproof:recipient:v1"
RELEASE = "urn:teeproof:release:v1"
ERASURE = "urn:teeproof:erasure:v1"


@predicate_type(RECIPIENT)
class Recipients(Predicate, frozen=True, kw_only=True):
    """A key pair was made, and its secret never leaves the KMS; the subject is its digest.

    Attributes:
        recipient: the public key in its text form (``core.sealed.Recipient.text``).
        policy: what may be done with files that are sealed for it.
        signature: the owner's under the policy, 128 hex digits.
        state: the number of this change of the KMS's state; each is one more than the last.
    """

    recipient: str
    policy: ReleasePolicy
    signature: str
    state: Integer


class Released(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One file's part in a release.

    Attributes:
        file: its id, hex.
        policy: ``sha256:…`` of the policy that it is sealed under.
        recipient: digest of the KMS recipient that it is sealed for, hex.
    """

    file: str
    policy: str
    recipient: str


@predicate_type(RELEASE)
class Release(Predicate, frozen=True, kw_only=True):
    """Keys were granted, or refused.

    The subjects are the grants' digests; of a refusal, the request's.

    Attributes:
        decision: ``released`` or ``refused``.
        code: of a refusal, the reason for programs; otherwise ``ok``.
        detail: of a refusal, the reason for people.
        job: what the keys were wanted for.
        workload: the identity that asked, ``sha256:…``.
        compose_hash: the code that it proved to be, hex; empty where it proved none.
        challenge: the KMS's nonce that its evidence answers, hex.
        files: the files that were asked for.
        state: as of ``Recipients``.
    """

    decision: Literal["released", "refused"]
    code: str
    detail: str
    job: Job
    workload: str
    compose_hash: str
    challenge: str
    files: tuple[Released, ...]
    state: Integer


@predicate_type(ERASURE)
class Erasure(Predicate, frozen=True, kw_only=True):
    """A recipient's secret was erased, by its owner's order; the subject is the recipient's digest.

    Its one material is the recipient, by the statement with which it was made.

    Attributes:
        order: the withdrawal.
        owner: who ordered it.
        signature: the owner's under the order, 128 hex digits.
        state: as of ``Recipients``.
    """

    order: Withdrawal
    owner: str
    signature: str
    state: Integer
