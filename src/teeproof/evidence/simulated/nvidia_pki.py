"""The certificates of a simulated GPU vendor: of devices, of manifests, and of OCSP responders.

The shapes are NVIDIA's (lengths of chains, names' forms, P-384, DICE extension in the firmware's
certificate). The names say SIMULATED, and both roots carry the simulator's mark.

Trusts: whoever holds the seed.  Does not trust: nothing comes from outside.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from hashlib import sha512

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from teeproof.core.digests import framed_sha256, named, sha256
from teeproof.evidence.der import INTEGER, OCTETS, OID, SEQUENCE, encode, encode_oid
from teeproof.evidence.marks import SIMULATED_ROOT_OID, SIMULATED_ROOT_TEXT
from teeproof.evidence.simulated.keys import serial_number

__all__ = ["P384_ORDER", "GpuVendor", "Issued", "sign_raw"]

NOT_BEFORE = datetime(2020, 10, 17, tzinfo=UTC)
FOREVER = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)  # as NVIDIA's devices have it
P384_ORDER = (  # SEC 2, 2.5.1
    0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF << 192
    | 0xC7634D81F4372DDF581A0DB248B0A77AECEC196ACCC52973
)
_SHA384 = ec.ECDSA(hashes.SHA384(), deterministic_signing=True)
_COMPOSITE_DEVICE_ID = x509.ObjectIdentifier("2.23.133.5.4.1")


@dataclass(frozen=True, slots=True)
class Issued:
    """A certificate and its private key."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @property
    def der(self) -> bytes:
        """The certificate's bytes."""
        return self.certificate.public_bytes(Encoding.DER)

    @property
    def spki(self) -> bytes:
        """Its SubjectPublicKeyInfo."""
        form = PublicFormat.SubjectPublicKeyInfo
        return self.key.public_key().public_bytes(Encoding.DER, form)

    @property
    def fingerprint(self) -> str:
        """``sha256:…`` of its SubjectPublicKeyInfo: what a policy pins of a root."""
        return named(sha256(self.spki))


class GpuVendor:
    """All certificates of a vendor that follow from one seed.

    Args:
        seed: 32 bytes.
        marked: whether its roots carry the simulator's mark; an impostor's do not.
    """

    def __init__(self, seed: bytes, *, marked: bool = True) -> None:
        self.seed = seed
        self.marked = marked

    @cached_property
    def device_root(self) -> Issued:
        """The root of devices."""
        return self.issue("Device Identity CA", None, is_ca=True)

    @cached_property
    def family(self) -> Issued:
        """The authority of a family of chips."""
        return self.issue("GH100 Identity", self.device_root, is_ca=True)

    @cached_property
    def provisioner(self) -> Issued:
        """The authority that certifies single chips."""
        return self.issue("GH100 Provisioner ICA 1", self.family, is_ca=True)

    @cached_property
    def rim_root(self) -> Issued:
        """The root of manifests."""
        return self.issue("CoRIM signing Root CA", None, is_ca=True)

    @cached_property
    def rim_authority(self) -> Issued:
        """The authority of those who sign manifests."""
        return self.issue("Reference Value GH100 CA", self.rim_root, is_ca=True)

    @cached_property
    def rim_signer(self) -> Issued:
        """Who signs manifests."""
        return self.issue("RIM L4 Signer", self.rim_authority)

    @property
    def rim_chain(self) -> tuple[Issued, ...]:
        """The signer's certificate first, the root last."""
        return self.rim_signer, self.rim_authority, self.rim_root

    def chip(self, name: str) -> Issued:
        """Return the certificate of a chip's boot ROM."""
        return self.issue(f"{name[:5]} A01 GSP BROM", self.provisioner, label=name, is_ca=True)

    def firmware(self, name: str, fwid: bytes) -> Issued:
        """Return the certificate that a chip makes for the key of its firmware."""
        chip = self.chip(name)
        return self.issue(
            f"{name[:5]} A01 GSP FMC LF",
            chip,
            label=f"{name} {fwid.hex()}",
            extension=x509.UnrecognizedExtension(_COMPOSITE_DEVICE_ID, _dice(chip.spki, fwid)),
        )

    def responder(self, issuer: Issued) -> Issued:
        """Return a responder that this authority certified for OCSP."""
        name = issuer.certificate.subject.rfc4514_string()
        return self.issue("OCSP Responder", issuer, label=f"ocsp of {name}", ocsp=True)

    def key(self, label: str) -> ec.EllipticCurvePrivateKey:
        """Return the P-384 key of this seed for this use."""
        digest = framed_sha256("teeproof.simulated.p384.v1", self.seed, label.encode())
        scalar = int.from_bytes(sha512(digest).digest(), "big") % (P384_ORDER - 1) + 1
        return ec.derive_private_key(scalar, ec.SECP384R1())

    def issue(
        self,
        role: str,
        issuer: Issued | None,
        *,
        label: str | None = None,
        is_ca: bool = False,
        ocsp: bool = False,
        extension: x509.ExtensionType | None = None,
        not_before: datetime = NOT_BEFORE,
        not_after: datetime = FOREVER,
    ) -> Issued:
        """Return a certificate of this role; without an issuer it signs itself."""
        label = label or role
        key = self.key(f"{role}/{label}")
        name = _name(self._called(role))
        builder = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(issuer.certificate.subject if issuer else name)
            .public_key(key.public_key())
            .serial_number(serial_number(self.seed, f"nvidia/{role}/{label}"))
            .not_valid_before(not_before)
            .not_valid_after(not_after)
            .add_extension(_usage(is_ca=is_ca), critical=True)
        )
        if is_ca:
            constraints = x509.BasicConstraints(ca=True, path_length=None)
            builder = builder.add_extension(constraints, critical=True)
        if ocsp:
            purpose = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.OCSP_SIGNING])
            builder = builder.add_extension(purpose, critical=False)
        if issuer is None and self.marked:
            builder = builder.add_extension(_mark(), critical=False)
        if extension:
            builder = builder.add_extension(extension, critical=False)
        signer = issuer.key if issuer else key
        return Issued(key, builder.sign(signer, hashes.SHA384(), ecdsa_deterministic=True))

    def _called(self, role: str) -> str:
        if self.marked:
            return f"SIMULATED {role}"
        return role if "GSP" in role else f"NVIDIA {role}"  # as the vendor names them


def sign_raw(key: ec.EllipticCurvePrivateKey, message: bytes) -> bytes:
    """Return the ECDSA-SHA384 signature as r then s, 96 bytes."""
    r, s = decode_dss_signature(key.sign(message, _SHA384))
    return r.to_bytes(48, "big") + s.to_bytes(48, "big")


def _name(common: str) -> x509.Name:
    organisation = x509.NameAttribute(NameOID.ORGANIZATION_NAME, "teeproof simulator, not NVIDIA")
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common), organisation])


def _usage(*, is_ca: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not is_ca,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=is_ca,
        crl_sign=is_ca,
        encipher_only=False,
        decipher_only=False,
    )


def _dice(chip_key: bytes, fwid: bytes) -> bytes:
    digest = encode(OID, encode_oid("2.16.840.1.101.3.4.2.2")) + encode(OCTETS, fwid)
    return encode(SEQUENCE, encode(INTEGER, b"\1") + chip_key + encode(SEQUENCE, digest))


def _mark() -> x509.UnrecognizedExtension:
    text = SIMULATED_ROOT_TEXT.encode()
    utf8_string = bytes([0x0C, len(text)]) + text
    return x509.UnrecognizedExtension(x509.ObjectIdentifier(SIMULATED_ROOT_OID), utf8_string)
