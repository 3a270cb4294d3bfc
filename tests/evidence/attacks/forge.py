"""What an attacker builds quotes, certificates and revocation lists with.

Quotes are taken apart and put together byte by byte, and certificates are minted with any content:
the attacker holds his own keys, and those of the simulated vendor where a test asks what even the
vendor could not do. Nothing here uses the parser under test.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from teeproof.core.digests import sha256
from teeproof.evidence.simulated.hardware import Processor
from teeproof.evidence.simulated.keys import ORDER, private_key, raw_public_key, sign_raw
from teeproof.evidence.simulated.pck import SGX_EXTENSION_OID, sgx_extension
from teeproof.evidence.simulated.pki import Issued, pem
from tests.evidence.scenes import NOW, PLATFORM

PKI = PLATFORM.pki
ROOT, PCK_CA, SIGNER = PKI.root, PKI.pck_ca, PKI.tcb_signer
MACHINE = PLATFORM.machine()
PCK = MACHINE.pck
ATTESTATION_KEY = private_key(PKI.seed, "attestation machine 1")
STRANGER = private_key(b"\7" * 32, "nobody's")
_ECDSA_SHA256 = bytes.fromhex("300a06082a8648ce3d040302")
_END = b"-----END CERTIFICATE-----"


@dataclass(frozen=True, kw_only=True)
class Parts:
    """A quote in pieces, all of which an attacker may exchange; lengths are made to fit."""

    signed: bytes
    signature: bytes
    attestation_key: bytes
    qe_report: bytes
    qe_signature: bytes
    auth_data: bytes
    chain: bytes
    outer_type: int = 6
    inner_type: int = 5
    trailing: bytes = b""

    def but(self, **changes: Any) -> Parts:
        """Return the same pieces with some exchanged."""
        return replace(self, **changes)

    def quote(self) -> bytes:
        """Return the quote."""
        inner = self.qe_report + self.qe_signature
        inner += struct.pack("<H", len(self.auth_data)) + self.auth_data
        inner += struct.pack("<HI", self.inner_type, len(self.chain)) + self.chain
        section = self.signature + self.attestation_key
        section += struct.pack("<HI", self.outer_type, len(inner)) + inner
        return self.signed + struct.pack("<I", len(section)) + section + self.trailing

    def resigned(self, **changes: Any) -> Parts:
        """Return the pieces, changed, as a quoting enclave of this vendor would sign them."""
        parts = self.but(**changes)
        return parts.but(signature=sign_raw(ATTESTATION_KEY, parts.signed))


def take_apart(quote: bytes) -> Parts:
    """Return the pieces of a quote of version 4 or 5."""
    end = 48 + 584
    if quote[0] == 5:
        end = 48 + 6 + int.from_bytes(quote[50:54], "little")
    (size,) = struct.unpack_from("<I", quote, end)
    section, trailing = quote[end + 4 : end + 4 + size], quote[end + 4 + size :]
    (auth,) = struct.unpack_from("<H", section, 582)
    return Parts(
        signed=quote[:end],
        signature=section[:64],
        attestation_key=section[64:128],
        qe_report=section[134:518],
        qe_signature=section[518:582],
        auth_data=section[584 : 584 + auth],
        chain=section[584 + auth + 6 :],
        trailing=trailing,
    )


def pems(chain: bytes) -> list[bytes]:
    """Return the PEM blocks of a chain."""
    return [block.lstrip() + _END + b"\n" for block in chain.split(_END)[:-1]]


def chain_of(*certificates: x509.Certificate) -> bytes:
    """Return certificates as PEM, in this order."""
    return b"".join(pem(certificate.public_bytes(Encoding.DER)) for certificate in certificates)


def name_of(text: str) -> x509.Name:
    """Return a name that consists of a common name."""
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def der_of(certificate: x509.Certificate) -> bytes:
    """Return a certificate's bytes."""
    return certificate.public_bytes(Encoding.DER)


