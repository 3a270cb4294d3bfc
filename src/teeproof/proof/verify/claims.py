"""What a kind of statement claims beyond its inputs, and whether the proof itself bears it out.

Each chapter registers a judge for its predicate types. A judge sees the statement, and what else
lies in the same proof, and nothing more: no file, no network, no clock.

    @judge("urn:teeproof:dataset:v1")
    def parts_add_up(read: Read, view: View) -> Iterable[Check]: ...

Which judges there are is decided by what is imported, so whoever verifies imports all of them:
``teeproof.verify`` and the command do.

What a statement was made of may be missing in two ways, and judges tell them apart. It names a
statement that the proof lacks (``lacks``): the judge's check is *not checked*, since ``inputs``
fails on it, and another proof may have it. It names none, or one of another kind: the check fails,
or a forger would leave out what convicts him.

Trusts: the judges.  Does not trust: the proof; a judge that fails on it is a check that fails.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

from teeproof.core.digests import named
from teeproof.core.errors import Error, Usage
from teeproof.evidence.verdict import Check, failed
from teeproof.proof.identity import IdentityRecord
from teeproof.proof.links import Link
from teeproof.proof.source import Read

__all__ = ["Judge", "View", "code_of", "judge", "judged", "judged_types", "lacks"]

# A fault in a judge, found by the statement that it judges. What only this machine lacks (memory,
# a library) is none of the proof's, and goes on as it is.
_UNFORESEEN = (
    ArithmeticError, AssertionError, AttributeError, LookupError, RuntimeError, TypeError,
    ValueError,
)  # fmt: skip


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
    except _UNFORESEEN as error:  # whoever wrote the statement must not be able to end the verifier
        return (
            failed(
                "claim",
                "claim_unreadable",
                "what it claims cannot be read: this verifier failed on it, which is a fault of the"
                " verifier too; please report it",
                got=repr(error)[:300],
            ),
        )


def code_of(facts: Mapping[str, Any]) -> str | None:
    """Return the compose hash, hex, of the code that a machine is shown to run, if it is shown.

    Where facts hold and show none, the machine is not shown to run what a statement says it does:
    that fails, or a forger would take a machine whose evidence names no code.
    """
    found = (facts.get("application") or {}).get("compose_hash")
    return found if isinstance(found, str) and found else None


def lacks(view: View, link: Link | None) -> bool:
    """Return whether an input names a statement that the proof lacks; ``inputs`` fails on it."""
    if link is None or link.statement is None:
        return False
    return view.statement(named(link.statement)) is None
