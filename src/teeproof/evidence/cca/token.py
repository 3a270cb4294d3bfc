"""Parse an Arm CCA token: two signed tokens in one wrapper that nobody signed.

draft-ffm-rats-cca-token, "CCA Attestation Token top level wrapper": tag 399 around a map of the
platform's token (44234) and the realm's (44241), each a byte string with a COSE_Sign1 behind tag
18. Numbers may be written at any width ("variant serialization"); lengths are definite.

Trusts: nothing; it only reads.  Does not trust: lengths and types in the bytes.
"""

from __future__ import annotations

from dataclasses import dataclass

from teeproof.core.errors import Malformed
from teeproof.evidence import cbor, cose
from teeproof.evidence.cca.claims import Platform, Realm, parse_platform, parse_realm
from teeproof.evidence.cose import Sign1

__all__ = ["MAX_TOKEN_BYTES", "CcaToken", "looks_like", "parse"]

MAX_TOKEN_BYTES = 64 << 10  # the sample has 2.2 KB
_TOKEN_TAG, _PLATFORM, _REALM = 399, 44234, 44241
_TAG_HEADS = (b"\xd9\x01\x8f", b"\xda\0\0\x01\x8f", b"\xdb\0\0\0\0\0\0\x01\x8f")


@dataclass(frozen=True, slots=True)
class CcaToken:
    """A CCA token.

    Attributes:
        raw: the bytes as they came.
        platform_message: the platform's COSE_Sign1.
        realm_message: the realm's.
        platform: the platform's claims.
        realm: the realm's.
    """

    raw: bytes
    platform_message: Sign1
    realm_message: Sign1
    platform: Platform
    realm: Realm


def looks_like(data: bytes) -> bool:
    """Whether this begins with the token's tag, at whatever width; nothing is parsed."""
    return data.startswith(_TAG_HEADS)


def parse(raw: bytes) -> CcaToken:
    """Return the token in ``raw``.

    Raises:
        TooLarge: more than ``MAX_TOKEN_BYTES``.
        Malformed: not such a token, or a claim of another form.
    """
    wrapper = cbor.loads(
        raw, limit=MAX_TOKEN_BYTES, what="CCA token", tags=(_TOKEN_TAG,), shortest=False
    )
    parts = wrapper.value if isinstance(wrapper, cbor.Tagged) else None
    if not isinstance(parts, dict) or set(parts) != {_PLATFORM, _REALM}:
        raise Malformed(
            "this is not a CCA token: expected a platform's and a realm's token behind tag 399",
            code="cca_malformed",
            expected=f"tag {_TOKEN_TAG}, {_PLATFORM} and {_REALM}",
        )
    platform = _message(parts[_PLATFORM], what="CCA platform token")
    realm = _message(parts[_REALM], what="CCA realm token")
    return CcaToken(
        raw=raw,
        platform_message=platform,
        realm_message=realm,
        platform=parse_platform(platform.payload),
        realm=parse_realm(realm.payload),
    )


def _message(data: object, *, what: str) -> Sign1:
    if not isinstance(data, bytes):
        raise Malformed(f"the {what} is not a byte string", code="cca_malformed")
    message = cose.parse_sign1(data, limit=MAX_TOKEN_BYTES, what=what, shortest=False)
    if not message.tagged:
        raise Malformed(f"the {what} stands without tag 18", code="cca_malformed")
    return message
