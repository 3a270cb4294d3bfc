"""What a kind of statement claims beyond its inputs, and whether the proof itself bears it out.

Each chapter registers a judge for its predicate types. A judge sees the statement, and what else
lies in the same proof, and nothing more: no file, no network, no clock.

    @judge("urn:teeproof:dataset:v1")
    def parts_add_up(read: Read, view: View) -> Iterable[Check]: ...

Which judges there are is decided by what is imported, so whoever verifies imports all of them:
``teeproof.verify`` and the command do.

Trusts: the judges.  Does not trust: the proof; a judge that fails on it is a check that fails.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

from teeproof.core.errors import Error, Usage
from teeproof.evidence.verdict import Check, failed
from teeproof.proof.identity import IdentityRecord
from teeproof.proof.source import Read

__all__ = ["Judge", "View", "judge", "judged", "judged_types"]


class View(Protocol):
    """What a judge may look at: the content of the proof that is being verified."""

    def statement(self, name: str) -> Read | None:
        """Return a statement or receipt by its id (``sha256:…``); None if it is not here."""

    def author(self, name: str) -> bytes | None:
        """Return the identity digest of whoever said a statement (``sha256:…``)."""

    def identity(self, digest: bytes) -> IdentityRecord | None:
        """Return an identity by its digest, 32 bytes."""

    def facts(self, digest: bytes) -> Mapping[str, Any]:
        """Return what an identity's verified evidence establishes; empty where nothing does."""


Judge = Callable[[Read, View], Iterable[Check]]
"""From a statement to further checks of it."""

_JUDGES: dict[str, Judge] = {}


def judge(kind: str) -> Callable[[Judge], Judge]:
    """Return a decorator that makes a function the judge of a predicate type, or of ``aci/1``."""

    def register(function: Judge) -> Judge:
        if _JUDGES.setdefault(kind, function) is not function:
            raise Usage(f"{kind} has a judge already", code="type_taken")
        return function

    return register


def judged_types() -> tuple[str, ...]:
    """Return the types that have a judge here, sorted."""
    return tuple(sorted(_JUDGES))


def judged(read: Read, view: View) -> tuple[Check, ...]:
    """Return the further checks of one statement; none where its type has no judge."""
    function = _JUDGES.get(read.type)
    if function is None:
        return ()
    try:
        return tuple(function(read, view))
    except Error as error:
        return (
            failed(
                "claim", "claim_unreadable", f"what it claims cannot be read: {error.detail}",
                expected=error.expected, got=error.got,
            ),
        )  # fmt: skip
