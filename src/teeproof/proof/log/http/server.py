"""A log's server: the application.

    GET  /checkpoint                      anyone
    GET  /tile/<L>/<N>[.p/<W>]            anyone
    GET  /tile/entries/<N>[.p/<W>]        anyone
    GET  /                                anyone    what the log says of itself, in JSON
    POST /append                          a token   one record, or a batch in NDJSON
    GET  /proof/<sha256:…>                a token   a tlog-proof with the entry's salt
    PUT, GET /blob/<hex>                  a token   bytes beside the log

A path has one spelling; nothing in it is unescaped. Errors have the one shape.

Source: c2sp.org/tlog-tiles for what anyone may read.

Trusts: the log's directory, whoever holds a token to fill its disk.
Does not trust: clients; what the log serves proves itself, or nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from teeproof.core.clock import wall_clock
from teeproof.proof.log.formats.checkpoint import Accept
from teeproof.proof.log.http.keysets import Keysets
from teeproof.proof.log.http.publishing import Publisher
from teeproof.proof.log.http.reading import Reading, description
from teeproof.proof.log.http.refusing import refusal
from teeproof.proof.log.http.served import ServedLog
from teeproof.proof.log.http.tokens import Tokens
from teeproof.proof.log.http.writing import Writing
from teeproof.web.asgi import (
    Answer,
    Receive,
    Request,
    Scope,
    Send,
    no_such_path,
    require_method,
    respond,
)
from teeproof.web.oplog import Say, quiet

__all__ = ["LogApp"]


class LogApp:
    """The ASGI application over one log.

    Args:
        log: the log; the caller closes it once the server has ended.
        tokens: who may append.
        publisher: keeps the promise that each answer makes; the caller starts and stops it.
        witnesses: verifier keys of the witnesses that are asked, to be named in the description.
        accept: which checkpoint a proof may carry, such as one with a quorum.
        keysets: whose receipts can be told; without one, those in the log are read now.
        now: the clock.
        say: the operator's log.
    """

    def __init__(
        self,
        log: ServedLog,
        *,
        tokens: Tokens,
        publisher: Publisher,
        witnesses: tuple[str, ...] = (),
        accept: Accept = lambda _: True,
        keysets: Keysets | None = None,
        now: Callable[[], datetime] = wall_clock,
        say: Say = quiet,
    ) -> None:
        if keysets is None:
            keysets = Keysets()
            keysets.read(log)
        self._log, self._say = log, say
        self._delay, self._witnesses = publisher.delay, witnesses
        self._reading = Reading(log)
        self._writing = Writing(
            log,
            tokens=tokens,
            keysets=keysets,
            delay=publisher.delay,
            behind=lambda: publisher.behind,
            accept=accept,
            now=now,
            say=say,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        await respond(
            scope, receive, send, find=self._answer, refuse=refusal, say=self._say,
            fault="the log made a mistake here: its operator finds it in the log",
        )  # fmt: skip

    async def _answer(self, request: Request) -> Answer:
        first, _, rest = request.path.partition("/")
        if request.path == "append":
            require_method(request.method, "POST")
            return await self._writing.append(request)
        if first == "proof" and rest:
            require_method(request.method, "GET, HEAD")
            return await self._writing.proof(request, rest)
        if first == "blob" and rest:
            require_method(request.method, "GET, HEAD, PUT")
            put = request.method == "PUT"
            answer = self._writing.put_blob if put else self._writing.blob
            return await answer(request, rest)
        return self._public(request)

    def _public(self, request: Request) -> Answer:
        if request.path.startswith("tile/"):
            require_method(request.method, "GET, HEAD")
            return self._reading.tile(request.path)
        if request.path == "checkpoint":
            require_method(request.method, "GET, HEAD")
            return self._reading.checkpoint()
        if not request.path:
            require_method(request.method, "GET, HEAD")
            return description(self._log, delay=self._delay, witnesses=self._witnesses)
        raise no_such_path(request.path)
