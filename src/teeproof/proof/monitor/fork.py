"""A fork.proof: two checkpoints that a log signed and that cannot both be of one append-only tree.

    {"checkpoints":["<base64 of a signed note>","<and of another>"],
     "entry":{"index":5,"leaves":["…","…"],"paths":[["…"],["…"]]} or null,
     "nodes":["<base64>",…],
     "type":"urn:teeproof:fork:v1"}

Anyone who knows the log's key can check it with nothing else. The smaller checkpoint stands first.
It proves misbehaviour where both signatures hold, and

    equal sizes     the roots differ, or
    nodes           complete subtrees of the larger tree (``multiproof`` of both sizes) make the
                    larger root that was signed, and, at the smaller size, another root than was
                    signed: since hashes pin each node, the first entries are others, or
    entry           one index holds one leaf under the first root and another under the second.

A consistency proof that fails shows nothing: anybody can write a wrong one. What is accepted here
cannot be written against an honest log without a collision of SHA-256 or its key. The encoding is
canonical JSON and a newline; any other bytes are refused.

Trusts: the log keys that the caller names.  Does not trust: who made the file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self

import msgspec

from teeproof.core import strictjson
from teeproof.core.errors import Error, Malformed, NotAuthentic
from teeproof.proof.log.formats.checkpoint import SignedCheckpoint
from teeproof.proof.log.formats.merkle import multiproof, roots, verify_inclusion
from teeproof.proof.log.formats.note import VerifierKey
from teeproof.proof.log.formats.rfc6962 import HASH_BYTES
from teeproof.proof.log.formats.text import MAX_NUMBER, from_base64, to_base64
from teeproof.proof.witness.signed import require_signed

__all__ = ["FORK_TYPE", "MAX_FORK_BYTES", "Difference", "Fork", "ForkProof", "Keys", "verify_fork"]

FORK_TYPE = "urn:teeproof:fork:v1"
MAX_FORK_BYTES = 1 << 20
_MAX_HASHES = 256  # two trees of 63 levels need fewer
_FIELDS = {"checkpoints", "entry", "nodes", "type"}
_ENTRY_FIELDS = {"index", "leaves", "paths"}

Keys = Mapping[str, VerifierKey | Sequence[VerifierKey]]
"""Log keys by origin."""

Pair = tuple[bytes, bytes]


class Difference(msgspec.Struct, frozen=True):
    """An index at which two trees hold different leaves, with the way to each root.

    Attributes:
        index: which leaf.
        leaves: leaf hashes, in the first tree and in the second.
        paths: inclusion proofs, in the first tree and in the second.
    """

    index: int
    leaves: Pair
    paths: tuple[tuple[bytes, ...], tuple[bytes, ...]]


class Fork(msgspec.Struct, frozen=True):
    """What a fork.proof proved against a log.

    Attributes:
        origin: which log.
        sizes: of the two trees.
        roots: that were signed for them.
        index: an entry in which they differ, where the proof names one.
        leaves: the two leaf hashes at that index.
        checkpoints: the two, as signed.
    """

    origin: str
    sizes: tuple[int, int]
    roots: Pair
    index: int | None
    leaves: Pair | None
    checkpoints: tuple[SignedCheckpoint, SignedCheckpoint]

    def sentence(self) -> str:
        """Return what happened, in one sentence."""
        first, second = self.sizes
        where = "" if self.index is None else f"; they differ at entry {self.index}"
        if first == second:
            return f"the log signed two trees of {first} entries{where}"
        return (
            f"the log signed trees of {first} and {second} entries with different beginnings{where}"
        )


class ForkProof(msgspec.Struct, frozen=True):
    """Two checkpoints, and what makes them contradict each other. Nothing has been verified."""

    first: SignedCheckpoint
    second: SignedCheckpoint
    nodes: tuple[bytes, ...] = ()
    difference: Difference | None = None

    @classmethod
    def of(
        cls,
        a: SignedCheckpoint,
        b: SignedCheckpoint,
        *,
        nodes: Sequence[bytes] = (),
        difference: Difference | None = None,
    ) -> Self:
        """Return the proof with its checkpoints, and the pairs of the difference, in order."""
        if _place(b) < _place(a):
            a, b = b, a
            if difference is not None:
                difference = Difference(
                    difference.index, difference.leaves[::-1], difference.paths[::-1]
                )
        return cls(a, b, tuple(nodes), difference)

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Return the proof in a file.

        Raises:
            Malformed: it is no fork.proof, or not the one encoding of what it says.
            TooLarge: more than 1 MiB.
        """
        value = strictjson.loads(data, limit=MAX_FORK_BYTES, what="fork.proof")
        try:
            proof = cls._read(value)
        except (KeyError, TypeError, ValueError, AttributeError):
            raise _malformed("a field is missing, unknown or of another kind") from None
        if proof.encode() != data:
            raise _malformed("it is not in its one encoding")
        return proof

    @classmethod
    def _read(cls, value: dict[str, Any]) -> Self:
        if set(value) != _FIELDS or value["type"] != FORK_TYPE:
            raise _malformed("it is of another type")
        first, second = (_checkpoint(x) for x in value["checkpoints"])
        entry = value["entry"]
        difference = None if entry is None else _read_entry(entry)
        return cls(first, second, _hashes(value["nodes"]), difference)

    def encode(self) -> bytes:
        """Return the file's bytes."""
        value = {
            "type": FORK_TYPE,
            "checkpoints": _texts([x.encode() for x in (self.first, self.second)]),
            "nodes": _texts(self.nodes),
            "entry": None if self.difference is None else _entry(self.difference),
        }
        return strictjson.dumps(value).encode() + b"\n"

    def verify(self, keys: Keys) -> Fork:
        """Return the fork that this proves.

        Raises:
            NotAuthentic: ``not_a_fork`` where it proves nothing; ``log_unknown`` where the caller
                named no key for the log, ``checkpoint_signature`` where a signature does not hold.
        """
        first, second = self.first.checkpoint, self.second.checkpoint
        if first.origin != second.origin:
            raise _no_fork("the checkpoints are of two logs")
        for signed in (self.first, self.second):
            require_signed(signed, _keys_of(keys, first.origin))
        if _place(self.second) < _place(self.first):
            raise _no_fork("the larger checkpoint stands first")
        if first.size == second.size:
            self._require_two_roots()
        elif self.nodes:
            self._require_another_beginning()
        elif self.difference is None:
            raise _no_fork("nothing shows that the larger tree does not begin with the smaller")
        if self.difference is not None:
            self._require_difference(self.difference)
        return Fork(
            origin=first.origin,
            sizes=(first.size, second.size),
            roots=(first.root, second.root),
            index=self.difference.index if self.difference else None,
            leaves=self.difference.leaves if self.difference else None,
            checkpoints=(self.first, self.second),
        )

    def _require_two_roots(self) -> None:
        if self.first.checkpoint.root == self.second.checkpoint.root:
            raise _no_fork("both checkpoints are of the same tree")
        if self.nodes:
            raise _no_fork("two roots for one size need no nodes beside them")

    def _require_another_beginning(self) -> None:
        first, second = self.first.checkpoint, self.second.checkpoint
        sizes = (first.size, second.size)
        places = multiproof((), sizes)
        if len(places) != len(self.nodes):
            raise _no_fork(f"{len(places)} nodes are needed, and {len(self.nodes)} are here")
        found = roots({}, dict(zip(places, self.nodes, strict=True)), sizes)
        if found[second.size] != second.root:
            raise _no_fork("the nodes are not of the larger tree")
        if found[first.size] == first.root:
            raise _no_fork("the larger tree begins with the smaller: the log only grew")

    def _require_difference(self, difference: Difference) -> None:
        if difference.leaves[0] == difference.leaves[1]:
            raise _no_fork("both trees hold the same leaf")
        pairs = zip((self.first, self.second), difference.leaves, difference.paths, strict=True)
        for signed, leaf, path in pairs:
            checkpoint = signed.checkpoint
            try:
                verify_inclusion(
                    leaf,
                    index=difference.index,
                    size=checkpoint.size,
                    proof=path,
                    root=checkpoint.root,
                )
            except Error as error:
                raise _no_fork(f"a leaf is not where it is said to be: {error.detail}") from None


