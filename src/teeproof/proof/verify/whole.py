"""Checks of a proof as a whole: is anything missing, was anything made of itself, who follows whom.

Nothing is inherited from an identity, so whether one follows another fails nothing. One that handed
over to two is told: its workload may have tried twice, or there may be two of it.

Trusts: nothing.  Does not trust: the proof.
"""

from __future__ import annotations

from collections import Counter

from teeproof.core.digests import named
from teeproof.evidence.verdict import Check, failed, not_checked, passed
from teeproof.proof.file import ProofFile
from teeproof.proof.verify.closure import Closure

__all__ = ["whole_checks"]

_ROTATION = "urn:teeproof:rotation:v1"


def whole_checks(
    proof: ProofFile, closure: Closure, cyclic: tuple[bytes, ...]
) -> tuple[Check, ...]:
    """Return ``closure``, ``acyclic`` and ``rotation``; ``cyclic`` are statements on a cycle."""
    return _closure(proof), _acyclic(cyclic), _rotation(closure)


def _closure(proof: ProofFile) -> Check:
    missing = proof.missing_edges()
    if missing:  # each hole fails a check where it is
        first = f"{missing[0].role} {missing[0].parent}"
        detail = "parts of the proof are missing: the checks that failed say which"
        return not_checked("closure", detail, got=f"{len(missing)} missing, such as {first}")
    many = (
        f"{len(proof.roots)} statements and all"
        if len(proof.roots) > 1
        else "one statement and all"
    )
    return passed("closure", f"{many} that it was made of, as far as statements say")


def _acyclic(cyclic: tuple[bytes, ...]) -> Check:
    if not cyclic:
        return passed("acyclic", "no statement was made of itself")
    return failed(
        "acyclic",
        "cycle",
        "these statements were, through each other, made of themselves: at least one lies about its"
        " inputs, or does not say which statement made them",
        got=", ".join(named(one) for one in cyclic[:4]),
    )


def _rotation(closure: Closure) -> Check:
    """Whether each identity that claims to follow another is claimed by that one too."""
    claims = {
        digest: record.keys.previous
        for digest, record in closure.identities.items()
        if record.keys.previous is not None
    }
    if not claims:
        return not_checked("rotation", "no identity claims to follow another")
    confirmed = {
        digest: before
        for digest, before in claims.items()
        if _confirmed(closure, named(digest), before)
    }
    twice = [before for before, count in Counter(confirmed.values()).items() if count > 1]
    if twice:
        followers = [f"{named(d)[:19]}…" for d, before in confirmed.items() if before == twice[0]]
        return not_checked(
            "rotation",
            "an identity named two that follow it: its workload handed over twice, or there are two"
            " of it; nothing is inherited",
            got=f"{', '.join(followers[:3])} after {twice[0][:19]}…",
        )
    unconfirmed = [
        f"{named(digest)[:19]}… after {before[:19]}…"
        for digest, before in claims.items()
        if digest not in confirmed
    ]
    if unconfirmed:
        return not_checked(
            "rotation",
            "an identity claims to follow another, which does not say so here: nothing is"
            " inherited",
            got=", ".join(unconfirmed[:3]),
        )
    return passed("rotation", "each identity that follows another was named by it")


def _confirmed(closure: Closure, identity: str, before: str) -> bool:
    return any(
        kept.type == _ROTATION
        and kept.author is not None
        and named(kept.author) == before
        and all(check.state != "failed" for check in kept.checks)
        for one in closure.producers(identity)
        for kept in (closure.statements[one],)
    )
