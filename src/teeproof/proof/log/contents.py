"""A log's directory as a source of statements: by id, by what they made, by keyset.

The log itself finds entries by id and by author. Which statement made a digest, and whose keyset
one is, stands in ``links.db`` beside it: SQLite, derived from the records and from nothing else,
brought up to date when it is asked, and made anew where it is missing.

Trusts: nothing; a record is held against its id by whoever reads it.  Does not trust: the index.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping

from teeproof.core.digests import parse_named
from teeproof.core.errors import TooLarge, Unavailable
from teeproof.proof.identity import IdentityRecord
from teeproof.proof.log import admission
from teeproof.proof.log.choice import Choice
from teeproof.proof.log.formats.checkpoint import Accept, SignedCheckpoint
from teeproof.proof.log.formats.entry import IDENTITY
from teeproof.proof.log.links import Links, Progress, broken
from teeproof.proof.log.storage.items import Appended
from teeproof.proof.log.storage.log import Log
from teeproof.proof.log.storage.stored import Stored
from teeproof.proof.source import Logged

__all__ = ["Contents"]

_MOST_REMEMBERED = 65_536
_MOST_REFUSED = 512  # checkpoints that do not count, of which signatures are verified


class Contents:
    """What a log holds, as ``source.Source``.

    Args:
        log: an open log.
        accept: which checkpoints count when the first one that covers an entry is looked for, of
            those that not the log alone signed; where none does, the first of all is taken.
        makers: how many statements that claim to have made one thing are judged; None for all.
        progress: called with entries read and entries in all, while the index is brought up to
            date.
        hands: how many processes may do that, where much is missing (``crew.hands()``); else none
            is started.
    """

    def __init__(
        self,
        log: Log,
        *,
        accept: Accept | None = None,
        makers: int | None = None,
        progress: Progress | None = None,
        hands: int = 1,
    ) -> None:
        self.log, self._most = log, makers
        self._owners: dict[str, bytes] = {}  # by keyset, read from their records
        self._links = Links(log, progress=progress, hands=hands)
        self._choice = Choice(log, self.identity_of_keyset)
        self._makers: dict[str, tuple[int, list[bytes]]] = {}
        self._first = _First(log, accept) if accept is not None else log.first_checkpoint

    def close(self) -> None:
        """Close the index; the log stays open."""
        self._links.close()

    @property
    def behind(self) -> int:
        """How many entries are not in the index yet; whoever asks for what it holds reads them."""
        return self._links.behind

    def follow(self) -> None:
        """Bring the index up to date; Unavailable (``log_index``) if it cannot be used."""
        self._links.follow()

    def add_identity(self, data: bytes, blobs: Mapping[str, bytes]) -> bytes:
        """Append an identity record, its evidence first; return its digest.

        Raises:
            Malformed, TooLarge: it is no record.
            Usage, Unavailable: the log is open for reading only, or did not take it.
        """
        record = IdentityRecord.parse(data)
        for blob in blobs.values():
            self.log.put_blob(blob)
        self._append(IDENTITY, record.digest, record.digest, record.seal, data)
        return record.digest

    def add_statement(self, data: bytes) -> bytes:
        """Append an envelope or a receipt; return its id.

        Raises:
            Malformed, TooLarge: it is neither.
            Unavailable: nobody knows the receipt's author (``identity_unknown``).
            Usage, Unavailable: the log is open for reading only, or did not take it.
        """
        record = admission.read_record(data, identity_of_keyset=self.identity_of_keyset)
        self._append(record.kind, record.id, record.identity, record.seal, data)
        return record.id

    def publish(self) -> None:
        """Publish, if something waits to be."""
        if self.log.size > self.log.published_size:
            self.log.publish()

    def _append(self, kind: int, name: bytes, identity: bytes, seal: bytes, data: bytes) -> None:
        self.log.append(kind=kind, statement_id=name, identity=identity, seal=seal, record=data)

    def statement(self, statement_id: bytes) -> bytes | None:
        """Return an envelope or a receipt; None if the log has none, or an identity, by this id."""
        found = self._stored(statement_id)
        return None if found is None or found.kind == IDENTITY else found.record

    def identity(self, digest: bytes) -> bytes | None:
        """Return an identity record."""
        found = self._stored(digest)
        return None if found is None or found.kind != IDENTITY else found.record

    def identity_of_keyset(self, keyset_digest: str) -> bytes | None:
        """Return the digest of the first identity in the log with this keyset.

        A receipt is entered under what this returns, so the index is held against the record.

        Raises:
            Unavailable: the index names an identity with another keyset (``log_index``).
        """
        if keyset_digest in self._owners:
            return self._owners[keyset_digest]
        for identity in self._links.owners(parse_named(keyset_digest)):
            record = self.identity(identity)
            if record is None or IdentityRecord.parse(record).keyset_digest != keyset_digest:
                raise broken("it names an identity with another keyset")
            self._owners[keyset_digest] = identity
            return identity
        return None

    def blob(self, digest: str) -> bytes | None:
        """Return bytes that lie beside the log; NotAuthentic if they were changed."""
        try:
            return self.log.blob(digest)
        except Unavailable:
            return None

    def producers(self, digest: str) -> Iterable[bytes]:
        """Return the ids of the statements that made this ``sha256:…``, as their authors signed.

        Anybody who may append can claim to have made it: what is not signed is passed over.

        Raises:
            TooLarge: more signed claims than are judged (``makers``).
        """
        size, known = self.log.size, self._makers.get(digest)
        if known is not None and known[0] == size:
            return known[1]
        claimed = self._links.makers(parse_named(digest))
        if self._most is not None and len(claimed) > self._most:
            raise TooLarge(
                "more statements claim to have made this than a page judges: ask the command"
                " teeproof verify",
                expected=f"at most {self._most}", got=f"{len(claimed)}",
            )  # fmt: skip
        made = [one for one in claimed if self._choice.is_made(one)]
        if claimed:
            if len(self._makers) >= _MOST_REMEMBERED:
                self._makers.clear()
            self._makers[digest] = size, made
        return made

    def statements(self) -> Iterator[bytes]:
        """Return the ids of all statements and receipts, in the log's order."""
        return (found.statement_id for found in self.log.iterate() if found.kind != IDENTITY)

    def identities(self) -> Iterator[bytes]:
        """Return the digests of all identities, in the log's order."""
        return (found.statement_id for found in self.log.iterate() if found.kind == IDENTITY)

    def placed(self, statement_id: bytes) -> Appended | None:
        """Return where a statement stands: the first entry that holds; else the best there is."""
        found = self._choice.found(statement_id)
        return None if found is None else Appended(found[0], found[1].salt)

    def logged(self, statement_id: bytes) -> Logged | None:
        """Return the place of an entry, under the first checkpoint that counts."""
        found = self._choice.found(statement_id)
        if found is None or found[0] >= self.log.published_size:
            return None
        index, entry = found
        checkpoint = self._first(index)
        return Logged(
            entry.kind, index, entry.salt, checkpoint, self.log.node,
            identity=entry.identity, seal=entry.seal,
        )  # fmt: skip

    def _stored(self, statement_id: bytes) -> Stored | None:
        found = self._choice.found(statement_id)
        return None if found is None else found[1]


