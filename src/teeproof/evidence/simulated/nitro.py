"""A simulated AWS for Nitro enclaves: a root, authorities below it, and documents.

The shapes are those of AWS (order of the bundle, extensions, lifetimes, the outermost map of
indefinite length), so an unmodified verifier accepts them once it is given this root. The names say
SIMULATED, and the root carries the mark.

Trusts: whoever holds the seed.  Does not trust: nothing comes from outside.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from hashlib import sha384, sha512
from types import MappingProxyType
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

from teeproof.core.digests import framed_sha256, named, sha256
from teeproof.evidence.marks import SIMULATED_ROOT_OID, SIMULATED_ROOT_TEXT
from teeproof.evidence.simulated.cose import cbor, sign1
from teeproof.evidence.simulated.keys import serial_number

__all__ = ["Enclave", "SimulatedNitro"]

ORDER_P384 = int(  # SEC 2, 2.5.1
    "ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf"
    "581a0db248b0a77aecec196accc52973",
    16,
)
_ROOT_FROM = datetime(2020, 1, 1, tzinfo=UTC)
_ROOT_UNTIL = datetime(2049, 12, 31, 23, 59, 59, tzinfo=UTC)
_ZERO = bytes(48)


def _registers() -> Mapping[int, bytes]:
    said = {0: b"image", 1: b"kernel", 2: b"application", 4: b"instance"}
    values = dict.fromkeys(range(16), _ZERO) | {i: sha384(v).digest() for i, v in said.items()}
    return MappingProxyType(values)


@dataclass(frozen=True, slots=True, kw_only=True)
class Enclave:
    """What an enclave puts into its document, and what the hypervisor says of it.

    Attributes:
        module_id: instance and enclave.
        pcrs: index -> 48 bytes.
        public_key: of the enclave; None writes null, as the hypervisor does. Likewise the others.
        lifetime: how long the leaf lives.
        age: how long before the document's time the leaf was issued.
    """

    module_id: str = "i-simulated-enc0123456789abcdef"
    pcrs: Mapping[int, bytes] = field(default_factory=_registers, hash=False)
    public_key: bytes | None = None
    user_data: bytes | None = None
    nonce: bytes | None = None
    lifetime: timedelta = timedelta(hours=3)
    age: timedelta = timedelta(seconds=3)


@dataclass(frozen=True, slots=True)
class _Issued:
    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(Encoding.DER)


class SimulatedNitro:
    """All that follows from one seed.

    Args:
        seed: 32 bytes.
        marked: whether the root carries the simulator's mark; an impostor's does not.
        path_lengths: what each authority below the root allows.
    """

    def __init__(
        self, seed: bytes, *, marked: bool = True, path_lengths: tuple[int, ...] = (2, 1, 0)
    ) -> None:
        self.seed, self.marked, self.path_lengths = seed, marked, path_lengths

    @cached_property
    def root(self) -> _Issued:
        """The root, self-signed."""
        window = (_ROOT_FROM, _ROOT_UNTIL)
        return self._issue("root", None, window, ca=True, path_length=None)

    @property
    def root_der(self) -> bytes:
        """The root certificate."""
        return self.root.der

    @property
    def root_fingerprint(self) -> str:
        """``sha256:…`` of the root's SubjectPublicKeyInfo: what a policy pins."""
        key = self.root.certificate.public_key()
        return named(sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)))

    def document(self, enclave: Enclave, *, now: datetime, **changes: Any) -> bytes:
        """Return a signed document that says it was made at ``now``.

        Args:
            enclave: what it says.
            now: the hypervisor's clock, and what the certificates' dates are counted from.
            changes: other values for fields of the payload, as a forger would like them.
        """
        authorities = self.authorities(now)
        leaf = self._leaf(authorities[-1], enclave, now)
        fields = {
            "module_id": enclave.module_id,
            "digest": "SHA384",
            "timestamp": int(now.timestamp() * 1000),
            "pcrs": dict(enclave.pcrs),
            "certificate": leaf.der,
            "cabundle": [each.der for each in authorities],
            "public_key": enclave.public_key,
            "user_data": enclave.user_data,
            "nonce": enclave.nonce,
        } | changes
        return sign1(leaf.key, cbor(fields, indefinite=True))

    def authorities(self, now: datetime) -> list[_Issued]:
        """Return the root and the authorities below it, in the bundle's order."""
        chain = [self.root]
        for place, path_length in enumerate(self.path_lengths):
            window = (now - timedelta(days=1), now + timedelta(days=20 >> place))
            role = f"authority {place + 1}"
            chain.append(self._issue(role, chain[-1], window, ca=True, path_length=path_length))
        return chain

    def _leaf(self, issuer: _Issued, enclave: Enclave, now: datetime) -> _Issued:
        begins = now - enclave.age
        window = (begins, begins + enclave.lifetime)
        return self._issue("enclave", issuer, window, ca=False, path_length=None)

    def _issue(
        self,
        role: str,
        issuer: _Issued | None,
        window: tuple[datetime, datetime],
        *,
        ca: bool,
        path_length: int | None,
    ) -> _Issued:
        key = _private_key(self.seed, role)
        signer = issuer.key if issuer else key
        name = _name(role, marked=self.marked)
        builder = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(issuer.certificate.subject if issuer else name)
            .public_key(key.public_key())
            .serial_number(serial_number(self.seed, f"nitro {role}"))
            .not_valid_before(window[0])
            .not_valid_after(window[1])
            .add_extension(x509.BasicConstraints(ca=ca, path_length=path_length), critical=True)
            .add_extension(_usage(ca=ca), critical=ca)
        )
        if issuer is None and self.marked:
            text = SIMULATED_ROOT_TEXT.encode()
            mark = x509.ObjectIdentifier(SIMULATED_ROOT_OID)
            value = x509.UnrecognizedExtension(mark, bytes([0x0C, len(text)]) + text)
            builder = builder.add_extension(value, critical=False)
        return _Issued(key, builder.sign(signer, hashes.SHA384(), ecdsa_deterministic=True))


def _private_key(seed: bytes, role: str) -> ec.EllipticCurvePrivateKey:
    material = sha512(framed_sha256("teeproof.simulated.nitro.v1", seed, role.encode())).digest()
    scalar = int.from_bytes(material, "big") % (ORDER_P384 - 1) + 1
    return ec.derive_private_key(scalar, ec.SECP384R1())


def _name(role: str, *, marked: bool) -> x509.Name:
    common = "aws.nitro-enclaves" if role == "root" else f"{role}.aws.nitro-enclaves"
    attributes = (
        (NameOID.COUNTRY_NAME, "US"),
        (NameOID.ORGANIZATION_NAME, "teeproof simulator, not Amazon" if marked else "Amazon"),
        (NameOID.ORGANIZATIONAL_UNIT_NAME, "AWS"),
        (NameOID.COMMON_NAME, f"SIMULATED {common}" if marked else common),
    )
    return x509.Name([x509.NameAttribute(oid, value) for oid, value in attributes])


def _usage(*, ca: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not ca,
        content_commitment=not ca,
        key_cert_sign=ca,
        crl_sign=ca,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