def mint(
    *,
    subject: x509.Name | str,
    issuer: x509.Name,
    signer: ec.EllipticCurvePrivateKey,
    key: Any = STRANGER,
    serial: int = 4711,
    ca: bool | None = False,
    path_length: int | None = None,
    sign_certificates: bool | None = False,
    extensions: Iterable[tuple[x509.ExtensionType, bool]] = (),
    begins: datetime = NOW - timedelta(days=365),
    ends: datetime = NOW + timedelta(days=3650),
    algorithm: Any = None,
) -> x509.Certificate:
    """Return a certificate with any content, signed by any key."""
    builder = (
        x509.CertificateBuilder()
        .subject_name(name_of(subject) if isinstance(subject, str) else subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(serial)
        .not_valid_before(begins)
        .not_valid_after(ends)
    )
    if ca is not None:
        limits = x509.BasicConstraints(ca=ca, path_length=path_length)
        builder = builder.add_extension(limits, critical=True)
    if sign_certificates is not None:
        builder = builder.add_extension(_usage(sign_certificates), critical=True)
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical=critical)
    return builder.sign(signer, algorithm or hashes.SHA256())


def _usage(sign_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=sign_certificates,
        crl_sign=sign_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def sgx(processor: Processor | None = None) -> tuple[x509.ExtensionType, bool]:
    """Return Intel's extension of a PCK certificate."""
    value = sgx_extension(processor or MACHINE.processor)
    return x509.UnrecognizedExtension(SGX_EXTENSION_OID, value), False


def crl(
    *,
    issuer: x509.Name,
    signer: ec.EllipticCurvePrivateKey,
    revoked: Iterable[int] = (),
    extensions: Iterable[tuple[x509.ExtensionType, bool]] = (),
    issued: datetime = NOW - timedelta(days=1),
    next_update: datetime = NOW + timedelta(days=29),
    algorithm: Any = None,
) -> bytes:
    """Return the DER of a revocation list with any content."""
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(issuer)
        .last_update(issued)
        .next_update(next_update)
    )
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical=critical)
    for serial in revoked:
        entry = x509.RevokedCertificateBuilder(serial, datetime(2026, 1, 1, tzinfo=UTC)).build()
        builder = builder.add_revoked_certificate(entry)
    return builder.sign(signer, algorithm or hashes.SHA256()).public_bytes(Encoding.DER)


def authority(issuer: Issued) -> tuple[x509.ExtensionType, bool]:
    """Return the extension of a revocation list that names the key of its issuer."""
    return x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.key.public_key()), False


def twin(signature: bytes) -> bytes:
    """Return the other signature (r, s) that the same key and message have."""
    s = ORDER - int.from_bytes(signature[32:], "big")
    return signature[:32] + s.to_bytes(32, "big")


def with_sha1(certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> bytes:
    """Return the certificate, DER, signed by this key with ECDSA over SHA-1, and saying so."""
    sha1 = bytes.fromhex("300906072a8648ce3d0401")
    content = certificate.tbs_certificate_bytes[4:].replace(_ECDSA_SHA256, sha1, 1)
    tbs = _long(content)
    bits = b"\0" + key.sign(tbs, ec.ECDSA(hashes.SHA1()))
    return _long(tbs + sha1 + bytes([3, len(bits)]) + bits)


def twin_certificate(der: bytes) -> bytes:
    """Return the certificate with the twin of its signature; what is signed stays the same."""
    certificate = x509.load_der_x509_certificate(der)
    r, s = decode_dss_signature(certificate.signature)
    bits = b"\0" + encode_dss_signature(r, ORDER - s)
    return _long(certificate.tbs_certificate_bytes + _ECDSA_SHA256 + bytes([3, len(bits)]) + bits)


def _long(content: bytes) -> bytes:
    """Return a DER sequence whose length takes two bytes."""
    return b"\x30\x82" + len(content).to_bytes(2, "big") + content


def vouched(parts: Parts, key: ec.EllipticCurvePrivateKey, pck: Any) -> Parts:
    """Return the pieces with another attestation key, which a quoting enclave vouches for."""
    raw = raw_public_key(key)
    digest = sha256(raw, parts.auth_data)
    report = parts.qe_report[:320] + digest + parts.qe_report[352:]
    return parts.but(
        attestation_key=raw,
        qe_report=report,
        qe_signature=sign_raw(pck, report),
        signature=sign_raw(key, parts.signed),
    )
