"""A source in memory, with a log of its own if one is wanted: for small tools and for tests.

Trusts: its caller, and this process's memory.  Does not trust: nothing else comes in.
"""

from __future__ import annotations

import os
from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping

from teeproof.core.digests import named, sha256
from teeproof.core.errors import Unavailable
from teeproof.proof.choosing import HOLDS, Chooser
from teeproof.proof.identity import IdentityRecord
from teeproof.proof.log.admission import read_record as admit
from teeproof.proof.log.formats.checkpoint import Checkpoint, SignedCheckpoint, sign_checkpoint
from teeproof.proof.log.formats.entry import IDENTITY, SALT_BYTES, Entry, commitment
from teeproof.proof.log.formats.merkle import Tree, leaf_hash
from teeproof.proof.log.formats.note import NoteSigner, SignatureLine, VerifierKey
from teeproof.proof.source import Logged, read_record

__all__ = ["MemoryLog", "MemorySource"]


class MemoryLog:
    """A log that is gone with its process.

    Args:
        origin: its name.
        seed: 32 secret bytes of its key; drawn if not given.
        random: the random source.
    """

    def __init__(
        self,
        origin: str,
        *,
        seed: bytes | None = None,
        random: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self._signer = NoteSigner(origin, random(32) if seed is None else seed)
        self._random = random
        self._tree = Tree()
        self._places: dict[bytes, dict[bytes, tuple[int, int, bytes, bytes]]] = {}  # id, seal
        self._archive: dict[int, SignedCheckpoint] = {}

    @property
    def origin(self) -> str:
        """Its name."""
        return self._signer.verifier.name

    @property
    def verifier(self) -> VerifierKey:
        """The key that its checkpoints are signed with."""
        return self._signer.verifier

    @property
    def size(self) -> int:
        """How many entries it has."""
        return self._tree.size

    def append(self, kind: int, statement_id: bytes, identity: bytes, seal: bytes) -> int:
        """Add an entry, unless the statement is there as it was signed; return its index."""
        places = self._places.setdefault(statement_id, {})
        if seal in places:
            return places[seal][1]
        salt = self._random(SALT_BYTES)
        entry = Entry(kind, commitment(salt, statement_id, seal), identity)
        places[seal] = (kind, self._tree.size, salt, identity)
        self._tree.append(leaf_hash(entry.encode()))
        return self._tree.size - 1

    def publish(self) -> SignedCheckpoint:
        """Sign and archive a checkpoint of all entries, and return it."""
        size = self._tree.size
        if size not in self._archive:
            checkpoint = Checkpoint(self.origin, size, self._tree.root())
            self._archive[size] = sign_checkpoint(checkpoint, self._signer)
        return self._archive[size]

    def add_cosignatures(self, size: int, lines: Iterable[SignatureLine]) -> None:
        """Add witnesses' lines to the archived checkpoint of a size."""
        self._archive[size] = self._archive[size].with_(*lines)

    def first_checkpoint(self, index: int) -> SignedCheckpoint:
        """Return the earliest archived checkpoint that covers an entry.

        Raises:
            Unavailable: code ``not_published``.
        """
        sizes = sorted(self._archive)
        place = bisect_right(sizes, index)
        if place == len(sizes):
            raise Unavailable(
                "no checkpoint covers this entry yet: publish one", code="not_published"
            )
        return self._archive[sizes[place]]

    def logged(self, statement_id: bytes, seal: bytes | None = None) -> Logged | None:
        """Return where it holds a statement or identity, once a checkpoint covers it.

        Of several entries, the one with this seal; otherwise the first.
        """
        places = self._places.get(statement_id, {})
        found = seal if seal in places else next(iter(places), None)
        if found is None or places[found][1] >= max(self._archive, default=0):
            return None
        kind, index, salt, identity = places[found]
        checkpoint = self.first_checkpoint(index)
        return Logged(kind, index, salt, checkpoint, self._tree.node, identity=identity, seal=found)


class MemorySource:
    """Statements, identities and blobs in memory, as a ``source.Source``.

    Of one thing with several signatures, the first whose signatures hold is found, and of an
    identity the first whose quote is here too; otherwise the best there is. With a log, it takes
    what logs take; without one, also statements that name no author.

    Args:
        log: where each is appended when it is added; none if not given.
    """

    def __init__(self, log: MemoryLog | None = None) -> None:
        self.log = log
        self._statements: dict[bytes, dict[bytes, bytes]] = {}  # by id and seal
        self._identities: dict[bytes, dict[bytes, bytes]] = {}  # by digest and seal
        self._blobs: dict[str, bytes] = {}
        self._keysets: dict[str, bytes] = {}
        self._producers: dict[str, list[bytes]] = {}
        self._chooser = Chooser(
            identity=self.identity, owner=self.identity_of_keyset, blob=self.blob
        )
        # The seal that was chosen where there are several; one that does not hold, until the next.
        self._settled: dict[tuple[bool, bytes], bytes] = {}
        self._for_now: dict[tuple[bool, bytes], bytes] = {}

    def add_statement(self, data: bytes) -> bytes:
        """Add an envelope (DSSE JSON) or a receipt, and return its id.

        Raises:
            Malformed, TooLarge: it is neither; or there is a log, and it names no author
                (``author_missing``).
            Unavailable: there is a log, and it cannot know the receipt's author
                (``identity_unknown``): add the identity first.
        """
        read = read_record(data)
        if self.log is not None:
            entered = admit(data, identity_of_keyset=self.identity_of_keyset)
            self.log.append(entered.kind, entered.id, entered.identity, entered.seal)
        if read.id not in self._statements:
            for digest in dict.fromkeys(subject.sha256 for subject in read.subjects):
                self._producers.setdefault(digest, []).append(read.id)
        self._statements.setdefault(read.id, {}).setdefault(read.seal, data)
        self._for_now.clear()
        return read.id

    def add_identity(self, data: bytes, blobs: Mapping[str, bytes] | None = None) -> bytes:
        """Add an identity record and its evidence, and return its digest.

        Raises:
            Malformed, TooLarge: it is no record.
        """
        record = IdentityRecord.parse(data)
        self._identities.setdefault(record.digest, {}).setdefault(record.seal, data)
        if record.keyset_digest not in self._keysets and record.is_possessed:
            self._keysets[record.keyset_digest] = record.digest
        self._for_now.clear()
        for blob in (blobs or {}).values():
            self.add_blob(blob)
        if self.log is not None:
            self.log.append(IDENTITY, record.digest, record.digest, record.seal)
        return record.digest

    def add_blob(self, data: bytes) -> str:
        """Add bytes, and return their ``sha256:…``."""
        digest = named(sha256(data))
        self._blobs[digest] = data
        self._for_now.clear()
        return digest

    def publish(self) -> None:
        """Have the log, if there is one, sign a checkpoint of all that it holds."""
        if self.log is not None:
            self.log.publish()

    def statement(self, statement_id: bytes) -> bytes | None:
        """Return an envelope or a receipt."""
        return self._chosen(self._statements, statement_id)[1]

    def identity(self, digest: bytes) -> bytes | None:
        """Return an identity record."""
        return self._chosen(self._identities, digest)[1]

    def identity_of_keyset(self, keyset_digest: str) -> bytes | None:
        """Return the identity with a keyset: the first added that its keys signed."""
        return self._keysets.get(keyset_digest)

    def blob(self, digest: str) -> bytes | None:
        """Return bytes by their ``sha256:…``."""
        return self._blobs.get(digest)

    def producers(self, digest: str) -> Iterable[bytes]:
        """Return the ids of statements with this ``sha256:…`` among their subjects."""
        return tuple(self._producers.get(digest, ()))

    def logged(self, statement_id: bytes) -> Logged | None:
        """Return where the log holds a statement or identity; None without a log."""
        if self.log is None:
            return None
        return self.log.logged(statement_id, self._seal(statement_id))

    def _seal(self, statement_id: bytes) -> bytes | None:
        """Return the seal of what is found by an id."""
        held = self._statements if statement_id in self._statements else self._identities
        return self._chosen(held, statement_id)[0]

    def _chosen(
        self, held: Mapping[bytes, Mapping[bytes, bytes]], key: bytes
    ) -> tuple[bytes | None, bytes | None]:
        """Return seal and bytes of the first that holds; otherwise of the best there is."""
        several = held.get(key, {})
        if len(several) < 2:
            return next(iter(several.items()), (None, None))
        is_identity = held is self._identities
        name = is_identity, key
        seal = self._settled.get(name) or self._for_now.get(name)
        if seal is None:
            grades = [self._chooser.judge(x, is_identity=is_identity) for x in several.values()]
            best = max(grades)
            seal = list(several)[grades.index(best)]
            (self._settled if best == HOLDS else self._for_now)[name] = seal
        return seal, several[seal]
