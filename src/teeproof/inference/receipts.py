"""Write the receipt of one request: what came in, which model ran how, what was sent, signed.

    request.received   digest of the body as it came; headers have no influence
    x.model            the digest of the weights that ran, and the statement that made them
    x.links            the lease of the machine that runs here
    x.generation       engine, settings and seed: who has the weights can compute it again
    x.usage            tokens counted here, and what they cost whom
    x.stream           how much was sent, and whether that was all
    x.refusal          instead of these five: why there is no answer
    response.returned  digest of the bytes that were sent; absent where none were

Source: ACI specification (``aci/1``), section 7: other verifiers skip events whose type they do not
know, and the signature covers them.

Trusts: the identity's receipt key.  Does not trust: anything a client says of its own request.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from teeproof.core.clock import format_time, to_epoch
from teeproof.core.digests import named, sha256
from teeproof.core.errors import Unavailable
from teeproof.inference.engine.engine import ENGINE, Generation
from teeproof.inference.serving import Serving
from teeproof.inference.stream import Sent, stream_event
from teeproof.proof import canonical
from teeproof.proof.receipt import RECEIPT_TYPE, Receipt, link_event, model_event
from teeproof.proof.workload import Identity

__all__ = ["ENDPOINT", "Exchange", "Writer", "decimal"]

ENDPOINT = "/v1/chat/completions"


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request, from the moment when its body was there.

    Attributes:
        receipt_id: by which its receipt is asked for.
        chat_id: of the answer.
        at: when it came, seconds since 1970.
        request: the body.
        credential: SHA-256 of the client's credential, which guards the receipt; None without.
    """

    receipt_id: str
    chat_id: str
    at: int
    request: bytes
    credential: bytes | None


class Writer:
    """Writes and signs receipts.

    Args:
        identity: with a ``receipt`` key.
        model: ``sha256:…`` of the weights that run here.
        serving: what else each receipt says.
        now: the clock.
    """

    def __init__(
        self, identity: Identity, *, model: str, serving: Serving, now: Callable[[], datetime]
    ) -> None:
        self._identity, self._model, self._serving, self._now = identity, model, serving, now

    def require_living_keys(self) -> None:
        """Raise Unavailable (``keys_expired``) if nothing can be signed any more."""
        ends = self._identity.record.keys.not_after
        if to_epoch(self._now()) > ends:
            raise Unavailable(
                "the service's keys have expired: its operator has to start it again",
                code="keys_expired",
                expected=f"no later than {format_time(ends)}",
            )

    def answer(
        self, exchange: Exchange, sent: Sent, generation: Generation, *, finish: str | None,
        cut_by: str | None = None,
    ) -> Receipt:  # fmt: skip
        """Return the receipt of an answer, whole or cut."""
        serving = self._serving
        prompt, count = len(generation.ask.prompt), generation.count
        events = [
            model_event(self._model, statement=serving.statement_id),
            *(link_event(role, digest, statement=made) for role, digest, made in serving.links),
            _generation(generation, finish),
            serving.usage(prompt=prompt, count=count),
            stream_event(sent, cut_by=cut_by),
        ]
        return self._sign(exchange, serving.name, events, sent)

    def refusal(self, exchange: Exchange, sent: Sent, *, code: str) -> Receipt:
        """Return the receipt of a request that was read and not answered."""
        return self._sign(exchange, None, [{"type": "x.refusal", "code": code}], sent)

    def _sign(
        self, exchange: Exchange, model: str | None, events: list[dict[str, Any]], sent: Sent
    ) -> Receipt:
        first = {"type": "request.received", "body_hash": named(sha256(exchange.request))}
        last = [{"type": "response.returned", "body_hash": sent.digest}] if sent.events else []
        body = {
            "api_version": RECEIPT_TYPE,
            "receipt_id": exchange.receipt_id,
            "chat_id": exchange.chat_id,
            "model": model,
            "workload_keyset_digest": self._identity.record.keyset_digest,
            "endpoint": ENDPOINT,
            "method": "POST",
            "served_at": exchange.at,
            "event_log": [first, *events, *last],
            "key_id": "receipt",
        }
        signature = self._identity.keyring.sign_receipt(canonical.encode(body))
        return Receipt.parse(canonical.encode(body | {"signature": signature.hex()}))


def _generation(generation: Generation, finish: str | None) -> dict[str, Any]:
    ask = generation.ask
    return {
        "type": "x.generation",
        "engine": ENGINE,
        "temperature": decimal(ask.sampling.temperature),
        "top_p": decimal(ask.sampling.top_p),
        "seed": ask.sampling.seed,
        "max_tokens": ask.most,
        "finish_reason": finish,
    }


def decimal(value: float) -> str:
    """Return a number as decimal text without an exponent: receipts hold no fractions."""
    text = format(Decimal(repr(float(value))), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
