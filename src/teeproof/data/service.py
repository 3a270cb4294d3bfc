"""The pool over HTTP, as plain ASGI. There is no other door, and none for the operator.

    POST /v1/contributions                    a submission; answers with the decision
    GET  /v1/contributions                    all of them, in the order of arrival
    GET  /v1/contributions/<id>               one
    POST /v1/contributions/<id>/withdrawal    the owner's order and its signature
    POST /v1/dataset                          a snapshot of what is accepted now
    GET  /v1/dataset/<sha256:…>               one that was made
    GET  /v1/proofs/<sha256:…>                the proof file of anything that the pool said
    GET  /v1/files/<hex>                      a sealed file of an accepted contribution
    GET  /v1/pool                             its terms

Bodies are bounded before they are read. An error has the one shape of every command and page.

Trusts: nothing that arrives.  Does not trust: clients, the host that carries their requests.
"""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec

from teeproof.cloud.kms.requests import WithdrawRequest, read_request
from teeproof.cloud.routes import error_answer
from teeproof.data.history import Entry, Spoken
from teeproof.data.pool import Pool
from teeproof.data.submission import MAX_SUBMISSION_BYTES, Submission
from teeproof.proof.envelope import Envelope
from teeproof.web.asgi import (
    Answer,
    Receive,
    Request,
    Scope,
    Send,
    json_answer,
    no_such_path,
    require_method,
    respond,
)
from teeproof.web.oplog import Say, quiet

__all__ = ["PoolApp", "described"]

_MAX_ORDER_BYTES = 8 << 10
_BINARY = b"application/octet-stream"


class PoolApp:
    """The application over one pool.

    Args:
        pool: the pool.
        say: told of each request's outcome, in facts that an operator may see.
    """

    def __init__(self, pool: Pool, *, say: Say = quiet) -> None:
        self._pool, self._say = pool, say

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        await respond(
            scope, receive, send, find=self._answer, refuse=error_answer, say=self._say,
            fault="the pool made a mistake here",
        )  # fmt: skip

    async def _answer(self, request: Request) -> Answer:
        version, _, path = request.path.partition("/")
        noun, _, rest = path.partition("/")
        if version == "v1" and request.method == "POST":
            if path == "contributions":
                return await self._contribute(request)
            if path == "dataset":
                return _spoken(await asyncio.to_thread(self._pool.dataset))
            if noun == "contributions" and rest.endswith("/withdrawal"):
                return await self._withdraw(request, rest.removesuffix("/withdrawal"))
        if version == "v1" and request.method == "GET":
            return await self._read(path, noun, rest)
        require_method(request.method, "GET, POST")
        raise no_such_path(request.path)

    async def _read(self, path: str, noun: str, rest: str) -> Answer:
        if path == "pool":
            return json_answer({"terms": msgspec.to_builtins(self._pool.terms)})
        if path == "contributions":
            return json_answer([_brief(entry) for entry in self._pool.entries])
        if noun == "contributions" and rest:
            return json_answer(described(self._pool.entry(rest)))
        if noun == "dataset" and rest:
            return _spoken(self._pool.spoken(rest))
        if noun == "proofs" and rest:
            spoken = self._pool.spoken(rest)
            return Answer(200, _BINARY, await asyncio.to_thread(self._pool.proof, spoken))
        if noun == "files" and rest:
            return Answer(200, _BINARY, self._pool.sealed_file(f"sha256:{rest}"))
        raise no_such_path(path)

    async def _contribute(self, request: Request) -> Answer:
        body = await request.body(MAX_SUBMISSION_BYTES, "contribution")
        entry = await asyncio.to_thread(self._take, body)
        said = entry.said
        assert said is not None
        self._say("contribution", sequence=entry.sequence, decision=said.decision)
        return json_answer(described(entry))

    def _take(self, body: bytes) -> Entry:
        sent = Submission.parse(body)
        entry = self._pool.arrive(
            sent.consent, sent.signature, policy=sent.policy, blob=sent.sealed
        )
        self._pool.settle()
        return entry

    async def _withdraw(self, request: Request, contribution: str) -> Answer:
        body = await request.body(_MAX_ORDER_BYTES, "withdrawal")
        asked = read_request(body, WithdrawRequest)
        spoken = await asyncio.to_thread(
            self._pool.withdraw, contribution, asked.order, asked.signature
        )
        self._say("withdrawn", contribution=contribution)
        return _spoken(spoken)


def described(entry: Entry) -> dict[str, Any]:
    """Return what anyone may know of a contribution: its place, its state, what was said."""
    return _brief(entry) | {
        "statement": None if entry.decided is None else _signed(entry.decided),
        "withdrawal": None if entry.withdrawn is None else _signed(entry.withdrawn),
    }


def _brief(entry: Entry) -> dict[str, Any]:
    return {
        "contribution": entry.consent.contribution,
        "sequence": entry.sequence,
        "state": entry.state,
    }


def _spoken(spoken: Spoken) -> Answer:
    return json_answer(_signed(spoken))


def _signed(spoken: Spoken) -> dict[str, Any]:
    envelope = msgspec.json.decode(Envelope.parse(spoken.envelope).encode())
    return {"id": spoken.statement.name, "envelope": envelope}
