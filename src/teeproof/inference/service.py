"""The service: OpenAI's chat completions with an ACI receipt for each, as plain ASGI.

    POST /v1/chat/completions            an answer, streamed or not; X-Receipt-Id names its receipt
    GET  /v1/models                      the model, its digest, and what answers cost
    GET  /v1/aci/attestation?nonce=…     who serves this: evidence over the keys and the nonce
    GET  /v1/aci/receipts/<id>           a receipt, by its id or by the answer's
    GET  /v1/aci/identities/<keyset>     who signed an older receipt: record and evidence
    GET  /health                         whether it can answer

A receipt of a request that came with a credential is given to that credential only. The bodies of
errors are OpenAI's, with our code, and what was expected and found.

Source: OpenAI API reference; ACI specification (``aci/1``), sections 4, 5, 7 and 10.

Trusts: the ASGI server that calls, the attester.  Does not trust: clients, the host.
"""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Callable
from datetime import datetime
from typing import Any

import msgspec

from teeproof.core.clock import wall_clock
from teeproof.core.errors import Error, NotAuthentic, Unavailable
from teeproof.evidence.collect import Attester
from teeproof.inference.answering import Answering
from teeproof.inference.attestation import archived, report
from teeproof.inference.engine.engine import ENGINE, Engine
from teeproof.inference.http import Call, Channel, nonce_of, refusal, written
from teeproof.inference.keeping import Keeper
from teeproof.inference.receipts import ENDPOINT, Writer
from teeproof.inference.serving import Serving
from teeproof.inference.store import ReceiptStore
from teeproof.inference.turns import Turns
from teeproof.proof.workload import Identity
from teeproof.web.asgi import (
    JSON,
    NO_STORE,
    Answer,
    Disconnected,
    Receive,
    Scope,
    Send,
    answer_lifespan,
    no_such_path,
    require_method,
)
from teeproof.web.oplog import Say, quiet

__all__ = ["InferenceService"]

_RECEIPTS = "/v1/aci/receipts/"
_IDENTITIES = "/v1/aci/identities/"
_MOST_REPORTS = 4  # that are made or wait; the machine makes one at a time


