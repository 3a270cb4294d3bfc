"""What a trainer says of a model: under which job it was made, of what, and how it did.

The subjects are the model's root (``core.weights``) and each file of its folder. The tensors that
are listed are those that the root is over, so whoever reads the statement can compute it again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from teeproof.cloud.job import Job
from teeproof.core.weights import ModelDigest
from teeproof.proof.links import Integer, Subject
from teeproof.proof.statement import Predicate, predicate_type
from teeproof.training.curve import Curve

__all__ = [
    "MODEL",
    "MOST_TENSORS",
    "PAYOUT",
    "TRAINING",
    "Accuracy",
    "LossAt",
    "RightAt",
    "Source",
    "TensorSaid",
    "Training",
    "looks_of",
    "losses_of",
    "subjects_of",
    "tensors_of",
]

TRAINING: Final = "urn:teeproof:training:v1"
MODEL: Final = "model"
"""The name of the subject that is the model's root."""
PAYOUT: Final = "payout"
"""The parameter of a job that names the account of the model's owner."""

MOST_TENSORS: Final = 512
"""Tensors that a statement lists; of a model with more it lists none, and has the root alone."""


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


class LossAt(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A point of the curve of losses.

    Attributes:
        step: from 1.
        loss: mean over the steps since the point before, six digits behind the point.
    """

    step: Integer
    loss: str


class RightAt(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A look at the held-out orders on the way.

    Attributes:
        step: after which it was taken.
        right: how many were wholly right.
    """

    step: Integer
    right: Integer


class TensorSaid(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One tensor of the model, as the root is over it.

    Attributes:
        name: as the model's code calls it.
        dtype: of its elements, as safetensors names it.
        shape: its dimensions.
        sha256: of its bytes, hex.
    """

    name: str
    dtype: str
    shape: tuple[Integer, ...]
    sha256: str


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
        losses: the curve of losses, by step; the last point is the last step.
        looks: looks at the held-out orders between ``before`` and ``after``, by step.
        tensors: those of the model, by name; none if there are more than ``MOST_TENSORS``.
        texts: what safetensors keeps beside the tensors.
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
    losses: tuple[LossAt, ...] = ()
    looks: tuple[RightAt, ...] = ()
    tensors: tuple[TensorSaid, ...] = ()
    texts: dict[str, str] = msgspec.field(default_factory=dict)


def subjects_of(model: ModelDigest, files: Mapping[str, bytes]) -> tuple[Subject, ...]:
    """Return a training statement's subjects.

    Args:
        model: the model's digest.
        files: SHA-256 of each file of its folder, by name.
    """
    root = Subject({"sha256": model.root.hex(), "blake3": model.blake3.hex()}, name=MODEL)
    named: Iterable[tuple[str, bytes]] = sorted(files.items())
    return (root, *(Subject({"sha256": digest.hex()}, name=name) for name, digest in named))


def losses_of(curve: Curve) -> tuple[LossAt, ...]:
    """Return the losses of a training as its statement has them."""
    return tuple(LossAt(step, f"{loss:.6f}") for step, loss in curve.losses)


def looks_of(curve: Curve) -> tuple[RightAt, ...]:
    """Return the looks at the held-out orders as the statement has them."""
    return tuple(RightAt(step, right) for step, right in curve.held_out)


def tensors_of(model: ModelDigest) -> tuple[TensorSaid, ...]:
    """Return a model's tensors as the statement has them; none where they are too many."""
    if len(model.tensors) > MOST_TENSORS:
        return ()
    return tuple(
        TensorSaid(one.name, one.dtype, one.shape, one.digests.sha256.hex())
        for one in model.tensors
    )
