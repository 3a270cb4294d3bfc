"""Records, a served log and its clients, for the tests of a log over HTTP."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator
from pathlib import Path

from teeproof.core.digests import named, sha256
from teeproof.proof.envelope import Envelope, Signature
from teeproof.proof.identity import Claim, EvidenceName, IdentityRecord, identity_payload
from teeproof.proof.keyring import Keyring
from teeproof.proof.keys import KeyDocument
from teeproof.proof.links import Subject
from teeproof.proof.log.client import LogClient
from teeproof.proof.log.log import Log
from teeproof.proof.log.publishing import Publisher
from teeproof.proof.log.server import LogApp, listen, server_for
from teeproof.proof.log.tokens import Tokens
from teeproof.proof.statement import Statement, Step

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
    envelope = Envelope(identity_payload(claim), (Signature("", b"s" * 64),))
    return IdentityRecord(envelope=envelope, attachments={"quote": named(sha256(b"quote"))})


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
def running(app: object) -> Iterator[str]:
    """Serve an ASGI application on a free port of this machine; give its address."""
    server, sock = server_for(app), listen("127.0.0.1:0")  # type: ignore[arg-type]
    thread = threading.Thread(target=server.run, kwargs={"sockets": [sock]}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{sock.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


class Served:
    """A log that is served, with its publisher in the test's hands or on an interval."""

    def __init__(self, log: Log, publisher: Publisher, url: str) -> None:
        self.log, self.publisher, self.url = log, publisher, url

    def client(self, **options: object) -> LogClient:
        """A client with the right key and token."""
        given = {"token": TOKEN} | options
        return LogClient(self.url, self.log.verifier, **given)  # type: ignore[arg-type]


@contextlib.contextmanager
def served(folder: Path, *, every: float | None = None, **options: object) -> Iterator[Served]:
    """Make a log and serve it; without ``every``, the test publishes."""
    Log.create(folder, origin=ORIGIN, seed=b"\x07" * 32).close()
    with Log.open(folder) as log:
        publisher = Publisher(log, every=every or 1.0)
        publisher.publish()
        app = LogApp(log, tokens=TOKENS, publisher=publisher, **options)  # type: ignore[arg-type]
        with running(app) as url:
            if every:
                publisher.start()
            yield Served(log, publisher, url)
            if every:
                publisher.stop()
