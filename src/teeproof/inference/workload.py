"""The inference service as a workload: refuse weights that nobody answers for, then serve.

    /in/model/           the model folder
    /in/serve.json       see ``serving``
    /in/training.json    the envelope of the statement that says who made these weights, of what
    /state/              receipts

The host hands over all of these, and may hand over others: the digest of the weights is computed
here, over the bytes that run, and the training statement must list it. Who wants one model and no
other measures ``TEEPROOF_MODEL``, its digest.

Trusts: the guest agent for evidence.  Does not trust: the host's files, clients.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import msgspec

from teeproof.cloud.inside import Inside
from teeproof.core.digests import parse_named
from teeproof.core.errors import NotAllowed
from teeproof.core.reading import read_bounded
from teeproof.core.weights import ModelDigest
from teeproof.inference.serving import MAX_SERVING_BYTES, Serving
from teeproof.proof.envelope import MAX_ENVELOPE_BYTES, Envelope
from teeproof.proof.statement import Statement
from teeproof.web.oplog import to_lines

__all__ = ["MODEL", "answerable", "main"]

MODEL = "TEEPROOF_MODEL"
"""The measured variable with the digest of the only model that is served."""
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def main(inside: Inside) -> int:
    """Serve until told to end."""
    for variable in _THREADS:  # small matrices gain nothing from threads, and lose with neighbours
        os.environ.setdefault(variable, "1")
    from teeproof.inference.engine.engine import Engine  # noqa: PLC0415  after the threads
    from teeproof.inference.service import InferenceService  # noqa: PLC0415  as above
    from teeproof.inference.store import ReceiptStore  # noqa: PLC0415  as above

    serving = _serving(inside.inputs)
    engine = Engine.open(inside.inputs / "model")
    statement = _training(inside.inputs)
    serving = answerable(serving, engine.digest, statement, only=inside.environment.get(MODEL))
    identity = inside.boot(roles=["receipt"])
    store = ReceiptStore(inside.state / "receipts.sqlite")
    service = InferenceService(
        engine,
        identity=identity,
        attester=inside.attester(),
        serving=serving,
        store=store,
        now=inside.now,
        say=to_lines(sys.stderr.write, now=inside.now),
    )
    try:
        service.keeper.append()
        inside.say(event="ready", model=engine.digest.name, identity=identity.name)
        inside.serve(service)
    finally:
        service.close()
        store.close()
    return 0


def answerable(
    serving: Serving, model: ModelDigest, statement: Statement, *, only: str | None = None
) -> Serving:
    """Return the serving document with the training statement of these very weights.

    Args:
        serving: what the host wants served.
        model: the digest that was computed here.
        statement: who made which weights.
        only: ``sha256:…`` of the only model that the workload was measured for, if there is one.

    Raises:
        NotAllowed: code ``model_not_expected``, ``training_not_expected`` or
            ``model_not_answered_for``: no weights but those that the statement lists are served.
    """
    if only is not None and parse_named(only) != model.root:
        raise NotAllowed(
            "this workload was measured for another model: put its folder back",
            code="model_not_expected",
            expected=only,
            got=model.name,
        )
    if serving.statement not in (None, statement.name):
        raise NotAllowed(
            "training.json is not the statement that serve.json names: hand over the right one",
            code="training_not_expected",
            expected=serving.statement,
            got=statement.name,
        )
    made = [subject.sha256 for subject in statement.subjects]
    if model.name not in made:
        raise NotAllowed(
            "the training statement does not list these weights: they were changed, or are of"
            " another training",
            code="model_not_answered_for",
            expected=", ".join(made[:4]),
            got=model.name,
        )
    return msgspec.structs.replace(serving, statement=statement.name)


def _serving(inputs: Path) -> Serving:
    data = read_bounded(inputs / "serve.json", limit=MAX_SERVING_BYTES, what="serving document")
    return Serving.parse(data)


def _training(inputs: Path) -> Statement:
    data = read_bounded(inputs / "training.json", limit=MAX_ENVELOPE_BYTES, what="statement")
    return Statement.parse(Envelope.parse(data).payload)
