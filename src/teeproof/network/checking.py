"""What the judges of this chapter share: how a statement, its parents and a difference are read.

Trusts: nothing.  Does not trust: the proof.
"""

from __future__ import annotations

from typing import Any, TypeVar

from teeproof.core.digests import named
from teeproof.core.errors import Malformed
from teeproof.evidence.verdict import Check, failed, passed
from teeproof.network.leases import digest_of
from teeproof.proof.source import Read
from teeproof.proof.verify.claims import View

__all__ = ["maybe", "of_role", "said", "same", "subject"]

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
    if read is None:
        return None
    made = next((link.statement for link in read.links if link.role == role), None)
    return None if made is None else view.statement(named(made))


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
