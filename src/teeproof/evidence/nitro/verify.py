"""Verify a Nitro document at a time T: from the pinned root down to every byte of the payload.

The checks, in reading order:

    nitro-format                              what the bytes say they are
    nitro-certificates, root, nitro-chain     whom we believe
    nitro-revocation                          what nobody can tell
    certificate-dates, nitro-time             whether all that holds at T
    nitro-signature                           the document is what that key signed

T is the caller's. The leaf lives some three hours, so an archived document holds only as of a T at
which it was fresh: one from a log or a block, or, failing that, the document's own time, which is
the word of AWS's hypervisor and of nobody else.

Trusts: the pinned roots, this code.  Does not trust: the parent instance, network, operator.
"""

from __future__ import annotations

from dataclasses import dataclass

from teeproof.core.clock import format_time
from teeproof.core.errors import NotAuthentic
from teeproof.evidence import cose
from teeproof.evidence.dates import Window, check_dates
from teeproof.evidence.nitro import chain as path
from teeproof.evidence.nitro.certificates import Certificate
from teeproof.evidence.nitro.document import NitroDocument
from teeproof.evidence.nitro.facts import NitroFacts, evidence_identity
from teeproof.evidence.steps import Steps
from teeproof.evidence.verdict import Check, passed

__all__ = ["CLOCK_SKEW_SECONDS", "Verification", "verify"]

CLOCK_SKEW_SECONDS = 300  # between the hypervisor's clock and whoever chose T


@dataclass(frozen=True, slots=True)
class Verification:
    """What verification found.

    Attributes:
        checks: in reading order.
        facts: None if a check of authenticity failed.
        evidence_id: the evidence's identity.
        root: fingerprint of the root that the chain begins with; None if it is not trusted.
        root_der: that root's certificate.
    """

    checks: tuple[Check, ...]
    facts: NitroFacts | None
    evidence_id: str
    root: str | None
    root_der: bytes | None


def verify(document: NitroDocument, *, roots: frozenset[str], now: int) -> Verification:
    """Return the checks and, if all held, the facts.

    Args:
        document: a parsed document.
        roots: fingerprints (``sha256:…``) of AWS's root keys; ``chain.AWS_NITRO_ROOT`` is one.
        now: the T to verify at, seconds since 1970.
    """
    steps = Steps([passed("nitro-format", "a Nitro attestation document, COSE_Sign1 with ES384")])
    chain = steps.attempt("nitro-certificates", lambda: path.parse_chain(document))
    level = root = holds = None
    if chain is None:
        steps.skip("root", "the certificates could not be read")
    else:
        level = steps.attempt("root", lambda: path.check_root(chain[0], roots))
    if chain is None or level is None:
        steps.skip("nitro-chain", "there is no root that is trusted")
    else:
        root = chain[0]
        holds = steps.attempt("nitro-chain", lambda: path.check_path(chain))
    steps.skip("nitro-revocation", "AWS's procedure for Nitro uses no revocation lists")
    windows = path.windows(chain) if chain and holds else []
    steps.checks.append(check_dates("certificate-dates", windows, now))
    if windows:
        steps.attempt("nitro-time", lambda: _time(document, windows, now))
    else:
        steps.skip("nitro-time", "there is no chain that holds")
    if chain and holds:
        leaf = chain[-1]
        steps.attempt("nitro-signature", lambda: _signature(document, leaf))
    else:
        steps.skip("nitro-signature", "there is no key that anybody vouches for")
    evidence_id = evidence_identity(document)
    facts = None
    if root and level and steps.held:
        facts = NitroFacts(
            evidence_id=evidence_id, level=level, root=root.fingerprint, document=document
        )
    return Verification(
        checks=tuple(steps.checks),
        facts=facts,
        evidence_id=evidence_id,
        root=root.fingerprint if root else None,
        root_der=root.der if root else None,
    )


def _time(document: NitroDocument, windows: list[Window], now: int) -> tuple[str, bool]:
    """Check the document's own time against the certificates, and against T."""
    own = document.seconds
    for window in windows:
        if not window.begins <= own <= window.ends:
            raise NotAuthentic(
                f"by its own time the document was signed while the {window.what} was not in force",
                code="nitro_time_outside",
                expected=f"{format_time(window.begins)} to {format_time(window.ends)}",
                got=format_time(own),
            )
    if own > now + CLOCK_SKEW_SECONDS:
        raise NotAuthentic(
            "by its own time the document was made after the time in question: check T (--at)",
            code="nitro_time_after",
            expected=f"not after {format_time(now)}",
            got=format_time(own),
        )
    return (
        f"made at {format_time(own)} by the machine's clock, verified as of {format_time(now)}",
        True,
    )


def _signature(document: NitroDocument, leaf: Certificate) -> tuple[str, bool]:
    cose.require_signature(
        document.message,
        leaf.key,
        what="the certified key did not sign this document",
        code="nitro_signature",
    )
    return "the certified key signed the whole document", True
