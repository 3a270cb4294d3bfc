"""The witness over HTTP, as plain ASGI: two routes of c2sp.org/tlog-witness and nothing else.

    POST /add-checkpoint          a cosignature, or why not
    GET  /<origin hash>/checkpoint   what was cosigned last for a log

An error is the JSON object of every command, with the status that the specification gives it; only
409 is the bare size that it asks for. Bodies are bounded in bytes and time, requests in number.

Trusts: the witness it is given.  Does not trust: whoever asks.
"""

from __future__ import annotations

import asyncio

from teeproof.core.errors import Error, Malformed, NotAuthentic, Unavailable
from teeproof.proof.witness.request import MAX_REQUEST_BYTES, AddCheckpoint
from teeproof.proof.witness.witness import Conflict, Witness
from teeproof.web.asgi import (
    NO_STORE,
    Answer,
    Receive,
    Request,
    Scope,
    Send,
    refusal,
    respond,
    status_of,
)
from teeproof.web.oplog import Say, quiet

__all__ = ["SIZE_TYPE", "App"]

SIZE_TYPE = "text/x.tlog.size"  # c2sp.org/tlog-witness, the body of a 409
_TEXT = b"text/plain; charset=utf-8"
_BY_CODE = {
    "origin_unknown": 404,
    "checkpoint_signature": 403,
    "log_unknown": 403,
    "old_size_conflict": 409,
    "empty_tree_root": 422,
    "equal_size_other_root": 422,
    "consistency_mismatch": 422,
    "body_late": 408,
    "checkpoint_none": 404,
    "method_not_allowed": 405,
}


class App:
    """An ASGI application for one witness.

    Args:
        witness: whom to ask.
        prefix: the path before the routes, without a slash at its end.
        seconds: how long a body may take to arrive.
        most: how many requests may be in work at once, and an eighth of how many may arrive; one
            more is answered 503.
        say: the operator's log.
    """

    def __init__(
        self,
        witness: Witness,
        *,
        prefix: str = "",
        seconds: float = 10.0,
        most: int = 64,
        say: Say = quiet,
    ) -> None:
        self._witness, self._prefix, self._seconds = witness, prefix, seconds
        # Apart, so that bodies which arrive slowly keep nobody from the witness.
        self._arriving, self._working, self._say = _Places(8 * most), _Places(most), say

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; ``lifespan`` is answered too."""
        await respond(
            scope, receive, send, find=self._answer, refuse=_refusal, say=self._say,
            fault="the witness made a mistake: tell its operator",
        )  # fmt: skip

    async def _answer(self, request: Request) -> Answer:
        path = "/" + request.path.removesuffix("?")
        name = path.removeprefix(self._prefix) if path.startswith(self._prefix + "/") else ""
        if name == "/add-checkpoint":
            _require_method(request, "POST")
            return await self._add(request)
        origin_hash, separator, rest = name[1:].partition("/")
        if separator and rest == "checkpoint":
            _require_method(request, "GET, HEAD")
            return self._checkpoint(origin_hash)
        raise NotAuthentic(
            "there is no such page: POST /add-checkpoint, GET /<origin hash>/checkpoint",
            code="route_unknown",
            got=ascii(path[:200]),
        )

    def _checkpoint(self, name: str) -> Answer:
        signed = self._witness.checkpoint(name)
        if signed is None:
            raise NotAuthentic("nothing was cosigned for such a log", code="checkpoint_none")
        return Answer(200, _TEXT, signed.encode(), (NO_STORE,))

    async def _add(self, request: Request) -> Answer:
        with self._arriving:
            body = await self._body(request)
        asked = AddCheckpoint.parse(body)
        checkpoint = asked.signed.checkpoint
        with self._working:
            # In a thread, because it waits for the disk.
            try:
                line = await asyncio.to_thread(self._witness.add, asked)
            except Conflict as error:
                return Answer(409, SIZE_TYPE.encode(), b"%d\n" % error.size, (NO_STORE,))
        self._say("cosigned", origin=checkpoint.origin, size=checkpoint.size)
        return Answer(200, _TEXT, line.encode(), (NO_STORE,))

    async def _body(self, request: Request) -> bytes:
        try:
            async with asyncio.timeout(self._seconds):
                return await request.body(MAX_REQUEST_BYTES, "request")
        except TimeoutError:
            raise Malformed("the body did not arrive in time", code="body_late") from None


class _Places:
    """So many at once, and no more."""

    def __init__(self, count: int) -> None:
        self._free = count

    def __enter__(self) -> None:
        if not self._free:
            raise Unavailable("the witness is busy: try again in a second", code="witness_busy")
        self._free -= 1

    def __exit__(self, *_: object) -> None:
        self._free += 1


def _require_method(request: Request, methods: str) -> None:
    if request.method not in methods.split(", "):
        raise Malformed(
            "this page takes another method", code="method_not_allowed", expected=methods
        )


def _refusal(error: Error) -> Answer:
    return refusal(error, status_of(error, _BY_CODE))
