from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from teeproof.core.errors import Malformed, TooLarge
from teeproof.proof.envelope import MAX_ENVELOPE_BYTES, MAX_PAYLOAD_BYTES, Envelope, Signature, pae
from teeproof.proof.statement import Statement
from tests.proof.people import step, workload_named


def wire(**changes: Any) -> dict[str, Any]:
    return {
        "payload": base64.b64encode(b"hello").decode(),
        "payloadType": "application/vnd.in-toto+json",
        "signatures": [{"keyid": "a", "sig": base64.b64encode(b"x" * 64).decode()}],
    } | changes


def parse(value: object) -> Envelope:
    return Envelope.parse(json.dumps(value).encode())


def test_pae_is_the_one_that_dsse_publishes() -> None:
    # Source: DSSE protocol.md, test vector.
    assert pae(b"hello world", "http://example.com/HelloWorld") == (
        b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    )


def test_an_envelope_reads_back_and_is_written_in_one_way() -> None:
    envelope = Envelope(b"hello", (Signature("k", b"s" * 64), Signature("", b"t" * 64)))
    assert Envelope.parse(envelope.encode()) == envelope
    assert Envelope.parse(json.dumps(json.loads(envelope.encode()), indent=1).encode()) == envelope


def test_other_writers_may_omit_key_ids_use_the_url_alphabet_and_add_fields() -> None:
    payload = b"\xfb\xff\xfe?"
    value = wire(
        payload=base64.urlsafe_b64encode(payload).decode(),
        signatures=[{"sig": "AAAA", "note": 1}],
        extra=True,
    )
    assert parse(value).payload == payload


@pytest.mark.parametrize(
    "changes",
    [
        {"payload": 1},
        {"payload": "a"},
        {"payload": "aGVsbG9="},
        {"payload": "aGVs bG8="},
        {"payload": "QR=="},
        {"payloadType": None},
        {"signatures": []},
        {"signatures": {}},
        {"signatures": [{"keyid": "a"}]},
        {"signatures": [{"keyid": 1, "sig": "AAAA"}]},
        {"signatures": [{"keyid": "", "sig": ""}]},
        {"signatures": [{"keyid": "", "sig": "AAAA"}] * 17},
    ],
    ids=str,
)
def test_what_is_no_envelope_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(Malformed):
        parse(wire(**changes))


@pytest.mark.parametrize("data", [b"", b"[]", b"null", b"{}", b"\xff", b"[" * 100_000])
def test_garbage_is_refused(data: bytes) -> None:
    with pytest.raises(Malformed):
        Envelope.parse(data)


def test_prover_gives_the_payload_twice_for_two_readers() -> None:
    one, other = (json.dumps(wire(payload=text))[1:-1] for text in ("aGVsbG8=", "aGVsbHA="))
    with pytest.raises(Malformed) as refused:
        Envelope.parse(f"{{{one},{other}}}".encode())
    assert refused.value.code == "json_duplicate_key"


@pytest.mark.parametrize("extra", [0, 1])
def test_payloads_are_bounded(extra: int) -> None:
    envelope = Envelope(b"x" * (MAX_PAYLOAD_BYTES + extra), (Signature("", b"s" * 64),))
    if extra:
        with pytest.raises(TooLarge):
            Envelope.parse(envelope.encode())
    else:
        assert Envelope.parse(envelope.encode()) == envelope


def test_securesystemslib_verifies_our_envelopes_and_we_read_its() -> None:
    from securesystemslib.dsse import Envelope as Theirs
    from securesystemslib.signer import SSlibKey

    author, other = workload_named("author"), workload_named("other")
    statement = step(author, "train", "model", cosigners=(other.name,))
    ours = other.cosign(author.sign(statement))
    keys = [
        SSlibKey(one.name, "ed25519", "ed25519", {"public": one.record.statement_key.hex()})
        for one in (author, other)
    ]
    theirs = Theirs.from_dict(json.loads(ours.encode()))
    assert set(theirs.verify(keys, 2)) == {author.name, other.name}
    assert theirs.pae() == ours.signed
    assert Envelope.parse(json.dumps(theirs.to_dict()).encode()) == ours


def test_securesystemslib_refuses_a_changed_envelope() -> None:
    from securesystemslib.dsse import Envelope as Theirs
    from securesystemslib.exceptions import VerificationError
    from securesystemslib.signer import SSlibKey

    author = workload_named("author")
    envelope = author.sign(step(author, "train", "model"))
    value = json.loads(envelope.encode())
    value["payload"] = base64.b64encode(envelope.payload.replace(b"train", b"tr4in")).decode()
    public = {"public": author.record.statement_key.hex()}
    key = SSlibKey(author.name, "ed25519", "ed25519", public)
    with pytest.raises(VerificationError):
        Theirs.from_dict(value).verify([key], 1)


def test_in_toto_attestation_reads_our_statements() -> None:
    from google.protobuf.json_format import MessageToDict, Parse
    from in_toto_attestation.v1 import statement_pb2
    from in_toto_attestation.v1.statement import Statement as Theirs

    author = workload_named("author")
    data = step(author, "collect", "dataset")
    statement = step(author, "train", "model", of=[("dataset", "dataset", data)])
    message = Parse(statement.payload, statement_pb2.Statement())
    theirs = Theirs.copy_from_pb(message)
    theirs.validate()
    assert theirs.pb.subject[0].digest["sha256"] == statement.subjects[0].digest["sha256"]
    assert MessageToDict(message)["predicate"]["author"] == author.name


def test_we_read_statements_of_in_toto_attestation() -> None:
    from google.protobuf.json_format import MessageToDict
    from in_toto_attestation.v1.resource_descriptor import ResourceDescriptor
    from in_toto_attestation.v1.statement import Statement as Theirs

    from teeproof.proof import canonical

    subject = ResourceDescriptor(name="model", digest={"sha256": "a" * 64}).pb
    author = "urn:teeproof:identity:sha256:" + "b" * 64
    predicate = {
        "buildDefinition": {"resolvedDependencies": [{"digest": {"sha256": "c" * 64}}]},
        "runDetails": {"builder": {"id": author}},
    }
    theirs = Theirs([subject], "https://slsa.dev/provenance/v1", predicate)
    statement = Statement.parse(canonical.encode(MessageToDict(theirs.pb)))
    assert statement.author == bytes.fromhex("b" * 64)
    assert [link.digest for link in statement.links] == ["sha256:" + "c" * 64]


def test_too_much_around_a_payload_is_refused_before_it_is_read() -> None:
    """What nobody signs, such as key ids, may not be of any length."""
    long = Envelope(b"hello", (Signature("x" * MAX_ENVELOPE_BYTES, b"s"),)).encode()
    for data in (long, json.dumps(json.loads(long), indent=1).encode()):
        with pytest.raises(TooLarge):
            Envelope.parse(data)


@pytest.mark.parametrize(("size", "good"), [(8192, True), (8193, False)])
def test_a_signature_has_a_usual_length(size: int, good: bool) -> None:
    envelope = Envelope(b"hello", (Signature("", b"s" * size),))
    if good:
        assert Envelope.parse(envelope.encode()) == envelope
    else:
        with pytest.raises(Malformed):
            Envelope.parse(envelope.encode())


@pytest.mark.parametrize(
    "text", ["aGVsbG8=\n", "aGVs=bG8", "aGVsbG8==", "aGVsbG9", "*GVsbG8=", "aGV\u0433"]
)
def test_network_writes_a_payload_in_another_base64(text: str) -> None:
    with pytest.raises(Malformed):
        parse(wire(payload=text))
