"""Write CBOR, and sign it as COSE_Sign1 with ES384.

It shares nothing with the reader of evidence, so a mistake in one shows against the other.

Trusts: whoever holds the keys.  Does not trust: nothing comes from outside.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

__all__ = ["cbor", "sign1"]

_SHA384 = ec.ECDSA(hashes.SHA384(), deterministic_signing=True)
_PROTECTED = bytes.fromhex("a1013822")  # {1: -35}, ES384


def sign1(
    key: ec.EllipticCurvePrivateKey,
    payload: bytes,
    *,
    tagged: bool = False,
    protected: bytes = _PROTECTED,
    unprotected: Mapping[int, Any] = MappingProxyType({}),
) -> bytes:
    """Return a COSE_Sign1 with ES384 over this payload."""
    signed = cbor(["Signature1", protected, b"", payload])
    r, s = decode_dss_signature(key.sign(signed, _SHA384))
    signature = r.to_bytes(48, "big") + s.to_bytes(48, "big")
    message = cbor([protected, dict(unprotected), payload, signature])
    return b"\xd2" + message if tagged else message


def cbor(value: Any, *, indefinite: bool = False) -> bytes:
    """Return a value as CBOR, in the shortest form; its outermost map may be of indefinite length.

    ValueError for a type that evidence does not have.
    """
    if value is None or isinstance(value, bool):
        return {False: b"\xf4", True: b"\xf5", None: b"\xf6"}[value]
    if isinstance(value, int):
        return _head(0, value) if value >= 0 else _head(1, -1 - value)
    if isinstance(value, bytes):
        return _head(2, len(value)) + value
    if isinstance(value, str):
        return _head(3, len(value.encode())) + value.encode()
    if isinstance(value, list):
        return _head(4, len(value)) + b"".join(map(cbor, value))
    if isinstance(value, dict):
        entries = b"".join(cbor(k) + cbor(v) for k, v in value.items())
        return b"\xbf" + entries + b"\xff" if indefinite else _head(5, len(value)) + entries
    raise ValueError(f"no CBOR for {type(value).__name__}")


def _head(major: int, argument: int) -> bytes:
    if argument < 24:
        return bytes([major << 5 | argument])
    info = next(info for info in (24, 25, 26, 27) if argument < 1 << (8 << info - 24))
    return bytes([major << 5 | info]) + argument.to_bytes(1 << info - 24, "big")
