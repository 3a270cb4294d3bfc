"""What the pages show of an identity: its record, the verdict on it, its evidence as files.

A page costs the verification of one machine's evidence; those of the last minute are kept, a
bounded number.
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from teeproof.core.errors import Error
from teeproof.evidence.record import Evidence
from teeproof.explorer.desk import Desk, LaidOut
from teeproof.explorer.log.content import Book
from teeproof.explorer.log.kept import VERDICT, Kept
from teeproof.explorer.machines.code import Code, code_of
from teeproof.explorer.telling.identity import found_code
from teeproof.proof.identity import IdentityRecord
from teeproof.proof.verify import IdentityVerdict
from teeproof.proof.verify.alone import verify_identity

__all__ = ["MachinePage", "Machines", "packed"]

_KEPT = 64  # pages


@dataclass(frozen=True, slots=True, kw_only=True)
class MachinePage:
    """One identity.

    Attributes:
        record: keys and the name of the evidence.
        verdict: on it.
        at: the verifier's own time.
        laid_out: its evidence as files, and what each claims; None where nobody reads files here.
        problem: why its evidence could not be laid out; None if it was.
        code: its application; None unless its machine measured that very compose file.
    """

    record: IdentityRecord
    verdict: IdentityVerdict
    at: datetime
    laid_out: LaidOut | None
    problem: str | None
    code: Code | None

    @property
    def folder(self) -> str:
        """What the folder with its evidence is called."""
        return folder_of(self.record)


class Machines:
    """The identities of a log.

    Args:
        book: the log.
        desk: lays evidence out; None for an explorer that reads no files.
    """

    def __init__(self, book: Book, desk: Desk | None) -> None:
        self._book, self._desk = book, desk
        self._known: dict[Any, Any] = {}
        self._pages: Kept[tuple[bytes, Any], MachinePage] = Kept(most=_KEPT, seconds=VERDICT)

    def page(self, digest: bytes) -> MachinePage:
        """Return what is known of an identity.

        Raises:
            Unavailable: the log does not hold it (``identity_unknown``).
        """
        book, now = self._book, self._book.now()
        key = digest, book.state()
        kept = self._pages.get(key, now.timestamp())
        if kept is not None:
            return kept
        with book.opened(accept=book.trust.accepting(now)) as contents:
            verdict = verify_identity(
                contents, digest, now=now, trust=book.trust, known=self._known
            )
            record = IdentityRecord.parse(contents.identity(digest) or b"")
            page = self._made(record, verdict, contents.log.blob, now)
        self._pages.put(key, page, now.timestamp())
        return page

    def _made(
        self, record: IdentityRecord, verdict: IdentityVerdict, blob: Callable[[str], bytes],
        now: datetime,
    ) -> MachinePage:  # fmt: skip
        laid_out, problem, code = None, None, None
        try:
            evidence = record.evidence(blob)
            code = _measured(evidence, verdict)
            if self._desk is not None:
                simulated = verdict.evidence is not None and verdict.evidence.level == "simulated"
                laid_out = self._desk.lay_out(
                    evidence, identity=record.encode(), folder=folder_of(record),
                    at=verdict.time if verdict.timed else None, simulated=simulated,
                )  # fmt: skip
        except Error as error:
            problem = error.detail
        return MachinePage(
            record=record, verdict=verdict, at=now, laid_out=laid_out, problem=problem, code=code
        )


def _measured(evidence: Evidence, verdict: IdentityVerdict) -> Code | None:
    """Return the application whose compose file the verified evidence names by its hash."""
    found = found_code(verdict.evidence)
    if evidence.compose is None or found is None:
        return None
    code = code_of(evidence.compose)
    return code if found == ("compose_hash", code.hash) else None


def folder_of(record: IdentityRecord) -> str:
    """Return what the folder with an identity's evidence is called."""
    return f"identity-{record.digest.hex()[:16]}"


def packed(files: Mapping[str, bytes], *, folder: str) -> bytes:
    """Return files as one tar archive with a folder in it: the same bytes for the same files."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, data in files.items():
            entry = tarfile.TarInfo(f"{folder}/{name}")
            entry.size, entry.mode = len(data), 0o644
            archive.addfile(entry, io.BytesIO(data))
    return stream.getvalue()
