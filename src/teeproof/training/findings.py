"""Whether what a trainer tells of its model fits together: the curve of losses, the tensors.

    training-curve     it runs from the first step to the last, and no more orders were right than
                       there are
    training-weights   the model's root follows from the tensors and the files that are listed

That a loss was measured at all is the trainer's word: its code is what the hardware vouches for.

Trusts: nothing.  Does not trust: whoever wrote the statement.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Final

from teeproof.core.digests import named
from teeproof.core.weights import BESIDE, Digests, ModelDigest, TensorDigest
from teeproof.evidence.verdict import Check, failed, not_checked, passed
from teeproof.proof.links import Subject
from teeproof.training.curve import MOST_POINTS
from teeproof.training.statements import MODEL, MOST_TENSORS, Training

__all__ = ["curve_holds", "root_of", "weights_hold"]

_LOSS = re.compile(
    r"(?:[0-9]{1,9}\.[0-9]{6}|nan|inf)", re.ASCII
)  # a training that fails has no number
_STEPS = "global_step"
_WEIGHTS: Final = ".safetensors"
_INDEX: Final = "model.safetensors.index.json"


def curve_holds(said: Training) -> Check:
    """Return whether the curve can be one of this training."""
    name = "training-curve"
    if not said.losses:
        return not_checked(name, "the trainer published no curve")
    wrong = next(_faults(said), None)
    if wrong is not None:
        expected, got = wrong
        return failed(
            name, "training_curve_wrong", "the curve cannot be one of this training",
            expected=expected, got=got[:200],
        )  # fmt: skip
    return passed(name, f"its {len(said.losses)} losses run to the last step")


def weights_hold(said: Training, subjects: tuple[Subject, ...]) -> Check:
    """Return whether the model's root is that of the tensors and files that are listed."""
    name = "training-weights"
    if not said.tensors:
        return not_checked(name, "the trainer listed no tensors: the root stands alone")
    told = [one.sha256 for one in subjects if one.name == MODEL]
    root = root_of(said, subjects)
    if told != [root]:
        return failed(
            name, "training_weights_other", "the model's root is not that of its listed tensors",
            expected=root or f"at most {MOST_TENSORS} tensors, each with a SHA-256",
            got=", ".join(told)[:200] or "no model",
        )  # fmt: skip
    return passed(name, f"the root follows from {len(said.tensors)} tensors and the files")


def root_of(said: Training, subjects: tuple[Subject, ...]) -> str | None:
    """Return the root (``sha256:…``) of what is listed; None if that cannot be a model."""
    if len(said.tensors) > MOST_TENSORS:
        return None
    try:
        tensors = tuple(
            TensorDigest(one.name, one.dtype, one.shape, _digests(one.sha256))
            for one in said.tensors
        )
        files = tuple((one.name or "", _digests(one.digest["sha256"])) for one in _others(subjects))
        return named(ModelDigest(tensors, tuple(sorted(said.texts.items())), files).root)
    except ValueError:
        return None


def _digests(text: str) -> Digests:
    data = bytes.fromhex(text)
    if len(data) != 32:
        raise ValueError("this is no SHA-256")
    return Digests(data, b"")


def _others(subjects: tuple[Subject, ...]) -> list[Subject]:
    """Return the files that count beside the weights, as ``core.weights`` takes them."""
    found = [
        one for one in subjects
        if one.name and one.name not in BESIDE | {MODEL, _INDEX} and not one.name.endswith(_WEIGHTS)
    ]  # fmt: skip
    return sorted(found, key=lambda one: one.name or "")


def _faults(said: Training) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with a curve: what was expected, and what came."""
    if len(said.losses) > MOST_POINTS or len(said.looks) > MOST_POINTS:
        yield f"at most {MOST_POINTS} points", f"{len(said.losses)} and {len(said.looks)}"
        return
    last, told = said.losses[-1].step, said.summary.get(_STEPS, "none")
    if str(last) != told:
        yield f"a curve up to the last step, {told}", f"up to {last}"
    for places in ([one.step for one in said.losses], [one.step for one in said.looks]):
        if any(not 1 <= step <= last for step in places) or any(
            a >= b for a, b in pairwise(places)
        ):
            yield f"steps from 1 to {last}, ascending", ", ".join(map(str, places))
    for one in said.losses:
        if not _LOSS.fullmatch(one.loss):
            yield "losses with six digits behind the point", one.loss
    for look in said.looks:
        if not 0 <= look.right <= said.after.of:
            yield f"0 to {said.after.of} right", str(look.right)
