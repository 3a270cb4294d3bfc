"""Parse a TPM's signature (TPMT_SIGNATURE): RSASSA, RSAPSS or ECDSA, and its hash.

Source: TCG, TPM Library Part 2, 11.3.4.

Trusts: nothing; it only reads.  Does not trust: lengths and types in the bytes.
"""

from __future__ import annotations

from dataclasses import dataclass

from teeproof.evidence.tpm.wire import HASH_NAMES, HASHES, SHA256, Reader, malformed, sized

__all__ = ["ECDSA", "RSAPSS", "RSASSA", "SCHEMES", "Signature", "parse", "rsassa_sha256"]

RSASSA, RSAPSS, ECDSA = 0x14, 0x16, 0x18  # Part 2, 6.3
SCHEMES = {RSASSA: "RSASSA", RSAPSS: "RSAPSS", ECDSA: "ECDSA"}
MAX_RSA_BYTES = 512
MAX_EC_BYTES = 66


@dataclass(frozen=True, slots=True)
class Signature:
    """A signature by a TPM's key.

    Attributes:
        scheme: one of ``SCHEMES``.
        hash: one of ``wire.HASHES``.
        value: of RSA, the signature; of ECDSA, r and s as two numbers with their sizes.
        r: of ECDSA, r; likewise ``s``.
    """

    scheme: int
    hash: int
    value: bytes
    r: int = 0
    s: int = 0

    @property
    def name(self) -> str:
        """As people write it, such as ``RSASSA with sha256``."""
        return f"{SCHEMES[self.scheme]} with {HASH_NAMES[self.hash]}"


def parse(raw: bytes) -> Signature:
    """Return the signature in ``raw``.

    Raises:
        Malformed: another scheme or hash, or a length that does not add up.
    """
    reader = Reader(raw, what="TPM signature")
    scheme, hashed = reader.number(2, "scheme"), reader.number(2, "hash")
    if scheme not in SCHEMES or hashed not in HASHES:
        raise malformed(
            "TPM signature",
            "RSASSA, RSAPSS or ECDSA with SHA-1 or SHA-2",
            f"scheme {scheme:#x} with hash {hashed:#x}",
        )
    if scheme == ECDSA:
        r = reader.sized("r", most=MAX_EC_BYTES)
        s = reader.sized("s", most=MAX_EC_BYTES)
        reader.end()
        both = sized(r) + sized(s)
        return Signature(scheme, hashed, both, int.from_bytes(r, "big"), int.from_bytes(s, "big"))
    value = reader.sized("signature", most=MAX_RSA_BYTES)
    reader.end()
    return Signature(scheme, hashed, value)


def rsassa_sha256(value: bytes) -> bytes:
    """Return as a TPM writes it a signature of which only the RSA number came (Azure's tools)."""
    return RSASSA.to_bytes(2, "big") + SHA256.to_bytes(2, "big") + sized(value)
