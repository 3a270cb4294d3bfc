"""Write a proof file: the roots, everything that they rest on, and their places in logs.

Two passes over the source: one walks the closure and keeps digests, one writes the members in their
order, each read when it is its turn. Memory holds no more than the list of what there is.

Trusts: nothing.  Does not trust: the source; what it returns is held against its digest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple

from teeproof.core.digests import named
from teeproof.core.errors import Unavailable, Usage
from teeproof.core.writing import replacing
from teeproof.proof.file import names
from teeproof.proof.file.closure import Edge, Walk, incomplete
from teeproof.proof.file.library import Library, library, require_blob
from teeproof.proof.file.logpart import MAX_ANCHOR_BYTES, Anchor, LogPart
from teeproof.proof.file.parts import part_members
from teeproof.proof.file.sheets import Sheet, join
from teeproof.proof.file.zipwrite import ZipWriter
from teeproof.proof.log.formats.checkpoint import SignedCheckpoint
from teeproof.proof.source import Source

__all__ = ["Exported", "Progress", "export"]

Progress = Callable[[int, int], None]
"""Called with the number of members written, and of all; while the source is walked, with the
number of statements found, and 0."""


class Exported(NamedTuple):
    """What went into a file: how many statements, identities and blobs, and its size."""

    statements: int
    identities: int
    blobs: int
    bytes: int


def export(
    source: Source | Library,
    roots: Sequence[bytes],
    target: Path | BinaryIO,
    *,
    allow_missing: bool = False,
    progress: Progress | None = None,
    attach: Iterable[str] = (),
    anchors: Iterable[tuple[SignedCheckpoint, bytes]] = (),
) -> Exported:
    """Write the proof of some statements.

    Args:
        source: holds the statements.
        roots: ids of the statements to prove; at least one.
        target: a path, which appears once the file is complete, or a stream.
        allow_missing: leave out what the source does not have, except roots.
        progress: see ``Progress``.
        attach: ``sha256:…`` of blobs that the statements speak of, to carry along.
        anchors: checkpoints of logs in the file with documents that anchor them.

    Raises:
        Usage: no roots; an attachment that no statement names (``attachment_unnamed``); an anchor
            of another log (``anchor_unused``); a target that is no file (``not_a_file``).
        Unavailable: code ``closure_incomplete``: the detail names child, role and parent.
        Malformed: the source holds something else than it says.
        TooLarge: more than a proof file can hold.
    """
    held = library(source)
    walk = _walk(held, roots, allow_missing, progress)
    blobs = _blobs(walk, attach)
    keys = sorted(walk.statements | walk.identities)
    # Without its author, nobody can tell what a receipt's entry is.
    unknown = {edge.child for edge in walk.missing if edge.role == "keyset"}
    sheets = held.sheets(key for key in keys if key not in unknown)
    parts = join(_anchored(sheets, anchors))
    with _open(target) as stream:
        writer = ZipWriter(stream)
        total = 1 + len(keys) + len(blobs)
        members = _members(held, roots, walk, blobs, parts, allow_missing=allow_missing)
        written = 0
        for done, (name, data) in enumerate(members, 1):
            writer.add(name, data)
            written += name.startswith(names.BLOBS)
            if progress is not None:
                progress(min(done, total), total)
        writer.finish()
    return Exported(len(walk.statements), len(walk.identities), written, writer.written)


def _walk(
    held: Library, roots: Iterable[bytes], allow_missing: bool, progress: Progress | None
) -> Walk:
    walk = Walk(held)
    for found, _ in enumerate(walk.run(roots), 1):
        if progress is not None:
            progress(found, 0)
    for edge in sorted(walk.missing):
        if edge.role == "root" or not allow_missing:
            raise incomplete(edge)
    return walk


def _blobs(walk: Walk, attach: Iterable[str]) -> dict[str, bytes | None]:
    """Return the blobs to write, sorted, each with the identity that names it."""
    found: dict[str, bytes | None] = dict(walk.blobs)
    for digest in attach:
        if digest not in walk.subjects and digest not in found:
            raise Usage(
                "no statement of this proof speaks of the attachment",
                code="attachment_unnamed",
                got=digest,
            )
        found.setdefault(digest, None)
    return dict(sorted(found.items()))


def _members(
    held: Library,
    roots: Iterable[bytes],
    walk: Walk,
    blobs: Mapping[str, bytes | None],
    parts: Iterable[LogPart],
    *,
    allow_missing: bool,
) -> Iterator[tuple[str, bytes]]:
    yield names.MANIFEST, names.manifest(roots)
    for key in sorted(walk.statements):
        yield names.statement_name(key), _still(held.statement(key), key)
    for key in sorted(walk.identities):
        yield names.identity_name(key), _still(held.identity(key), key)
    for digest, owner in blobs.items():
        data = held.blob(digest)
        if data is not None:
            yield names.blob_name(digest), require_blob(data, digest)
        elif owner is None:
            raise Unavailable("an attachment is not at hand", code="attachment_missing", got=digest)
        elif not allow_missing:
            raise incomplete(Edge(owner, "evidence", digest))
    for name, data in sorted(member for part in parts for member in part_members(part)):
        yield name, data


def _still(data: bytes | None, key: bytes) -> bytes:
    if data is None:
        raise Unavailable(
            "the source has lost a statement meanwhile: export again",
            code="source_changed",
            got=named(key),
        )
    return data


def _anchored(
    sheets: list[Sheet], anchors: Iterable[tuple[SignedCheckpoint, bytes]]
) -> list[Sheet]:
    """Return the sheets with anchors; a checkpoint goes to each that it covers an entry of."""
    for signed, document in anchors:
        size = signed.checkpoint.size
        fitting = [
            sheet
            for sheet in sheets
            if sheet.origin == signed.checkpoint.origin
            and any(ref.index < size for ref in sheet.entries.values())
            and (sheet.get is not None or size in sheet.checkpoints)
        ]
        if not fitting or len(document) > MAX_ANCHOR_BYTES:
            raise Usage(
                "this anchor covers no entry of the proof, or is too large",
                code="anchor_unused",
                got=f"{signed.checkpoint.origin}, size {size}",
            )
        for sheet in fitting:
            sheet.cover(signed)
            sheet.anchors.add(Anchor(size, document))
    return sheets


@contextmanager
def _open(target: Path | BinaryIO) -> Iterator[BinaryIO]:
    """Open a stream, or a file that takes its name if all goes well."""
    if isinstance(target, Path):
        with replacing(target, overwrite=True, buffering=-1) as stream:
            yield stream
    else:
        yield target
