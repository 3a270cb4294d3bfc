"""The certificates of a simulated vendor: a root, the two authorities below it, and their CRLs.

The shapes are those of Intel's certificates (names in the same order, same extensions, same key
usage), so an unmodified verifier accepts them once it is given this root. The names say SIMULATED.

Trusts: whoever holds the seed.  Does not trust: nothing comes from outside.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

from teeproof.core.digests import named, sha256
from teeproof.evidence.marks import SIMULATED_ROOT_OID, SIMULATED_ROOT_TEXT
from teeproof.evidence.simulated.hardware import Processor
from teeproof.evidence.simulated.keys import private_key, serial_number
from teeproof.evidence.simulated.pck import SGX_EXTENSION_OID, sgx_extension

__all__ = ["IMPOSTOR", "SIMULATED", "Issued", "Names", "Pki", "pem", "pem_chain"]

# Fixed, so that one seed means one set of certificates whenever it is opened.
NOT_BEFORE = datetime(2020, 1, 1, tzinfo=UTC)
NOT_AFTER = datetime(2049, 12, 31, 23, 59, 59, tzinfo=UTC)
_DISTRIBUTION = "http://simulated.invalid/"  # RFC 6761: .invalid never resolves


@dataclass(frozen=True, slots=True)
class Names:
    """How a root presents itself.

    Attributes:
        maker: what precedes "Root CA" and "PCK Certificate" in the common names.
        organisation: the O of every name.
        marked: whether the root carries the simulator's mark.
    """

    maker: str
    organisation: str
    marked: bool

    def name(self, role: str) -> x509.Name:
        """Return the distinguished name of this role, attributes in Intel's order."""
        attributes = (
            (NameOID.COMMON_NAME, f"{self.maker} {role}"),
            (NameOID.ORGANIZATION_NAME, self.organisation),
            (NameOID.LOCALITY_NAME, "Santa Clara"),
            (NameOID.STATE_OR_PROVINCE_NAME, "CA"),
            (NameOID.COUNTRY_NAME, "US"),
        )
        return x509.Name([x509.NameAttribute(oid, value) for oid, value in attributes])


SIMULATED = Names("SIMULATED SGX", "teeproof simulator, not Intel", marked=True)
IMPOSTOR = Names("Intel SGX", "Intel Corporation", marked=False)


@dataclass(frozen=True, slots=True)
class Issued:
    """A certificate and its private key."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @property
    def serial(self) -> int:
        """The certificate's serial number, as CRLs list it."""
        return self.certificate.serial_number

    @property
    def der(self) -> bytes:
        """The certificate's bytes."""
        return self.certificate.public_bytes(Encoding.DER)


class Pki:
    """All certificates that follow from one seed."""

    def __init__(self, seed: bytes, *, names: Names = SIMULATED) -> None:
        self.seed = seed
        self.names = names

    @cached_property
    def root(self) -> Issued:
        """The root, self-signed."""
        return self._issue("Root CA", None, ca_depth=1)

    @cached_property
    def pck_ca(self) -> Issued:
        """The authority that issues PCK certificates."""
        return self._issue("PCK Platform CA", self.root, ca_depth=0)

    @cached_property
    def tcb_signer(self) -> Issued:
        """The signer of TCB info and QE identity."""
        return self._issue("TCB Signing", self.root)

    @cached_property
    def root_fingerprint(self) -> str:
        """``sha256:…`` of the root's SubjectPublicKeyInfo: what a policy pins."""
        key = self.root.certificate.public_key()
        return named(sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)))

    def pck(self, processor: Processor) -> Issued:
        """Return the PCK certificate of this processor."""
        extension = x509.UnrecognizedExtension(SGX_EXTENSION_OID, sgx_extension(processor))
        return self._issue(
            "PCK Certificate", self.pck_ca, label=f"pck {processor!r}", extension=extension
        )

    def crl(
        self, issuer: Issued, *, revoked: Iterable[int], issued: datetime, next_update: datetime
    ) -> bytes:
        """Return the DER of a CRL that lists these serial numbers."""
        identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.key.public_key())
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(issuer.certificate.subject)
            .last_update(issued)
            .next_update(next_update)
            .add_extension(x509.CRLNumber(1), critical=False)
            .add_extension(identifier, critical=False)
        )
        reason = x509.CRLReason(x509.ReasonFlags.key_compromise)
        for serial in revoked:
            entry = x509.RevokedCertificateBuilder(serial, issued)
            builder = builder.add_revoked_certificate(
                entry.add_extension(reason, critical=False).build()
            )
        crl = builder.sign(issuer.key, hashes.SHA256(), ecdsa_deterministic=True)
        return crl.public_bytes(Encoding.DER)

    def _issue(
        self,
        role: str,
        issuer: Issued | None,
        *,
        label: str | None = None,
        ca_depth: int | None = None,
        extension: x509.ExtensionType | None = None,
    ) -> Issued:
        label = label or role
        key = private_key(self.seed, label)
        signer = issuer.key if issuer else key
        name = self.names.name(role)
        builder = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(issuer.certificate.subject if issuer else name)
            .public_key(key.public_key())
            .serial_number(serial_number(self.seed, label))
            .not_valid_before(NOT_BEFORE)
            .not_valid_after(NOT_AFTER)
        )
        for value, critical in _extensions(key, signer, ca_depth=ca_depth):
            builder = builder.add_extension(value, critical=critical)
        if issuer is None and self.names.marked:
            builder = builder.add_extension(_mark(), critical=False)
        if extension:
            builder = builder.add_extension(extension, critical=False)
        return Issued(key, builder.sign(signer, hashes.SHA256(), ecdsa_deterministic=True))


def pem_chain(*certificates: Issued) -> bytes:
    """Return the certificates as PEM, in this order."""
    return b"".join(pem(certificate.der) for certificate in certificates)


def pem(der: bytes) -> bytes:
    """Return a certificate's bytes as PEM, 64 characters a line."""
    text = b64encode(der)
    lines = [text[at : at + 64] for at in range(0, len(text), 64)]
    return b"\n".join([b"-----BEGIN CERTIFICATE-----", *lines, b"-----END CERTIFICATE-----", b""])


def _extensions(
    key: ec.EllipticCurvePrivateKey, signer: ec.EllipticCurvePrivateKey, *, ca_depth: int | None
) -> list[tuple[x509.ExtensionType, bool]]:
    """Return Intel's extensions in Intel's order, each with its critical flag."""
    is_ca = ca_depth is not None
    where = x509.UniformResourceIdentifier(f"{_DISTRIBUTION}{'root' if is_ca else 'pck'}.crl")
    usage = x509.KeyUsage(
        digital_signature=not is_ca,
        content_commitment=not is_ca,
        key_cert_sign=is_ca,
        crl_sign=is_ca,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
    return [
        (x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), False),
        (x509.CRLDistributionPoints([x509.DistributionPoint([where], None, None, None)]), False),
        (x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False),
        (usage, True),
        (x509.BasicConstraints(ca=is_ca, path_length=ca_depth), True),
    ]


def _mark() -> x509.UnrecognizedExtension:
    text = SIMULATED_ROOT_TEXT.encode()
    utf8_string = bytes([0x0C, len(text)]) + text
    return x509.UnrecognizedExtension(x509.ObjectIdentifier(SIMULATED_ROOT_OID), utf8_string)
