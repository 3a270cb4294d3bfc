"""What a dataset is, to the last record: a Merkle tree of Merkle trees over salted leaves.

    salt      HMAC-SHA256(HKDF(data key of the sealed file), number of the record)
    leaf      RFC 6962 leaf hash over salt ‖ the record's one form
    part      root of a file's leaves: what its contribution commits to
    dataset   root over one leaf per part: contribution id ‖ part's root ‖ number of records

Who holds a file's data key can compute its salts: its contributor, the validator, a trainer that
was granted the key. Nobody else can try out guesses, and once the key is erased nobody can at all.
A stranger can compute the dataset's root from its parts, and check that one record is in it.

Source: RFC 6962, section 2.1.
"""

from __future__ import annotations

import hmac
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from teeproof.core.errors import Malformed, NotAuthentic
from teeproof.core.sealed import DataKey, open_sealed
from teeproof.data.parts import dataset_root, part_leaf
from teeproof.data.records import Record, read_records
from teeproof.data.statements import DatasetPart
from teeproof.data.terms import MAX_FILE_BYTES
from teeproof.proof.log.formats.merkle import Tree, leaf_hash, verify_inclusion

__all__ = [
    "RecordProof",
    "dataset_root",
    "leaves_of",
    "open_file",
    "open_part",
    "part_root",
    "prove_record",
    "verify_record",
]

_SALT = b"teeproof.record-salt.v1"


def leaves_of(records: Iterable[Record], *, key: DataKey) -> list[bytes]:
    """Return the leaf hash of each record of a file."""
    salt = _salts(key)
    return [leaf_hash(salt(n) + record.encode()) for n, record in enumerate(records)]


def part_root(records: Iterable[Record], *, key: DataKey) -> bytes:
    """Return what a contribution commits to, 32 bytes."""
    return Tree(leaves_of(records, key=key)).root()


def open_file(blob: bytes, *, key: DataKey, max_bytes: int = MAX_FILE_BYTES) -> bytes:
    """Return the plaintext of a sealed file, which never leaves memory.

    Raises:
        Malformed: code ``file_too_large``, before anything is decrypted but its last segment; and
            as ``open_sealed``.
        NotAuthentic: as ``open_sealed``.
    """
    with open_sealed(io.BytesIO(blob), key=key) as reader:
        if reader.size > max_bytes:
            raise Malformed(
                "the file is larger than this pool takes",
                code="file_too_large",
                expected=f"at most {max_bytes} bytes",
                got=f"{reader.size} bytes",
            )
        return reader.read_at(0, reader.size)


def open_part(part: DatasetPart, blob: bytes, *, key: DataKey) -> tuple[Record, ...]:
    """Return the records of one part of a dataset, if they are the ones that were accepted.

    Args:
        part: as the dataset's statement lists it.
        blob: the sealed file.
        key: its data key, as it was granted.

    Raises:
        NotAuthentic: code ``part_mismatch``; and as ``open_file``.
        Malformed: as ``open_file``.
    """
    contents = read_records(open_file(blob, key=key))
    root = part_root(contents.records, key=key)
    if contents.faults or root.hex() != part.root or len(contents.records) != part.records:
        raise NotAuthentic(
            "these are not the records that the dataset names: get the part again",
            code="part_mismatch",
            expected=f"{part.records} records, root {part.root}",
            got=f"{len(contents.records)} records, root {root.hex()}",
        )
    return contents.records


@dataclass(frozen=True, slots=True)
class RecordProof:
    """That one record is in a dataset, for whoever is shown the record and its salt.

    Attributes:
        salt: the record's, 32 bytes.
        record: its number in the file.
        part: the number of the file in the dataset.
        path: from the record to its part's root.
        parts: from the part to the dataset's root.
    """

    salt: bytes
    record: int
    part: int
    path: tuple[bytes, ...]
    parts: tuple[bytes, ...]


def prove_record(
    records: Sequence[Record], number: int, *, key: DataKey, parts: Sequence[DatasetPart], part: int
) -> RecordProof:
    """Return the proof that a record of one's own file is in a dataset.

    Raises:
        Usage: there is no such record, or no such part.
    """
    path = Tree(leaves_of(records, key=key)).inclusion_proof(number)
    above = Tree(map(part_leaf, parts)).inclusion_proof(part)
    return RecordProof(_salts(key)(number), number, part, tuple(path), tuple(above))


def verify_record(
    record: Record, proof: RecordProof, *, parts: Sequence[DatasetPart], root: bytes
) -> None:
    """Raise unless a record is in the dataset with this root.

    Raises:
        NotAuthentic: code ``inclusion_mismatch``.
    """
    if not 0 <= proof.part < len(parts):
        raise NotAuthentic("the dataset has no such part", code="inclusion_mismatch")
    part = parts[proof.part]
    verify_inclusion(
        leaf_hash(proof.salt + record.encode()), index=proof.record, size=part.records,
        proof=proof.path, root=bytes.fromhex(part.root),
    )  # fmt: skip
    verify_inclusion(
        part_leaf(part), index=proof.part, size=len(parts), proof=proof.parts, root=root
    )


class _Salts(Protocol):
    def __call__(self, number: int, /) -> bytes: ...


def _salts(key: DataKey) -> _Salts:
    secret = HKDF(algorithm=SHA256(), length=32, salt=None, info=_SALT).derive(key.secret)

    def salt(number: int) -> bytes:
        return hmac.digest(secret, number.to_bytes(8, "big"), "sha256")

    return salt
