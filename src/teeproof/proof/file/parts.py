"""The members of a log's parts: read them, write them.

Trusts: nothing.  Does not trust: whoever wrote the members.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from teeproof.core.digests import sha256
from teeproof.core.errors import Malformed, TooLarge
from teeproof.proof.file import names
from teeproof.proof.file.logpart import (
    MAX_ANCHOR_BYTES,
    Anchor,
    LogPart,
    encode_entries,
    read_entries,
)
from teeproof.proof.file.sheets import MAX_PARTS
from teeproof.proof.log.formats.checkpoint import SignedCheckpoint

__all__ = ["part_members", "read_parts"]


def part_members(part: LogPart) -> Iterator[tuple[str, bytes]]:
    """Yield names and bytes, sorted by name."""
    folder = names.part_folder(part.origin, part.newest)
    for anchor in part.anchors:
        digest = sha256(anchor.document).hex()
        yield f"{folder}anchors/{names.padded(anchor.size)}-{digest}", anchor.document
    for signed in part.checkpoints:
        yield f"{folder}checkpoints/{names.padded(signed.checkpoint.size)}", signed.encode()
    yield folder + "entries.json", encode_entries(part.entries)
    yield folder + "nodes", part.hashes


def read_parts(members: Iterable[str], read: Callable[[str], bytes]) -> tuple[LogPart, ...]:
    """Return the parts, in the order of their folders.

    Args:
        members: names below ``log/``, sorted.
        read: returns a member's bytes.

    Raises:
        Malformed, TooLarge: codes ``member_mismatch``, ``checkpoint_of_another_origin``,
            ``log_part_incomplete``, ``proof_too_large`` and those of ``LogPart.check``.
    """
    folders: dict[str, list[str]] = {}
    for name in members:
        _, origin, newest, rest = name.split("/", 3)
        folders.setdefault(f"{origin}/{newest}", []).append(rest)
    count: dict[str, int] = {}
    for folder in folders:
        origin = folder.partition("/")[0]
        count[origin] = count.get(origin, 0) + 1
    if max(count.values(), default=0) > MAX_PARTS:
        raise TooLarge("a log has too many parts in the file", code="proof_too_large")
    return tuple(_part(folder, rest, read) for folder, rest in folders.items())


def _part(folder: str, rest: list[str], read: Callable[[str], bytes]) -> LogPart:
    escaped, _, newest = folder.partition("/")
    origin = names.unescape(escaped)
    at = f"log/{folder}/"
    checkpoints = [name for name in rest if name.startswith("checkpoints/")]
    if "entries.json" not in rest or "nodes" not in rest or not checkpoints:
        raise Malformed(
            "a log's part needs checkpoints, entries and nodes", code="log_part_incomplete", got=at
        )
    part = LogPart(
        origin,
        tuple(_checkpoint(origin, at + name, read(at + name)) for name in checkpoints),
        read_entries(read(at + "entries.json")),
        read(at + "nodes"),
        tuple(_anchor(name, read(at + name)) for name in rest if name.startswith("anchors/")),
    )
    if names.padded(part.newest) != newest:
        raise _mismatch(at, names.padded(part.newest))
    part.check()
    return part


def _checkpoint(origin: str, name: str, data: bytes) -> SignedCheckpoint:
    signed = SignedCheckpoint.parse(data)
    if signed.checkpoint.origin != origin:
        raise Malformed(
            "a checkpoint lies in the folder of another log",
            code="checkpoint_of_another_origin",
            expected=origin,
            got=signed.checkpoint.origin,
        )
    if names.padded(signed.checkpoint.size) != name[-19:]:
        raise _mismatch(name, str(signed.checkpoint.size))
    return signed


def _anchor(name: str, data: bytes) -> Anchor:
    if len(data) > MAX_ANCHOR_BYTES:
        raise TooLarge("an anchor is too large", expected=f"at most {MAX_ANCHOR_BYTES} bytes")
    if sha256(data).hex() != name[-64:]:
        raise _mismatch(name, sha256(data).hex())
    return Anchor(int(name[8:27]), data)


def _mismatch(name: str, got: str) -> Malformed:
    return Malformed(
        "a member is not the one that its name says: get the file again",
        code="member_mismatch",
        expected=name,
        got=got,
    )
