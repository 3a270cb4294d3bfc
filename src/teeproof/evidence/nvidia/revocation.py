"""Revocation, from archived OCSP answers: signed words of the vendor about single certificates.

An answer names a certificate by its serial number and its issuer's name and key, and says good or
revoked for a span of time. It is signed by the issuer, or by a responder that the issuer certified
for OCSP. Of several answers about one certificate the latest that was
given by T counts: whoever collects answers may not choose an old one over a newer one beside it.

Source: RFC 6960.

Trusts: the issuers in a verified chain.  Does not trust: whoever collected the answers.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from teeproof.core.clock import format_time
from teeproof.core.errors import NotAuthentic
from teeproof.evidence.nvidia.certificates import Certificate
from teeproof.evidence.nvidia.issuance import issued_by, signed_by
from teeproof.evidence.nvidia.ocsp import HOLD, Answer

__all__ = ["unanswered"]


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
    if reason == HOLD:
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
    signer = _signer(answer, issuer)
    if signer is None:
        raise NotAuthentic(
            "an OCSP answer was signed by nobody who may answer for this issuer",
            code="ocsp_signature",
        )
    if not signer.not_before <= now <= signer.not_after and signer != issuer:
        raise NotAuthentic(
            f"the certificate of the responder {signer.subject} was not valid at the time "
            "in question",
            code="ocsp_responder_expired",
            expected=format_time(now),
            got=f"{format_time(signer.not_before)} to {format_time(signer.not_after)}",
        )


@lru_cache(maxsize=256)
def _signer(answer: Answer, issuer: Certificate) -> Certificate | None:
    """Return who signed an answer and may answer for this issuer; None if nobody did.

    Remembered: an answer about a family's authority is looked at for each of its GPUs.
    """
    for signer in (*(r for r in answer.responders if _may_answer(r, issuer)), issuer):
        if signed_by(signer.key, answer.signature, answer.tbs):
            return signer
    return None


def _may_answer(responder: Certificate, issuer: Certificate) -> bool:
    """Whether the issuer itself certified this responder for OCSP (RFC 6960, 4.2.2.2)."""
    made_for_it = responder.ocsp and not responder.claims_ca and responder.may_sign
    return made_for_it and issued_by(responder, issuer)
