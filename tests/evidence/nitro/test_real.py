"""Real documents get the verdict that they must get, for the right reason."""

from __future__ import annotations

import hashlib

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from teeproof.core.digests import named, sha256
from teeproof.core.errors import Malformed
from teeproof.evidence.eventlog.attestation import parse_attestation
from teeproof.evidence.nitro import certificates, chain
from teeproof.evidence.nitro.document import parse
from teeproof.evidence.simulated.nitro import ORDER_P384
from tests.evidence.nitro.scenes import expecting, failures, genuine, judge, state_of, verified
from tests.evidence.scenes import flipped
from tests.evidence.test_cose import twin
from tests.vectors import Record, each

HARDWARE = expecting()
# What the manifest says must come of each, as checks that fail.
EXPECTED = {
    "accept at document time": [],
    "crypto ok, reject: PCR0 all zero = debug": [("debug", "debug_on")],
}
real = pytest.mark.parametrize("record", each("nitro"))


@real
def test_a_real_document_gets_its_verdict(record: Record):
    document = genuine(record)
    checks = judge(document, HARDWARE, now=document.seconds)
    assert failures(checks) == EXPECTED[record.entry["expected"]]
    for name in ("root", "nitro-chain", "certificate-dates", "nitro-time", "nitro-signature"):
        assert state_of(checks, name) == "passed"
    assert state_of(checks, "nitro-revocation") == "not_checked"
    assert record.entry["verdict"].startswith("OK chain(5)+COSE")


@real
def test_a_real_document_establishes_what_it_says(record: Record):
    document = genuine(record)
    facts = verified(document).facts
    assert facts is not None
    assert facts.level == "hardware"
    assert facts.root == chain.AWS_NITRO_ROOT
    assert facts.debug is (record.id == "nitro-debug")
    assert facts.confidential is not facts.debug
    said = facts.to_json()
    assert said["pcrs"]["0"] == document.pcrs[0].hex()
    assert said["user_data"] == "00" * 64
    assert said["nonce"] is None
    assert "i-0" not in str(said), "the id of the instance is nobody's business"
    assert not any("i-0" in check.detail for check in verified(document).checks)


@real
def test_a_real_document_is_refused_once_its_certificate_has_ended(record: Record):
    document = genuine(record)
    later = document.seconds + 3 * 3600 + 60
    assert failures(judge(document, HARDWARE, now=later)) == [
        ("certificate-dates", "certificate_expired")
    ]
    assert verified(document, now=later).facts is None
    earlier = document.seconds - 60
    assert failures(judge(document, HARDWARE, now=earlier)) == [
        ("certificate-dates", "certificate_not_yet_valid")
    ]


@real
def test_the_pinned_root_is_the_one_that_aws_publishes(record: Record):
    der = x509.load_pem_x509_certificate(record.read("root.pem")).public_bytes(Encoding.DER)
    root = certificates.parse(der, what="root")
    assert root.fingerprint == chain.AWS_NITRO_ROOT
    assert hashlib.sha256(der).digest() == chain._G1_CERTIFICATE
    assert genuine(record).cabundle[0] == der
    assert certificates.issued(root, root)


@real
def test_all_twins_of_a_real_document_have_one_identity(record: Record):
    raw = genuine(record).raw
    honest = verified(parse(raw))
    for other in (twin(raw, ORDER_P384), b"\xd2" + raw):
        found = verified(parse(other))
        assert other != raw
        assert found.facts is not None
        assert found.evidence_id == honest.evidence_id
        assert found.facts.to_json() == honest.facts.to_json()
    assert honest.evidence_id != named(sha256(raw))


@real
def test_host_flips_bits_of_a_real_document_and_gains_nothing(record: Record):
    document = genuine(record)
    size = len(document.raw)
    for at in {*range(64), *range(64, size, 7), *range(size - 100, size)}:
        try:
            changed = parse(flipped(document.raw, at, mask=1 << at % 8))
        except Malformed:
            continue
        assert verified(changed, now=document.seconds).facts is None, at


@real
def test_host_cuts_a_real_document_off_or_writes_behind_it_and_gains_nothing(record: Record):
    raw = genuine(record).raw
    for end in {*range(0, len(raw), 97), len(raw) - 1}:
        with pytest.raises(Malformed):
            parse(raw[:end])
    with pytest.raises(Malformed, match="behind the end"):
        parse(raw + b"\0")


@real
def test_host_carries_a_document_in_a_broken_attestation_and_gains_nothing(record: Record):
    data = record.read("document.bin")
    assert parse_attestation(data).quote == genuine(record).raw
    for end in {*range(0, len(data), 211), len(data) - 1}:
        with pytest.raises(Malformed):
            parse_attestation(data[:end])
    for broken in (data + b"\0", b"\0\0" + data[2:], b"\1" + data[1:]):
        with pytest.raises(Malformed):
            parse_attestation(broken)
