"""Which records are new: near-duplicates by MinHash under a secret seed, confirmed exactly.

A text is normalised (case, spaces, punctuation, thousands separators fall away) and cut into
overlapping pieces of three characters; two texts are near-duplicates if their pieces overlap by
``NEAR`` or more. Pieces are numbered by a keyed hash, and MinHash permutations come from the same
secret: without it, a sketch is no help in guessing a text.

    rensa's MinHash, 128 permutations   ->  16 bands of 8: candidates
    exact Jaccard of the pieces         ->  the answer

A pair that is alike by 0.8 shares a band with probability 0.95, by 0.9 with 0.9999; equal ones are
looked up. Every answer is the same in a second run with the same seed.

Source: Broder, "On the resemblance and containment of documents" (1997); Leskovec, Rajaraman and
Ullman, "Mining of Massive Datasets", section 3.4, for the bands.
"""

from __future__ import annotations

import hashlib
import re
from array import array
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import accumulate, chain
from typing import Any

from teeproof.core.errors import Unavailable

__all__ = ["NEAR", "Index", "Sketches", "Twin", "normalise", "pieces"]

NEAR = 0.8
_PIECE = 3
_PERMUTATIONS, _BANDS = 128, 16
_WIDTH = _PERMUTATIONS // _BANDS
_GOLDEN = 0x9E3779B97F4A7C15  # 2^64 divided by the golden ratio (Knuth, TAOCP 3, 6.4)
_SHIFT = 20  # a record's number takes so many bits, its file's number the ones above
_RECORD = (1 << _SHIFT) - 1
_OWN = 0  # the number of the file that is being looked at
_BUCKET = 16  # the earliest so many records of a band; later ones are found by other bands
_TRIED = 8  # candidates that share most bands, for each record

_SEPARATOR = re.compile(r"(?<=\d),(?=\d)")
_OTHER = re.compile(r"[^a-z0-9.%]+|\.(?!\d)|(?<!\d)\.")


def normalise(text: str) -> str:
    """Return a text without what a copy may change for free: case, spaces, punctuation."""
    return " ".join(_OTHER.sub(" ", _SEPARATOR.sub("", text.lower())).split())


def pieces(text: str) -> frozenset[str]:
    """Return the pieces of three characters of a normalised text, its ends marked by spaces."""
    padded = f" {text} "
    return frozenset([padded[at : at + _PIECE] for at in range(max(1, len(padded) - _PIECE + 1))])


@dataclass(frozen=True, slots=True)
class Twin:
    """What a record is a near-duplicate of.

    Attributes:
        file: the number of the file, as the index was told; None for the same file.
        record: the number of the record there.
    """

    file: int | None
    record: int


class Sketches:
    """The pieces of each record of one file, as keyed numbers; what is kept of a file.

    Args:
        rows: for each record, its pieces' numbers in ascending order.
    """

    def __init__(self, rows: Sequence[Sequence[int]]) -> None:
        self.rows = tuple(array("I", row) for row in rows)

    @classmethod
    def of(cls, texts: Iterable[str], *, seed: bytes) -> Sketches:
        """Return the sketches of texts under a seed of 32 bytes."""
        known: dict[str, int] = {}

        def number(piece: str) -> int:
            found = known.get(piece)
            if found is None:
                raw = hashlib.blake2b(piece.encode(), key=seed, digest_size=4).digest()
                found = known[piece] = int.from_bytes(raw, "big")
            return found

        return cls([sorted({number(p) for p in pieces(normalise(text))}) for text in texts])

    def encode(self) -> bytes:
        """Return bytes for ``decode``: each row behind its length."""
        return b"".join(
            len(row).to_bytes(2, "big") + b"".join(n.to_bytes(4, "big") for n in row)
            for row in self.rows
        )

    @classmethod
    def decode(cls, data: bytes) -> Sketches:
        """Return what ``encode`` wrote; only for bytes that were authenticated."""
        rows, at = [], 0
        while at < len(data):
            count = int.from_bytes(data[at : at + 2], "big")
            row = array("I", data[at + 2 : at + 2 + 4 * count])
            row.byteswap()
            rows.append(row)
            at += 2 + 4 * count
        return cls(rows)


