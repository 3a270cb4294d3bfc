"""Fuzz targets for a log over HTTP: records, batches, answers, tiles, files of tokens, headers."""

from __future__ import annotations

import json
from contextlib import suppress

from teeproof.core.digests import named, sha256
from teeproof.core.errors import Malformed, NotAllowed, NotAuthentic, Unavailable
from teeproof.proof.log.admission import Record, read_record, read_records
from teeproof.proof.log.entry import STATEMENT
from teeproof.proof.log.merkle import Tree, leaf_hash
from teeproof.proof.log.promise import read_answer, read_batch, read_promise
from teeproof.proof.log.tiles import encode_entries
from teeproof.proof.log.tiletree import TileTree
from teeproof.proof.log.tokens import Tokens
from tests.proof.log.httplog import identity, receipt, statement

ORIGIN = "log.example/fuzz"
ENTRIES = [b"entry %d" % n for n in range(300)]
TREE = Tree(map(leaf_hash, ENTRIES))
RECORD = Record(STATEMENT, sha256(b"id"), sha256(b"author"), b"{}")


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
    "fuzz_authorization": lambda: [b"Bearer 0123456789abcdef", b"bearer fedcba9876543210"],
}
