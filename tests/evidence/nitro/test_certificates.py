"""Certificates as AWS makes them: our reading is the library's, and other forms are refused."""

from __future__ import annotations

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from teeproof.core.digests import named, sha256
from teeproof.core.errors import Malformed
from teeproof.evidence.nitro import certificates
from teeproof.evidence.nitro.document import parse
from tests.evidence.nitro.scenes import AWS, NOW, genuine, made
from tests.evidence.scenes import PLATFORM
from tests.vectors import Record, each


def agree(der: bytes) -> None:
    ours = certificates.parse(der, what="certificate")
    theirs = x509.load_der_x509_certificate(der)
    basic = theirs.extensions.get_extension_for_class(x509.BasicConstraints).value
    usage = theirs.extensions.get_extension_for_class(x509.KeyUsage).value
    spki = theirs.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert ours.tbs == theirs.tbs_certificate_bytes
    assert ours.signature == theirs.signature
    assert ours.fingerprint == named(sha256(spki))
    assert (ours.is_ca, ours.path_length) == (basic.ca, basic.path_length)
    assert (ours.signs_certificates, ours.signs_data) == (
        usage.key_cert_sign,
        usage.digital_signature,
    )
    common = theirs.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    assert ours.subject == common[0].value


def test_our_reading_of_simulated_certificates_is_the_librarys():
    document = parse(made())
    for der in (*document.cabundle, document.certificate):
        agree(der)
    assert [certificates.parse(each_.der, what="").simulated for each_ in AWS.authorities(NOW)] == [
        True,
        False,
        False,
        False,
    ]


@pytest.mark.parametrize("record", each("nitro"))
def test_our_reading_of_real_certificates_is_the_librarys(record: Record):
    document = genuine(record)
    for der in (*document.cabundle, document.certificate):
        agree(der)


def test_a_certificate_of_intels_profile_is_refused():
    with pytest.raises(Malformed):
        certificates.parse(PLATFORM.pki.root.der, what="certificate")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("06082a8648ce3d040303", "06082a8648ce3d040302"),  # another signature algorithm, inside
        ("a003020102", "a003020101"),  # version 2
        ("0603551d13", "0603551d99"),  # an unknown critical extension
        ("0603551d0f", "0603551d13"),  # basic constraints twice
        ("30060101ff020102", "30060101fe020102"),  # a truth that DER does not write
        ("30060101ff020102", "30060101ff0201ff"),  # a negative path length
        ("30060101ff020102", "30060101ff040102"),  # no number
    ],
)
def test_a_certificate_in_another_form_is_refused(old, new):
    der = AWS.authorities(NOW)[1].der
    assert bytes.fromhex(old) in der
    with pytest.raises(Malformed):
        certificates.parse(der.replace(bytes.fromhex(old), bytes.fromhex(new), 1), what="thing")


def test_a_certificate_that_ends_early_or_late_is_refused():
    der = AWS.root_der
    for broken in (b"", der[:-1], der + b"\0", der[1:]):
        with pytest.raises(Malformed):
            certificates.parse(broken, what="thing")
