"""ACI's published receipt, and what we add to receipts."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest

from teeproof.core.errors import Malformed, TooLarge
from teeproof.proof import canonical, signing
from teeproof.proof.receipt import Receipt, link_event, model_event
from tests.proof.test_keyset import DIGEST, RECEIPT_KEY

# Source: private-ai-gateway, spec/test-vectors.md, sections 3 and 4.
REQUEST = b'{"messages":[{"content":"hi","role":"user"}],"model":"demo-model"}'
RESPONSE = b'{"choices":[],"id":"chatcmpl-123"}'
SESSION = "95ad1cb4dd25445808c2e9d116caf420b05703730b506395e8fc1ca6faeae28f"
SIGNED = "1bd328e6880a5a12b3915af95ea32111310e04ab9e21ac3d71ce268e33b965c9"
SIGNATURE = (
    "d5b005e093bde3b577faf270b7184b09e169cacb0ecb206b103bd2581f997db0"
    "3da616175454b063323a23ac1dc68f1ce506c2a6eba8aa0561d5e724f0b80c03"
)


def named(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


def published(**changes: Any) -> dict[str, Any]:
    upstream = {
        "model_id": "demo-model",
        "required": True,
        "result": "verified",
        "session_id": SESSION,
        "type": "upstream.verified",
    }
    return {
        "api_version": "aci/1",
        "receipt_id": "rcpt-0001",
        "chat_id": "chatcmpl-123",
        "model": "demo-model",
        "workload_keyset_digest": DIGEST,
        "endpoint": "/v1/chat/completions",
        "method": "POST",
        "served_at": 1750000000,
        "event_log": [
            {"type": "request.received", "body_hash": named(REQUEST)},
            {"type": "request.forwarded", "body_hash": named(REQUEST)},
            upstream,
            {"type": "response.returned", "body_hash": named(RESPONSE)},
        ],
        "key_id": "receipt-1",
        "signature": SIGNATURE,
    } | changes


def read(value: object) -> Receipt:
    return Receipt.parse(json.dumps(value, indent=1).encode())


def test_the_published_receipt_has_its_published_id_and_signature() -> None:
    receipt = read(published())
    assert receipt.id.hex() == SIGNED
    assert signing.holds_ed25519(bytes.fromhex(RECEIPT_KEY), receipt.signed, receipt.signature)
    assert receipt.keyset_digest == DIGEST
    assert {subject.name: subject.sha256 for subject in receipt.subjects} == {
        "request": named(REQUEST),
        "forwarded-request": named(REQUEST),
        "response": named(RESPONSE),
    }
    assert Receipt.parse(receipt.encode()) == receipt


def test_any_encoding_of_a_receipt_is_the_same_receipt() -> None:
    assert Receipt.parse(canonical.encode(published())).id == read(published()).id


def test_events_of_ours_are_the_inputs() -> None:
    events = published()["event_log"] + [
        model_event("sha256:" + "a" * 64, statement=bytes(32)),
        link_event("prompt-template", "sha256:" + "b" * 64),
        {"type": "x.other", "digest": "anything"},
    ]
    assert read(published(event_log=events)).links == (
        ("model", "sha256:" + "a" * 64, bytes(32), None),
        ("prompt-template", "sha256:" + "b" * 64, None, None),
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"api_version": "aci/2"},
        {"event_log": []},
        {"event_log": [{"type": "response.returned", "body_hash": named(b"")}]},
        {"event_log": [{"type": "request.received"}]},
        {"event_log": [{"type": "request.received", "body_hash": "abc"}]},
        {"event_log": [{"type": ["request.received"]}]},
        {"event_log": 7},
        {"event_log": [{"type": "request.received", "body_hash": named(b"")}, {"type": 1}]},
        {"workload_keyset_digest": "abc"},
        {"key_id": 7},
        {"signature": "zz"},
        {"signature": "00"},
        {"signature": None},
        {"served_at": 1.5},
        {"served_at": 2**53},
    ],
    ids=str,
)
def test_what_is_no_receipt_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(Malformed) as refused:
        read(published(**changes))
    assert refused.value.code == "receipt_malformed"


@pytest.mark.parametrize(
    "event",
    [
        {"type": "x.model"},
        {"type": "x.model", "digest": 7},
        {"type": "x.links", "digest": "sha256:" + "a" * 64},
        {"type": "x.links", "digest": "sha256:" + "a" * 64, "role": ""},
        {"type": "x.links", "digest": "sha256:" + "a" * 64, "role": "x", "statement": "y"},
    ],
    ids=str,
)
def test_a_link_that_names_nothing_is_refused(event: dict[str, Any]) -> None:
    with pytest.raises(Malformed):
        read(published(event_log=[*published()["event_log"], event]))


@pytest.mark.parametrize("data", [b"", b"7", b"[]", b"{}", b"\xff", b'{"a":1,"a":2}', b"[" * 99999])
def test_garbage_is_refused(data: bytes) -> None:
    with pytest.raises(Malformed):
        Receipt.parse(data)


def test_receipts_are_bounded() -> None:
    with pytest.raises(TooLarge):
        read(published(model="x" * (1 << 18)))


@pytest.mark.parametrize(
    "signature", [SIGNATURE.upper(), " " + SIGNATURE, SIGNATURE[:64] + "\n" + SIGNATURE[64:]]
)
def test_network_writes_a_signature_in_another_way(signature: str) -> None:
    with pytest.raises(Malformed):
        read(published(signature=signature))


@pytest.mark.parametrize("name", ["Ä", "\U0001f600", "\ufb33"])
def test_server_uses_names_that_two_readers_sort_differently(name: str) -> None:
    deep = {"type": "x.other", "more": [{"deep": {name: 1}}]}
    for value in (published(**{name: 1}), published(event_log=[*published()["event_log"], deep])):
        with pytest.raises(Malformed) as refused:
            read(value)
        assert refused.value.code == "receipt_malformed"
    assert read(published(model=name)).body["model"] == name


@pytest.mark.parametrize("place", [0, 1, 3])
def test_server_names_two_bodies_for_one_answer(place: int) -> None:
    event = published()["event_log"][place] | {"body_hash": named(b"another")}
    with pytest.raises(Malformed):
        read(published(event_log=[*published()["event_log"], event]))


def test_what_is_no_hex_is_no_signature() -> None:
    for signature in (SIGNATURE[:-2], SIGNATURE + "00", 7, ["00"]):
        with pytest.raises(Malformed):
            read(published(signature=signature))


def test_server_logs_more_events_than_anyone_reads() -> None:
    first = published()["event_log"][0]
    full = [first, *([{"type": "x"}] * 4095)]
    assert len(read(published(event_log=full)).subjects) == 1
    with pytest.raises(Malformed):
        read(published(event_log=[*full, {"type": "x"}]))


def test_server_gives_one_field_twice_for_two_readers() -> None:
    data = canonical.encode(published())
    for old, new in (
        (b'"model":"demo-model"', b'"model":"other","model":"demo-model"'),
        (b'"method":"POST"', b'"method":"POST","method":"POST"'),
        (b'"type":"response.returned"', b'"type":"x","type":"response.returned"'),
    ):
        assert old in data
        with pytest.raises(Malformed):
            Receipt.parse(data.replace(old, new, 1))
