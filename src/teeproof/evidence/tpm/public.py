"""Parse the public half of a TPM's key (TPM2B_PUBLIC): attributes, scheme, name, ordinary form.

A key's *name* is a digest over all of it, its attributes included. Whoever vouches for the name
vouches for the attributes; whoever vouches for the bare key does not.

Source: TCG, TPM Library Part 2, 12.2.4 (TPMT_PUBLIC), 8.3 (TPMA_OBJECT); Part 1, 16 (Names).

Trusts: nothing; it only reads.  Does not trust: lengths and types in the bytes.
"""

from __future__ import annotations

from dataclasses import dataclass

from teeproof.evidence.der import BITS, INTEGER, SEQUENCE, encode, encode_oid
from teeproof.evidence.tpm.wire import HASHES, NULL, SHA1, Reader, digest, malformed

__all__ = ["ATTRIBUTES", "Public", "ec_spki", "parse", "rsa_spki"]

RSA, ECC = 0x1, 0x23  # Part 2, 6.3
DEFAULT_EXPONENT = 65537  # written as 0
CURVES = {0x3: ("1.2.840.10045.3.1.7", 32), 0x4: ("1.3.132.0.34", 48)}  # NIST P-256, P-384
MAX_PUBLIC_BYTES = 1 << 10
MAX_RSA_BYTES = 512
MAX_POLICY_BYTES = 64
# TPM_RH_OWNER, NULL, ENDORSEMENT, PLATFORM: where a primary key may hang (Part 2, 7.4).
HIERARCHIES = (0x40000001, 0x40000007, 0x4000000B, 0x4000000C)

ATTRIBUTES = {
    1: "fixedTPM",
    2: "stClear",
    4: "fixedParent",
    5: "sensitiveDataOrigin",
    6: "userWithAuth",
    7: "adminWithPolicy",
    10: "noDA",
    11: "encryptedDuplication",
    16: "restricted",
    17: "decrypt",
    18: "sign",
    19: "x509sign",
}
_RSAES_AND_NONE = (NULL, 0x15)  # schemes without a hash
_ECDAA = 0x1A


@dataclass(frozen=True, slots=True)
class Public:
    """A TPM key's public half.

    Attributes:
        raw: TPMT_PUBLIC, without its size.
        name: number of the name's hash and the digest over ``raw``.
        attributes: names of the attributes that are set.
        scheme: the only signing scheme it is for; None if its user may choose.
        scheme_hash: that scheme's hash, likewise.
        spki: the key as other software writes it (SubjectPublicKeyInfo, DER).
    """

    raw: bytes
    name: bytes
    attributes: frozenset[str]
    scheme: int | None
    scheme_hash: int | None
    spki: bytes

    @property
    def qualified_names(self) -> frozenset[bytes]:
        """The names that it has as a primary key, one under each hierarchy."""
        algorithm = int.from_bytes(self.name[:2], "big")
        return frozenset(
            self.name[:2] + digest(algorithm, handle.to_bytes(4, "big") + self.name)
            for handle in HIERARCHIES
        )


def parse(raw: bytes) -> Public:
    """Return the key in a TPM2B_PUBLIC, or in the TPMT_PUBLIC without the size before it.

    Raises:
        Malformed: not an RSA key or one on P-256 or P-384, or a length that does not add up.
    """
    if len(raw) > 2 + MAX_PUBLIC_BYTES:
        raise malformed("TPM key", f"at most {MAX_PUBLIC_BYTES} bytes", f"{len(raw)} bytes")
    outer = Reader(raw, what="TPM key")
    if raw[:2] == len(raw[2:]).to_bytes(2, "big"):
        raw = outer.sized("TPM key", most=MAX_PUBLIC_BYTES)
    reader = Reader(raw, what="TPM key")
    kind, name_hash = reader.number(2, "type"), reader.number(2, "name's hash")
    if kind not in (RSA, ECC) or name_hash not in HASHES or name_hash == SHA1:
        raise malformed("TPM key", "an RSA or ECC key named by SHA-2", f"{kind:#x}, {name_hash:#x}")
    bits = reader.number(4, "attributes")
    reader.sized("policy", most=MAX_POLICY_BYTES)
    if reader.number(2, "symmetric algorithm") != NULL:
        reader.take(4, "symmetric key size and mode")
    scheme, scheme_hash = _scheme(reader)
    spki = _rsa(reader) if kind == RSA else _ecc(reader)
    reader.end()
    return Public(
        raw=raw,
        name=name_hash.to_bytes(2, "big") + digest(name_hash, raw),
        attributes=frozenset(name for bit, name in ATTRIBUTES.items() if bits >> bit & 1),
        scheme=scheme,
        scheme_hash=scheme_hash,
        spki=spki,
    )


def _scheme(reader: Reader) -> tuple[int | None, int | None]:
    scheme = reader.number(2, "scheme")
    if scheme in _RSAES_AND_NONE:
        return (None if scheme == NULL else scheme), None
    hashed = reader.number(2, "scheme's hash")
    if scheme == _ECDAA:
        reader.number(2, "scheme's count")
    return scheme, hashed


def _rsa(reader: Reader) -> bytes:
    bits = reader.number(2, "key size")
    exponent = reader.number(4, "exponent") or DEFAULT_EXPONENT
    modulus = reader.sized("modulus", most=MAX_RSA_BYTES)
    if 8 * len(modulus) != bits:
        raise malformed("TPM key", f"a modulus of {bits} bits", f"{8 * len(modulus)} bits")
    return rsa_spki(int.from_bytes(modulus, "big"), exponent)


def _ecc(reader: Reader) -> bytes:
    curve = reader.number(2, "curve")
    if reader.number(2, "key derivation scheme") != NULL:
        reader.number(2, "key derivation's hash")
    if curve not in CURVES:
        raise malformed("TPM key", "a key on P-256 or P-384", f"curve {curve:#x}")
    oid, size = CURVES[curve]
    x, y = reader.sized("x", most=size), reader.sized("y", most=size)
    return ec_spki(oid, x.rjust(size, b"\0") + y.rjust(size, b"\0"))


def rsa_spki(modulus: int, exponent: int) -> bytes:
    """Return an RSA key as SubjectPublicKeyInfo (RFC 8017, A.1; RFC 3279, 2.3.1)."""
    key = encode(SEQUENCE, _integer(modulus) + _integer(exponent))
    algorithm = encode(6, encode_oid("1.2.840.113549.1.1.1")) + encode(5, b"")
    return encode(SEQUENCE, encode(SEQUENCE, algorithm) + encode(BITS, b"\0" + key))


def ec_spki(curve: str, point: bytes) -> bytes:
    """Return a key on a named curve as SubjectPublicKeyInfo (RFC 5480); ``point`` is x then y."""
    algorithm = encode(6, encode_oid("1.2.840.10045.2.1")) + encode(6, encode_oid(curve))
    return encode(SEQUENCE, encode(SEQUENCE, algorithm) + encode(BITS, b"\0\x04" + point))


def _integer(value: int) -> bytes:
    return encode(INTEGER, value.to_bytes(value.bit_length() // 8 + 1, "big"))
