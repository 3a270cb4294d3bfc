"""Compute an answer again from the weights, and see whether the model said it: no hardware needed.

A receipt states all that decides an answer: the weights by their digest, the settings and the seed.
Whoever has the model folder, the question and the answer can therefore check a service without any
trust in its machine. Arithmetic differs in the last digits between kinds of processors, so where
two tokens were as good as equal another machine may rightly find another text; on the same kind it
finds the same.

Trusts: this code, the caller's model folder.  Does not trust: the service, its machine.
"""

from __future__ import annotations

from typing import Any

from teeproof.core.digests import named, sha256
from teeproof.core.errors import Error
from teeproof.evidence.verdict import Check, failed, passed
from teeproof.inference.checks import events
from teeproof.inference.engine.engine import ENGINE, Ask, Engine
from teeproof.inference.engine.sampling import Sampling
from teeproof.inference.reading import text_of
from teeproof.inference.wire import parse_request
from teeproof.proof.receipt import Receipt

__all__ = ["replay"]

_NAME = "replay"


def replay(engine: Engine, *, request: bytes, response: bytes, receipt: Receipt) -> Check:
    """Return whether the model gives this answer to this question, as its receipt states.

    Args:
        engine: over the caller's own copy of the model.
        request: the question's body.
        response: the whole answer's body; ``check_answer`` ties both to the receipt.
        receipt: of the answer.
    """
    ran = (events(receipt, "x.model") or [{}])[0].get("digest")
    how = (events(receipt, "x.generation") or [{}])[0]
    if ran != engine.digest.name or how.get("engine") != ENGINE:
        return failed(
            _NAME,
            "replay_of_another",
            "the answer is of another model or engine than the one at hand",
            expected=f"{ran} under {how.get('engine')}",
            got=f"{engine.digest.name} under {ENGINE}",
        )
    try:
        wanted, found = text_of(response), _again(engine, request, how)
    except (Error, KeyError, ValueError, TypeError) as error:
        return failed(
            _NAME, "replay_impossible", "question, answer or receipt cannot be read for that",
            got=str(error)[:200],
        )  # fmt: skip
    if wanted != found:
        return failed(
            _NAME,
            "answer_not_reproduced",
            "the model does not give this answer to this question on this machine",
            expected=f"{len(found)} characters, {named(sha256(found.encode()))}",
            got=f"{len(wanted)} characters, {named(sha256(wanted.encode()))}",
        )
    return passed(_NAME, "the model gives this very answer again, on this machine too")


def _again(engine: Engine, request: bytes, how: dict[str, Any]) -> str:
    asked = parse_request(request)
    sampling = Sampling(float(how["temperature"]), float(how["top_p"]), int(how["seed"]))
    ask = Ask(engine.prompt(asked.conversation), int(how["max_tokens"]), sampling, asked.stops)
    return "".join(step.text for step in engine.start(ask))