class _First:
    """Finds the first checkpoint that counts, and looks at each of the log's checkpoints once.

    A log may have millions of checkpoints that never count, so of those a bounded number is looked
    at; beyond it, the newest of all is the next one that is.
    """

    def __init__(self, log: Log, accept: Accept) -> None:
        self._log, self._accept = log, accept
        self._counting: list[SignedCheckpoint] = []  # the smallest first
        self._looked: list[int] = []  # for each: the first entry for which it is the first
        self._refused: set[int] = set()  # sizes of those that do not count
        self._hopeless: int | None = None  # from this entry on, none counts

    def __call__(self, index: int) -> SignedCheckpoint:
        sizes = [one.checkpoint.size for one in self._counting]
        at = bisect_right(sizes, index)
        if at < len(sizes) and self._looked[at] <= index:
            return self._counting[at]
        if self._hopeless is not None and index >= self._hopeless:
            return self._log.first_checkpoint(index)
        found = self._find(index)
        if at < len(sizes) and (found is None or found.checkpoint.size >= sizes[at]):
            self._looked[at] = index
            return self._counting[at]
        if found is None:
            self._hopeless = index
            return self._log.first_checkpoint(index)
        self._counting.insert(at, found)
        self._looked.insert(at, index)
        return found

    def _find(self, index: int) -> SignedCheckpoint | None:
        for signed in self._log.cosigned(index):
            if signed.checkpoint.size in self._refused:
                continue
            if self._accept(signed):
                return signed
            self._refused.add(signed.checkpoint.size)
            if len(self._refused) >= _MOST_REFUSED:
                break
        newest = self._log.checkpoint()
        return newest if newest.checkpoint.size > index and self._accept(newest) else None
