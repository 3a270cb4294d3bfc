"""A source in memory, with a log of its own if one is wanted: for small tools and for tests.

Trusts: its caller, and this process's memory.  Does not trust: nothing else comes in.
"""

from __future__ import annotations

import os
from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping

from teeproof.core.digests import named, sha256
from teeproof.core.errors import Unavailable
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

    Of one thing with several signatures, the first whose signatures hold is found; otherwise the
    first. With a log, it takes what logs take; without one, also statements that name no author.

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
        return read.id

    def add_identity(self, data: bytes, blobs: Mapping[str, bytes] | None = None) -> bytes:
        """Add an identity record and its evidence, and return its digest.

        Raises:
            Malformed, TooLarge: it is no record.
        """
        record = IdentityRecord.parse(data)
        self._identities.setdefault(record.digest, {}).setdefault(record.seal, data)
        self._keysets.setdefault(record.keyset_digest, record.digest)
        for blob in (blobs or {}).values():
            self.add_blob(blob)
        if self.log is not None:
            self.log.append(IDENTITY, record.digest, record.digest, record.seal)
        return record.digest

    def add_blob(self, data: bytes) -> str:
        """Add bytes, and return their ``sha256:…``."""
        digest = named(sha256(data))
        self._blobs[digest] = data
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
        """Return the identity with a keyset, the one added first."""
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
        held = self._statements if statement_id in self._statements else self._identities
        return self.log.logged(statement_id, self._chosen(held, statement_id)[0])

    def _chosen(
        self, held: Mapping[bytes, Mapping[bytes, bytes]], key: bytes
    ) -> tuple[bytes | None, bytes | None]:
        """Return seal and bytes of the first whose signatures hold; otherwise of the first."""
        several = held.get(key, {})
        if len(several) > 1:
            for seal, data in several.items():
                if self._holds(data, is_identity=held is self._identities):
                    return seal, data
        return next(iter(several.items()), (None, None))

    def _holds(self, data: bytes, *, is_identity: bool) -> bool:
        if is_identity:
            return IdentityRecord.parse(data).is_possessed
        return read_record(data).is_signed(self._record_of)

    def _record_of(self, name: bytes | str) -> IdentityRecord | None:
        digest = self.identity_of_keyset(name) if isinstance(name, str) else name
        data = None if digest is None else self.identity(digest)
        return None if data is None else IdentityRecord.parse(data)
