"""What a record is, read from its fields: by one rule, whoever asks."""

from __future__ import annotations

import json
from typing import Any

import pytest

from teeproof.core.errors import Error, Malformed, TooLarge
from teeproof.proof import canonical
from teeproof.proof.envelope import MAX_ENVELOPE_BYTES, Envelope
from teeproof.proof.log import admission
from teeproof.proof.source import kind_of, read_record
from tests.proof.people import step, workload_named
from tests.proof.test_receipt import published


def envelope() -> dict[str, Any]:
    author = workload_named("author")
    made: dict[str, Any] = json.loads(author.sign(step(author, "train", "model")).encode())
    return made


def identity() -> dict[str, Any]:
    made: dict[str, Any] = json.loads(workload_named("author").record.encode())
    return made


def escaped(value: dict[str, Any]) -> bytes:
    """The same JSON, with a letter of each name written as an escape."""
    text = json.dumps(value)
    for name in ("payload", "payloadType", "api_version", "event_log", "attachments"):
        text = text.replace(f'"{name}":', f'"\\u{ord(name[0]):04x}{name[1:]}":')
    return text.encode()


@pytest.mark.parametrize("write", [canonical.encode, lambda v: json.dumps(v).encode(), escaped])
def test_a_record_is_what_it_is_however_it_is_written(write: Any) -> None:
    assert kind_of(write(envelope())) == "statement"
    assert kind_of(write(published())) == "receipt"
    assert kind_of(write(identity())) == "identity"
    author = workload_named("author")
    assert read_record(write(envelope())).id == step(author, "train", "model").id
    assert read_record(write(published())).receipt is not None
    with pytest.raises(Malformed) as refused:
        read_record(write(identity()))
    assert refused.value.code == "record_malformed"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"7",
        b"null",
        b"{}",
        b"\xff",
        b"[" * 100_000,
        b'{"a":',
        b'{"api_version":"aci/1"}',
    ],
)
def test_what_is_no_record_has_no_kind(data: bytes) -> None:
    assert kind_of(data) is None
    with pytest.raises(Malformed) as refused:
        read_record(data)
    assert refused.value.code == "record_malformed"


def outcome(read: Any) -> bytes | None:
    try:
        found = read().id
        assert isinstance(found, bytes)
        return found
    except Error:
        return None


@pytest.mark.parametrize("first", ["statement", "receipt", "identity"])
@pytest.mark.parametrize("second", ["statement", "receipt", "identity"])
def test_prover_writes_one_record_that_a_log_and_a_verifier_read_as_two(
    first: str, second: str
) -> None:
    """Whoever takes it in and whoever verifies it later see the same statement, or refuse."""
    values = {"statement": envelope(), "receipt": published(), "identity": identity()}
    both = values[second] | values[first]
    for data in (
        json.dumps(both).encode(), json.dumps(values[first] | values[second]).encode(),
        escaped(both), canonical.encode(both),
    ):  # fmt: skip
        logged = outcome(
            lambda data=data: admission.read_record(data, identity_of_keyset=lambda _: bytes(32))
        )
        read = outcome(lambda data=data: read_record(data))
        if kind_of(data) == "identity":
            assert read is None
        else:
            assert logged == read


def test_prover_wraps_a_statement_as_another_kind_of_payload() -> None:
    value = envelope() | {"payloadType": "text/plain"}
    data = json.dumps(value).encode()
    assert Envelope.parse(data).payload_type == "text/plain"
    with pytest.raises(Malformed) as refused:
        read_record(data)
    assert refused.value.code == "record_malformed"
    with pytest.raises(Malformed) as refused:
        admission.read_record(data, identity_of_keyset=lambda _: None)
    assert refused.value.code == "record_unknown"


def test_too_much_is_refused_before_it_is_looked_at() -> None:
    with pytest.raises(TooLarge):
        read_record(b"{" + b" " * MAX_ENVELOPE_BYTES)


def test_prover_titles_a_statement_so_long_that_it_fills_the_screen() -> None:
    author = workload_named("author")
    made = author.sign(step(author, "x" * 1000, "model")).encode()
    assert len(read_record(made).title) == 80
    receipt = read_record(json.dumps(published(model="x" * 1000)).encode())
    assert len(receipt.title) == 80
    assert read_record(json.dumps(published(model=["x"])).encode()).title == "answer"
