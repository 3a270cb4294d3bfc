"""What a pool says in the log: what it made of each file, what a dataset is, what was withdrawn.

Fields that derive from plaintext are counts and factors; there is no place for anything else, so a
statement cannot leak a text by mistake.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from teeproof.cloud.kms.policy import Withdrawal
from teeproof.data.consent import Consent
from teeproof.data.terms import PoolTerms
from teeproof.proof.links import Integer
from teeproof.proof.statement import Predicate, predicate_type

__all__ = [
    "CIPHERTEXT",
    "CONTRIBUTION",
    "DATASET",
    "DATASET_NAME",
    "RECORDS",
    "WITHDRAWN",
    "Contribution",
    "Dataset",
    "DatasetPart",
    "LineFault",
    "Scores",
    "Withdrawn",
]

CONTRIBUTION = "urn:teeproof:contribution:v1"
DATASET = "urn:teeproof:dataset:v1"
WITHDRAWN = "urn:teeproof:withdrawn:v1"
CIPHERTEXT, RECORDS, DATASET_NAME = "sealed file", "records", "dataset"  # subjects

Hex16 = Annotated[str, msgspec.Meta(pattern=r"\A[0-9a-f]{32}\Z")]
Hex32 = Annotated[str, msgspec.Meta(pattern=r"\A[0-9a-f]{64}\Z")]
Count = Annotated[int, msgspec.Meta(ge=0, le=2**32 - 1)]  # stands in 4 bytes of a dataset's root


class LineFault(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """Why a file was refused.

    Attributes:
        line: from 1; 0 where the whole file is meant.
        code: the reason for programs.
    """

    line: Integer
    code: str


class Scores(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What was measured of a file (``weights``); factors are parts per million.

    Attributes:
        records: how many records it has.
        new: how many are near-duplicates of nothing before them.
        known: how many are near-duplicates of earlier contributions.
        confirmed: how many texts say all that their order says.
        novelty: new records per record.
        value: how much the new records help with held-out orders.
        evidence: the factor for what speaks for the records.
        level: the evidence that every record has: 0 the owner's word, 1 text and order agree.
        seed: ``sha256:…`` of the secret seed, so that another run can show that it used the same.
    """

    records: Integer
    new: Integer
    known: Integer
    confirmed: Integer
    novelty: Integer
    value: Integer
    evidence: Integer
    level: Integer
    seed: str


@predicate_type(CONTRIBUTION)
class Contribution(Predicate, frozen=True, kw_only=True):
    """The pool decided on one contribution.

    Subjects are the ciphertext's digest and, of a file that was read, the root over its records.

    Attributes:
        contribution: its id, hex.
        sequence: its place in the order of arrival, from 1, without gaps.
        previous: ``sha256:…`` of the pool's statement on the place before; None for the first.
        terms: the pool's.
        consent: the owner's.
        signature: the owner's under the consent, 128 hex digits.
        decision: ``accepted``, ``copy`` or ``refused``.
        reasons: of a refused file, up to 20 of its faults.
        faults: how many there are.
        copy_of: of a copy, ids of the contributions that it copies.
        scores: of a file that is not refused.
        weight: in millionths of a record (``weights``).
        payout: the account that earns, as consented.
    """

    contribution: str
    sequence: Integer
    terms: PoolTerms
    consent: Consent
    signature: str
    decision: str
    weight: Integer
    payout: str
    previous: str | None = None
    reasons: tuple[LineFault, ...] = ()
    faults: Integer = 0
    copy_of: tuple[str, ...] = ()
    scores: Scores | None = None


class DatasetPart(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One contribution in a dataset; the material with the same number names its statement.

    Attributes:
        contribution: its id, hex.
        sequence: its place in the order of arrival.
        owner: the owner's public key, hex.
        payout: the account that earns.
        file: id of the sealed file, hex.
        ciphertext: its SHA-256, hex.
        root: over its records, hex (``snapshot``).
        records: how many it has.
        weight: as its contribution states it.
    """

    contribution: Hex32
    sequence: Integer
    owner: str
    payout: str
    file: Hex16
    ciphertext: Hex32
    root: Hex32
    records: Count
    weight: Integer


@predicate_type(DATASET)
class Dataset(Predicate, frozen=True, kw_only=True):
    """A snapshot of all that was accepted and not withdrawn; the subject is its root.

    Every contribution that arrived is accounted for: as a part, by its id as withdrawn, or in a
    count. So who holds a statement that a contribution was accepted sees whether it was dropped.

    Attributes:
        terms: the pool's.
        parts: in the order of arrival.
        withdrawn: ids of contributions that were accepted and taken back, hex.
        copies: how many were copies.
        refused: how many were refused.
        through: how many had arrived.
        head: ``sha256:…`` of the pool's statement on the last that arrived.
        records: of all parts.
        weight: of all parts.
    """

    terms: PoolTerms
    parts: tuple[DatasetPart, ...]
    copies: Integer
    refused: Integer
    through: Integer
    head: str
    records: Integer
    weight: Integer
    withdrawn: tuple[str, ...] = ()


@predicate_type(WITHDRAWN)
class Withdrawn(Predicate, frozen=True, kw_only=True):
    """An owner took a contribution back; no later dataset has it.

    The subject is the digest of the order.

    Attributes:
        contribution: its id, hex.
        order: the owner's, the very one that the KMS erases the key by.
        owner: the owner's public key, hex.
        signature: the owner's under the order, 128 hex digits.
        datasets: ``sha256:…`` of the pool's dataset statements that it is in.
    """

    contribution: str
    order: Withdrawal
    owner: str
    signature: str
    datasets: tuple[str, ...] = ()
