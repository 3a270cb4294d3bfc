"""Speak with a log: append, and believe an answer only once it is proved.

A log's answer to an append is a promise: an index, a salt, and a time by which the entry is to be
published. ``wait_included`` turns it into a proof, against the log's key. Every checkpoint that a
client sees must agree with every other that it saw.

Trusts: the log's key that the caller names.
Does not trust: the server, the network, what it served before.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Self

from teeproof.core.clock import to_epoch, wall_clock
from teeproof.core.digests import named, parse_named, sha256
from teeproof.core.errors import NotAuthentic, Unavailable, Usage
from teeproof.proof.log.admission import Record, read_record
from teeproof.proof.log.formats.checkpoint import Accept, SignedCheckpoint
from teeproof.proof.log.formats.entry import SALT_BYTES, Entry, commitment
from teeproof.proof.log.formats.merkle import (
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    verify_inclusion,
)
from teeproof.proof.log.formats.note import MAX_NOTE_BYTES, VerifierKey
from teeproof.proof.log.formats.tiles import MAX_ENTRY_BYTES, TILE_WIDTH
from teeproof.proof.log.formats.tlogproof import MAX_PROOF_BYTES, TlogProof
from teeproof.proof.log.http.limits import MAX_BATCH, MAX_BLOB_BYTES, NDJSON
from teeproof.proof.log.http.promise import (
    Promise,
    another_statement,
    late,
    read_answer,
    read_batch,
    read_promise,
    require_one_history,
)
from teeproof.proof.log.http.tiletree import TileTree
from teeproof.proof.log.http.transport import Transport
from teeproof.proof.log.http.whose import one_origin
from teeproof.proof.witness.signed import require_signed

__all__ = ["LogClient", "Promise"]

_MAX_TILE_BYTES = TILE_WIDTH * (MAX_ENTRY_BYTES + 2)
_MAX_ANSWER_BYTES = 64 << 10
_POLL = 0.2  # seconds between looks at the checkpoint; each further look waits longer, up to 2 s


class LogClient:
    """One log, seen over HTTP.

    Args:
        url: its address.
        key: its verifier key, whose name is the log's origin; or all, if it has several.
        token: what the operator gave, to append and to ask for proofs.
        transport: what to ask through; without one, HTTP.
        clock: a clock that only goes forward, in seconds.
        sleep: waits that many seconds.
        now: the time, to judge the log's promise.

    Attributes:
        keys: the log's keys.
        origin: the log's name.

    Raises:
        Usage: the keys are not of one log.
    """

    def __init__(
        self,
        url: str,
        key: VerifierKey | Sequence[VerifierKey],
        *,
        token: str | None = None,
        transport: Transport | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
        now: Callable[[], datetime] = wall_clock,
    ) -> None:
        self.keys = (key,) if isinstance(key, VerifierKey) else tuple(key)
        self.origin = one_origin(self.keys)
        self._transport = transport or Transport(url, token=token, sleep=sleep)
        self._clock, self._sleep, self._now = clock, sleep, now
        self._seen: SignedCheckpoint | None = None
        self._tree: TileTree | None = None
        self._keysets: dict[str, bytes] = {}

    def __enter__(self) -> Self:
        """Return the client."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connections."""
        self._transport.close()

    def checkpoint(self) -> SignedCheckpoint:
        """Return the log's newest checkpoint; it is signed, and agrees with all seen before.

        Raises:
            Unavailable: the log cannot be reached.
            Malformed: what it serves is no checkpoint.
            NotAuthentic: codes ``log_unknown``, ``checkpoint_signature``; ``log_forked`` where it
                contradicts an earlier one. Keep both then: they convict the log.
        """
        data = self._transport.get("checkpoint", limit=MAX_NOTE_BYTES)
        signed = SignedCheckpoint.parse(data)
        require_signed(signed, self.keys)
        if self._seen is not None:
            require_one_history(self._seen, signed, self.consistency_proof)
        if self._seen is None or signed.checkpoint.size >= self._seen.checkpoint.size:
            self._seen = signed
        return signed

    def tree(self, signed: SignedCheckpoint) -> TileTree:
        """Return the tree of a checkpoint, read from tiles as they are needed."""
        checkpoint = signed.checkpoint
        if self._tree is None or (self._tree.size, self._tree.root) != (
            checkpoint.size,
            checkpoint.root,
        ):
            self._tree = TileTree(checkpoint.size, checkpoint.root, self.tile)
        return self._tree

    def tile(self, path: str) -> bytes:
        """Return what lies at a tile's path, unchecked."""
        return self._transport.get(path, limit=_MAX_TILE_BYTES)

    def include(self, index: int, signed: SignedCheckpoint) -> TlogProof:
        """Return the proof of whatever stands at an index; without a salt, it names no statement.

        Errors as ``TileTree.node``.
        """
        tree = self.tree(signed)
        hashes = inclusion_proof(index, tree.size, tree.node)
        return TlogProof(None, index, tuple(hashes), signed)

    def consistency_proof(self, old: int, signed: SignedCheckpoint) -> list[bytes]:
        """Return what shows that a checkpoint's tree extends its first ``old`` entries."""
        return consistency_proof(old, signed.checkpoint.size, self.tree(signed).node)

    def append(self, data: bytes) -> Promise:
        """Append a record; asking twice is harmless, as the same record keeps its first index.

        A receipt's author must be known: append its identity first, or ``introduce`` it.

        Raises:
            Malformed, TooLarge: nothing that a log takes; nothing was sent.
            NotAllowed: the log does not know the token.
            Unavailable: the log cannot be reached, or takes nothing now.
            NotAuthentic: it answers about another record, or as another log.
        """
        record = self._read(data)
        said = self._transport.send("POST", "append", body=data, limit=_MAX_ANSWER_BYTES)
        answer = read_answer(said, self.origin)
        return read_promise(record, answer, answer)

    def append_many(self, many: Iterable[bytes]) -> list[Promise]:
        """Append up to 256 records in one request, all or none; each without a line end in it.

        Errors as ``append``; Usage for too many, or for a record that holds a line end.
        """
        records = [self._read(data) for data in many]
        if not 0 < len(records) <= MAX_BATCH or any(b"\n" in r.data for r in records):
            raise Usage(
                "a batch is 1 to 256 records of one line each",
                code="batch_malformed",
                got=f"{len(records)} records",
            )
        body = b"".join(record.data + b"\n" for record in records)
        limit = _MAX_ANSWER_BYTES + MAX_BATCH * 1024
        said = self._transport.send("POST", "append", body=body, media_type=NDJSON, limit=limit)
        return read_batch(records, read_answer(said, self.origin))

    def introduce(self, record: bytes) -> None:
        """Read a record; if it is an identity's, its receipts can be appended from now on."""
        self._read(record)

    def wait_included(
        self,
        promise: Promise,
        *,
        timeout: float = 60.0,
        accept: Accept = lambda _: True,
    ) -> TlogProof:
        """Return the proof that the log kept a promise, as soon as it has.

        Args:
            promise: from ``append``.
            timeout: seconds.
            accept: which checkpoint is good enough, such as one with a quorum of cosignatures.

        Raises:
            Unavailable: code ``not_published``: it is not published, or not accepted, in time.
            NotAuthentic: another entry stands at that index (``entry_mismatch``), or what the log
                serves does not fit its checkpoint.
        """
        deadline, pause = self._clock() + timeout, _POLL
        signed = self._seen or self.checkpoint()
        while True:
            if signed.checkpoint.size > promise.index and accept(signed):
                return self._proof(promise, signed)
            left = deadline - self._clock()
            if left <= 0:
                broken = to_epoch(self._now()) > promise.published_by
                raise late(promise, signed, broken=broken)
            self._sleep(min(pause, left))
            pause, signed = min(2 * pause, 2.0), self.checkpoint()

    def prove(self, statement_id: bytes) -> tuple[TlogProof, Entry]:
        """Return the log's own proof for a statement, and its entry, both checked.

        The checkpoint in it is the earliest that the log has with enough cosignatures.

        Raises:
            Unavailable: the log does not have it, or has not published it yet.
            NotAllowed: the log does not know the token.
            NotAuthentic: it is no proof, or one of another statement.
        """
        path = f"proof/{named(statement_id)}"
        data = self._transport.get(path, limit=MAX_PROOF_BYTES, private=True)
        proof = TlogProof.parse(data)
        require_signed(proof.checkpoint, self.keys)
        checkpoint = proof.checkpoint.checkpoint
        require_one_history(self.checkpoint(), proof.checkpoint, self.consistency_proof)
        raw = self.tree(proof.checkpoint).entry(proof.index)
        entry, extra = Entry.parse(raw), proof.extra or b""
        salt, seal = extra[:SALT_BYTES], extra[SALT_BYTES:]
        if len(extra) != 64 or commitment(salt, statement_id, seal) != entry.commitment:
            raise another_statement("the log's proof", expected=named(statement_id))
        verify_inclusion(
            leaf_hash(raw),
            index=proof.index,
            size=checkpoint.size,
            proof=proof.hashes,
            root=checkpoint.root,
        )
        return proof, entry

    def put_blob(self, data: bytes) -> str:
        """Store bytes beside the log; return their ``sha256:…``. Errors as ``append``."""
        digest = sha256(data)
        self._transport.send("PUT", f"blob/{digest.hex()}", body=data, limit=_MAX_ANSWER_BYTES)
        return named(digest)

    def has_blob(self, name: str) -> bool:
        """Whether the log has bytes, by their ``sha256:…``; it may say so and have others."""
        path = f"blob/{parse_named(name).hex()}"
        try:
            self._transport.send("HEAD", path, limit=_MAX_ANSWER_BYTES)
        except Unavailable as error:
            if error.code == "tile_missing":  # 404 without a body
                return False
            raise
        return True

    def blob(self, name: str) -> bytes:
        """Return bytes by their ``sha256:…``; NotAuthentic if the log serves others."""
        digest = parse_named(name)
        data = self._transport.get(f"blob/{digest.hex()}", limit=MAX_BLOB_BYTES, private=True)
        if sha256(data) != digest:
            raise NotAuthentic(
                "the log serves other bytes than those that were asked for",
                code="blob_mismatch",
                expected=name,
                got=named(sha256(data)),
            )
        return data

    def _read(self, data: bytes) -> Record:
        record = read_record(data, identity_of_keyset=self._keysets.get)
        if record.keyset:
            self._keysets[record.keyset] = record.id
        return record

    def _proof(self, promise: Promise, signed: SignedCheckpoint) -> TlogProof:
        tree = self.tree(signed)
        found = tree.entry(promise.index)
        if found != promise.entry:
            raise NotAuthentic(
                "at the index that the log promised stands another entry: the log lied, or lost"
                " what it had acknowledged",
                code="entry_mismatch",
                expected=promise.entry.hex(),
                got=found.hex(),
            )
        hashes = inclusion_proof(promise.index, tree.size, tree.node)
        return TlogProof(promise.salt, promise.index, tuple(hashes), signed)