def verify_fork(data: bytes, *, keys: Keys) -> Fork:
    """Return what the bytes of a fork.proof prove against a log whose key the caller knows.

    Raises:
        NotAuthentic: it does not prove anything: ``not_a_fork``, ``log_unknown``,
            ``checkpoint_signature``.
        Malformed, TooLarge: these bytes are no fork.proof.
    """
    return ForkProof.parse(data).verify(keys)


def _keys_of(keys: Keys, origin: str) -> Sequence[VerifierKey]:
    found = keys.get(origin, ())
    return (found,) if isinstance(found, VerifierKey) else found


def _place(signed: SignedCheckpoint) -> tuple[int, bytes]:
    return signed.checkpoint.size, signed.encode()


def _checkpoint(text: str) -> SignedCheckpoint:
    # In base64, because a log chooses the text: brackets in it would pass for JSON beyond bounds.
    return SignedCheckpoint.parse(from_base64(text.encode(), what="checkpoint"))


def _hashes(values: list[str]) -> tuple[bytes, ...]:
    if not isinstance(values, list) or len(values) > _MAX_HASHES:
        raise _malformed("it has more hashes than two trees need")
    return tuple(from_base64(x.encode(), what="hash", size=HASH_BYTES) for x in values)


def _texts(values: Sequence[bytes]) -> list[str]:
    return [to_base64(value).decode() for value in values]


def _read_entry(value: dict[str, Any]) -> Difference:
    index = value["index"]
    if set(value) != _ENTRY_FIELDS or type(index) is not int or not 0 <= index <= MAX_NUMBER:
        raise _malformed("its entry is of another kind")
    (first, second), (one, two) = _hashes(value["leaves"]), value["paths"]
    return Difference(index, (first, second), (_hashes(one), _hashes(two)))


def _entry(difference: Difference) -> dict[str, object]:
    return {
        "index": difference.index,
        "leaves": _texts(difference.leaves),
        "paths": [_texts(path) for path in difference.paths],
    }


def _malformed(why: str) -> Malformed:
    return Malformed(f"this is not a fork.proof: {why}", code="fork_malformed")


def _no_fork(why: str) -> NotAuthentic:
    return NotAuthentic(
        f"this proves nothing against the log: {why}",
        code="not_a_fork",
        expected="two checkpoints that contradict each other",
    )
