"""What ``teeproof log append`` is given: records, one to a file or line, and proof files."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from teeproof.core.digests import named
from teeproof.core.errors import Malformed, Unavailable, Usage
from teeproof.core.reading import peek, read_bounded, read_stream

__all__ = ["Given", "read_given"]

_ZIP = b"PK\x03\x04"
_LIMIT = 64 << 20
_STDIN = "standard input"


class Given(NamedTuple):
    """What is to be appended.

    Attributes:
        records: each with where it stands, authors before what they said.
        blobs: the evidence that came along.
    """

    records: list[tuple[str, bytes]]
    blobs: list[bytes]


def read_given(files: Sequence[Path]) -> Given:
    """Return what is in files, or on standard input (``-``).

    A file is one JSON record, or one record in each of its lines, or a proof file.

    Raises:
        Malformed, TooLarge, Unavailable: one cannot be read, or there is no record in any.
    """
    given = Given([], [])
    for file in files:
        if str(file) == "-":
            _add(given, _STDIN, _standard_input())
        elif peek(file, len(_ZIP)) == _ZIP:
            _add_proof(given, str(file), file)
        else:
            _add(given, str(file), read_bounded(file, limit=_LIMIT, what="file of records"))
    if not given.records:
        raise Malformed("there is no record in there", code="record_unknown")
    return given


def _add(given: Given, name: str, data: bytes) -> None:
    import msgspec  # noqa: PLC0415

    if data.startswith(_ZIP):
        _add_proof(given, name, data)
        return
    try:
        msgspec.json.decode(data)
        given.records.append((name, data.strip()))
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        lines = enumerate(data.splitlines(), 1)
        given.records.extend((f"{name}:{n}", line) for n, line in lines if line.strip())


def _add_proof(given: Given, name: str, what: Path | bytes) -> None:
    """Add what a proof file holds; of a log's word in it nothing is kept."""
    from teeproof.proof.file import ProofFile  # noqa: PLC0415

    opened = ProofFile.from_bytes(what) if isinstance(what, bytes) else ProofFile.open(what)
    with opened as proof:
        given.blobs.extend(filter(None, map(proof.blob, proof.blob_digests)))
        for keys, read in (
            (proof.identity_digests, proof.identity),
            (proof.statement_ids, proof.statement),
        ):
            given.records.extend((f"{name}: {named(key)}", read(key) or b"") for key in keys)


def _standard_input() -> bytes:
    if sys.stdin is None:
        raise Unavailable("standard input is closed", code="file_unavailable")
    if sys.stdin.isatty():
        raise Usage("standard input is a terminal: send a file into it", code="stdin_terminal")
    return read_stream(sys.stdin.buffer, limit=_LIMIT, what="file of records", name=_STDIN)
