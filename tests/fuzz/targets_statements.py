"""Fuzz targets for what workloads say: envelopes, statements, receipts, identities, keysets."""

from __future__ import annotations

import json
from contextlib import suppress

from teeproof.core.errors import Malformed
from teeproof.proof import canonical
from teeproof.proof.envelope import Envelope
from teeproof.proof.identity import IdentityRecord
from teeproof.proof.keys import KeyDocument
from teeproof.proof.keyset import Keyset
from teeproof.proof.log import admission
from teeproof.proof.receipt import Receipt
from teeproof.proof.source import read_record
from teeproof.proof.statement import Statement
from tests.proof.people import step, workload_named
from tests.proof.test_keyset import ACI
from tests.proof.test_receipt import published


def fuzz_canonical(data: bytes) -> None:
    """What is accepted is written in exactly one way, and is what the standard library reads."""
    with suppress(Malformed):
        value = canonical.decode(data, limit=1 << 16, what="document")
        assert canonical.encode(value) == data
        assert json.loads(data) == value


def fuzz_envelope(data: bytes) -> None:
    """What is accepted writes to an envelope that says the same."""
    with suppress(Malformed):
        envelope = Envelope.parse(data)
        assert Envelope.parse(envelope.encode()) == envelope


def fuzz_statement(data: bytes) -> None:
    """What is accepted is its own canonical form."""
    with suppress(Malformed):
        statement = Statement.parse(data)
        assert canonical.encode(json.loads(data)) == data == statement.payload


def fuzz_receipt(data: bytes) -> None:
    """What is accepted has one id in whatever way it is written."""
    with suppress(Malformed):
        receipt = Receipt.parse(data)
        assert Receipt.parse(receipt.encode()).id == receipt.id


def fuzz_record(data: bytes) -> None:
    """Envelope or receipt, never both; and a log reads it alike."""
    with suppress(Malformed):
        read = read_record(data)
        assert (read.envelope is None) != (read.receipt is None)
        if read.author or read.receipt:
            logged = admission.read_record(data, identity_of_keyset=lambda _: bytes(32))
            assert logged.id == read.id


def fuzz_key_document(data: bytes) -> None:
    """What is accepted is its own canonical form."""
    with suppress(Malformed):
        assert KeyDocument.parse(data).encode() == data


def fuzz_keyset(data: bytes) -> None:
    """What is accepted has one digest."""
    with suppress(Malformed):
        keyset = Keyset.parse(data)
        assert Keyset.parse(keyset.encode()).digest == keyset.digest


def fuzz_identity(data: bytes) -> None:
    """What is accepted is its own canonical form."""
    with suppress(Malformed):
        record = IdentityRecord.parse(data)
        assert record.encode() == data
        assert len(record.report_data) == 64


def _author() -> bytes:
    return workload_named("author", "receipt").record.encode()


def _envelope() -> bytes:
    author = workload_named("author", "receipt")
    return author.sign(step(author, "train", "model")).encode()


def _receipt() -> bytes:
    return json.dumps(published()).encode()


SEEDS = {
    "fuzz_canonical": lambda: [b'{"a":[1,-2,null,true],"b":{"":"\\u0001\xc3\xa4"}}'],
    "fuzz_envelope": lambda: [_envelope(), json.dumps(json.loads(_envelope()), indent=1).encode()],
    "fuzz_statement": lambda: [Envelope.parse(_envelope()).payload],
    "fuzz_receipt": lambda: [_receipt(), canonical.encode(published())],
    "fuzz_record": lambda: [_envelope(), _receipt()],
    "fuzz_key_document": lambda: [workload_named("author", "receipt").record.keys.encode()],
    "fuzz_keyset": lambda: [ACI.encode()],
    "fuzz_identity": lambda: [_author()],
}
