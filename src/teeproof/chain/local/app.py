"""The JSON-RPC over HTTP, for programs on this machine.

A page in a browser can send requests to this machine, and with a name of its own that leads here
even read the answers (DNS rebinding). So the host that is asked for must be this machine by number
or as ``localhost``, a request that names a page as its origin is refused, and the media type must
be JSON, which a page cannot send unasked.

Trusts: programs of this machine.  Does not trust: pages in its browsers, bodies.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor

from teeproof.chain.local.rpc import MAX_BODY, Rpc, fault
from teeproof.core import strictjson
from teeproof.core.errors import Error, NotAllowed, TooLarge, Usage
from teeproof.core.hosts import is_this_machine
from teeproof.web.asgi import JSON, Answer, Disconnected, Receive, Request, Scope, Send

__all__ = ["ChainApp"]

_INVALID, _INTERNAL = -32600, -32603
_STATUS = {"method_wrong": 405, "media_type_wrong": 415}


class ChainApp:
    """The ASGI application over one chain's methods.

    Args:
        rpc: what answers.
        say: told the kind of an error that nobody expected.
    """

    def __init__(self, rpc: Rpc, *, say: Callable[[str], object] = lambda _: None) -> None:
        self._rpc, self._say = rpc, say
        # One thread: the chain does one thing at a time, and the loop goes on taking requests.
        self._worker = ThreadPoolExecutor(1, "chain")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        request = Request(scope, receive)
        try:
            _require_local(request, scope["headers"])
            body = await request.body(MAX_BODY, "request")
            loop = asyncio.get_running_loop()
            text = await loop.run_in_executor(self._worker, self._rpc.answer, body)
            answer = Answer(200, JSON, text)
        except Disconnected:
            return
        except Error as error:
            status = 413 if isinstance(error, TooLarge) else _STATUS.get(error.code, 403)
            answer = _refusal(status, _INVALID, error.detail)
        except Exception as error:
            self._say(type(error).__name__)
            answer = _refusal(500, _INTERNAL, "the chain made a mistake here")
        await answer.send(send)

    def close(self) -> None:
        """Wait for what is under way."""
        self._worker.shutdown()


def _require_local(request: Request, headers: Iterable[tuple[bytes, bytes]]) -> None:
    if not _is_here((request.header(b"host") or b"").decode("latin-1")):
        raise NotAllowed(
            "this chain is asked for as 127.0.0.1 or localhost, and by no other name",
            code="host_other",
        )
    if any(name == b"origin" for name, _ in headers):
        raise NotAllowed("pages in browsers are not served", code="origin_other")
    if request.method != "POST":
        raise Usage("requests are posted", code="method_wrong", expected="POST")
    media_type = (request.header(b"content-type") or b"").partition(b";")[0].strip().lower()
    if media_type != JSON:
        raise Usage(
            "the body's media type must be application/json",
            code="media_type_wrong",
            expected=JSON.decode(),
        )


def _is_here(host: str) -> bool:
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
    return is_this_machine(name.removeprefix("[").removesuffix("]"))


def _refusal(status: int, code: int, message: str) -> Answer:
    return Answer(status, JSON, strictjson.dumps(fault(None, code, message)).encode())