class Index:
    """All records that were accepted so far, to be asked for near-duplicates.

    Args:
        seed: 32 bytes, secret; the one that the sketches were made under.

    Raises:
        Unavailable: code ``extra_missing``.
    """

    def __init__(self, *, seed: bytes) -> None:
        _require_extra()
        self._seed = int.from_bytes(hashlib.blake2b(b"minhash", key=seed).digest()[:8], "big")
        self._table = _Table()

    def add(self, file: int, sketches: Sketches) -> None:
        """Take in an accepted file under a number of its own, from 1."""
        self._table.files[file] = sketches
        for record, bands in enumerate(_bands(sketches, self._seed)):
            self._table.put(sketches.rows[record], bands, file << _SHIFT | record)

    def remove(self, file: int) -> None:
        """Forget a file."""
        files = {n: kept for n, kept in self._table.files.items() if n != file}
        if len(files) < len(self._table.files):
            self._table = _Table()  # what a full bucket had no room for may have some now
            for number, sketches in files.items():
                self.add(number, sketches)

    def twins(self, sketches: Sketches) -> list[Twin | None]:
        """Return for each record of a new file its near-duplicate, or None where it is new.

        Records of earlier files come first, then earlier records of the file itself. The index is
        as before when this returns.
        """
        own = _Table()
        own.files[_OWN] = sketches
        found: list[Twin | None] = []
        for record, bands in enumerate(_bands(sketches, self._seed)):
            row = sketches.rows[record]
            entry = self._table.nearest(row, bands)
            if entry is None:
                entry = own.nearest(row, bands)
            if entry is None:
                own.put(row, bands, _OWN << _SHIFT | record)
                found.append(None)
            else:
                found.append(Twin(entry >> _SHIFT or None, entry & _RECORD))
        return found


class _Table:
    """Records by what they have in common; a record is its file's number and its own in one."""

    def __init__(self) -> None:
        self.files: dict[int, Sketches] = {}
        self._equal: dict[bytes, int] = {}
        self._buckets: dict[int, list[int]] = {}  # by band

    def put(self, row: array[int], bands: list[int], entry: int) -> None:
        self._equal.setdefault(row.tobytes(), entry)
        for key in bands:
            bucket = self._buckets.setdefault(key, [])
            if len(bucket) < _BUCKET:
                bucket.append(entry)

    def nearest(self, row: array[int], bands: list[int]) -> int | None:
        """Return a record with the same pieces, or one of those that share most bands."""
        equal = self._equal.get(row.tobytes())
        if equal is not None:
            return equal
        held = [bucket for bucket in map(self._buckets.get, bands) if bucket is not None]
        if not held:
            return None
        shared, pieces_of_it = Counter(chain.from_iterable(held)), set(row)
        # Sorting keeps the order of arrival among equals, so a second run tries the same ones.
        for entry in sorted(shared, key=shared.__getitem__, reverse=True)[:_TRIED]:
            other = self.files[entry >> _SHIFT].rows[entry & _RECORD]
            common = len(pieces_of_it.intersection(other))
            if common >= NEAR * (len(row) + len(other) - common):
                return entry
        return None


def _require_extra() -> None:
    """Say at the start what would fail with the first file."""
    if find_spec("rensa") is None or find_spec("numpy") is None:
        raise Unavailable(
            "a pool needs rensa and numpy: pip install 'teeproof[data]'", code="extra_missing"
        )


def _bands(sketches: Sketches, seed: int) -> list[list[int]]:
    """Return for each record its bands, each as one number."""
    import numpy as np  # noqa: PLC0415  an extra
    from rensa import RMinHash  # noqa: PLC0415  an extra

    if not sketches.rows:
        return []
    flat = np.frombuffer(b"".join(row.tobytes() for row in sketches.rows), dtype=np.uint32)
    offsets = array("Q", [0, *accumulate(map(len, sketches.rows))])
    matrix = RMinHash.digest_matrix_from_flat_token_hashes(
        flat.astype(np.uint64), offsets, _PERMUTATIONS, seed
    )
    digests: Any = np.array(matrix.to_rows(), dtype=np.uint64).reshape(-1, _BANDS, _WIDTH)
    # A sum with odd factors, another for each place: what it runs together is only tried in vain.
    factors = np.arange(1, 2 * _PERMUTATIONS, 2, dtype=np.uint64) * np.uint64(_GOLDEN)
    bands: list[list[int]] = (digests * factors.reshape(_BANDS, _WIDTH)).sum(axis=2).tolist()
    return bands
