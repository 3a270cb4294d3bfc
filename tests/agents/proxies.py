"""Hosts between an agent and the world: one that changes what a node says, one that replays."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx

from teeproof.core.digests import keccak256
from teeproof.web.running import serve_here

Handle = Callable[[str, str, bytes], tuple[int, dict[str, str], bytes]]
Change = Callable[[str, list[Any], Any], Any]


def selector(signature: str) -> str:
    """The first four bytes of a call, as hex."""
    return "0x" + keccak256(signature.encode())[:4].hex()


def word(value: int) -> str:
    return "0x" + value.to_bytes(32, "big").hex()


@contextmanager
def serving(handle: Handle) -> Iterator[str]:
    """Serve ``handle(method, path, body)``."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        path = scope["raw_path"].decode() + ("?" + scope["query_string"].decode()).rstrip("?")
        status, headers, data = await asyncio.to_thread(handle, scope["method"], path, body)
        pairs = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": status, "headers": pairs})
        await send({"type": "http.response.body", "body": data})

    stopped, ready, urls = threading.Event(), threading.Event(), []

    def listening(url: str) -> None:
        urls.append(url)
        ready.set()

    thread = threading.Thread(
        target=serve_here, args=(app,), kwargs={"ready": listening, "stopped": stopped}
    )
    thread.start()
    assert ready.wait(120)
    try:
        yield urls[0]
    finally:
        stopped.set()
        thread.join(120)


@contextmanager
def lying_node(
    url: str, change: Change, *, before: Callable[[str], object] = lambda method: None
) -> Iterator[str]:
    """A node that answers ``change(method, params, result)`` in place of each result."""
    with httpx.Client(timeout=120, trust_env=False) as client:

        def answer(asked: dict[str, Any]) -> dict[str, Any]:
            before(asked["method"])
            found = client.post(url, json=asked).json()
            if "result" in found:
                found["result"] = change(asked["method"], asked["params"], found["result"])
            return found

        def handle(_: str, __: str, body: bytes) -> tuple[int, dict[str, str], bytes]:
            asked = json.loads(body)
            found = [answer(one) for one in asked] if isinstance(asked, list) else answer(asked)
            return 200, {"Content-Type": "application/json"}, json.dumps(found).encode()

        with serving(handle) as here:
            yield here


class Replaying:
    """A host before the model's service: it passes everything on, and may replay an old answer.

    Attributes:
        replay: whether questions get the first answer that went through here.
        change: what is made of each answer on its way.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._first: tuple[int, dict[str, str], bytes] | None = None
        self.replay = False
        self.change: Callable[[bytes], bytes] = lambda body: body

    @contextmanager
    def serving(self) -> Iterator[str]:
        with serving(self._handle) as url:
            yield url

    def _handle(self, method: str, path: str, body: bytes) -> tuple[int, dict[str, str], bytes]:
        if method == "POST" and self.replay and self._first is not None:
            return self._first
        with httpx.Client(timeout=120, trust_env=False) as client:
            found = client.request(method, self._url + path, content=body)
        kept = {k: v for k, v in found.headers.items() if k not in ("content-length", "date")}
        data = self.change(found.content) if method == "POST" else found.content
        answer = found.status_code, kept, data
        if method == "POST" and self._first is None:
            self._first = answer
        return answer
