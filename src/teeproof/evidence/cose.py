"""Read and check COSE_Sign1: one payload, one ECDSA signature (RFC 9052, 4.2; RFC 9053, 2.1).

What stands in the unprotected header is signed by nobody and used for nothing. A signature has a
twin with the same meaning (``s`` and ``n - s``), so no identity may depend on its bytes; what is
signed is ``Sign1.signed``.

Trusts: nothing until a key is given.  Does not trust: headers, the algorithm that they name.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from teeproof.core.errors import Malformed, NotAuthentic
from teeproof.evidence import cbor

__all__ = ["ES256", "ES384", "ES512", "SIGN1_TAG", "Sign1", "parse_sign1", "require_signature"]

SIGN1_TAG = 18  # RFC 9052, 2
ES256, ES384, ES512 = -7, -35, -36  # RFC 9053, 2.1
_ALGORITHM, _CONTENT_TYPE, _KEY_ID = 1, 3, 4  # RFC 9052, 3.1
_MAX_HEADER_BYTES = 1024


class _Ecdsa(NamedTuple):
    """One algorithm: its name, the curve that we take it with, its hash, bytes per number."""

    name: str
    curve: str
    hash: hashes.HashAlgorithm
    size: int


_ALGORITHMS = {
    ES256: _Ecdsa("ES256", "secp256r1", hashes.SHA256(), 32),
    ES384: _Ecdsa("ES384", "secp384r1", hashes.SHA384(), 48),
    ES512: _Ecdsa("ES512", "secp521r1", hashes.SHA512(), 66),
}


@dataclass(frozen=True, slots=True)
class Sign1:
    """A COSE_Sign1 message.

    Attributes:
        protected: the protected header's bytes.
        algorithm: ``ES256``, ``ES384`` or ``ES512``, as the protected header says.
        unprotected: what nobody signed.
        payload: the bytes that it is about.
        signature: r then s, each as long as the curve's order.
        tagged: whether tag 18 stood before it.
    """

    protected: bytes
    algorithm: int
    unprotected: dict[int | str, Any]
    payload: bytes
    signature: bytes
    tagged: bool

    @property
    def signed(self) -> bytes:
        """The bytes that are signed: RFC 9052, 4.4, without external data."""
        return (
            b"\x84\x6aSignature1"
            + cbor.octets(self.protected)
            + b"\x40"
            + cbor.octets(self.payload)
        )


def parse_sign1(data: bytes, *, limit: int, what: str, shortest: bool = True) -> Sign1:
    """Return the message in ``data``, with tag 18 or without.

    Args:
        data: the bytes.
        limit: the most bytes that are read.
        what: what to call it in messages.
        shortest: as in ``cbor.loads``.

    Raises:
        TooLarge: more than ``limit`` bytes.
        Malformed: not such a message, an algorithm that we do not know, or a parameter in the
            protected header that could change its meaning.
    """
    value = cbor.loads(data, limit=limit, what=what, tags=(SIGN1_TAG,), shortest=shortest)
    tagged = isinstance(value, cbor.Tagged)
    if tagged:
        value = value.value
    if not isinstance(value, list) or len(value) != 4:
        raise _malformed(what, "a list of four", type(value).__name__)
    protected, unprotected, payload, signature = value
    if not isinstance(unprotected, dict):
        raise _malformed(what, "a map as its unprotected header", type(unprotected).__name__)
    if not all(isinstance(part, bytes) for part in (protected, payload, signature)):
        raise _malformed(what, "header, payload and signature as byte strings", "something else")
    algorithm = _algorithm(protected, what=what, shortest=shortest)
    size = 2 * _ALGORITHMS[algorithm].size
    if len(signature) != size:
        raise _malformed(what, f"a signature of {size} bytes", f"{len(signature)} bytes")
    return Sign1(protected, algorithm, unprotected, payload, signature, tagged)


def _algorithm(protected: bytes, *, what: str, shortest: bool) -> int:
    header = cbor.loads(
        protected, limit=_MAX_HEADER_BYTES, what=f"{what}'s protected header", shortest=shortest
    )
    # Among what is not understood could be "crit" (RFC 9052, 3.1), which says: refuse.
    if not isinstance(header, dict) or set(header) - {_ALGORITHM, _CONTENT_TYPE, _KEY_ID}:
        raise _malformed(what, "algorithm, content type and key id in its header", "another")
    algorithm = header.get(_ALGORITHM)
    if type(algorithm) is not int or algorithm not in _ALGORITHMS:
        known = ", ".join(known.name for known in _ALGORITHMS.values())
        raise _malformed(what, f"one of {known}", f"algorithm {algorithm!r:.40}")
    return algorithm


def require_signature(
    message: Sign1, key: ec.EllipticCurvePublicKey, *, what: str, code: str
) -> None:
    """Check that ``key`` signed the message; else raise NotAuthentic(``code``) saying ``what``."""
    algorithm = _ALGORITHMS[message.algorithm]
    if key.curve.name != algorithm.curve:
        raise NotAuthentic(what, code=code, expected=algorithm.curve, got=key.curve.name)
    size = algorithm.size
    r, s = (int.from_bytes(part, "big") for part in _halves(message.signature, size))
    try:
        key.verify(encode_dss_signature(r, s), message.signed, ec.ECDSA(algorithm.hash))
    except InvalidSignature:
        raise NotAuthentic(what, code=code) from None


def _halves(signature: bytes, size: int) -> tuple[bytes, bytes]:
    return signature[:size], signature[size:]


def _malformed(what: str, expected: str, got: str) -> Malformed:
    return Malformed(
        f"the {what} is no COSE_Sign1 that we read: expected {expected}, got {got}",
        code="cose_malformed",
        expected=expected,
        got=got,
    )
