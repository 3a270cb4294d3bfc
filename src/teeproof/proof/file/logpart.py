"""What a proof file holds of one log: entries, checkpoints, and the Merkle nodes between the two.

All entries of a part stand under all its checkpoints that cover them, in one proof
(``log.multiproof``), so its checkpoints are of one and the same tree. A file has a second part of
the same log only where nobody at hand could connect the two, as after a merge.

A checkpoint stands in a part because an entry or an anchor needs it: of those that follow one
entry and come before the next, a later one is there only if somebody signed it who signed none of
the earlier ones, or if it is anchored.

Trusts: nothing; roots, signatures and times are checked by ``proof.verify``.
Does not trust: whoever put the part together.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import NamedTuple

import msgspec

from teeproof.core.errors import Malformed, TooLarge, Usage
from teeproof.proof import canonical
from teeproof.proof.file.ziplayout import MAX_FILE_BYTES
from teeproof.proof.links import Integer
from teeproof.proof.log.formats.checkpoint import SignedCheckpoint
from teeproof.proof.log.formats.entry import (
    IDENTITY,
    RECEIPT,
    SALT_BYTES,
    STATEMENT,
    Entry,
    commitment,
)
from teeproof.proof.log.formats.merkle import HASH_BYTES, Node, leaf_hash, multiproof

__all__ = [
    "MAX_ANCHOR_BYTES",
    "Anchor",
    "EntryRef",
    "LogPart",
    "encode_entries",
    "leaf",
    "needed",
    "read_entries",
]

MAX_ANCHOR_BYTES = 256 << 10
MAX_UNORDERED = 256  # checkpoints between two entries; more have no use, and cost their square


class EntryRef(msgspec.Struct, frozen=True, order=True):
    """Where the log holds a statement or identity.

    Attributes:
        kind: ``entry.STATEMENT``, ``RECEIPT`` or ``IDENTITY``.
        index: the entry's.
        salt: 32 bytes.
        receipt_of: of a receipt, the identity that its entry names, 32 bytes: several may have its
            keyset. Otherwise empty.
    """

    kind: int
    index: int
    salt: bytes
    receipt_of: bytes = b""


class Anchor(NamedTuple):
    """A document for ``proof.anchor`` about the checkpoint of one size."""

    size: int
    document: bytes


class _Row(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    id: str
    index: Integer
    kind: Integer
    salt: str
    identity: str = ""


def leaf(ref: EntryRef, statement_id: bytes, identity: bytes, seal: bytes) -> bytes:
    """Return the leaf hash that the log must have at ``ref.index``.

    Args:
        ref: from the part's entries.
        statement_id: 32 bytes; an identity's digest where the entry is one.
        identity: the author's digest; of an identity, its own.
        seal: the digest of the signatures: ``source.Read.seal``, ``IdentityRecord.seal``.
    """
    committed = commitment(ref.salt, statement_id, seal)
    return leaf_hash(Entry(ref.kind, committed, identity).encode())


class LogPart(msgspec.Struct, frozen=True, dict=True):
    """One part of one log.

    Attributes:
        origin: the log's.
        checkpoints: unverified, ascending by size, one for each size.
        entries: by statement id or identity digest.
        hashes: the nodes one after the other, 32 bytes each, in ``multiproof``'s order.
        anchors: sorted by size and digest.
    """

    origin: str
    checkpoints: tuple[SignedCheckpoint, ...]
    entries: Mapping[bytes, EntryRef]
    hashes: bytes
    anchors: tuple[Anchor, ...] = ()

    @property
    def newest(self) -> int:
        """The size of its newest checkpoint, which names its folder."""
        return self.checkpoints[-1].checkpoint.size

    @cached_property
    def sizes(self) -> tuple[int, ...]:
        """The sizes of its checkpoints."""
        return tuple(signed.checkpoint.size for signed in self.checkpoints)

    @cached_property
    def nodes(self) -> Mapping[Node, bytes]:
        """The nodes that ``merkle.roots`` needs beside the leaves.

        Raises:
            Malformed: codes ``nodes_missing`` and ``nodes_superfluous``.
        """
        wanted = multiproof((ref.index for ref in self.entries.values()), self.sizes)
        if len(self.hashes) != len(wanted) * HASH_BYTES:
            few = len(self.hashes) < len(wanted) * HASH_BYTES
            raise Malformed(
                "the proof has another number of nodes than its entries and checkpoints need",
                code="nodes_missing" if few else "nodes_superfluous",
                expected=f"{len(wanted)} nodes of {HASH_BYTES} bytes",
                got=f"{len(self.hashes)} bytes",
            )
        return {
            node: self.hashes[at * HASH_BYTES : (at + 1) * HASH_BYTES]
            for at, node in enumerate(wanted)
        }

    def covering(self, index: int) -> tuple[SignedCheckpoint, ...]:
        """Return the checkpoints that cover an entry, the earliest first."""
        return self.checkpoints[bisect_right(self.sizes, index) :]

    def check(self) -> None:
        """Raise Malformed unless the part is consistent in itself, and nothing in it is idle.

        Codes: ``entry_uncovered``, ``proof_superfluous``, ``nodes_missing``,
        ``nodes_superfluous``, ``anchor_without_checkpoint``.
        """
        indexes = sorted(ref.index for ref in self.entries.values())
        if not indexes:
            raise _superfluous(f"the log {self.origin}", "no entry in it")
        if not self.sizes or indexes[-1] >= self.newest:
            raise Malformed(
                "an entry lies under no checkpoint of the file",
                code="entry_uncovered",
                expected=f"a checkpoint of more than {indexes[-1]} entries of {self.origin}",
            )
        anchored = {anchor.size for anchor in self.anchors}
        if not anchored <= set(self.sizes):
            raise Malformed(
                "an anchor is of a checkpoint that the file lacks", code="anchor_without_checkpoint"
            )
        kept = needed(self.checkpoints, indexes, anchored)
        for signed in self.checkpoints:
            if signed.checkpoint.size not in kept:
                size = signed.checkpoint.size
                raise _superfluous(f"the checkpoint of size {size}", "no entry that needs it")
        self.nodes  # noqa: B018  their number is checked


def needed(
    checkpoints: Iterable[SignedCheckpoint], indexes: Sequence[int], anchored: Iterable[int] = ()
) -> set[int]:
    """Return the sizes of the checkpoints that an entry or an anchor needs.

    Args:
        checkpoints: of one log, at most one of each size.
        indexes: of the entries, ascending.
        anchored: sizes to keep in any case.

    Raises:
        TooLarge: code ``checkpoints_too_many``; more than 256 between two entries.
    """
    kept: set[int] = set()
    gap, signers = -1, list[frozenset[tuple[str, bytes]]]()
    always = set(anchored)
    for signed in sorted(checkpoints, key=lambda signed: signed.checkpoint.size):
        size = signed.checkpoint.size
        before = bisect_left(indexes, size)  # how many entries it covers
        if before != gap:
            gap, signers = before, []
        mine = frozenset((line.name, line.key_id) for line in signed.note.signatures)
        new = before > 0 and not any(mine <= others for others in signers)
        if new or size in always:
            kept.add(size)
            signers.append(mine)
        if len(signers) > MAX_UNORDERED:
            raise TooLarge(
                "too many checkpoints lie between two entries", code="checkpoints_too_many"
            )
    return kept


def encode_entries(entries: Mapping[bytes, EntryRef]) -> bytes:
    """Return the list of entries, sorted by index."""
    ordered = sorted(entries.items(), key=lambda item: item[1].index)
    rows = [
        _Row(key.hex(), ref.index, ref.kind, ref.salt.hex(), ref.receipt_of.hex())
        for key, ref in ordered
    ]
    if rows and rows[-1].index > canonical.GREATEST_INTEGER:
        raise Usage("an index is beyond 2^53 - 1", code="index_too_large")
    return _encoder.encode(rows)


def read_entries(data: bytes) -> dict[bytes, EntryRef]:
    """Return the entries by id.

    Raises:
        Malformed: not canonical, an unknown kind, a salt or an id that is not 32 bytes
            (``entries_malformed``); one index or id twice, or unsorted (``entry_repeated``).
    """
    rows = _decode_rows(data)
    found: dict[bytes, EntryRef] = {}
    last = -1
    for row in rows:
        try:
            key, salt, who = map(bytes.fromhex, (row.id, row.salt, row.identity))
        except ValueError:
            raise _bad_entry(row) from None
        plain = len(row.id) == len(row.salt) == 2 * SALT_BYTES == 2 * len(key) == 2 * len(salt)
        plain = plain and len(row.identity) == 2 * len(who) == (64 if row.kind == RECEIPT else 0)
        if not plain or row.kind not in (STATEMENT, RECEIPT, IDENTITY) or row.index < 0:
            raise _bad_entry(row)
        if row.index <= last or key in found:
            raise Malformed(
                "the entries are not sorted by index, or one index or id is given twice",
                code="entry_repeated",
                got=f"index {row.index}, id {row.id}",
            )
        found[key], last = EntryRef(row.kind, row.index, salt, who), row.index
    return found


_decoder = msgspec.json.Decoder(tuple[_Row, ...])
_encoder = msgspec.json.Encoder(order="sorted")


def _decode_rows(data: bytes) -> tuple[_Row, ...]:
    if len(data) > MAX_FILE_BYTES:
        raise TooLarge("the list of entries is too large")
    try:
        rows = _decoder.decode(data)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise Malformed(
            "this is not a list of log entries", code="entries_malformed", got=str(error)[:200]
        ) from None
    again = _encoder.encode(
        [
            _Row(row.id.lower(), row.index, row.kind, row.salt.lower(), row.identity.lower())
            for row in rows
        ]
    )
    if again != data:
        raise Malformed(
            "the list of entries is not written in the canonical way", code="not_canonical"
        )
    return rows


def _bad_entry(row: _Row) -> Malformed:
    return Malformed(
        "this is not an entry of a log",
        code="entries_malformed",
        expected="id and salt of 64 lower-case hex digits, kind 1, 2 or 3, an index from 0; and"
        " for kind 2 an identity",
        got=str(row)[:300],
    )


def _superfluous(what: str, got: str) -> Malformed:
    return Malformed(
        f"the proof file holds what its roots do not need: {what}",
        code="proof_superfluous",
        got=got,
    )
