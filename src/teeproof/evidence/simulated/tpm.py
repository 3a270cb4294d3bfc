"""A simulated TPM 2.0 and the authority that certifies its keys: what a verifier sees of them.

The shapes are those that a TPM writes, and an authority of attestation keys. The names say
SIMULATED, and the root carries the mark.

Source: TCG, TPM Library Part 2 (structures), Part 1, 16 (names).

Trusts: whoever holds the seed.  Does not trust: nothing comes from outside.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

from teeproof.core.digests import named, sha256
from teeproof.evidence.marks import SIMULATED_ROOT_OID, SIMULATED_ROOT_TEXT
from teeproof.evidence.simulated.firmware import BOOT, Measured, pcrs, write_log
from teeproof.evidence.simulated.keys import private_key, serial_number, sign_raw
from teeproof.evidence.tpm.document import TpmEvidence

__all__ = ["AK_PURPOSE", "EK_PURPOSE", "SimulatedTpm", "TpmMachine", "attest", "selection"]

_FROM, _UNTIL = datetime(2020, 1, 1, tzinfo=UTC), datetime(2049, 12, 31, 23, 59, 59, tzinfo=UTC)
# fixedTPM, fixedParent, sensitiveDataOrigin, userWithAuth, noDA, restricted, sign
ATTRIBUTES = 1 << 1 | 1 << 4 | 1 << 5 | 1 << 6 | 1 << 10 | 1 << 16 | 1 << 18
RESTRICTED = 1 << 16
AK_PURPOSE, EK_PURPOSE = "2.23.133.8.3", "2.23.133.8.1"  # tcg-kp-AIKCertificate, -EKCertificate
_ENDORSEMENT = (0x4000000B).to_bytes(4, "big")
_SHA256, _ECDSA, _ECC, _NULL, _P256 = 0xB, 0x18, 0x23, 0x10, 0x3


def _sized(value: bytes) -> bytes:
    return len(value).to_bytes(2, "big") + value


def _words(*numbers: int) -> bytes:
    return b"".join(number.to_bytes(2, "big") for number in numbers)


@dataclass(frozen=True, slots=True, kw_only=True)
class TpmMachine:
    """A machine whose TPM measured its boot.

    Attributes:
        boot: what was measured, in order.
        attributes: of the attestation key.
        purpose: of its certificate.
        lifetime: how long that certificate lives; it was issued thirty days before it is used.
        values: registers that differ from what the boot gives.
    """

    boot: tuple[Measured, ...] = BOOT
    attributes: int = ATTRIBUTES
    purpose: str = AK_PURPOSE
    lifetime: timedelta = timedelta(days=365)
    values: Mapping[int, bytes] = field(default_factory=dict, hash=False)

    @property
    def registers(self) -> dict[int, bytes]:
        """PCR 0 to 23 of SHA-256."""
        return pcrs(self.boot) | dict(self.values)


class SimulatedTpm:
    """All that follows from one seed: a cloud's authority, and a TPM with its key.

    Args:
        seed: 32 bytes.
        marked: whether the root carries the simulator's mark; an impostor's does not.
    """

    def __init__(self, seed: bytes, *, marked: bool = True) -> None:
        self.seed, self.marked = seed, marked

    @cached_property
    def root_fingerprint(self) -> str:
        """``sha256:…`` of the root's SubjectPublicKeyInfo: what a policy pins."""
        return named(sha256(_spki(self._key("root"))))

    @property
    def ak(self) -> ec.EllipticCurvePrivateKey:
        """The attestation key, on P-256."""
        return self._key("attestation key")

    @property
    def ak_fingerprint(self) -> str:
        """``sha256:…`` of the attestation key's SubjectPublicKeyInfo."""
        return named(sha256(_spki(self.ak)))

    def evidence(
        self,
        data: bytes,
        *,
        now: datetime,
        machine: TpmMachine | None = None,
        certified: bool = True,
    ) -> TpmEvidence:
        """Return a quote of all registers over this data, and what explains it.

        Args:
            data: what the caller has the TPM sign.
            now: when the certificates are used.
            machine: what runs; without one, a boot in order.
            certified: whether the chain of the key comes along.
        """
        machine = machine or TpmMachine()
        public = self._public(machine.attributes)
        name = _words(_SHA256) + sha256(public[2:])
        signer = _words(_SHA256) + sha256(_ENDORSEMENT + name)
        registers = machine.registers
        quote = attest(data, signer=signer, registers=registers)
        return TpmEvidence(
            quote=quote,
            signature=self.sign(quote),
            public=public,
            pcrs={_SHA256: registers},
            certificates=self.chain(now, machine) if certified else None,
            event_log=write_log(machine.boot),
        )

    def sign(self, message: bytes) -> bytes:
        """Return TPMT_SIGNATURE of the attestation key."""
        raw = sign_raw(self.ak, message)
        return _words(_ECDSA, _SHA256) + _sized(raw[:32]) + _sized(raw[32:])

    def chain(self, now: datetime, machine: TpmMachine) -> bytes:
        """Return the PEM chain of the attestation key: leaf, intermediate, root."""
        begins = now.replace(microsecond=0) - timedelta(days=30)
        window = (begins, begins + machine.lifetime)
        leaf = self._issue("attestation key", "authority", window, purpose=machine.purpose)
        authority = self._issue("authority", "root", (_FROM, _UNTIL), purpose=None)
        root = self._issue("root", "root", (_FROM, _UNTIL), purpose=None)
        return b"".join(each.public_bytes(Encoding.PEM) for each in (leaf, authority, root))

    def _key(self, role: str) -> ec.EllipticCurvePrivateKey:
        return private_key(self.seed, f"tpm {role}")

    def _public(self, attributes: int) -> bytes:
        """Return TPM2B_PUBLIC of the attestation key."""
        numbers = self.ak.public_key().public_numbers()
        point = _sized(numbers.x.to_bytes(32, "big")) + _sized(numbers.y.to_bytes(32, "big"))
        head = _words(_ECC, _SHA256) + attributes.to_bytes(4, "big") + _sized(b"")
        return _sized(head + _words(_NULL, _ECDSA, _SHA256, _P256, _NULL) + point)

    def _issue(
        self, role: str, issuer: str, window: tuple[datetime, datetime], *, purpose: str | None
    ) -> x509.Certificate:
        ca = purpose is None
        builder = (
            x509.CertificateBuilder()
            .subject_name(_name(role, marked=self.marked))
            .issuer_name(_name(issuer, marked=self.marked))
            .public_key(self._key(role).public_key())
            .serial_number(serial_number(self.seed, f"tpm {role}"))
            .not_valid_before(window[0])
            .not_valid_after(window[1])
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
            .add_extension(_usage(ca=ca), critical=True)
        )
        if purpose is not None:
            purposes = x509.ExtendedKeyUsage([x509.ObjectIdentifier(purpose)])
            builder = builder.add_extension(purposes, critical=False)
        if role == "root" and self.marked:
            text = SIMULATED_ROOT_TEXT.encode()
            mark = x509.ObjectIdentifier(SIMULATED_ROOT_OID)
            value = x509.UnrecognizedExtension(mark, bytes([0x0C, len(text)]) + text)
            builder = builder.add_extension(value, critical=False)
        return builder.sign(self._key(issuer), hashes.SHA256(), ecdsa_deterministic=True)


