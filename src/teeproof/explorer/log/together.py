"""Several statements of a log, verified together: one proof over all that they rest on.

What came of it is kept for a minute, a bounded number.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from teeproof.core.digests import parse_named
from teeproof.evidence.verdict import Concern
from teeproof.explorer.log.content import Book
from teeproof.explorer.log.kept import VERDICT, Kept
from teeproof.proof.file import ProofFile
from teeproof.proof.identity import IdentityRecord
from teeproof.proof.source import Read, read_record
from teeproof.proof.verify import ProofVerdict, verify_proof

__all__ = ["Together", "Verifying", "signed_of"]

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
        by_id = {one.id: one for one in self.verdict.statements}
        people = {one.id: one for one in self.verdict.identities}
        found: set[Concern | None] = {
            fault.check.concern for fault in self.verdict.faults if fault.where == "log"
        }
        waiting, seen = [f"sha256:{statement}"], set[str]()
        while waiting:
            one = by_id.get(waiting.pop())
            if one is None or one.id in seen:
                continue
            seen.add(one.id)
            waiting += one.inputs
            found |= {check.concern for check in one.checks if check.state == "failed"}
            if one.author in people:
                found.add(people[one.author].objection)
        return next((concern for concern in _GRAVEST if concern in found), None)


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
