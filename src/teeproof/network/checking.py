"""What the judges of this chapter share: how a statement, its parents and a difference are read.

Trusts: nothing.  Does not trust: the proof.
"""

from __future__ import annotations

from typing import Any, TypeVar

from teeproof.core.digests import named
from teeproof.core.errors import Malformed
from teeproof.evidence.verdict import Check, failed, not_checked, passed
from teeproof.network.leases import digest_of
from teeproof.proof.links import Link
from teeproof.proof.source import Read
from teeproof.proof.verify.claims import View, code_of, lacks

__all__ = ["is_missing", "maybe", "of_role", "said", "same", "same_market", "subject"]

T = TypeVar("T")


def said(read: Read, kind: type[T]) -> T:
    """Return a statement's predicate; Malformed if it is of another kind."""
    found = maybe(read, kind)
    if found is None:
        raise Malformed("this is not the statement that it should be", expected=kind.__name__)
    return found


def maybe(read: Read | None, kind: type[T]) -> T | None:
    """Return a statement's predicate; None if there is no statement, or it is of another kind."""
    predicate = read.statement.predicate if read is not None and read.statement else None
    return predicate if isinstance(predicate, kind) else None


def of_role(read: Read | None, view: View, role: str) -> Read | None:
    """Return the statement that made an input of this role, if it is in the proof."""
    link = _link(read, role)
    if link is None or link.statement is None:
        return None
    return view.statement(named(link.statement))


def is_missing(read: Read, view: View, *roles: str) -> bool:
    """Return whether the proof lacks a statement on the way by these roles, each of which is named.

    If not, and nothing of the right kind stands at its end, it was never named.
    """
    step: Read | None = read
    for role in roles:
        if lacks(view, _link(step, role)):
            return True
        step = of_role(step, view, role)
    return False


def same(name: str, detail: str, expected: Any, got: Any) -> Check:
    """Return the check that two things are equal; ``detail`` says what holds then."""
    if expected == got:
        return passed(name, detail)
    code = name.replace("-", "_") + "_differs"
    texts = (str(expected)[:400], str(got)[:400])
    return failed(name, code, f"it does not hold that {detail}", expected=texts[0], got=texts[1])


def subject(read: Read, document: Any) -> Check:
    """Return the check that a statement speaks of the document in it, and of nothing else."""
    made = [one.sha256 for one in read.subjects]
    return same("subject", "its subject is the document in it", [digest_of(document)], made)


def same_market(read: Read, parent: Read, view: View) -> Check:
    """Return the check that the same market said both: the same code, as keys change by the start.

    Where the evidence names no code, only the same identity is the same.
    """
    codes = [_code_behind(one, view) for one in (parent, read)]
    if None in codes:
        return not_checked("market", "nothing here is established about the market's machine")
    return same("market", "the same code said this and what it was made of", *codes)


def _code_behind(read: Read, view: View) -> str | None:
    """Return which code said something; the identity, if its evidence names no code."""
    author = view.author(named(read.id))
    facts = {} if author is None else view.facts(author)
    if author is None or not facts:
        return None
    return code_of(facts) or f"code that {named(author)} does not name"


def _link(read: Read | None, role: str) -> Link | None:
    links = () if read is None else read.links
    return next((link for link in links if link.role == role), None)
