"""P-256 keys that follow from a seed, and signatures that follow from key and message.

One seed thus gives the same certificates and quotes on every machine and in every run.

Trusts: whoever holds the seed.  Does not trust: nobody else can sign.
"""

from __future__ import annotations

from hashlib import sha512

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from teeproof.core.digests import framed_sha256

__all__ = ["ORDER", "SEED_BYTES", "private_key", "raw_public_key", "serial_number", "sign_raw"]

SEED_BYTES = 32
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551  # SEC 2, 2.4.2

_ECDSA = ec.ECDSA(hashes.SHA256(), deterministic_signing=True)  # RFC 6979


def private_key(seed: bytes, label: str) -> ec.EllipticCurvePrivateKey:
    """Return the key of this seed for this use; another label gives an unrelated key."""
    material = sha512(framed_sha256("teeproof.simulated.key.v1", seed, label.encode())).digest()
    # 512 bits reduced to 256 leave no bias worth speaking of (FIPS 186-5, A.2.1).
    scalar = int.from_bytes(material, "big") % (ORDER - 1) + 1
    return ec.derive_private_key(scalar, ec.SECP256R1())


def serial_number(seed: bytes, label: str) -> int:
    """Return a certificate serial of exactly 20 positive bytes, as Intel's have at most."""
    digest = framed_sha256("teeproof.simulated.serial.v1", seed, label.encode())
    return int.from_bytes(digest[:20], "big") >> 1 | 1 << 158


def raw_public_key(key: ec.EllipticCurvePrivateKey) -> bytes:
    """Return x then y, 64 bytes."""
    point = key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    return point[1:]


def sign_raw(key: ec.EllipticCurvePrivateKey, message: bytes) -> bytes:
    """Return the ECDSA-SHA256 signature as r then s, 64 bytes."""
    r, s = decode_dss_signature(key.sign(message, _ECDSA))
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")
