"""Public keys as Arm's tokens and their endorsers write them, and keys that are named for trust.

Trusts: whoever configures a platform key.  Does not trust: the form of any key.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from functools import lru_cache
from typing import Any

import msgspec
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from teeproof.core import strictjson
from teeproof.core.digests import named, sha256
from teeproof.core.errors import Malformed, Usage

__all__ = ["PlatformKey", "load_point", "parse_platform_key", "point_of"]

MAX_KEY_BYTES = 4096
_CURVES: dict[int, ec.EllipticCurve] = {
    32: ec.SECP256R1(),
    48: ec.SECP384R1(),
    66: ec.SECP521R1(),
}
_JWK_BYTES = {"P-256": 32, "P-384": 48, "P-521": 66}  # RFC 7518, 6.2.1.1
_COSE_BYTES = {1: 32, 2: 48, 3: 66}  # RFC 9053, 7.1
_KTY, _CRV, _X, _Y, _EC2 = 1, -1, -2, -3, 2  # RFC 9052, 7.1; RFC 9053, 7.1.1


class PlatformKey(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A platform's attestation key (CPAK), as an endorser names it.

    Attributes:
        point: 0x04, x, y.
        instance_id: the 33 bytes of the platform that has it; None if the endorser does not say.
    """

    point: bytes
    instance_id: bytes | None = None

    def __post_init__(self) -> None:
        """Refuse what is no key; Usage says so."""
        try:
            load_point(self.point)
        except Malformed as error:
            raise Usage(error.detail, code="policy_malformed", got=self.point.hex()[:80]) from None
        if self.instance_id is not None and len(self.instance_id) != 33:
            raise Usage("an instance id has 33 bytes", code="policy_malformed")

    @property
    def fingerprint(self) -> str:
        """``sha256:…`` of the SubjectPublicKeyInfo."""
        key = load_point(self.point)
        return named(sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)))


def parse_platform_key(text: bytes | str, *, instance_id: bytes | None = None) -> PlatformKey:
    """Return the key in a JSON Web Key (RFC 7517), as endorsers publish it.

    Raises:
        Malformed, TooLarge: not JSON, or not an elliptic curve's public key.
    """
    value = strictjson.loads(text, limit=MAX_KEY_BYTES, what="platform key")
    fields = value if isinstance(value, dict) else {}
    size = _JWK_BYTES.get(str(fields.get("crv")))
    if fields.get("kty") != "EC" or size is None or "d" in fields:
        raise Malformed(
            "this is not the public key of a platform: give a JSON Web Key with kty, crv, x and y",
            code="platform_key_malformed",
            expected=" or ".join(_JWK_BYTES),
            got=str(fields.get("crv"))[:40],
        )
    x, y = (_coordinate(fields.get(name), size) for name in ("x", "y"))
    point = b"\x04" + x + y
    load_point(point)
    return PlatformKey(point=point, instance_id=instance_id)


def _coordinate(text: Any, size: int) -> bytes:
    try:
        value = urlsafe_b64decode(str(text) + "=" * (-len(str(text)) % 4))
    except ValueError:
        value = b""
    if len(value) != size or urlsafe_b64encode(value).decode().rstrip("=") != str(text).rstrip("="):
        raise Malformed(
            f"a coordinate has {size} bytes in base64url",
            code="platform_key_malformed",
            expected=f"{size} bytes",
            got=f"{len(value)} bytes",
        )
    return value


def point_of(key: Any) -> bytes | None:
    """Return 0x04, x, y of a COSE_Key as a map; None if it is no key with two coordinates."""
    if not isinstance(key, dict) or key.get(_KTY) != _EC2:
        return None
    curve, x, y = key.get(_CRV), key.get(_X), key.get(_Y)
    size = _COSE_BYTES.get(curve) if type(curve) is int else None
    if not isinstance(x, bytes) or not isinstance(y, bytes) or {len(x), len(y)} != {size}:
        return None
    return b"\x04" + x + y


@lru_cache(maxsize=64)
def load_point(point: bytes) -> ec.EllipticCurvePublicKey:
    """Return the key whose point is 0x04, x, y; Malformed if it is on none of our curves."""
    curve = _CURVES.get(len(point) // 2)
    try:
        if curve is None or point[:1] != b"\x04":
            raise ValueError
        return ec.EllipticCurvePublicKey.from_encoded_point(curve, point)
    except ValueError:
        raise Malformed(
            "the key is not a point on P-256, P-384 or P-521", code="key_malformed"
        ) from None
