"""Several statements of a log, verified together: one proof over all that they rest on.

What came of it is kept for a minute, a bounded number.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from teeproof.core.digests import parse_named
from teeproof.evidence.verdict import Check, Concern
from teeproof.explorer.log.content import Book
from teeproof.explorer.log.kept import VERDICT, Kept
from teeproof.proof.file import ProofFile
from teeproof.proof.identity import IdentityRecord
from teeproof.proof.source import Read, read_record
from teeproof.proof.verify import ProofVerdict, verify_proof

__all__ = ["Together", "Verifying", "failed_below", "signed_of"]

_KEPT = 32
_GRAVEST: tuple[Concern, ...] = ("authenticity", "availability", "policy")


@dataclass(frozen=True, slots=True, kw_only=True)
class Together:
    """What came of some statements.

    Attributes:
        verdict: on all of them.
        reads: each statement of the proof, by its id in hex.
        at: the verifier's own time.
    """

    verdict: ProofVerdict
    reads: dict[str, Read]
    at: datetime

    def objection(self, statement: str) -> Concern | None:
        """Return the gravest reason not to believe a statement (hex), its inputs, or a log."""
        found = {check.concern for check in failed_below(self.verdict, f"sha256:{statement}")}
        return next((concern for concern in _GRAVEST if concern in found), None)


def failed_below(verdict: ProofVerdict, statement: str) -> list[Check]:
    """Return what failed of a statement (``sha256:…``), of all that it rests on, and of the logs.

    A log that shows two histories spoils whatever rests on it, though no statement's check says so;
    so do statements that were made of themselves, but only for what was made of them.
    """
    by_id = {one.id: one for one in verdict.statements}
    people = {one.id: one for one in verdict.identities}
    found = [fault.check for fault in verdict.faults if fault.where == "log"]
    waiting, seen = [statement], dict[str, tuple[str, ...]]()
    while waiting:
        one = by_id.get(waiting.pop())
        if one is None or one.id in seen:
            continue
        seen[one.id] = one.inputs
        waiting += one.inputs
        found += [check for check in one.checks if check.state == "failed"]
        if one.author in people:
            found += people[one.author].failures
    whole = [fault.check for fault in verdict.faults if fault.where == "proof"]
    return found + (whole if whole and _goes_round(seen) else [])


def _goes_round(inputs: Mapping[str, Sequence[str]]) -> bool:
    """Whether some of these statements were, through each other, made of themselves."""
    users: dict[str, list[str]] = {}
    left = {one: len({each for each in below if each in inputs}) for one, below in inputs.items()}
    for one, below in inputs.items():
        for each in set(below) & inputs.keys():
            users.setdefault(each, []).append(one)
    ready = [one for one, count in left.items() if not count]
    for one in ready:  # it grows
        for user in users.get(one, ()):
            left[user] -= 1
            if not left[user]:
                ready.append(user)
    return len(ready) < len(inputs)


class Verifying:
    """Verifies statements of a log together.

    Args:
        book: the log.
    """

    def __init__(self, book: Book) -> None:
        self._book = book
        self._known: dict[Any, Any] = {}  # identities are judged once for all
        self._kept: Kept[tuple[tuple[str, ...], Any], Together] = Kept(most=_KEPT, seconds=VERDICT)

    def of(self, statements: Sequence[str]) -> Together:
        """Return what came of statements by their ids in hex.

        Raises:
            Unavailable: the log does not hold one (``statement_unknown``).
        """
        book, now = self._book, self._book.now()
        key = tuple(statements), book.state()
        kept = self._kept.get(key, now.timestamp())
        if kept is not None:
            return kept
        data = book.proof(*(bytes.fromhex(one) for one in statements))
        with ProofFile.from_bytes(data) as proof:
            verdict = verify_proof(proof, now=now, trust=book.trust, known=self._known)
            ids = (parse_named(one.id) for one in verdict.statements)
            reads = {one.hex(): read for one in ids if (read := proof.read(one)) is not None}
        made = Together(verdict=verdict, reads=reads, at=now)
        self._kept.put(key, made, now.timestamp())
        return made


def signed_of(book: Book, statements: Sequence[str], *, most: int) -> list[str]:
    """Return the first of these statements (ids in hex) that are signed by whom they name.

    Whoever may write to a log may write in anybody's name; this is the cheap part of a verdict, to
    find what is worth the whole of it.
    """
    found: list[str] = []
    with book.opened() as contents:

        def person(name: bytes | str) -> IdentityRecord | None:
            digest = contents.identity_of_keyset(name) if isinstance(name, str) else name
            record = None if digest is None else contents.identity(digest)
            return None if record is None else IdentityRecord.parse(record)

        for one in statements:
            record = contents.statement(bytes.fromhex(one))
            if record is not None and read_record(record).is_signed(person):
                found.append(one)
            if len(found) == most:
                break
    return found
