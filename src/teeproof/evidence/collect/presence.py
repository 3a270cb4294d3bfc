"""Whether this machine has a kind of attester, and if not, why, and what would give it one.

Trusts: nothing; presence says nothing about truth.  Does not trust: whoever answers at a place.
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["Presence", "missing"]


class Presence(NamedTuple):
    """What a look at this machine found of one kind of attester.

    Attributes:
        kind: what ``TEEPROOF_ATTESTER`` and ``--attester`` call it.
        what: what it is, in words.
        present: whether it can be asked.
        detail: where it is, or why it is missing; one sentence.
        remedy: what one would do to have it; empty where it is present.
    """

    kind: str
    what: str
    present: bool
    detail: str
    remedy: str = ""


def missing(kind: str, what: str, detail: str, remedy: str) -> Presence:
    """Return that a kind is missing, with the reason and the remedy."""
    return Presence(kind, what, present=False, detail=detail, remedy=remedy)
