"""Records, a served log and its clients, for the tests of a log over HTTP."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from teeproof.core.digests import named, sha256
from teeproof.proof.booting import possession_of
from teeproof.proof.envelope import Envelope, Signature
from teeproof.proof.identity import Claim, EvidenceName, IdentityRecord, identity_payload
from teeproof.proof.keyring import Keyring
from teeproof.proof.keys import KeyDocument
from teeproof.proof.links import Subject
from teeproof.proof.log.http.client import LogClient
from teeproof.proof.log.http.publishing import Publisher
from teeproof.proof.log.http.server import LogApp
from teeproof.proof.log.http.tokens import Tokens
from teeproof.proof.log.storage.disk import Disk
from teeproof.proof.log.storage.log import Log
from teeproof.proof.statement import Statement, Step
from teeproof.web.running import listen, server_for

ORIGIN = "log.example/http"
TOKEN = "token-of-the-first-client"
TOKENS = Tokens({"first": TOKEN, "second": "token-of-the-second-client"})
AUTHOR = named(sha256(b"an identity"))


def statement(number: int = 0, *, author: str = AUTHOR) -> bytes:
    """An envelope with a statement of its own; its signature holds for nobody."""
    digest = sha256(b"output %d" % number).hex()
    made = Statement.of(Step(author=author, step="train"), subjects=(Subject({"sha256": digest}),))
    return Envelope(made.payload, (Signature("", b"s" * 64),)).encode()


def statement_id(data: bytes) -> bytes:
    """The id of the statement in an envelope."""
    return Envelope.parse(data).id


def identity(number: int = 0) -> IdentityRecord:
    """An identity without evidence that anyone could check."""
    seeds = iter(sha256(b"seed %d %d" % (number, n)) for n in range(100))
    keyring = Keyring.new(("statement", "receipt"), random=lambda _: next(seeds))
    keys = KeyDocument.of(keyring.public(), not_before=1_700_000_000, not_after=1_700_600_000)
    claim = Claim(keys=keys, evidence=(EvidenceName("tdx", named(sha256(b"quote"))),))
    envelope = possession_of(claim, keyring)
    return IdentityRecord(envelope=envelope, attachments={"quote": named(sha256(b"quote"))})


def unsigned(who: IdentityRecord) -> IdentityRecord:
    """The same keys in another identity, which they never signed."""
    claim = msgspec.structs.replace(who.claim, nonce="somebody else")
    forged = (Signature("", bytes(64)),) * len(who.envelope.signatures)
    return IdentityRecord(
        envelope=Envelope(identity_payload(claim), forged), attachments=who.attachments
    )


def receipt(keyset: str, number: int = 0) -> bytes:
    """An ACI receipt whose signature holds for nobody."""
    body = named(sha256(b"body %d" % number))
    return json.dumps(
        {
            "api_version": "aci/1",
            "receipt_id": f"r-{number}",
            "chat_id": None,
            "model": "m",
            "workload_keyset_digest": keyset,
            "endpoint": "/v1/chat/completions",
            "method": "POST",
            "served_at": 1_750_000_000,
            "event_log": [
                {"type": "request.received", "body_hash": body},
                {"type": "response.returned", "body_hash": body},
            ],
            "key_id": "receipt",
            "signature": "00" * 64,
        },
        separators=(",", ":"),
    ).encode()


@contextlib.contextmanager
def running(app: Any) -> Iterator[str]:
    """Serve an ASGI application on a free port of this machine; give its address."""
    server, sock = server_for(app), listen("127.0.0.1:0")
    thread = threading.Thread(target=server.run, kwargs={"sockets": [sock]}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{sock.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


class Between:
    """Stands between a log and its clients; ``change`` may alter each answer.

    ``change(path, status, body)`` returns status and body; None leaves them.
    """

    def __init__(self, app: Any) -> None:
        self._app = app
        self.change: Callable[[str, int, bytes], tuple[int, bytes] | None] = lambda *_: None
        self.headers: list[tuple[bytes, bytes]] = []
        self.asked: list[str] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        said: list[Any] = []

        async def keep(message: Any) -> None:
            said.append(message)

        await self._app(scope, receive, keep)
        status, body = said[0]["status"], said[1]["body"]
        path = scope["raw_path"].decode()
        self.asked.append(f"{scope['method']} {path}")
        status, body = self.change(path, status, body) or (status, body)
        headers = [h for h in said[0]["headers"] if h[0] != b"content-length"]
        headers += [(b"content-length", b"%d" % len(body)), *self.headers]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})


class Served:
    """A log that is served, with its publisher in the test's hands or on an interval."""

    def __init__(self, log: Log, publisher: Publisher, url: str, between: Between) -> None:
        self.log, self.publisher, self.url, self.between = log, publisher, url, between

    def client(self, **options: Any) -> LogClient:
        """A client with the right key and token, that does not wait between attempts."""
        given = {"token": TOKEN, "sleep": lambda _: None} | options
        return LogClient(given.pop("url", self.url), given.pop("key", self.log.verifier), **given)


@contextlib.contextmanager
def served(
    folder: Path, *, every: float | None = None, disk: Disk | None = None, **options: Any
) -> Iterator[Served]:
    """Make a log and serve it; without ``every``, the test publishes."""
    with Log.create(folder, origin=ORIGIN, seed=b"\x07" * 32, disk=disk) as log:
        publisher = Publisher(log, every=every or 1.0)
        publisher.publish()
        app = LogApp(log, tokens=TOKENS, publisher=publisher, **options)
        between = Between(app)
        with running(between if every is None else app) as url:
            if every:
                publisher.start()
            yield Served(log, publisher, url, between)
            if every:
                publisher.stop()
