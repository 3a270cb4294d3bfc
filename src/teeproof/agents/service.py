"""An agent over HTTP: instructions in, what came of them out; there is no other way to move it.

    POST /v1/instructions   {"text", "id"?, "by"?, "signature"?} -> what came of it; again, the same
    GET  /v1/mandate        what it may do, its rules with their sentences, its address
    GET  /v1/journal        ?first=N: a hundred entries of the journal, as they were written
    GET  /v1/identity       its identity record and the evidence behind it
    GET  /health            whether it answers

Nothing here changes the mandate, the policy, the keys or the journal. A refused instruction is an
answer like any other (200): the agent did what it should.

Trusts: the kernel.  Does not trust: clients.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from datetime import datetime
from typing import Any

import msgspec

from teeproof.agents.instructions import MAX_BODY, parse_instruction
from teeproof.agents.kernel import Kernel
from teeproof.agents.rules import RULES
from teeproof.agents.story import outline
from teeproof.core.clock import to_epoch, wall_clock
from teeproof.core.errors import Error, Unavailable, Usage
from teeproof.inference.attestation import archived
from teeproof.inference.wire import status_of
from teeproof.proof.workload import Identity
from teeproof.web.asgi import (
    Answer,
    Receive,
    Request,
    Scope,
    Send,
    json_answer,
    no_such_path,
    refusal,
    respond,
)
from teeproof.web.oplog import Say, quiet

__all__ = ["PAGE", "AgentService"]

PAGE = 100  # entries of the journal in one answer
_MOST_WAITING = 16
_FIRST = re.compile(r"first=(0|[1-9][0-9]{0,9})")


class AgentService:
    """The ASGI application.

    Args:
        kernel: the agent.
        identity: its identity.
        now: the clock.
        say: the operator's log.
    """

    def __init__(
        self,
        kernel: Kernel,
        *,
        identity: Identity,
        now: Callable[[], datetime] = wall_clock,
        say: Say = quiet,
    ) -> None:
        self._kernel, self._identity, self._now, self._say = kernel, identity, now, say
        self._waiting = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; ``lifespan`` is answered too."""
        await respond(
            scope, receive, send, refuse=_refusal, say=self._say,
            find=lambda request: self._answer(request, scope["query_string"].decode()),
            fault="the agent made a mistake: tell its operator",
        )  # fmt: skip

    async def _answer(self, request: Request, query: str) -> Answer:
        path = request.path.removesuffix("?")
        if path == "v1/instructions":
            _require(request, "POST")
            return await self._instruct(request)
        routes: dict[str, Callable[[str], Any]] = {
            "v1/mandate": self._mandate,
            "v1/journal": self._journal,
            "v1/identity": lambda _: archived(self._identity.record.encode(), self._identity.blobs),
            "health": lambda _: {"ok": True, "busy": self._waiting},
        }
        route = routes.get(path)
        if route is None:
            raise no_such_path(path)
        _require(request, "GET")
        return json_answer(route(query))

    async def _instruct(self, request: Request) -> Answer:
        body = await request.body(MAX_BODY, "instruction")
        instruction = parse_instruction(body, time=to_epoch(self._now()))
        if self._waiting >= _MOST_WAITING:
            raise Unavailable(
                "too many instructions wait: send it again shortly", code="agent_busy"
            )
        self._waiting += 1
        try:
            turn = await asyncio.to_thread(self._kernel.instruct, instruction)
        finally:
            self._waiting -= 1
        self._say("turn", number=turn.number, outcome=turn.outcome or "open")
        return json_answer(outline(turn))

    def _mandate(self, _: str) -> dict[str, Any]:
        mandate = self._kernel.mandate
        return {
            "mandate": msgspec.to_builtins(mandate),
            "digest": mandate.digest,
            "rules": [{"id": rule.id, "sentence": rule.sentence} for rule in RULES],
            "agent": self._kernel.digest,
            "address": self._kernel.address,
        }

    def _journal(self, query: str) -> dict[str, Any]:
        found = _FIRST.fullmatch(query or "first=0")
        if found is None:
            raise Usage("name the first entry as ?first=N", code="query_malformed", got=query[:60])
        first = int(found[1])
        entries = self._kernel.entries(first, PAGE)
        return {
            "first": first,
            "entries": [entry.line.decode() for entry in entries],
            "more": len(entries) == PAGE,
        }


def _require(request: Request, method: str) -> None:
    if request.method != method:
        raise Usage(
            "this path does not know that method: there is no way to change an agent",
            code="method_wrong",
            expected=method,
            got=request.method[:20],
        )


def _refusal(error: Error) -> Answer:
    return refusal(error, status_of(error))
