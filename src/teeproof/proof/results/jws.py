"""Signatures around JSON: JOSE's compact form, with Ed25519 and with nothing else.

    base64url(header) "." base64url(payload) "." base64url(signature)

The algorithm is the reader's choice and never the token's: there is one, so a token that names
another, or none, is refused before its signature is looked at. A key's id is a hint that nobody
relies on, and a token that brings a key, or an address of one, is refused.

Sources: RFC 7515 (JWS), 3.1, 4.1 and 5.2; RFC 8037 (``EdDSA`` with Ed25519); RFC 8725 (what to
refuse).

Trusts: libsodium, the key that the caller names.  Does not trust: the token, its header above all.
"""

from __future__ import annotations

import base64
import binascii

from teeproof.core import strictjson
from teeproof.core.errors import Malformed, NotAuthentic, TooLarge
from teeproof.proof import signing

__all__ = ["MAX_TOKEN_BYTES", "jwk", "payload_of", "seal", "unseal"]

MAX_TOKEN_BYTES = 256 << 10
_ALGORITHM = "EdDSA"
_HEADER_LIMIT = 1024
_HINTS = {"alg", "typ", "kid"}


def seal(payload: bytes, *, expanded: bytes, kind: str) -> str:
    """Return a token.

    Args:
        payload: JSON bytes.
        expanded: the private key as ``signing.expand_ed25519`` returns it, 64 bytes.
        kind: the header's ``typ``, such as ``eat+jwt``.
    """
    header = strictjson.dumps({"alg": _ALGORITHM, "typ": kind}).encode()
    signed = f"{_text(header)}.{_text(payload)}"
    return f"{signed}.{_text(signing.sign_ed25519(expanded, signed.encode()))}"


def unseal(token: str, *, public_key: bytes, kind: str) -> bytes:
    """Return the payload of a token whose signature holds.

    Args:
        token: the compact form; white space around it is ignored.
        public_key: the key that must have signed, 32 bytes.
        kind: what the header's ``typ`` must be; letter case and ``application/`` do not matter.

    Raises:
        TooLarge: more than ``MAX_TOKEN_BYTES``. Malformed: not the compact form.
        NotAuthentic: codes ``result_algorithm`` (another algorithm, or none),
            ``result_type`` and ``result_signature``.
    """
    header, payload, signature, signed = _parts(token)
    algorithm, typ = header.get("alg"), header.get("typ")
    if algorithm != _ALGORITHM:
        raise NotAuthentic(
            "this token is not signed with the one algorithm that is accepted",
            code="result_algorithm",
            expected=_ALGORITHM,
            got=_shown(algorithm),
        )
    if not isinstance(typ, str) or typ.lower().removeprefix("application/") != kind:
        raise NotAuthentic(
            "this token was made for something else",
            code="result_type",
            expected=kind,
            got=_shown(typ),
        )
    if not signing.holds_ed25519(public_key, signed, signature):
        raise NotAuthentic(
            "the signature does not hold under the key that you named: the result was changed, or"
            " another verifier made it",
            code="result_signature",
            expected=f"a signature by {public_key.hex()}",
        )
    return payload


def payload_of(token: str) -> bytes:
    """Return the payload of a token that nobody has checked; errors of form as ``unseal``."""
    return _parts(token)[1]


def jwk(public_key: bytes) -> dict[str, str]:
    """Return an Ed25519 public key as JOSE writes it (RFC 8037, section 2)."""
    return {
        "kty": "OKP", "crv": "Ed25519", "alg": _ALGORITHM, "use": "sig", "x": _text(public_key),
    }  # fmt: skip


def _parts(token: str) -> tuple[dict[str, object], bytes, bytes, bytes]:
    """Return header, payload, signature, and the bytes that are signed."""
    if len(token) > MAX_TOKEN_BYTES:
        raise TooLarge(
            "the token is too large",
            expected=f"at most {MAX_TOKEN_BYTES} bytes",
            got=f"{len(token)} characters",
        )
    given = token.strip(" \t\r\n").split(".")
    if len(given) != 3:
        raise _malformed("three parts with a dot between them", f"{len(given)} parts")
    raw, payload, signature = (_bytes(part) for part in given)
    header = strictjson.loads(raw, limit=_HEADER_LIMIT, what="token's header")
    if not isinstance(header, dict):
        raise _malformed("a header that is an object", type(header).__name__)
    unknown = sorted(set(header) - _HINTS)
    if unknown:
        # RFC 7515 4.1.11: "crit" and what it names must be understood; jwk, jku, x5c and x5u bring
        # a key along, which proves only that whoever made the token has one.
        raise _malformed("a header with alg, typ and kid at most", ", ".join(unknown)[:100])
    return header, payload, signature, f"{given[0]}.{given[1]}".encode()


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _bytes(text: str) -> bytes:
    """Return what base64url without padding stands for: the one spelling of it."""
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise _malformed("base64url", ascii(text[:40])) from None
    if _text(data) != text:
        raise _malformed("base64url without padding, in its one spelling", ascii(text[-40:]))
    return data


def _shown(value: object) -> str:
    return ascii(value)[:60]


def _malformed(expected: str, got: str) -> Malformed:
    return Malformed(
        "this is not a signed token", code="token_malformed", expected=expected, got=got
    )
