"""Whether a node is admitted: its claim, held against what its evidence establishes and the terms.

    tee=sim       a simulator that the terms name vouches for the machine: it proves nothing
    tee=cpu       the processor's vendor vouches for it, and its memory is closed to its host
    tee=cpu+gpu   and the GPUs' vendor for each GPU that it claims, as reports for its quote show
    tee=none      nothing holds; such a node is refused

``decide`` is a pure function of claim, facts and terms, so whoever reads the decision can make it
again. What only the market can know (that a challenge is fresh, that the machine is not listed
already) is added by the market, and marked so.

Trusts: the facts, which a verifier made; the terms.  Does not trust: the claim.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from teeproof.network.claim import NodeClaim
from teeproof.network.forms import money, several
from teeproof.network.gpus import doubts
from teeproof.network.orders import Tee
from teeproof.network.terms import Terms
from teeproof.proof.links import Integer

__all__ = ["MARKETS_WORD", "Decision", "Reason", "decide", "label_of", "machine_of", "objections"]

MARKETS_WORD = frozenset(
    {
        "challenge_unknown",
        "machine_listed",
        "name_listed",
        "machine_changed",
        "evidence_refused",
        "gpu_listed",
    }
)
"""Reasons that rest on what the market knew or how it verified: nobody else can find them anew."""


class Reason(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True
):
    """Why a node was refused.

    Attributes:
        code: for programs, ``snake_case``.
        detail: for people: what is wrong.
        expected: what would have been right.
        got: what was found.
    """

    code: str
    detail: str
    expected: str = ""
    got: str = ""


class Decision(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True
):
    """What the market decided about one claim.

    Attributes:
        claim: ``sha256:…`` of the claim.
        identity: who made it, ``sha256:…``.
        node: the identity that the node was first admitted as; its name in the market for good.
        admitted: whether its offer counts.
        tee: what vouches for it.
        machine: ``sha256:…`` of the platform's id; None where the evidence names no platform.
        gpus: what stands for each GPU that the evidence shows, ``sha256:…``, sorted; of all that
            are admitted at one time, none has another's.
        challenge: the market's nonce that the evidence answers, hex.
        reasons: why it was refused, all of them; empty if it was not.
        at: when, by the market's clock, seconds since 1970.
        until: until when the evidence counts as fresh; ``at`` if it was refused.
        sequence: the number of this change in the market's ledger.
    """

    claim: str
    identity: str
    node: str
    admitted: bool
    tee: Tee
    machine: str | None = None
    gpus: tuple[str, ...] = ()
    challenge: str
    reasons: tuple[Reason, ...] = ()
    at: Integer
    until: Integer
    sequence: Integer


def decide(
    claim: NodeClaim, *, facts: Mapping[str, Any], terms: Terms, further: Iterable[Reason] = ()
) -> tuple[bool, Tee, tuple[Reason, ...]]:
    """Return whether the node is admitted, its label, and every reason against it.

    Args:
        claim: what the node says; its form was checked.
        facts: what its verified evidence establishes (``Verdict.facts``); empty where nothing does.
        terms: the market's.
        further: reasons that only the market can know.
    """
    label = label_of(facts, terms)
    of_gpus = tuple(
        Reason(code=code, detail=detail, expected=expected, got=got)
        for code, detail, expected, got in doubts(claim, facts)
    )
    label, more = _with_gpus(label, claim, facts) if not of_gpus else (label, ())
    evident = _of_evidence(facts, label, terms)
    reasons = (*of_gpus, *more, *objections(claim, terms), *evident, *further)
    return not reasons, label, reasons


def _with_gpus(
    label: Tee, claim: NodeClaim, facts: Mapping[str, Any]
) -> tuple[Tee, tuple[Reason, ...]]:
    """Return what vouches for a machine and for the GPUs that it claims and that are proven."""
    if label != "cpu" or not claim.hardware.gpus:
        return label, ()
    if all(device["level"] == "hardware" for device in facts["gpus"]["devices"]):
        return "cpu+gpu", ()
    return label, (
        Reason(
            code="gpu_simulated",
            detail="a vendor vouches for the processor, and a simulator for the GPUs",
            expected="GPUs that their vendor vouches for",
            got="simulated",
        ),
    )


def label_of(facts: Mapping[str, Any], terms: Terms) -> Tee:
    """Return what vouches for a machine with these facts."""
    root = facts.get("root")
    if root in terms.simulated_roots:
        return "sim"
    opened = any(facts.get(name) is not False for name in ("debug", "migratable", "service_td"))
    return "cpu" if root in terms.roots and not opened else "none"


def machine_of(facts: Mapping[str, Any]) -> str | None:
    """Return ``sha256:…`` that names the platform; the id itself is never shown."""
    platform = facts.get("platform")
    found = platform.get("id") if isinstance(platform, Mapping) else None
    return found if isinstance(found, str) else None


def objections(claim: NodeClaim, terms: Terms) -> tuple[Reason, ...]:
    """Return what speaks against a claim whatever the evidence says."""
    found = []
    if money(claim.price, "price") > money(terms.greatest_price, "greatest price"):
        found.append(
            Reason(
                code="price_too_high",
                detail="asks for more than this market allows",
                expected=f"at most {terms.greatest_price} micro-units a second",
                got=claim.price,
            )
        )
    return tuple(found)


def _of_evidence(facts: Mapping[str, Any], label: Tee, terms: Terms) -> tuple[Reason, ...]:
    if label == "none":
        known = several((*terms.roots, *terms.simulated_roots))
        return (
            Reason(
                code="machine_not_vouched_for",
                detail="nobody whom the terms trust vouches for a machine closed to its host",
                expected=f"evidence under {known}"[:300],
                got=str(facts.get("root", "no evidence that holds")),
            ),
        )
    if machine_of(facts) is None:
        return (
            Reason(
                code="machine_unnamed",
                detail="the evidence names no platform, so one machine could be listed twice",
                expected="evidence with a platform's certificate",
                got="none",
            ),
        )
    return ()
