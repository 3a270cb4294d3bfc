"""Verification summaries: DSSE and in-toto's own readers understand them, and forgeries fail."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from google.protobuf import json_format
from in_toto_attestation.predicates.vsa.v1 import vsa_pb2
from in_toto_attestation.v1.statement import Statement as InTotoStatement
from securesystemslib.dsse import Envelope as DsseEnvelope
from securesystemslib.signer import Key

from teeproof.core.errors import Malformed, NotAuthentic, Usage
from teeproof.proof import canonical, signing
from teeproof.proof.envelope import Envelope, Signature, pae
from teeproof.proof.results import vsa
from teeproof.proof.statement import Statement
from tests.proof.results.verdicts import AS_OF, KEY, OTHER, SIMULATED, hardware, of_state, refused

replace = msgspec.structs.replace
GOOD = hardware()
SEALED = vsa.issue(GOOD, KEY)


def payload_of(data: bytes = SEALED) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(Envelope.parse(data).payload)
    return value


def resigned(change: Any, key: Any = KEY) -> bytes:
    body = payload_of()
    change(body)
    payload = canonical.encode(body)
    return Envelope(
        payload, (Signature("", signing.sign_ed25519(key.expanded, pae(payload))),)
    ).encode()


def read(data: bytes = SEALED, **expected: Any) -> vsa.Summary:
    return vsa.verify(data, **({"key": KEY.public, "now": AS_OF} | expected))


def refusal(data: bytes = SEALED, **expected: Any) -> str:
    with pytest.raises((NotAuthentic, Malformed)) as caught:
        read(data, **expected)
    return caught.value.code


def test_a_summary_says_what_the_verdict_said():
    found = read(expected_policy=GOOD.provenance.policy_digest, expected_subject=GOOD.subject)
    assert found.passed
    assert found.levels == ("TEEPROOF_HARDWARE", "TEEPROOF_CONFIDENTIAL")
    assert found.subjects == (GOOD.subject,)
    assert found.time == GOOD.provenance.time
    assert {digest: uri for uri, digest in found.inputs} == {
        GOOD.subject: f"urn:teeproof:evidence:{GOOD.subject}",
        GOOD.provenance.inputs_digest: f"urn:teeproof:inputs:{GOOD.provenance.inputs_digest}",
        GOOD.provenance.endorsements_digest: (
            f"urn:teeproof:endorsements:{GOOD.provenance.endorsements_digest}"
        ),
    }


def test_in_toto_s_own_reader_understands_the_statement_and_the_predicate():
    body = payload_of()
    statement = InTotoStatement.copy_from_pb(
        json_format.ParseDict(body, InTotoStatement([], "", {}).pb)
    )
    statement.validate()
    # in-toto-attestation 0.9.3 is behind SLSA: it declares one level, and no verifier's version.
    levels = body["predicate"].pop("verifiedLevels")
    assert body["predicate"]["verifier"].pop("version")["teeproof"] == "0.1.0"
    summary = json_format.ParseDict(body["predicate"], vsa_pb2.VerificationSummary())
    assert summary.verification_result == "PASSED"
    assert summary.policy.digest["sha256"] == GOOD.provenance.policy_digest.partition(":")[2]
    assert levels == ["TEEPROOF_HARDWARE", "TEEPROOF_CONFIDENTIAL"]


def test_dsse_s_own_reader_finds_the_signature_good():
    wire = json.loads(SEALED)
    wire["signatures"][0]["keyid"] = "verdict"
    key = Key.from_dict("verdict", {"keytype": "ed25519", "scheme": "ed25519",
                                    "keyval": {"public": KEY.public.hex()}})  # fmt: skip
    DsseEnvelope.from_dict(wire).verify([key], 1)


def test_our_reader_of_statements_takes_it_as_another_party_s():
    statement = Statement.parse(Envelope.parse(SEALED).payload)
    assert statement.type == "https://slsa.dev/verification_summary/v1"
    assert statement.author is None
    assert len(statement.links) == 3


@pytest.mark.parametrize(
    "verdict",
    [SIMULATED, of_state("debug"), refused("quote_signature")],
    ids=["opt-in", "no", "forged"],
)
def test_what_is_simulated_or_refused_has_failed(verdict):
    found = read(vsa.issue(verdict, KEY))
    assert (found.passed, found.levels) == (False, ("FAILED",))


def test_evidence_without_a_name_has_no_summary():
    with pytest.raises(Usage) as caught:
        vsa.issue(replace(GOOD, subject=None), KEY)
    assert caught.value.code == "vsa_subject"


# Attackers


def test_network_changes_any_byte_of_the_payload():
    envelope = Envelope.parse(SEALED)
    for at in range(0, len(envelope.payload), 11):
        raw = bytearray(envelope.payload)
        raw[at] ^= 1
        with pytest.raises((NotAuthentic, Malformed)):
            read(Envelope(bytes(raw), envelope.signatures).encode())


def test_another_verifier_s_summary_is_refused():
    assert refusal(vsa.issue(GOOD, OTHER)) == "result_signature"
    assert refusal(key=OTHER.public) == "result_signature"


def test_another_verifier_speaks_in_this_one_s_name():
    def own(body: dict[str, Any]) -> None:
        body["predicate"]["verifier"]["id"] = vsa.VERIFIER + KEY.public.hex()

    assert refusal(resigned(own, OTHER), key=OTHER.public) == "vsa_verifier"


def test_client_replays_a_summary_for_another_policy_or_evidence():
    assert refusal(expected_policy=f"sha256:{'0' * 64}") == "vsa_policy"
    assert refusal(expected_subject=f"sha256:{'0' * 64}") == "vsa_subject"


def test_a_summary_from_the_future_is_refused():
    assert refusal(now=AS_OF - timedelta(seconds=301)) == "vsa_not_yet_valid"


@pytest.mark.parametrize(
    "change",
    [
        lambda b: b["predicate"].update(verificationResult="PASSED?"),
        lambda b: b["predicate"].update(verificationResult="FAILED"),
        lambda b: b["predicate"].update(verifiedLevels=["FAILED"]),
        lambda b: b["predicate"].update(timeVerified="yesterday"),
        lambda b: b["predicate"].pop("policy"),
        lambda b: b["predicate"]["policy"].update(digest={"sha1": "0" * 40}),
        lambda b: b.update(subject=[]),
        lambda b: b.update(predicateType="https://slsa.dev/provenance/v1"),
        lambda b: b.update(_type="https://in-toto.io/Statement/v0.1"),
    ],
)
def test_a_summary_of_another_form_is_refused(change):
    assert refusal(resigned(change)) == "vsa_malformed"


def test_an_envelope_of_another_type_is_refused():
    envelope = Envelope.parse(SEALED)
    other = Envelope(envelope.payload, envelope.signatures, "application/json")
    assert refusal(other.encode()) == "vsa_malformed"
