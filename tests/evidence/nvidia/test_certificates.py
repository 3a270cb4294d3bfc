"""Certificates are read as the library reads them, and what a stranger puts there warns nobody."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import NameOID

from teeproof.core.errors import Malformed, NotAuthentic
from teeproof.evidence.certificate import time_of
from teeproof.evidence.der import INTEGER, encode
from teeproof.evidence.nvidia.certificates import (
    GENERALIZED_TIME,
    parse_chain,
    parse_der,
)
from teeproof.evidence.nvidia.issuance import require_chain
from teeproof.evidence.nvidia.ocsp import parse_answer
from teeproof.evidence.simulated.nvidia import SimulatedGpu
from teeproof.evidence.simulated.pki import pem
from tests.evidence.nvidia.scenes import NONCE, SCENE, VENDOR, judge, real_bundle, real_device

UTC_TIME = 0x17  # ITU-T X.680

GPU = SimulatedGpu(VENDOR)
KEY = VENDOR.key("test")
START, END = datetime(2020, 1, 1, tzinfo=UTC), datetime(2030, 1, 1, tzinfo=UTC)


def made(*extensions, name="a", key=KEY, hashing=None, serial=7, issuer=None):
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = x509.CertificateBuilder(
        issuer.subject if issuer else subject, subject, key.public_key(), serial, START, END
    )
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    for value, critical in (*extensions, (identifier, False)):
        builder = builder.add_extension(value, critical)
    return builder.sign(KEY, hashing or hashes.SHA384())


def der(certificate):
    return certificate.public_bytes(Encoding.DER)


def assert_read_alike(data: bytes) -> None:
    ours, theirs = parse_der(data, what="test"), x509.load_der_x509_certificate(data)
    assert ours.serial == theirs.serial_number
    assert ours.tbs == theirs.tbs_certificate_bytes
    assert ours.signature == theirs.signature
    assert ours.key.public_numbers() == theirs.public_key().public_numbers()
    assert ours.not_before == int(theirs.not_valid_before_utc.timestamp())
    assert ours.not_after <= int(theirs.not_valid_after_utc.timestamp()) <= ours.not_after + 86400
    assert ours.subject == theirs.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value
    known = {type(e.value): e.value for e in theirs.extensions}
    assert len(ours.extensions) == len(theirs.extensions)
    basic = known.get(x509.BasicConstraints)
    assert ours.claims_ca is bool(basic and basic.ca)
    assert ours.depth == (basic.path_length if basic else None)
    usage = known[x509.KeyUsage]
    assert (ours.may_sign, ours.is_ca) == (usage.digital_signature, usage.key_cert_sign)


@pytest.mark.usefixtures("vectors")
@pytest.mark.parametrize("name", ["h100-580.159.03-sdk", "gb100-blackwell-575.32", "nvswitch-ls10"])
def test_real_certificates_are_read_as_the_library_reads_them(name):
    chain = parse_chain(real_device(name).certificates, what="test")
    assert len(chain) == 5
    for certificate in chain:
        assert_read_alike(certificate.der)


@pytest.mark.usefixtures("vectors")
def test_the_certificates_of_many_gpus_are_read_as_the_library_reads_them():
    for device in real_bundle("gpu_evidence_hgx_x8"):
        assert_read_alike(parse_chain(device.certificates, what="test")[0].der)


@pytest.mark.parametrize("answered", SCENE.ocsp())
def test_answers_are_read_as_the_library_reads_them(answered):
    ours, theirs = parse_answer(answered), ocsp.load_der_ocsp_response(answered)
    assert ours.tbs == theirs.tbs_response_bytes
    assert ours.signature == theirs.signature
    assert ours.serial == theirs.serial_number
    assert ours.issuer == (theirs.issuer_name_hash, theirs.issuer_key_hash)
    assert ours.this_update == int(theirs.this_update_utc.timestamp())
    assert ours.next_update == int(theirs.next_update_utc.timestamp())
    assert [c.der for c in ours.responders] == [der(c) for c in theirs.certificates]


def test_a_name_that_makes_a_library_warn_warns_nobody():
    odd = der(made(name="x" * 40)).replace(b"x" * 40, b"\xff\x1b[31m" + b"x" * 34)
    assert parse_der(odd, what="test").subject.startswith("\ufffd")


@pytest.mark.parametrize("serial", [0, -1])
def test_a_serial_number_that_is_not_positive_is_refused(serial):
    good, bad = encode(INTEGER, b"\x77"), encode(INTEGER, serial.to_bytes(1, "big", signed=True))
    with pytest.raises(Malformed, match="serial"):
        parse_der(der(made(serial=0x77)).replace(good, bad, 1), what="test")


@pytest.mark.parametrize(
    "certificate",
    [
        made(key=ec.generate_private_key(ec.SECP256R1())),
        made(hashing=hashes.SHA256()),
        made((x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3"), b"\5\0"), True)),
        made((x509.PolicyConstraints(0, None), True)),
    ],
    ids=["another curve", "another hash", "critical and unknown", "critical and known elsewhere"],
)
def test_another_kind_of_certificate_is_refused(certificate):
    with pytest.raises(Malformed) as caught:
        parse_der(der(certificate), what="test")
    assert caught.value.code == "certificates_malformed"


@pytest.mark.parametrize(
    "change", [lambda d: d[:-1], lambda d: d + b"\0", lambda d: b"", lambda d: d[4:]]
)
def test_bytes_that_are_no_certificate_are_refused(change):
    with pytest.raises(Malformed):
        parse_der(change(der(made())), what="test")


@pytest.mark.parametrize(
    ("text", "tag", "year"),
    [("500101000000Z", UTC_TIME, 1950), ("491231235959Z", UTC_TIME, 2049),
     ("20260601000000Z", GENERALIZED_TIME, 2026), ("99991231235959Z", GENERALIZED_TIME, 9999)],
)  # fmt: skip
def test_times_are_read_in_both_forms(text, tag, year):
    assert datetime.fromtimestamp(time_of(tag, text.encode()), UTC).year == year


@pytest.mark.parametrize(
    ("text", "tag"),
    [("20260601000000Z", UTC_TIME), ("260601000000Z", GENERALIZED_TIME),
     ("20260601000000", GENERALIZED_TIME), ("20260601000000+0100", GENERALIZED_TIME),
     ("20260631000000Z", GENERALIZED_TIME), ("20260601000060Z0", GENERALIZED_TIME),
     ("2026 601000000Z", GENERALIZED_TIME), ("00000601000000Z", GENERALIZED_TIME),
     ("20260601000000Z", INTEGER), ("", UTC_TIME)],
)  # fmt: skip
def test_times_of_another_form_are_refused(text, tag):
    with pytest.raises(ValueError):  # noqa: PT011
        time_of(tag, text.encode())


@pytest.mark.parametrize(
    "change",
    [
        lambda p: p.replace(b"-----\n", b"-----\nX: y\n", 1),
        lambda p: p + b"text",
        lambda p: p * 2,
        lambda p: b"",
        lambda p: p.replace(b"MII", b"M\x00II", 1),
        lambda p: p + b" " * (33 << 10),
    ],
)
def test_a_chain_is_one_to_six_certificates_and_nothing_else(change):
    with pytest.raises(Malformed):
        parse_chain(change(GPU.certificates), what="test")


def test_an_authority_may_not_stand_above_more_than_it_says():
    root = made((x509.BasicConstraints(ca=True, path_length=0), True), name="root")
    middle = made((x509.BasicConstraints(ca=True, path_length=None), True), name="m", issuer=root)
    leaf = made(name="leaf", issuer=middle)
    chain = [parse_der(der(c), what="test") for c in (leaf, middle, root)]
    with pytest.raises(NotAuthentic, match="above so many"):
        require_chain(chain, what="test", code="test")
    require_chain(chain[1:], what="test", code="test")


def test_a_chain_in_another_order_is_refused():
    parts = [pem(issued.der) for issued in GPU.chain]
    for order in ((0, 2, 1, 3, 4), (1, 0, 2, 3, 4), (0, 1, 2, 4), (0, 1, 3, 4), (0, 0, 1, 3, 4)):
        from teeproof.evidence.nvidia.bundle import Device

        answer = judge((Device.of(GPU.report(NONCE), b"".join(parts[i] for i in order)),))
        wrong = "gpu_chain_signature" if len(order) == 5 else "gpu_chain_length"
        assert [code for _, code in answer.failures] == [wrong]