def attest(
    data: bytes,
    *,
    signer: bytes,
    registers: Mapping[int, bytes],
    banks: Sequence[int] = (_SHA256,),
) -> bytes:
    """Return TPMS_ATTEST of a quote over these registers."""
    digest = sha256(b"".join(value for _, value in sorted(registers.items())) * len(banks))
    head = b"\xffTCG" + _words(0x8018) + _sized(signer) + _sized(data)
    clock = (123456).to_bytes(8, "big") + (7).to_bytes(4, "big") + bytes(4) + b"\1"
    firmware = (0x2019).to_bytes(8, "big")
    return head + clock + firmware + selection(banks, registers) + _sized(digest)


def selection(banks: Sequence[int], registers: Mapping[int, bytes]) -> bytes:
    """Return TPML_PCR_SELECTION of these registers in each of these banks."""
    bits = sum(1 << index for index in registers).to_bytes(3, "little")
    return len(banks).to_bytes(4, "big") + b"".join(_words(b) + b"\x03" + bits for b in banks)


def _spki(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _name(role: str, *, marked: bool) -> x509.Name:
    maker = "SIMULATED TPM" if marked else "TPM"
    organisation = "teeproof simulator, no cloud" if marked else "A cloud"
    attributes = (
        (NameOID.ORGANIZATION_NAME, organisation),
        (NameOID.COMMON_NAME, f"{maker} {role}"),
    )
    return x509.Name([x509.NameAttribute(oid, value) for oid, value in attributes])


def _usage(*, ca: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not ca,
        key_cert_sign=ca,
        crl_sign=ca,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
