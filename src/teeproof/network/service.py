"""The market over HTTP, as plain ASGI: bounded bodies, one shape for errors, no admin's route.

    GET  /v1/market              terms, clock, how many nodes
    GET  /v1/identity            the market's identity and its evidence, to be verified
    GET  /v1/offers              the cheapest offers
    POST /v1/challenges          a nonce for fresh evidence
    POST /v1/nodes               a node's identity and claim      -> admitted or refused, and why
    POST /v1/attestations        a node's fresh evidence          -> the same
    POST /v1/heartbeats          a node's signed heartbeat        -> its lease, how it stands
    POST /v1/orders              a renter's signed order          -> a lease, or why there is none
    GET  /v1/leases/<digest>     a lease as it stands now
    POST /v1/closings            a renter's or node's signed end  -> the lease
    GET  /v1/accounts/<key>      a renter's balance

A decision is an answer (200) also where it is no; an error means that nothing was decided.

Trusts: the desks.  Does not trust: whoever asks.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec

from teeproof.cloud.routes import tell_faults
from teeproof.core.errors import Error, Unavailable
from teeproof.network.gate import MAX_BODY
from teeproof.network.heartbeats import SIGNED_BY_NODE
from teeproof.network.market import Market
from teeproof.network.node_desk import NodeDesk
from teeproof.network.renter_desk import RenterDesk
from teeproof.proof.envelope import Envelope
from teeproof.web.asgi import (
    Answer,
    Receive,
    Request,
    Scope,
    Send,
    json_answer,
    no_such_path,
    refusal,
    require_method,
    respond,
    status_of,
)

__all__ = ["App"]

_BY_CODE = {"node_unknown": 404, "lease_unknown": 404, "ledger_tampered": 500}
_SWEEP = 1.0  # seconds between two looks at what is due


class App:
    """An ASGI application for one market.

    Args:
        market: the market.
    """

    def __init__(self, market: Market) -> None:
        self._market = market
        nodes, renters = NodeDesk(market), RenterDesk(market)
        self._renters = renters
        self._posts: dict[str, Callable[[bytes], Any]] = {
            "v1/challenges": lambda _: nodes.challenge(),
            "v1/nodes": nodes.register,
            "v1/attestations": nodes.attest,
            "v1/heartbeats": nodes.heartbeat,
            "v1/orders": renters.order,
            "v1/closings": self._close,
        }
        self._gets: dict[str, Callable[[str], Any]] = {
            "v1/market": lambda _: renters.view(),
            "v1/identity": lambda _: self._identity(),
            "v1/offers": lambda _: renters.offers(),
        }
        self._named: dict[str, Callable[[str], Any]] = {
            "v1/leases": lambda name: renters.lease(f"sha256:{name}"),
            "v1/accounts": renters.balance,
        }
        self._nodes = nodes
        self._sweeping: asyncio.Task[None] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; from the first one on, close by itself what is due."""
        if self._sweeping is None and scope["type"] == "http":
            self._sweeping = asyncio.create_task(self._sweep())
        await respond(
            scope, receive, send, find=self._answer, refuse=_refusal, say=tell_faults,
            fault="the market made a mistake here",
        )  # fmt: skip

    async def _answer(self, request: Request) -> Answer:
        head, _, last = request.path.rpartition("/")
        work: Callable[[], Any]
        if request.path in self._posts:
            require_method(request.method, "POST")
            body = await request.body(MAX_BODY, "request")
            post = self._posts[request.path]
            work = lambda: post(body)  # noqa: E731
        else:
            get = self._gets.get(request.path) or self._named.get(head)
            if get is None:
                raise no_such_path(request.path)
            require_method(request.method, "GET")
            work = lambda: get(last)  # noqa: E731
        # In a thread: it waits for the disk, the log, and for whoever is before it.
        return json_answer(msgspec.to_builtins(await asyncio.to_thread(work)))

    def _close(self, data: bytes) -> Any:
        if len(data) <= MAX_BODY and Envelope.parse(data).payload_type == SIGNED_BY_NODE:
            return {"closed": self._nodes.close(data)}
        return self._renters.close(data)

    def _identity(self) -> Any:
        me = self._market.identity
        return {"identity": msgspec.json.decode(me.record.encode()), "blobs": me.blobs}

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(_SWEEP)
            await asyncio.to_thread(self._look)

    def _look(self) -> None:
        try:
            with self._market.lock:
                self._market.time()
            self._market.send()
        except Unavailable:
            pass  # the log, or the disk; whoever asks next is told


def _refusal(error: Error) -> Answer:
    return refusal(error, status_of(error, _BY_CODE))