class InferenceService:
    """The ASGI application.

    Args:
        engine: the model.
        identity: with a ``receipt`` key; its store is the log.
        attester: what makes evidence here.
        serving: name, origin, price and limits.
        store: of receipts; the caller closes it once the server has ended.
        now: the clock.
        say: the operator's log.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        identity: Identity,
        attester: Attester,
        serving: Serving,
        store: ReceiptStore,
        now: Callable[[], datetime] = wall_clock,
        say: Say = quiet,
    ) -> None:
        self._engine, self._identity, self._attester = engine, identity, attester
        self._serving, self._store, self._say = serving, store, say
        self.keeper = Keeper(store, identity, say=say)
        self._turns = Turns(running=serving.limits.running, waiting=serving.limits.waiting)
        self._writer = Writer(identity, model=engine.digest.name, serving=serving, now=now)
        self._answering = Answering(
            engine, serving=serving, writer=self._writer, keeper=self.keeper, turns=self._turns,
            now=now, say=say,
        )  # fmt: skip
        self._created = identity.record.keys.not_before
        self._reports = 0
        self._asking: asyncio.Lock | None = None
        self._headers = (
            (b"x-aci-version", b"aci/1"),
            (b"x-aci-keyset-digest", identity.record.keyset_digest.encode()),
            (b"x-content-type-options", b"nosniff"),
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; ``lifespan`` is answered too."""
        if scope["type"] == "lifespan":
            await answer_lifespan(receive, send)
        elif scope["type"] == "http":
            await self._http(Call.of(scope), Channel(receive, send, self._headers))

    def close(self) -> None:
        """End the threads of model and log."""
        self._turns.close()
        self.keeper.close()

    async def _http(self, call: Call, channel: Channel) -> None:
        try:
            if call.path == ENDPOINT:
                require_method(call.method, "POST")
                await self._answering.chat(call, channel)
                return
            answer = await self._get(call)
        except Disconnected:
            return
        except Error as error:
            answer = refusal(error)
            self._say("refused", status=answer.status, error=error.code, method=call.method[:10])
        except Exception as error:
            self._say("fault", error=type(error).__name__, method=call.method[:10])
            answer = refusal(
                Error("the service made a mistake: tell its operator", code="internal")
            )
        await channel.answer(answer)

    async def _get(self, call: Call) -> Answer:
        path = call.path
        if path.startswith(_RECEIPTS):
            require_method(call.method, "GET, HEAD")
            return await self._receipt(call, path.removeprefix(_RECEIPTS))
        if path.startswith(_IDENTITIES):
            require_method(call.method, "GET, HEAD")
            return await self._archived(path.removeprefix(_IDENTITIES))
        routes: dict[str, Callable[[Call], Any]] = {
            "/v1/aci/attestation": self._report,
            "/v1/models": self._models,
            f"/v1/models/{self._serving.name}": self._model,
            "/health": self._health,
        }
        route = routes.get(path)
        if route is None:
            raise no_such_path(path)
        require_method(call.method, "GET, HEAD")
        answer: Answer = await route(call)
        return answer

    async def _receipt(self, call: Call, name: str) -> Answer:
        kept = await asyncio.to_thread(self._store.find, name[:100])
        if kept is not None and kept.credential is not None and call.credential is None:
            raise NotAuthentic(
                "this receipt is for the credential that asked: send the same Authorization",
                code="credential_missing",
            )
        if kept is None or not _may_see(kept.credential, call.credential):
            raise Unavailable(
                "there is no such receipt: one is there once its answer has ended",
                code="receipt_unknown",
                got=ascii(name[:100])[1:-1],
            )
        return Answer(200, JSON, kept.document, (NO_STORE,))

    async def _archived(self, keyset: str) -> Answer:
        found = await asyncio.to_thread(self._store.identity, keyset[:100])
        if found is None:
            raise Unavailable(
                "no receipt of this service was signed under that keyset",
                code="identity_unknown",
                got=ascii(keyset[:100])[1:-1],
            )
        return written(archived(*found))

    async def _report(self, call: Call) -> Answer:
        nonce = nonce_of(call)
        if self._reports >= _MOST_REPORTS:
            raise Unavailable("too many ask for evidence: ask again shortly", code="service_busy")
        if self._asking is None:  # it belongs to the loop that runs now
            self._asking = asyncio.Lock()
        self._reports += 1
        try:
            async with self._asking:
                made = await asyncio.to_thread(report, self._identity, self._attester, nonce=nonce)
        finally:
            self._reports -= 1
        return written(made)

    async def _models(self, _: Call) -> Answer:
        return written({"object": "list", "data": [self._described()]})

    async def _model(self, _: Call) -> Answer:
        return written(self._described())

    def _described(self) -> dict[str, Any]:
        serving = self._serving
        return {
            "id": serving.name,
            "object": "model",
            "created": self._created,
            "owned_by": "teeproof",
            "digest": self._engine.digest.name,
            "statement": serving.statement,
            "engine": ENGINE,
            "context": self._engine.config.context,
            "price": msgspec.to_builtins(serving.price),
            "limits": msgspec.to_builtins(serving.limits),
        }

    async def _health(self, _: Call) -> Answer:
        self._writer.require_living_keys()
        kept, waiting = await asyncio.to_thread(lambda: self._store.counts)
        return written(
            {"ok": True, "receipts": kept, "receipts_unlogged": waiting, "busy": self._turns.busy}
        )


def _may_see(owner: bytes | None, asking: bytes | None) -> bool:
    return owner is None or (asking is not None and hmac.compare_digest(owner, asking))
