"""The certificates of a simulated AMD: a root, the authorities below it, endorsement keys, a list.

The shapes are those of AMD's certificates: RSA-PSS with SHA-384, leaves on P-384 with serial number
0 and the extensions raw as AMD writes them. The names say SIMULATED, and the root carries the mark.

Trusts: whoever holds the seed.  Does not trust: nothing comes from outside.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from hashlib import sha512

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from teeproof.core.digests import framed_sha256, named, sha256
from teeproof.evidence.der import (
    BITS,
    BOOLEAN,
    INTEGER,
    OCTETS,
    OID,
    SEQUENCE,
    encode,
    encode_oid,
)
from teeproof.evidence.marks import SIMULATED_MAKER, SIMULATED_ROOT_OID, SIMULATED_ROOT_TEXT
from teeproof.evidence.simulated.snp.rsa import RsaKey, rsa_key

__all__ = ["Chip", "SnpPki", "Veked"]

NOT_BEFORE = datetime(2020, 1, 1, tzinfo=UTC)
NOT_AFTER = datetime(2049, 12, 31, 23, 59, 59, tzinfo=UTC)
ORDER = int(  # SEC 2, 2.5.1
    "ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973",
    16,
)
_ARC = "1.3.6.1.4.1.3704.1"
_UTF8, _IA5, _SET, _UTC = 0x0C, 0x16, 0x31, 0x17
_PSS = bytes.fromhex(
    "06092a864886f70d01010a3034a00f300d06096086480165030402020500"
    "a11c301a06092a864886f70d010108300d06096086480165030402020500a203020130"
)
# Last arc of each number in the order of the report's eight bytes (AMD 57230).
_SPL = {
    "Milan": (1, 2, 4, 5, 6, 7, 3, 8),
    "Genoa": (1, 2, 4, 5, 6, 7, 3, 8),
    "Turin": (9, 1, 2, 3, 5, 6, 7, 8),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Chip:
    """A processor, as certificates and reports name it.

    Attributes:
        name: tells one chip from another; its id and its keys follow from it.
        product: ``Milan``, ``Genoa`` or ``Turin``.
        cpuid: family, model, stepping.
        tcb: the eight bytes of the TCB version that its key is derived for.
    """

    name: str = "chip 1"
    product: str = "Milan"
    cpuid: tuple[int, int, int] = (0x19, 0x01, 0x01)
    tcb: bytes = bytes([4, 0, 0, 0, 0, 0, 24, 219])

    @property
    def hwid(self) -> bytes:
        """What names the chip: 64 bytes, of a Turin 8."""
        digest = sha512(b"SIMULATED chip " + self.name.encode()).digest()
        return digest[:8] if self.product == "Turin" else digest


@dataclass(frozen=True, slots=True)
class Veked:
    """An endorsement key, and the certificates up to the root."""

    key: ec.EllipticCurvePrivateKey
    der: bytes
    above: tuple[bytes, bytes]

    @property
    def chain(self) -> tuple[bytes, bytes, bytes]:
        """Leaf, authority, root (DER)."""
        return self.der, *self.above


class SnpPki:
    """All certificates that follow from one seed; ``maker`` is what precedes AMD's names.

    Args:
        seed: 32 bytes.
        marked: whether the root carries the simulator's mark.
    """

    def __init__(self, seed: bytes, *, marked: bool = True) -> None:
        self.seed = seed
        self.marked = marked

    @cached_property
    def root(self) -> bytes:
        """The root (ARK) of Milan, self-signed."""
        return self.root_of("Milan")

    def root_of(self, product: str) -> bytes:
        """Return a product's root (ARK), self-signed; all products' have one key."""
        key = self._rsa("ARK")
        mark = (SIMULATED_ROOT_OID, encode(_UTF8, SIMULATED_ROOT_TEXT.encode()))
        more = [mark] if self.marked else []
        name = f"ARK-{product}"
        return self._issue(name, (name, "ARK"), key.spki, serial=65536, ca=True, extensions=more)

    @property
    def root_fingerprint(self) -> str:
        """``sha256:…`` of the root's SubjectPublicKeyInfo: what a policy pins."""
        return named(sha256(self._rsa("ARK").spki))

    def authority(self, kind: str, product: str = "Milan") -> bytes:
        """Return a product's authority for ``VCEK`` (ASK) or ``VLEK`` (ASVK)."""
        role, serial, name = _AUTHORITIES[kind]
        root = (f"ARK-{product}", "ARK")
        spki = self._rsa(role).spki
        return self._issue(f"{name}-{product}", root, spki, serial=serial, ca=True)

    def vcek(self, chip: Chip, *, tcb: bytes | None = None) -> Veked:
        """Return the chip's own key; ``tcb`` if the certificate shall say another."""
        return self._vek("VCEK", chip, tcb or chip.tcb, [(f"{_ARC}.4", chip.hwid)])

    def vlek(self, chip: Chip, *, tcb: bytes | None = None) -> Veked:
        """Return a key that was lent to a cloud whose name says that it is none."""
        cloud = encode(_IA5, b"CN=simulated.invalid")
        return self._vek("VLEK", chip, tcb or chip.tcb, [(f"{_ARC}.5", cloud)])

    def crl(
        self, *, revoked: Iterable[int], issued: datetime, days: int = 180, product: str = "Milan"
    ) -> bytes:
        """Return the revocation list (DER) of a product's root."""
        entries = b"".join(encode(SEQUENCE, _integer(serial) + _time(issued)) for serial in revoked)
        tbs = encode(
            SEQUENCE,
            _integer(1)
            + encode(SEQUENCE, _PSS)
            + self._name(f"ARK-{product}")
            + _time(issued)
            + _time(issued + timedelta(days=days))
            + (encode(SEQUENCE, entries) if entries else b""),
        )
        return self._signed(tbs, "ARK")

    def _vek(self, kind: str, chip: Chip, tcb: bytes, names: list[tuple[str, bytes]]) -> Veked:
        label = f"{kind} {chip.name if kind == 'VCEK' else 'cloud'} {chip.product} {tcb.hex()}"
        key = _ec_key(self.seed, label)
        product = chip.product if kind == "VLEK" else f"{chip.product}-B0"
        extensions = [
            (f"{_ARC}.1", _integer(0)),
            (f"{_ARC}.2", encode(_IA5, product.encode())),
            *(
                (f"{_ARC}.3.{arc}", _integer(number))
                for arc, number in zip(_SPL[chip.product], tcb, strict=True)
            ),
            *names,
        ]
        spki = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        role, _, name = _AUTHORITIES[kind]
        issuer = (f"{name}-{chip.product}", role)
        der = self._issue(f"SEV-{kind}", issuer, spki, serial=0, extensions=extensions)
        above = (self.authority(kind, chip.product), self.root_of(chip.product))
        return Veked(key, der, above)

    def _rsa(self, role: str) -> RsaKey:
        return rsa_key(self.seed, role)

    def _issue(
        self,
        subject: str,
        issuer: tuple[str, str],
        spki: bytes,
        *,
        serial: int,
        ca: bool = False,
        extensions: Iterable[tuple[str, bytes]] = (),
    ) -> bytes:
        usage = [
            _extension("2.5.29.19", encode(SEQUENCE, encode(BOOLEAN, b"\xff")), critical=True),
            _extension("2.5.29.15", encode(BITS, b"\x01\x06"), critical=True),
        ]
        every = (usage if ca else []) + [_extension(oid, value) for oid, value in extensions]
        tbs = encode(
            SEQUENCE,
            encode(0xA0, _integer(2))
            + _integer(serial)
            + encode(SEQUENCE, _PSS)
            + self._name(issuer[0])
            + encode(SEQUENCE, _time(NOT_BEFORE) + _time(NOT_AFTER))
            + self._name(subject)
            + spki
            + encode(0xA3, encode(SEQUENCE, b"".join(every))),
        )
        return self._signed(tbs, issuer[1])

    def _signed(self, tbs: bytes, role: str) -> bytes:
        signature = self._rsa(role).sign(tbs)
        return encode(SEQUENCE, tbs + encode(SEQUENCE, _PSS) + encode(BITS, b"\0" + signature))

    def _name(self, name: str) -> bytes:
        maker = SIMULATED_MAKER if self.marked else ""
        owner = "teeproof simulator, not AMD" if self.marked else "Advanced Micro Devices"
        attributes = (("2.5.4.10", owner), ("2.5.4.3", f"{maker}{name}"))
        return encode(
            SEQUENCE,
            b"".join(
                encode(
                    _SET,
                    encode(SEQUENCE, encode(OID, encode_oid(oid)) + encode(_UTF8, text.encode())),
                )
                for oid, text in attributes
            ),
        )


# Whose key, its certificate's serial number, and the name that its product follows.
_AUTHORITIES = {"VCEK": ("ASK", 65537, "SEV"), "VLEK": ("ASVK for VLEK", 65793, "SEV-VLEK")}


def _extension(oid: str, value: bytes, *, critical: bool = False) -> bytes:
    mark = encode(BOOLEAN, b"\xff") if critical else b""
    return encode(SEQUENCE, encode(OID, encode_oid(oid)) + mark + encode(OCTETS, value))


def _integer(value: int) -> bytes:
    return encode(INTEGER, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def _time(moment: datetime) -> bytes:
    return encode(_UTC, moment.astimezone(UTC).strftime("%y%m%d%H%M%SZ").encode())


def _ec_key(seed: bytes, label: str) -> ec.EllipticCurvePrivateKey:
    material = sha512(framed_sha256("teeproof.simulated.vek.v1", seed, label.encode())).digest()
    return ec.derive_private_key(int.from_bytes(material, "big") % (ORDER - 1) + 1, ec.SECP384R1())
