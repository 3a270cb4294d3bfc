"""Open a proof file: every member in its one place and form, and none that its roots do not need.

Opening reads all statements and identities, once, and judges neither signatures nor whether
anything is missing: that is ``proof.verify``. Blobs are read when they are asked for.

Trusts: nothing; a file brings no trust with it, and has no place for any.
Does not trust: whoever wrote the file.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from pathlib import Path

from teeproof.core.digests import named
from teeproof.core.errors import Malformed, Unavailable
from teeproof.core.text import many
from teeproof.proof.file import names
from teeproof.proof.file.closure import Edge, Walk
from teeproof.proof.file.contents import Contents
from teeproof.proof.file.logpart import EntryRef, LogPart, leaf
from teeproof.proof.file.parts import read_parts
from teeproof.proof.file.sheets import Sheet, complete, require_one_author
from teeproof.proof.file.zipread import Data, FileData, MemoryData, ZipReader
from teeproof.proof.log.formats.entry import IDENTITY, RECEIPT, STATEMENT
from teeproof.proof.log.formats.merkle import Node
from teeproof.proof.source import Logged

__all__ = ["ProofFile"]


class ProofFile(Contents):
    """A proof file, as a ``source.Source``; make one with ``open`` or ``from_bytes``.

    A context manager; ``close`` it otherwise.

    Attributes:
        roots: ids of the statements that the file proves, sorted.
        statement_ids: sorted.
        identity_digests: sorted.
        blob_digests: ``sha256:…``, sorted.
        logs: what it holds of logs, sorted by origin; a log may have several parts.
    """

    def __init__(self, data: Data) -> None:
        file = ZipReader(data)
        groups = names.groups(file.members)
        super().__init__(file, groups)
        self.logs: tuple[LogPart, ...] = read_parts(groups[5], file.read)
        self._missing = self._check()

    @classmethod
    def open(cls, path: Path) -> ProofFile:
        """Open a file.

        Raises:
            Unavailable, Usage: it cannot be read, or is no regular file.
            TooLarge, Malformed: as ``from_bytes``.
        """
        data = FileData(path)
        try:
            return cls(data)
        except BaseException:
            data.close()
            raise

    @classmethod
    def from_bytes(cls, data: bytes) -> ProofFile:
        """Open the bytes of a file.

        Raises:
            TooLarge: a bound of ``ziplayout``, or of a part.
            Malformed: codes of ``ZipReader`` and ``LogPart.check``; ``proof_member_unknown``,
                ``zip_order``, ``member_mismatch``, ``not_canonical``, ``root_missing``,
                ``entry_kind_mismatch``, ``entry_author_missing``, ``receipt_authors_differ`` and
                ``proof_superfluous``; or a member cannot be parsed.
        """
        return cls(MemoryData(data))

    def close(self) -> None:
        """Close the file."""
        self._zip.close()

    def __repr__(self) -> str:
        """Name what the file proves, and how much it holds."""
        roots = ", ".join(f"{named(root)[:23]}…" for root in self.roots[:3])
        more = ", …" if len(self.roots) > 3 else ""
        held = (
            many(len(self.statement_ids), "statement"),
            many(len(self.identity_digests), "identity", "identities"),
            many(len({part.origin for part in self.logs}), "log"),
        )
        return f"ProofFile({roots}{more}; {', '.join(held)})"

    def __enter__(self) -> ProofFile:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @cached_property
    def digest(self) -> bytes:
        """SHA-256 of the file."""
        return self._zip.digest()

    def missing_edges(self) -> tuple[Edge, ...]:
        """Return what statements and identities name and the file lacks, sorted.

        Links that name no statement are no edges here, nor are identities that came before.
        """
        return self._missing

    def logged(self, statement_id: bytes) -> Logged | None:
        """Return the place with the earliest checkpoint, in the first log that has one."""
        found: list[tuple[str, int, Logged]] = []
        for part in self.logs:
            ref = part.entries.get(statement_id)
            if ref is not None:
                signed = part.covering(ref.index)[0]
                place = Logged(
                    ref.kind, ref.index, ref.salt, signed, _Nodes(self, part),
                    identity=self._author(statement_id, ref), seal=self.seals[statement_id],
                )  # fmt: skip
                found.append((part.origin, signed.checkpoint.size, place))
        return min(found, key=lambda given: given[:2])[2] if found else None

    def leaves(self, part: LogPart) -> dict[int, bytes]:
        """Return the leaf hashes that a part's entries must have, by index."""
        return {
            ref.index: leaf(ref, key, self._author(key, ref), self.seals[key])
            for key, ref in part.entries.items()
        }

    def author_of_receipt(self, key: bytes, keyset: str) -> bytes | None:
        """Return the identity that wrote a receipt: the one that its log entries name, if any."""
        for part in self.logs:
            ref = part.entries.get(key)
            if ref is not None:
                return ref.receipt_of
        return self.identity_of_keyset(keyset)

    def known(self, part: LogPart) -> dict[Node, bytes]:
        """Return all nodes that follow from a part's entries and nodes."""
        leaves = {(0, index): value for index, value in self.leaves(part).items()}
        return complete(leaves | dict(part.nodes))

    def sheets(self, keys: Iterable[bytes]) -> list[Sheet]:
        """Return what the file's logs hold of these statements and identities."""
        wanted = set(keys)
        found = []
        for part in self.logs:
            entries = {key: ref for key, ref in part.entries.items() if key in wanted}
            if entries:
                checkpoints = {signed.checkpoint.size: signed for signed in part.checkpoints}
                covered = min(ref.index for ref in entries.values())
                anchors = {anchor for anchor in part.anchors if anchor.size > covered}
                known = self.known(part)
                found.append(Sheet(part.origin, entries, checkpoints, anchors, known))
        return found

    def _author(self, key: bytes, ref: EntryRef) -> bytes:
        """Return the identity that the log entry of a statement or identity names."""
        author = self.authors.get(key, key)
        if not isinstance(author, str):
            return author
        if ref.receipt_of not in self.identities_of_keyset(author):
            raise Malformed(
                "the file has a log entry of a receipt, and not the identity that it names",
                code="entry_author_missing",
                expected=f"identity {named(ref.receipt_of)} with the keyset {author}",
                got=named(key),
            )
        return ref.receipt_of

    def _check(self) -> tuple[Edge, ...]:
        """Refuse what is not needed; return what is missing."""
        for root in self.roots:
            if root not in self._statements:
                raise Malformed("the file lacks its root", code="root_missing", got=named(root))
        walk = Walk(self)
        for _ in walk.run(self.roots):
            pass
        _superfluous("a statement", self._statements - walk.statements)
        _superfluous("an identity", self._identities - walk.identities)
        needed = walk.blobs.keys() | walk.subjects
        for digest in self.blob_digests:
            if digest not in needed:
                _superfluous("a blob", [bytes.fromhex(digest[7:])])
        require_one_author(self.logs)
        for part in self.logs:
            for key, ref in part.entries.items():
                self._check_entry(key, ref)
        here = set(self.blob_digests)
        holes = [Edge(who, "evidence", d) for d, who in walk.blobs.items() if d not in here]
        return tuple(sorted({*walk.missing, *holes}))

    def _check_entry(self, key: bytes, ref: EntryRef) -> None:
        if key in self.authors:
            kind = RECEIPT if isinstance(self.authors[key], str) else STATEMENT
        elif key in self._identities:
            kind = IDENTITY
        else:
            raise _idle("a log entry", key)
        if ref.kind != kind:
            raise Malformed(
                "a log entry is of another kind than the statement or identity that it names",
                code="entry_kind_mismatch",
                expected=str(kind),
                got=f"{ref.kind}, of {named(key)}",
            )
        self._author(key, ref)


class _Nodes:
    """The nodes that a file knows of a log; worked out when the first one is asked for."""

    def __init__(self, file: ProofFile, part: LogPart) -> None:
        self._file, self._part = file, part

    @cached_property
    def _known(self) -> dict[Node, bytes]:
        return self._file.known(self._part)

    def __call__(self, level: int, index: int) -> bytes:
        try:
            return self._known[level, index]
        except KeyError:
            raise Unavailable(
                "the proof file does not know this node: ask the log",
                code="nodes_unknown",
                got=f"node {index} of level {level}",
            ) from None


def _superfluous(what: str, keys: Iterable[bytes]) -> None:
    for key in sorted(keys):
        raise _idle(what, key)


def _idle(what: str, key: bytes) -> Malformed:
    return Malformed(
        f"the proof file holds {what} that its roots do not need",
        code="proof_superfluous",
        got=named(key),
    )
