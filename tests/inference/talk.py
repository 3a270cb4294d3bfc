"""A client's own side for the tests: raw HTTP, byte by byte, and a host that lies on the way."""

from __future__ import annotations

import hashlib
import json
import socket
from collections.abc import Callable
from typing import Any

import httpx

from teeproof.inference.link import Link, Reply
from tests.inference.serving import NAME

CHAT = "/v1/chat/completions"


def body(text: str = "sell half my ETH", **more: Any) -> bytes:
    value = {"model": NAME, "messages": [{"role": "user", "content": text}], "max_tokens": 12}
    given = {name: one for name, one in (value | more).items() if one is not None}
    return json.dumps(given).encode()


def post(url: str, data: bytes, **headers: str) -> httpx.Response:
    with httpx.Client(timeout=120, verify=False) as client:
        return client.post(
            url + CHAT, content=data, headers={"content-type": "application/json"} | headers
        )


def get(url: str, path: str, **headers: str) -> httpx.Response:
    with httpx.Client(timeout=120, verify=False) as client:
        return client.get(url + path, headers=headers)


def raw(url: str, data: bytes) -> tuple[httpx.Headers, bytes]:
    """Return an answer's headers and its body exactly as it crossed the wire."""
    with (
        httpx.Client(timeout=120, verify=False) as client,
        client.stream("POST", url + CHAT, content=data) as got,
    ):
        return got.headers, b"".join(got.iter_raw())


def receipt_of(url: str, name: str, **headers: str) -> dict[str, Any]:
    found = get(url, f"/v1/aci/receipts/{name}", **headers)
    assert found.status_code == 200, found.text
    return dict(found.json())


def events(receipt: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """A receipt's events by type."""
    return {event["type"]: event for event in receipt["event_log"]}


def named(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


def hang_up_after(url: str, data: bytes, count: int) -> bytes:
    """Ask over a bare socket, read some bytes of the answer, and leave."""
    host, port = url.removeprefix("http://").split(":")
    head = f"POST {CHAT} HTTP/1.1\r\nhost: {host}\r\ncontent-length: {len(data)}\r\n\r\n"
    with socket.create_connection((host, int(port)), timeout=120) as line:
        line.sendall(head.encode() + data)
        got = b""
        while len(got) < count:
            got += line.recv(4096)
    return got


class HostileLink(Link):
    """What the host makes of requests and answers on their way.

    Attributes:
        on_get: from a path and the honest answer to the one that is given.
        on_post: likewise of a question.
    """

    on_get: Callable[[str, Reply], Reply] | None = None
    on_post: Callable[[bytes, Reply], Reply] | None = None

    def get(self, path: str, **options: Any) -> Reply:
        reply = super().get(path, **options)
        return reply if self.on_get is None else self.on_get(path, reply)

    def post(self, path: str, body: bytes, **options: Any) -> Reply:
        reply = super().post(path, body, **options)
        return reply if self.on_post is None else self.on_post(body, reply)
