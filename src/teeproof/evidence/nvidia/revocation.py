"""Revocation, from archived OCSP answers: signed words of the vendor about single certificates.

An answer names a certificate by its serial number and its issuer's name and key, and says good or
revoked for a span of time. It is signed by the issuer, or by a responder that the issuer certified
for OCSP. Of several answers about one certificate the latest that was
given by T counts: whoever collects answers may not choose an old one over a newer one beside it.

Source: RFC 6960.

Trusts: the issuers in a verified chain.  Does not trust: whoever collected the answers.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import lru_cache

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp

from teeproof.core.clock import format_time
from teeproof.core.errors import Malformed, NotAuthentic
from teeproof.evidence.der import BITS, SEQUENCE, elements, only
from teeproof.evidence.nvidia.certificates import (
    ECDSA_SHA384_OID,
    Certificate,
    issued_by,
    parse_der,
    signed_by,
)
from teeproof.evidence.x509 import UNREADABLE

__all__ = ["MAX_ANSWERS", "Answer", "parse_answer", "unanswered"]

MAX_ANSWER_BYTES = 16 << 10
MAX_ANSWERS = 512
_HASHES = {"sha1": hashlib.sha1, "sha256": hashlib.sha256, "sha384": hashlib.sha384}


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
        return _load(ocsp.load_der_ocsp_response(der))
    except (*UNREADABLE, x509.DuplicateExtension, x509.UnsupportedGeneralNameType) as error:
        raise _malformed("one successful OCSP answer", str(error)[:200]) from None


def _load(response: ocsp.OCSPResponse) -> Answer:
    if response.response_status is not ocsp.OCSPResponseStatus.SUCCESSFUL:
        raise ValueError(f"the responder said {response.response_status.name}")
    if len(list(response.responses)) != 1:
        raise ValueError("it does not speak of one certificate")
    if response.signature_algorithm_oid.dotted_string != ECDSA_SHA384_OID:
        raise ValueError("the signature algorithm is not ECDSA with SHA-384")
    if response.certificate_status is ocsp.OCSPCertStatus.UNKNOWN:
        raise ValueError("the responder does not know the certificate")
    for extensions in (response.extensions, response.single_extensions):
        # RFC 6960, 4.4: as with certificates, one that is critical and not understood voids it.
        if any(e.critical and not isinstance(e.value, x509.OCSPNonce) for e in extensions):
            raise ValueError("a critical extension")
    next_update, revoked = response.next_update_utc, response.revocation_time_utc
    if next_update is None:
        raise ValueError("it has no next update")
    if response.hash_algorithm.name not in _HASHES:
        raise ValueError("it names its issuer by an unknown hash")
    reason = response.revocation_reason
    return Answer(
        tbs=response.tbs_response_bytes,
        signature=response.signature,
        algorithm=response.hash_algorithm.name,
        issuer=(response.issuer_name_hash, response.issuer_key_hash),
        serial=response.serial_number,
        revoked=int(revoked.timestamp()) if revoked else None,
        reason=reason.value if reason else None,
        this_update=int(response.this_update_utc.timestamp()),
        next_update=int(next_update.timestamp()),
        responders=tuple(
            parse_der(c.public_bytes(Encoding.DER), what="OCSP answer's certificates")
            for c in response.certificates[:4]
        ),
    )


def unanswered(
    chain: Sequence[Certificate], answers: Sequence[Answer], *, now: int, first: int
) -> tuple[str, ...]:
    """Return the certificates of a verified chain about which nothing is known at T.

    Args:
        chain: leaf first, root last.
        answers: whatever was collected; those about other certificates are left aside.
        now: the T, seconds since 1970.
        first: place of the first certificate that the vendor answers for.

    Raises:
        NotAuthentic: one is revoked, or an answer about one does not hold.
    """
    unknown = []
    for place in range(first, len(chain) - 1):
        found = [a for a in answers if a.about(chain[place], chain[place + 1])]
        if not _known_good(chain, place, found, now):
            unknown.append(chain[place].subject)
    return tuple(unknown)


def _known_good(
    chain: Sequence[Certificate], place: int, found: Sequence[Answer], now: int
) -> bool:
    """Return whether a certificate is known to be good; NotAuthentic if it is not."""
    certificate, issuer = chain[place], chain[place + 1]
    for answer in found:
        _require_signed(answer, issuer, now)
    given = [answer for answer in found if answer.this_update <= now]
    if not given:
        if found:
            raise NotAuthentic(
                f"every OCSP answer about {certificate.subject} is from after the time in question",
                code="ocsp_not_yet_valid",
                expected=f"not after {format_time(now)}",
                got=format_time(min(answer.this_update for answer in found)),
            )
        return False
    # Of two answers of one second, the bad one counts.
    latest = max(given, key=lambda answer: (answer.this_update, answer.revoked is not None))
    if latest.revoked is not None:
        _refuse(certificate, latest.reason, latest.revoked)
    if now > latest.next_update:
        raise NotAuthentic(
            f"the OCSP answer about {certificate.subject} had expired by the time in question: "
            "give a newer one, or verify as of a time before that",
            code="ocsp_expired",
            expected=f"not before {format_time(now)}",
            got=format_time(latest.next_update),
        )
    return True


def _refuse(certificate: Certificate, reason: str | None, since: int) -> None:
    got = f"{reason or 'no reason given'}, since {format_time(since)}"
    if reason == "certificateHold":
        raise NotAuthentic(
            f"the vendor suspended the certificate of {certificate.subject}",
            code="ocsp_hold",
            expected="good",
            got=got,
        )
    raise NotAuthentic(
        f"the vendor revoked the certificate of {certificate.subject}",
        code="ocsp_revoked",
        expected="good",
        got=got,
    )


def _require_signed(answer: Answer, issuer: Certificate, now: int) -> None:
    for signer in (*(r for r in answer.responders if _may_answer(r, issuer)), issuer):
        if signed_by(signer.key, answer.signature, answer.tbs):
            if not signer.not_before <= now <= signer.not_after and signer is not issuer:
                raise NotAuthentic(
                    f"the certificate of the responder {signer.subject} was not valid at the time "
                    "in question",
                    code="ocsp_responder_expired",
                    expected=format_time(now),
                    got=f"{format_time(signer.not_before)} to {format_time(signer.not_after)}",
                )
            return
    raise NotAuthentic(
        "an OCSP answer was signed by nobody who may answer for this issuer", code="ocsp_signature"
    )


def _may_answer(responder: Certificate, issuer: Certificate) -> bool:
    """Whether the issuer itself certified this responder for OCSP (RFC 6960, 4.2.2.2)."""
    made_for_it = responder.ocsp and not responder.claims_ca and responder.may_sign
    return made_for_it and issued_by(responder, issuer)


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
