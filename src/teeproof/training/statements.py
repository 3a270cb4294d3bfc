"""What a trainer says of a model: under which job it was made, of what, and how it did.

The subjects are the model's root (``core.weights``) and each file of its folder.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from teeproof.cloud.job import Job
from teeproof.core.weights import ModelDigest
from teeproof.proof.links import Integer, Subject
from teeproof.proof.statement import Predicate, predicate_type

__all__ = ["MODEL", "PAYOUT", "TRAINING", "Accuracy", "Source", "Training", "subjects_of"]

TRAINING: Final = "urn:teeproof:training:v1"
MODEL: Final = "model"
"""The name of the subject that is the model's root."""
PAYOUT: Final = "payout"
"""The parameter of a job that names the account of the model's owner."""


class Accuracy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How many held-out orders were wholly right.

    Attributes:
        right: how many.
        of: of how many.
    """

    right: Integer
    of: Integer


class Source(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One part of the dataset that was trained on.

    Attributes:
        contribution: its id in the pool, hex.
        file: id of the sealed file, hex.
        records: how many were trained on; those that are held out too are left out.
    """

    contribution: str
    file: str
    records: Integer


@predicate_type(TRAINING)
class Training(Predicate, frozen=True, kw_only=True):
    """A model was trained.

    Attributes:
        job: what the machine had committed to before it got any key.
        challenge: the KMS's nonce to which it committed together with the job, hex.
        release: ``sha256:…`` of the KMS's statement that released the keys.
        sources: the dataset's parts that were trained on, in the dataset's order.
        left_out: how many records were left out because they are held out too.
        parameters: the recipe, every value spelt out.
        libraries: versions of what the weights depend on, by name.
        processor: what the arithmetic ran on; other kinds give other last digits.
        summary: the fields that training programs print, as text.
        before: held-out accuracy of the untrained model.
        after: held-out accuracy of this one.
        chain: last link of the checkpoint chain, hex.
        payout: the account of the model's owner, which earns.
    """

    job: Job
    challenge: str
    release: str
    sources: tuple[Source, ...]
    left_out: Integer
    parameters: dict[str, str]
    libraries: dict[str, str]
    processor: str
    summary: dict[str, str]
    before: Accuracy
    after: Accuracy
    chain: str
    payout: str


def subjects_of(model: ModelDigest, files: Mapping[str, bytes]) -> tuple[Subject, ...]:
    """Return a training statement's subjects.

    Args:
        model: the model's digest.
        files: SHA-256 of each file of its folder, by name.
    """
    root = Subject({"sha256": model.root.hex(), "blake3": model.blake3.hex()}, name=MODEL)
    named: Iterable[tuple[str, bytes]] = sorted(files.items())
    return (root, *(Subject({"sha256": digest.hex()}, name=name) for name, digest in named))
