"""Read OCSP answers: DER to fields, by our own reader alone, and nothing is believed of them yet.

Source: RFC 6960, 4.2.1; real answers of NVIDIA's responder speak of one certificate each.

Trusts: nothing; it only reads.  Does not trust: lengths, times, whoever collected the answers.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import Any

import msgspec

from teeproof.core.errors import Malformed
from teeproof.evidence.certificate import time_of
from teeproof.evidence.der import (
    BITS,
    BOOLEAN,
    ENUMERATED,
    INTEGER,
    OCTETS,
    OID,
    SEQUENCE,
    elements,
    encode,
    encode_oid,
    only,
)
from teeproof.evidence.nvidia.certificates import (
    ECDSA_SHA384,
    GENERALIZED_TIME,
    Certificate,
    bit_string,
    parse_der,
)
from teeproof.evidence.x509 import UNREADABLE

__all__ = ["HOLD", "MAX_ANSWERS", "MAX_ANSWER_BYTES", "Answer", "parse_answer"]

HOLD = "certificateHold"
MAX_ANSWER_BYTES = 16 << 10
MAX_ANSWERS = 128  # eight GPUs and their manifests need 17
MAX_RESPONDERS = 2  # certificates inside an answer; real ones have one
_HASHES = {"sha1": hashlib.sha1, "sha256": hashlib.sha256, "sha384": hashlib.sha384}
_HASH_OIDS = {
    encode_oid("1.3.14.3.2.26"): "sha1",
    encode_oid("2.16.840.1.101.3.4.2.1"): "sha256",
    encode_oid("2.16.840.1.101.3.4.2.2"): "sha384",
}
_BASIC, _NONCE = encode_oid("1.3.6.1.5.5.7.48.1.1"), encode_oid("1.3.6.1.5.5.7.48.1.2")
_TAG_0, _TAG_1, _TAG_2, _GOOD = 0xA0, 0xA1, 0xA2, 0x80
_REASONS = {  # RFC 5280, 5.3.1
    b"\0": "unspecified", b"\1": "keyCompromise", b"\2": "cACompromise",
    b"\3": "affiliationChanged", b"\4": "superseded", b"\5": "cessationOfOperation",
    b"\6": HOLD, b"\x0a": "aACompromise",
}  # fmt: skip


class Answer(msgspec.Struct, frozen=True):
    """One OCSP answer, its signature not yet checked.

    Attributes:
        tbs: the signed part, and ``signature`` over it.
        algorithm: how issuers are hashed: sha1, sha256 or sha384.
        issuer: digests of the issuer's name and key.
        serial: the certificate's serial number.
        revoked: since when (seconds since 1970), or None where it is good.
        reason: why, such as ``certificateHold``; None where it is not said.
        this_update: when the answer was right; ``next_update``: until when it counts.
        responders: certificates that came along.
    """

    tbs: bytes
    signature: bytes
    algorithm: str
    issuer: tuple[bytes, bytes]
    serial: int
    revoked: int | None
    reason: str | None
    this_update: int
    next_update: int
    responders: tuple[Certificate, ...]

    def about(self, certificate: Certificate, issuer: Certificate) -> bool:
        """Whether it names this certificate of this issuer."""
        if self.serial != certificate.serial:
            return False
        return self.issuer == _issuer_digests(issuer, self.algorithm)


@lru_cache(maxsize=128)
def parse_answer(der: bytes) -> Answer:
    """Return the answer in a DER OCSP response.

    Raises:
        Malformed: not a successful answer about one certificate, or one that never expires.
    """
    if len(der) > MAX_ANSWER_BYTES:
        raise _malformed(f"at most {MAX_ANSWER_BYTES} bytes", f"{len(der)} bytes")
    try:
        return _load(der)
    except UNREADABLE as error:
        raise _malformed("one successful OCSP answer", str(error)[:200]) from None


def _load(der: bytes) -> Answer:
    status, *body = elements(only(der, SEQUENCE))
    if status != (ENUMERATED, b"\0") or [tag for tag, _ in body] != [_TAG_0]:
        raise ValueError("the responder did not answer")
    kind, content = elements(only(body[0][1], SEQUENCE))
    if kind != (OID, _BASIC) or content[0] != OCTETS:
        raise ValueError("an answer of another kind")
    parts = elements(only(content[1], SEQUENCE))
    if [tag for tag, _ in parts[:3]] != [SEQUENCE, SEQUENCE, BITS] or len(parts) > 4:
        raise ValueError("not a signed answer")
    if parts[1] != ECDSA_SHA384:
        raise ValueError("the signature algorithm is not ECDSA with SHA-384")
    given = elements(only(parts[3][1], SEQUENCE)) if parts[3:] and parts[3][0] == _TAG_0 else []
    return Answer(
        tbs=encode(*parts[0]),
        signature=bit_string(parts[2]),
        responders=tuple(
            parse_der(encode(*each), what="OCSP answer's certificates")
            for each in given[:MAX_RESPONDERS]
        ),
        **_said(_only_response(elements(parts[0][1]))),
    )


def _only_response(data: list[tuple[int, bytes]]) -> list[tuple[int, bytes]]:
    """Return the parts of the only single response (RFC 6960, 4.2.1: ResponseData)."""
    if data and data[0][0] == _TAG_0:
        raise ValueError("a version that is not the first")
    tags = [tag for tag, _ in data]
    if tags[:3] not in ([t, GENERALIZED_TIME, SEQUENCE] for t in (_TAG_1, _TAG_2)):
        raise ValueError("malformed response data")
    if len(data) > 3:
        _check_extensions(data[3:])
    return elements(only(data[2][1], SEQUENCE))


def _said(parts: list[tuple[int, bytes]]) -> dict[str, Any]:
    """Return what a single response says, as fields of an Answer."""
    if [tag for tag, _ in parts[:1]] != [SEQUENCE] or len(parts) < 4:
        raise ValueError("a response without an end")
    algorithm, name, key, serial = elements(parts[0][1])
    if (name[0], key[0], serial[0]) != (OCTETS, OCTETS, INTEGER):
        raise ValueError("a malformed certificate id")
    revoked, reason = _status(*parts[1])
    if parts[3][0] != _TAG_0:
        raise ValueError("a response that never expires")
    _check_extensions(parts[4:])
    return {
        "algorithm": _hash(algorithm),
        "issuer": (name[1], key[1]),
        "serial": int.from_bytes(serial[1], "big", signed=True),
        "revoked": revoked,
        "reason": reason,
        "this_update": time_of(*parts[2]),
        "next_update": time_of(*elements(parts[3][1])[0]),
    }


def _hash(algorithm: tuple[int, bytes]) -> str:
    name = _HASH_OIDS.get(elements(algorithm[1])[0][1])
    if algorithm[0] != SEQUENCE or name is None:
        raise ValueError("it names its issuer by an unknown hash")
    return name


def _status(tag: int, value: bytes) -> tuple[int | None, str | None]:
    if (tag, value) == (_GOOD, b""):
        return None, None
    if tag != _TAG_1:
        raise ValueError("the responder does not know the certificate")
    since, *why = elements(value)
    if not why:
        return time_of(*since), None
    number = only(why[0][1], ENUMERATED)
    return time_of(*since), _REASONS.get(number[-1:], f"reason {number.hex()}")


def _check_extensions(parts: list[tuple[int, bytes]]) -> None:
    """Refuse what is critical, but for a nonce: not understood, it voids the answer (4.4)."""
    if [tag for tag, _ in parts] not in ([], [_TAG_1]):
        raise ValueError("more parts than a response has")
    for _, extension in elements(only(parts[0][1], SEQUENCE)) if parts else ():
        found = elements(extension)
        if (BOOLEAN, b"\xff") in found and found[0] != (OID, _NONCE):
            raise ValueError("a critical extension")


def _issuer_digests(issuer: Certificate, algorithm: str) -> tuple[bytes, bytes]:
    digest = _HASHES[algorithm]
    # RFC 6960, 4.1.1: the name's DER; the key's bit string without tag, length and unused bits.
    key = elements(only(issuer.spki, SEQUENCE))[1]
    assert key[0] == BITS, "a certificate was accepted whose key has another form"
    return digest(issuer.name_der).digest(), digest(key[1][1:]).digest()


def _malformed(expected: str, got: str) -> Malformed:
    return Malformed(
        f"this is not an OCSP answer: expected {expected}, got {got}",
        code="ocsp_malformed",
        expected=expected,
        got=got,
    )
