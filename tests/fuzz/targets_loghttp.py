"""Fuzz targets for a log over HTTP: records, batches, answers, tiles, files of tokens, headers."""

from __future__ import annotations

import asyncio
import atexit
import json
import shutil
import tempfile
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

from teeproof.core.digests import named, sha256
from teeproof.core.errors import Malformed, NotAllowed, NotAuthentic, Unavailable
from teeproof.proof.log.admission import Record, read_record, read_records
from teeproof.proof.log.formats.entry import STATEMENT
from teeproof.proof.log.formats.merkle import Tree, leaf_hash
from teeproof.proof.log.formats.tiles import encode_entries
from teeproof.proof.log.http.promise import read_answer, read_batch, read_promise
from teeproof.proof.log.http.publishing import Publisher
from teeproof.proof.log.http.server import LogApp
from teeproof.proof.log.http.tiletree import TileTree
from teeproof.proof.log.http.tokens import Tokens
from teeproof.proof.log.storage.items import Item
from teeproof.proof.log.storage.log import Log
from tests.proof.log.http.httplog import identity, receipt, statement

ORIGIN = "log.example/fuzz"
ENTRIES = [b"entry %d" % n for n in range(300)]
TREE = Tree(map(leaf_hash, ENTRIES))
RECORD = Record(STATEMENT, sha256(b"id"), sha256(b"author"), sha256(b"seal"), b"{}")


def owner(_keyset: str) -> bytes:
    """Vouch for every keyset."""
    return bytes(32)


def fuzz_admission(data: bytes) -> None:
    """What is taken has an id, an author and an entry, and reads the same again."""
    with suppress(Malformed):
        record = read_record(data, identity_of_keyset=owner)
        assert len(record.entry(bytes(32)).encode()) == 66
        assert record == read_record(record.data, identity_of_keyset=owner)


def fuzz_admission_batch(data: bytes) -> None:
    """A batch is what its lines are, one by one."""
    with suppress(Malformed):
        records = read_records(data, most=8, identity_of_keyset=owner)
        lines = data.removesuffix(b"\n").split(b"\n")
        assert [record.data for record in records] == lines


def fuzz_log_answer(data: bytes) -> None:
    """An answer that is read is about this log and this record."""
    with suppress(Malformed, NotAuthentic):
        answer = read_answer(data, ORIGIN)
        assert answer["origin"] == ORIGIN
        with suppress(Malformed, NotAuthentic):
            promise = read_promise(RECORD, answer, answer)
            assert promise.id == RECORD.id
            assert 0 <= promise.index < 1 << 63
            assert len(promise.entry) == 66
        read_batch([RECORD, RECORD], answer)


def fuzz_tile(data: bytes) -> None:
    """No tile or bundle but the right one passes; what is tried stands behind one byte."""
    place, given = data[:1], data[1:]
    paths = ["tile/0/000", "tile/0/001.p/44", "tile/1/000.p/1", "tile/entries/000"]
    victim = paths[(place or b"\0")[0] % len(paths)]

    def fetch(path: str) -> bytes:
        honest = HONEST.get(path)
        if honest is None:
            raise Unavailable("no such tile", code="tile_missing")
        return given if path == victim else honest

    try:
        assert TileTree(300, TREE.root(300), fetch).bundle(0) == ENTRIES[:256]
    except (Malformed, NotAuthentic):
        return
    assert given[: len(HONEST[victim])] == HONEST[victim]


def fuzz_log_app(data: bytes) -> None:
    """Whatever is asked, the answer is a thing of the log, or the one error shape."""
    line, _, body = data.partition(b"\n")
    method, _, path = line.decode("latin-1").partition(" ")
    raw, _, query = path.encode("latin-1").partition(b"?")
    said = asyncio.run(_answer_of(method, raw, query, body))
    status, kind = said[0]["status"], dict(said[0]["headers"])[b"content-type"]
    assert status in (200, 400, 401, 403, 404, 405, 409, 413, 422)
    if status != 200:
        assert kind == b"application/json"
        assert set(json.loads(said[1]["body"])) == {"ok", "error", "detail", "expected", "got"}


async def _answer_of(method: str, path: bytes, query: bytes, body: bytes) -> list[Any]:
    said: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        said.append(message)

    headers = [(b"authorization", b"Bearer 0123456789abcdef")]
    if body.count(b"\n"):
        headers.append((b"content-type", b"application/x-ndjson"))
    scope = {
        "type": "http",
        "method": method,
        "path": path.decode("latin-1"),  # as every server says it
        "raw_path": path,
        "query_string": query,
        "headers": headers,
    }
    await _app()(scope, receive, send)
    return said


@cache
def _app() -> LogApp:
    """A log of 300 entries in a folder that goes when the process does."""
    folder = Path(tempfile.mkdtemp(prefix="teeproof-fuzz-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    log = Log.create(folder / "log", origin=ORIGIN)
    atexit.register(log.close)
    items = [Item(STATEMENT, sha256(b"%d" % n), bytes(32), bytes(32), b"{}") for n in range(300)]
    log.append_many(items)
    publisher = Publisher(log)
    publisher.publish()
    return LogApp(log, tokens=Tokens({"a": "0123456789abcdef"}), publisher=publisher)


def fuzz_authorization(data: bytes) -> None:
    """Only the token itself is recognised."""
    tokens = Tokens({"a": "0123456789abcdef", "b": "fedcba9876543210"})
    with suppress(NotAllowed):
        name = tokens.name_of(data)
        scheme, _, token = data.partition(b" ")
        assert scheme.lower() == b"bearer"
        assert token == {"a": b"0123456789abcdef", "b": b"fedcba9876543210"}[name]


HONEST = {
    "tile/0/000": b"".join(TREE.node(0, n) for n in range(256)),
    "tile/0/001.p/44": b"".join(TREE.node(0, n) for n in range(256, 300)),
    "tile/1/000.p/1": TREE.node(8, 0),
    "tile/entries/000": encode_entries(ENTRIES[:256]),
}


def _answer(**more: object) -> bytes:
    said = {
        "origin": ORIGIN,
        "index": 7,
        "salt": "00" * 32,
        "id": named(RECORD.id),
        "published_by": "2026-03-01T00:00:00Z",
    }
    return json.dumps(said | more).encode()


SEEDS = {
    "fuzz_admission": lambda: [
        statement(),
        identity().encode(),
        receipt(identity().keyset_digest),
        b'{"payload":"e30=","payloadType":"application/vnd.in-toto+json","signatures":[]}',
    ],
    "fuzz_admission_batch": lambda: [
        statement(1) + b"\n" + identity().encode() + b"\n",
        receipt(identity().keyset_digest),
    ],
    "fuzz_log_answer": lambda: [
        _answer(),
        _answer(appended=[json.loads(_answer()), json.loads(_answer(index=8))]),
    ],
    "fuzz_tile": lambda: [bytes([n]) + data for n, data in enumerate(HONEST.values())],
    "fuzz_log_app": lambda: [
        b"GET /checkpoint",
        b"GET /tile/0/000",
        b"HEAD /tile/entries/001.p/44",
        b"GET /tile/0/x001/234.p/7?x=1",
        b"GET /",
        b"POST /append\n" + statement(),
        b"POST /append\n" + statement(1) + b"\n" + identity().encode(),
        b"GET /proof/" + named(sha256(b"1")).encode(),
        b"PUT /blob/" + sha256(b"x").hex().encode() + b"\nx",
        b"GET /blob/" + sha256(b"x").hex().encode(),
    ],
    "fuzz_authorization": lambda: [b"Bearer 0123456789abcdef", b"bearer fedcba9876543210"],
}
