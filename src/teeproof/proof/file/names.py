"""The names of a proof file's members, their order, and the manifest.

    manifest.json
    statements/<64 hex>.json
    identities/<64 hex>.json
    blobs/<64 hex>
    log/<origin>/<newest size>/anchors/<size>-<64 hex>
    log/<origin>/<newest size>/checkpoints/<size>
    log/<origin>/<newest size>/entries.json
    log/<origin>/<newest size>/nodes

In this order, and sorted within each line. Sizes have 19 digits. In an origin, every byte but
``a-z 0-9 - _`` and a dot between two others is written as ``%`` and two hex digits: names are the
same on systems that ignore case.

Trusts: nothing.  Does not trust: whoever chose the names.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Literal

import msgspec

from teeproof.core.digests import named, parse_named
from teeproof.core.errors import Malformed, Usage
from teeproof.proof import canonical
from teeproof.proof.file.ziplayout import MAX_FILE_BYTES

__all__ = [
    "BLOBS",
    "IDENTITIES",
    "MANIFEST",
    "STATEMENTS",
    "blob_name",
    "escape",
    "groups",
    "identity_name",
    "manifest",
    "part_folder",
    "rank",
    "read_manifest",
    "statement_name",
    "unescape",
]

MANIFEST = "manifest.json"
STATEMENTS, IDENTITIES, BLOBS, LOG = "statements/", "identities/", "blobs/", "log/"
MAX_ORIGIN = 200  # characters, escaped
_DIGITS = 19  # of 2^63 - 1, the largest size that C2SP's formats hold

_NAME = re.compile(
    r"(manifest\.json)"
    r"|(statements/[0-9a-f]{64}\.json)"
    r"|(identities/[0-9a-f]{64}\.json)"
    r"|(blobs/[0-9a-f]{64})"
    rf"|(log/[-a-z0-9_%][-a-z0-9_.%]{{0,{MAX_ORIGIN - 1}}}/[0-9]{{19}}/"
    r"(?:anchors/[0-9]{19}-[0-9a-f]{64}|checkpoints/[0-9]{19}|entries\.json|nodes))"
)
_PLAIN = re.compile(r"(?:[-a-z0-9_]|(?<=[-a-z0-9_])\.(?=[-a-z0-9_])|%[0-9a-f]{2})+")


class _Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    roots: tuple[str, ...]
    type: Literal["urn:teeproof:proof:v1"] = "urn:teeproof:proof:v1"


def statement_name(statement_id: bytes) -> str:
    """Return the member of a statement."""
    return f"{STATEMENTS}{statement_id.hex()}.json"


def identity_name(digest: bytes) -> str:
    """Return the member of an identity record."""
    return f"{IDENTITIES}{digest.hex()}.json"


def blob_name(digest: str) -> str:
    """Return the member of a blob, which is named ``sha256:…``."""
    return BLOBS + digest.removeprefix("sha256:")


def part_folder(origin: str, newest: int) -> str:
    """Return the folder of a part of a log; Usage (``origin_too_long``)."""
    return f"{LOG}{escape(origin)}/{padded(newest)}/"


def padded(size: int) -> str:
    """Return a tree's size with as many digits as the largest has."""
    return f"{size:0{_DIGITS}d}"


def rank(name: str) -> int:
    """Return which line of the order a name belongs to, from 1.

    Raises:
        Malformed: code ``proof_member_unknown``; no member has such a name.
    """
    match = _NAME.fullmatch(name)
    if match is None or match.lastindex is None:
        raise Malformed(
            "a proof file holds statements, identities, blobs and log proofs, and nothing else: "
            "trust is what its reader brings",
            code="proof_member_unknown",
            got=ascii(name[:200]),
        )
    return match.lastindex


def groups(members: Iterable[str]) -> tuple[list[str], ...]:
    """Return the names by rank.

    Raises:
        Malformed: codes ``zip_order``, ``proof_member_unknown`` and ``manifest_missing``.
    """
    found: tuple[list[str], ...] = ([], [], [], [], [], [])
    last = (0, "")
    for name in members:
        place = (rank(name), name)
        if place <= last:
            raise Malformed(
                "the members are not in their order: make the file again",
                code="zip_order",
                expected=f"{name} before {last[1]}",
            )
        found[place[0]].append(name)
        last = place
    if not found[1]:
        raise Malformed("this is a ZIP file, but no proof: no manifest", code="manifest_missing")
    return found


def escape(origin: str) -> str:
    """Return an origin as one component of a path.

    Raises:
        Usage: code ``origin_too_long``.
    """
    text = "".join(_escaped(origin))
    if len(text) > MAX_ORIGIN:
        raise Usage(
            "the log's origin is too long for a proof file",
            code="origin_too_long",
            expected=f"at most {MAX_ORIGIN} characters, escaped",
            got=origin[:100],
        )
    return text


def unescape(text: str) -> str:
    """Return the origin; Malformed (``origin_malformed``) if ``escape`` writes it otherwise."""
    origin = None
    if _PLAIN.fullmatch(text):
        raw = re.sub("%(..)", lambda match: chr(int(match[1], 16)), text).encode("latin-1")
        origin = raw.decode(errors="replace")
    if origin is None or escape(origin) != text:
        raise Malformed(
            "a log's folder is not named as its origin", code="origin_malformed", got=text
        )
    return origin


def _escaped(origin: str) -> Iterable[str]:
    for place, char in enumerate(origin):
        inside = (
            char == "." and _is_plain(origin[:place][-1:]) and _is_plain(origin[place + 1 :][:1])
        )
        if inside or _is_plain(char):
            yield char
        else:
            yield from (f"%{byte:02x}" for byte in char.encode())


def _is_plain(char: str) -> bool:
    return char.isascii() and (char.isdigit() or char.islower() or (char != "" and char in "-_"))


def manifest(roots: Iterable[bytes]) -> bytes:
    """Return the manifest of a proof of these statements.

    Raises:
        Usage: there are none (``roots_missing``).
    """
    found = tuple(sorted(map(named, set(roots))))
    if not found:
        raise Usage("a proof is of at least one statement", code="roots_missing")
    return canonical.encode(_Manifest(found))


def read_manifest(data: bytes) -> tuple[bytes, ...]:
    """Return the roots, sorted.

    Raises:
        Malformed: not canonical, of another type, roots unsorted, repeated or missing.
    """
    value = canonical.decode(data, limit=MAX_FILE_BYTES, what="manifest", kind=_Manifest)
    roots = tuple(map(parse_named, value.roots))
    if not roots or sorted(set(value.roots)) != list(value.roots):
        raise Malformed(
            "the manifest's roots are not sorted, or given twice, or missing",
            code="manifest_malformed",
        )
    return roots
