"""Certificates and revocation lists: what is read, what is refused, and that nothing crashes."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509 as library
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from teeproof.core.digests import named, sha256
from teeproof.core.errors import Malformed, NotAuthentic
from teeproof.evidence import crl, x509
from teeproof.evidence.crl import RevocationList
from teeproof.evidence.der import SEQUENCE, elements, encode, only
from teeproof.evidence.policy import INTEL_ROOT
from teeproof.evidence.simulated.keys import sign_raw
from teeproof.evidence.simulated.pki import pem, pem_chain
from teeproof.evidence.tdx.pck import parse_pck
from teeproof.evidence.x509 import Certificate
from tests.evidence.scenes import NOW, PLATFORM, collateral, failures, flipped, judge
from tests.vectors import Record, each

PKI = PLATFORM.pki
MACHINE = PLATFORM.machine()
PCK = MACHINE.pck
CHAIN = pem_chain(PCK, PKI.pck_ca, PKI.root)

Builder = library.CertificateBuilder


def _chain(pem_bytes: bytes = CHAIN) -> tuple[Certificate, ...]:
    return x509.parse_chain(pem_bytes, what="chain")


def _one(der: bytes) -> Certificate:
    return _chain(pem(der))[0]


def _issued(change: Callable[[Builder], Builder], *, key: object = None) -> bytes:
    """Return a certificate by the PCK authority that differs from an ordinary one."""
    name = library.Name([library.NameAttribute(library.NameOID.COMMON_NAME, "a test")])
    subject_key = key or ec.generate_private_key(ec.SECP256R1())
    builder = (
        Builder()
        .subject_name(name)
        .issuer_name(PKI.pck_ca.certificate.subject)
        .public_key(subject_key.public_key())  # type: ignore[attr-defined]
        .serial_number(7)
        .not_valid_before(NOW)
        .not_valid_after(NOW + timedelta(1))
        .add_extension(library.BasicConstraints(ca=False, path_length=None), critical=True)
    )
    return change(builder).sign(PKI.pck_ca.key, hashes.SHA256()).public_bytes(Encoding.DER)


def _crl(*serials: int) -> RevocationList:
    der = PKI.crl(PKI.pck_ca, revoked=serials, issued=NOW, next_update=NOW + timedelta(30))
    return crl.parse_crl(der, what="list")


def test_every_field_of_a_certificate_is_what_the_library_reads() -> None:
    for issued in (PCK, PKI.pck_ca, PKI.root, PKI.tcb_signer):
        ours, theirs = _one(issued.der), issued.certificate
        key = theirs.public_key()
        spki = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        constraints = theirs.extensions.get_extension_for_class(library.BasicConstraints)
        assert ours.serial == theirs.serial_number
        assert ours.subject_name == _content(theirs.subject.public_bytes())
        assert ours.issuer_name == _content(theirs.issuer.public_bytes())
        assert ours.subject in theirs.subject.rfc4514_string()
        assert ours.not_before == theirs.not_valid_before_utc.timestamp()
        assert ours.not_after == theirs.not_valid_after_utc.timestamp()
        assert ours.fingerprint == named(sha256(spki))
        assert ours.tbs == theirs.tbs_certificate_bytes
        assert ours.is_ca is constraints.value.ca
        assert ours.simulated is (issued is PKI.root)
        assert ours.der == issued.der
        assert {oid.hex() for oid in ours.extensions} >= {"551d13", "551d0f", "551d0e"}


def _content(der: bytes) -> bytes:
    assert der[0] == 0x30
    return der[2:] if der[1] < 0x80 else der[2 + der[1] - 0x80 :]


@pytest.mark.parametrize("record", each("dcap"))
def test_intels_certificates_are_read_like_the_library_reads_them(record: Record) -> None:
    theirs = json.loads(record.read("collateral.json"))
    for field in ("pck_crl_issuer_chain", "tcb_info_issuer_chain", "qe_identity_issuer_chain"):
        ours = _chain(theirs[field].encode())
        loaded = library.load_pem_x509_certificates(theirs[field].encode())
        assert [c.serial for c in ours] == [c.serial_number for c in loaded]
        assert [c.tbs for c in ours] == [c.tbs_certificate_bytes for c in loaded]
        assert ours[-1].fingerprint == INTEL_ROOT
        assert not ours[-1].simulated
        x509.require_issued(ours[0], ours[1], what="chain", code="code")
        x509.require_issued(ours[1], ours[1], what="root", code="code")
        with pytest.raises(NotAuthentic):
            x509.require_issued(ours[1], ours[0], what="chain", code="code")
    for field, issuer in (("root_ca_crl", ours[1]), ("pck_crl", _pck_ca(theirs))):
        published = crl.parse_crl(bytes.fromhex(theirs[field]), what="list")
        crl.require_crl(published, issuer, what="list", code="code")
        assert not published.revokes(issuer)


def _pck_ca(collateral_json: dict[str, str]) -> Certificate:
    return _chain(collateral_json["pck_crl_issuer_chain"].encode())[0]


def test_a_chain_may_have_other_line_ends_and_trailing_zeros_and_nothing_else() -> None:
    read = [certificate.der for certificate in _chain()]
    for same in (CHAIN.replace(b"\n", b"\r\n"), CHAIN + b"\x00", b"\n" + CHAIN + b" \n\x00\x00"):
        assert [certificate.der for certificate in _chain(same)] == read
    for other in (b"x" + CHAIN, CHAIN + b"# mine", CHAIN.replace(b"-----END", b"---- END", 1)):
        with pytest.raises(Malformed) as caught:
            _chain(other)
        assert caught.value.code == "certificates_malformed"


def test_a_chain_of_no_certificate_or_of_seven_is_refused() -> None:
    assert len(_chain(CHAIN + CHAIN)) == 6
    for wrong in (b"", b"\n", CHAIN + CHAIN + pem(PCK.der), bytes(33 << 10)):
        with pytest.raises(Malformed):
            _chain(wrong)


def test_base64_with_padding_in_the_middle_is_refused() -> None:
    lines = pem(PCK.der).splitlines()
    lines[1] = lines[1][:-2] + b"=="
    with pytest.raises(Malformed):
        _chain(b"\n".join(lines) + b"\n")


def test_bytes_after_a_certificate_are_refused() -> None:
    with pytest.raises(Malformed):
        _one(PCK.der + b"\0")


@pytest.mark.parametrize("version", [0, 1, 3, 9])
def test_host_a_certificate_of_another_version_is_refused_and_crashes_nothing(version: int) -> None:
    at = PCK.der.index(bytes.fromhex("a003020102")) + 4
    other = PCK.der[:at] + bytes([version]) + PCK.der[at + 1 :]
    with pytest.raises(Malformed):
        _one(other)
    quote = MACHINE.quote(bytes(64))
    verdict = judge(_with_leaf(quote, other), endorsements=collateral())
    assert failures(verdict) == [("pck-certificates", "certificates_malformed")]


def _with_leaf(quote: bytes, der: bytes) -> bytes:
    """Return a quote (version 4) with another certificate first in its chain."""
    chain = pem(der) + pem_chain(PKI.pck_ca, PKI.root)
    section = 48 + 584 + 4
    inner = quote[section + 134 : section + 618] + len(chain).to_bytes(4, "little") + chain
    outer = quote[section : section + 130] + len(inner).to_bytes(4, "little") + inner
    return quote[: section - 4] + len(outer).to_bytes(4, "little") + outer


@pytest.mark.parametrize("first", [0x80, 0xFF])
def test_a_serial_number_that_no_revocation_list_could_name_is_refused(first: int) -> None:
    at = PCK.der.index(bytes.fromhex("a003020102")) + 7
    with pytest.raises(Malformed, match="serial"):
        _one(PCK.der[:at] + bytes([first]) + PCK.der[at + 1 :])


def test_a_key_that_is_not_on_p256_is_refused() -> None:
    for curve in (ec.SECP384R1(), ec.SECP256K1()):
        with pytest.raises(Malformed, match="P-256"):
            _one(_issued(lambda builder: builder, key=ec.generate_private_key(curve)))


def test_a_signature_algorithm_other_than_ecdsa_with_sha256_is_refused() -> None:
    name = PKI.pck_ca.certificate.subject
    builder = Builder(name, name, PCK.key.public_key(), 7, NOW, NOW + timedelta(1))
    builder = builder.add_extension(library.BasicConstraints(ca=True, path_length=0), critical=True)
    for algorithm, fits in ((hashes.SHA256(), True), (hashes.SHA384(), False)):
        der = builder.sign(PCK.key, algorithm).public_bytes(Encoding.DER)
        if fits:
            assert _one(der).is_ca
            continue
        with pytest.raises(Malformed, match="ECDSA with SHA-256"):
            _one(der)


def test_an_unknown_extension_is_fine_unless_it_is_critical() -> None:
    # RFC 5280, 4.2.
    unknown = library.UnrecognizedExtension(library.ObjectIdentifier("1.2.3.4"), b"\5\0")
    assert _one(_issued(lambda builder: builder.add_extension(unknown, critical=False)))
    with pytest.raises(Malformed, match="critical"):
        _one(_issued(lambda builder: builder.add_extension(unknown, critical=True)))


def test_only_a_certificate_that_may_sign_certificates_is_an_authority() -> None:
    def usage(*, sign: bool) -> library.KeyUsage:
        return library.KeyUsage(
            digital_signature=not sign, content_commitment=False, key_cert_sign=sign,
            crl_sign=sign, key_encipherment=False, data_encipherment=False, key_agreement=False,
            encipher_only=False, decipher_only=False,
        )  # fmt: skip

    def authority(ca: bool, sign: bool) -> Certificate:
        name = PKI.pck_ca.certificate.subject
        builder = Builder(name, name, PCK.key.public_key(), 7, NOW, NOW + timedelta(1))
        builder = builder.add_extension(
            library.BasicConstraints(ca=ca, path_length=None), critical=True
        ).add_extension(usage(sign=sign), critical=True)
        return _one(builder.sign(PCK.key, hashes.SHA256()).public_bytes(Encoding.DER))

    assert authority(True, True).is_ca
    assert not authority(True, False).is_ca
    assert not authority(False, True).is_ca
    with pytest.raises(NotAuthentic, match="may not sign certificates"):
        x509.require_issued(_one(PCK.der), _one(PCK.der), what="chain", code="code")


def test_an_issuer_must_have_signed_and_must_be_named() -> None:
    leaf, authority, root = _chain()
    x509.require_issued(leaf, authority, what="chain", code="code")
    x509.require_issued(authority, root, what="chain", code="code")
    with pytest.raises(NotAuthentic) as caught:
        x509.require_issued(leaf, root, what="chain", code="the_code")
    assert caught.value.code == "the_code"
    tampered = _one(flipped(PCK.der, len(PCK.der) - 1))
    with pytest.raises(NotAuthentic, match="did not sign"):
        x509.require_issued(tampered, authority, what="chain", code="code")


def test_a_revocation_list_names_exactly_what_it_lists() -> None:
    leaf = _chain()[0]
    assert _crl(leaf.serial).revokes(leaf)
    assert _crl(5, leaf.serial, 9).revokes(leaf)
    assert not _crl().revokes(leaf)
    assert not _crl(leaf.serial + 1).revokes(leaf)


def test_a_revocation_list_of_another_issuer_is_refused() -> None:
    _, authority, root = _chain()
    crl.require_crl(_crl(), authority, what="list", code="code")
    with pytest.raises(NotAuthentic):
        crl.require_crl(_crl(), root, what="list", code="code")
    der = PKI.crl(PKI.pck_ca, revoked=(), issued=NOW, next_update=NOW + timedelta(30))
    tampered = crl.parse_crl(flipped(der, len(der) - 1), what="list")
    with pytest.raises(NotAuthentic):
        crl.require_crl(tampered, authority, what="list", code="code")


@pytest.mark.parametrize(
    ("extension", "refused"),
    [
        (library.CRLNumber(5), False),
        (library.DeltaCRLIndicator(1), True),
        (library.IssuingDistributionPoint(None, None, False, True, None, False, False), True),
        (library.UnrecognizedExtension(library.ObjectIdentifier("1.2.3.4"), b"\5\0"), True),
    ],
    ids=lambda value: type(value).__name__,
)
def test_host_a_revocation_list_that_says_it_is_not_complete_is_refused(
    extension: library.ExtensionType, refused: bool
) -> None:
    builder = library.CertificateRevocationListBuilder(
        PKI.pck_ca.certificate.subject, NOW, NOW + timedelta(30)
    )
    signed = builder.add_extension(extension, critical=refused).sign(
        PKI.pck_ca.key, hashes.SHA256()
    )
    der = signed.public_bytes(Encoding.DER)
    if not refused:
        crl.require_crl(crl.parse_crl(der, what="list"), _chain()[1], what="list", code="code")
        return
    with pytest.raises(Malformed, match="not the complete list"):
        crl.parse_crl(der, what="list")


def test_a_revocation_list_that_never_expires_is_refused() -> None:
    der = PKI.crl(PKI.pck_ca, revoked=(), issued=NOW, next_update=NOW + timedelta(30))
    (_, body), *signature = elements(only(der, SEQUENCE))
    fields = elements(body)  # version, algorithm, issuer, this update, next update, extensions
    del fields[4]
    parts = [(SEQUENCE, _encode(fields)), *signature]
    endless = encode(SEQUENCE, _encode(parts))
    assert library.load_der_x509_crl(endless).next_update_utc is None
    with pytest.raises(Malformed, match="next update"):
        crl.parse_crl(endless, what="list")


def _encode(parts: list[tuple[int, bytes]]) -> bytes:
    return b"".join(encode(tag, value) for tag, value in parts)


def test_no_single_changed_byte_of_certificate_or_list_does_anything_but_be_refused() -> None:
    # Refused as malformed, or read: the signature then refuses it. Nothing else may come.
    authority = _chain()[1]
    x509.clear_caches()
    for at in range(len(PCK.der)):
        changed = flipped(PCK.der, at, mask=1 << at % 8)
        try:
            certificate = _one(changed)
            parse_pck(certificate)
        except Malformed:
            continue
        with pytest.raises(NotAuthentic):
            x509.require_issued(certificate, authority, what="chain", code="code")
    der = PKI.crl(PKI.pck_ca, revoked=(5, 7), issued=NOW, next_update=NOW + timedelta(30))
    for at in range(len(der)):
        try:
            changed_list = crl.parse_crl(flipped(der, at, mask=1 << at % 8), what="list")
            changed_list.revokes(_chain()[0])
        except Malformed:
            continue
        with pytest.raises(NotAuthentic):
            crl.require_crl(changed_list, authority, what="list", code="code")


@pytest.mark.parametrize("size", [0, 1, 63, 65, 66, 128])
def test_a_raw_signature_has_64_bytes_and_no_padding(size: int) -> None:
    key = PCK.key.public_key()
    signature = sign_raw(PCK.key, b"message")
    x509.require_signature(key, signature, b"message", what="it", code="code")
    more = bytes(max(0, size - 64) // 2)
    wrong = more + signature[:32] + more + signature[32:] if more else (signature + b"\0")[:size]
    assert len(wrong) == size
    with pytest.raises(NotAuthentic) as caught:
        x509.require_signature(key, wrong, b"message", what="it", code="code")
    assert caught.value.expected == "64 bytes"


@pytest.mark.parametrize("r", [0, 1, 2**256 - 1])
def test_a_signature_out_of_range_does_not_hold(r: int) -> None:
    key = PCK.key.public_key()
    with pytest.raises(NotAuthentic):
        x509.require_signature(
            key, r.to_bytes(32, "big") + bytes(32), b"message", what="it", code="code"
        )


def test_a_key_must_be_a_point_on_the_curve() -> None:
    point = PCK.key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)[1:]
    assert x509.load_key(point, what="key").public_numbers().x == int.from_bytes(point[:32], "big")
    for wrong in (bytes(64), flipped(point, 63), b"\xff" * 64):
        with pytest.raises(Malformed) as caught:
            x509.load_key(wrong, what="key")
        assert caught.value.code == "key_malformed"


def test_dates_are_read_to_the_second() -> None:
    begins = datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC)
    name = PKI.root.certificate.subject
    builder = Builder(name, name, PCK.key.public_key(), 7, begins, begins + timedelta(seconds=1))
    builder = builder.add_extension(library.BasicConstraints(ca=True, path_length=0), critical=True)
    read = _one(builder.sign(PCK.key, hashes.SHA256()).public_bytes(Encoding.DER))
    assert (read.not_before, read.not_after) == (begins.timestamp(), begins.timestamp() + 1)
