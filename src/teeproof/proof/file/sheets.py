"""Proofs of one log from several hands, joined into as few parts as their nodes allow.

A sheet is a part that is being put together: entries, checkpoints, and somebody who knows nodes.
Two sheets become one part if the nodes that connect their checkpoints are known to either; a log
knows all of them, a proof file only those on its own entries' paths.

Trusts: nothing.  Does not trust: that two sheets of one origin are of one tree.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from teeproof.core.digests import sha256
from teeproof.core.errors import Malformed, NotAuthentic, TooLarge, Unavailable, Usage
from teeproof.proof.file.logpart import Anchor, EntryRef, LogPart, needed
from teeproof.proof.log.formats.checkpoint import SignedCheckpoint
from teeproof.proof.log.formats.entry import RECEIPT
from teeproof.proof.log.formats.merkle import Get, Node, multiproof, node_hash
from teeproof.proof.log.formats.note import Note, SignatureLine
from teeproof.proof.source import Logged

__all__ = ["MAX_PARTS", "Sheet", "complete", "join", "one_checkpoint", "require_one_author"]

MAX_PARTS = 64  # of one log; finding which of them join costs their square


@dataclass(slots=True)
class Sheet:
    """A part in the making.

    Attributes:
        origin: the log's.
        entries: by statement id or identity digest.
        checkpoints: by size.
        anchors: as in a part.
        known: nodes at hand.
        get: the log's own nodes; None where only ``known`` is.
    """

    origin: str
    entries: dict[bytes, EntryRef] = field(default_factory=dict)
    checkpoints: dict[int, SignedCheckpoint] = field(default_factory=dict)
    anchors: set[Anchor] = field(default_factory=set)
    known: Mapping[Node, bytes] = field(default_factory=dict)
    get: Get | None = None

    def add(self, key: bytes, place: Logged) -> None:
        """Add an entry with the checkpoint that covers it."""
        who = place.identity if place.kind == RECEIPT else b""
        self._enter(key, EntryRef(place.kind, place.index, place.salt, who))
        self.cover(place.checkpoint)

    def cover(self, signed: SignedCheckpoint) -> None:
        """Add a checkpoint, or its signatures if one of its size is there."""
        size = signed.checkpoint.size
        mine = self.checkpoints.get(size)
        self.checkpoints[size] = signed if mine is None else one_checkpoint(mine, signed)

    def with_(self, other: Sheet) -> Sheet:
        """Return the entries, checkpoints and anchors of both; who knows nodes stays the same."""
        found = Sheet(
            self.origin,
            dict(self.entries),
            dict(self.checkpoints),
            self.anchors | other.anchors,
            self.known,
            self.get,
        )
        for key, ref in other.entries.items():
            found._enter(key, ref)
        for signed in other.checkpoints.values():
            found.cover(signed)
        return found

    def part(self) -> LogPart | None:
        """Return the part, without what nothing needs; None if nodes are not known."""
        indexes = sorted(ref.index for ref in self.entries.values())
        anchored = {anchor.size for anchor in self.anchors}
        sizes = needed(self.checkpoints.values(), indexes, anchored)
        nodes = [self._node(*node) for node in multiproof(indexes, sizes)]
        if None in nodes:
            return None
        return LogPart(
            self.origin,
            tuple(self.checkpoints[size] for size in sorted(sizes)),
            dict(sorted(self.entries.items(), key=lambda item: item[1].index)),
            b"".join(node for node in nodes if node is not None),
            tuple(sorted(self.anchors, key=lambda a: (a.size, sha256(a.document)))),
        )

    def _enter(self, key: bytes, ref: EntryRef) -> None:
        known = self.entries.get(key)
        if known is None or ref.index < known.index:
            self.entries[key] = ref

    def _node(self, level: int, index: int) -> bytes | None:
        value = self.known.get((level, index))
        return self.get(level, index) if value is None and self.get is not None else value


def join(sheets: Iterable[Sheet]) -> list[LogPart]:
    """Return the fewest parts that hold all sheets, sorted by origin and newest checkpoint.

    The same sheets give the same parts, in whatever order they come.

    Raises:
        Malformed: code ``receipt_authors_differ``.
        NotAuthentic: code ``log_forked``; two sheets of one origin are of different trees.
        Usage: code ``checkpoints_differ``; one size and root, and two texts.
        TooLarge: code ``proof_too_large``; more than 64 parts of one log.
        Unavailable: code ``nodes_unknown``.
    """
    by_origin: dict[str, list[Sheet]] = {}
    for sheet in sheets:
        by_origin.setdefault(sheet.origin, []).append(sheet)
    parts = [part for group in by_origin.values() for part in _join(group)]
    require_one_author(parts)
    return sorted(parts, key=lambda part: (part.origin, part.newest))


def require_one_author(parts: Iterable[LogPart]) -> None:
    """Refuse parts whose entries name different identities as the author of one receipt.

    Each entry may be true. But then a part of a log that nobody trusts could choose the author.

    Raises:
        Malformed: code ``receipt_authors_differ``.
    """
    authors: dict[bytes, bytes] = {}
    for part in parts:
        for key, ref in part.entries.items():
            if ref.receipt_of and authors.setdefault(key, ref.receipt_of) != ref.receipt_of:
                raise Malformed(
                    "two logs name different identities as the author of one receipt: prove it from"
                    " one of them",
                    code="receipt_authors_differ",
                    expected=authors[key].hex(),
                    got=ref.receipt_of.hex(),
                )


def _join(sheets: list[Sheet]) -> list[LogPart]:
    if len(sheets) > 1:
        known = _pool(sheets)
        get = next((sheet.get for sheet in sheets if sheet.get is not None), None)
        for sheet in sheets:
            sheet.known, sheet.get = known, get
    while True:
        clusters = _clusters(sheets)
        kept = _once(clusters) if len(clusters) > 1 else None
        if kept is None:
            break
        sheets = kept
    if len(clusters) > MAX_PARTS:
        raise TooLarge(
            f"too many checkpoints of {sheets[0].origin} stand apart: export again, from the log",
            code="proof_too_large",
            expected=f"at most {MAX_PARTS} parts",
            got=f"{len(clusters)} parts",
        )
    return [_require(sheet.part(), sheet.origin) for sheet in clusters]


def _pool(sheets: list[Sheet]) -> dict[Node, bytes]:
    """Return what all know together."""
    found: dict[Node, bytes] = {}
    for sheet in sheets:
        for node, value in sheet.known.items():
            if found.setdefault(node, value) != value:
                raise _forked(sheet.origin, f"node {node[1]} of level {node[0]}")
    return complete(found)


def _require(part: LogPart | None, origin: str) -> LogPart:
    if part is None:
        raise Unavailable(
            f"nobody at hand knows the nodes that prove these entries of {origin}: export again, "
            "from the log",
            code="nodes_unknown",
        )
    return part


def _clusters(sheets: list[Sheet]) -> list[Sheet]:
    """Put together what can be, all at once or one after the other."""
    if len(sheets) == 1:
        return sheets
    whole, *rest = sheets
    for sheet in rest:
        whole = whole.with_(sheet)
    if whole.part() is not None:
        return [whole]
    clusters: list[Sheet] = []
    for sheet in sorted(sheets, key=_order):
        for place, cluster in enumerate(clusters):
            both = cluster.with_(sheet)
            if both.part() is not None:
                clusters[place] = both
                break
        else:
            clusters.append(sheet)
    return clusters


def _once(clusters: list[Sheet]) -> list[Sheet] | None:
    """Drop entries that another cluster shows as early and as well; None if there are none."""
    dropped = False
    for sheet in clusters:
        for key, ref in list(sheet.entries.items()):
            others = (other for other in clusters if other is not sheet and key in other.entries)
            if any(_as_good(other, sheet, ref) for other in others):
                del sheet.entries[key]
                dropped = True
    return [sheet for sheet in clusters if sheet.entries] if dropped else None


def _as_good(other: Sheet, sheet: Sheet, ref: EntryRef) -> bool:
    """Whether another sheet covers an entry earlier, by everybody who signed here."""
    if any(anchor.size > ref.index for anchor in sheet.anchors):
        return False
    theirs, mine = _first(other, ref.index), _first(sheet, ref.index)
    earlier = theirs.checkpoint.size < mine.checkpoint.size
    return earlier and _signers(mine) <= _signers(theirs)


def _first(sheet: Sheet, index: int) -> SignedCheckpoint:
    return sheet.checkpoints[min(size for size in sheet.checkpoints if size > index)]


def _signers(signed: SignedCheckpoint) -> set[tuple[str, bytes]]:
    return {(line.name, line.key_id) for line in signed.note.signatures}


def _order(sheet: Sheet) -> tuple[list[int], list[bytes]]:
    return sorted(sheet.checkpoints), sorted(sheet.entries)


def complete(known: Mapping[Node, bytes]) -> dict[Node, bytes]:
    """Return these nodes and all that can be hashed from them."""
    levels: dict[int, dict[int, bytes]] = {}
    for (level, index), value in known.items():
        levels.setdefault(level, {})[index] = value
    for level in range(63):
        here = levels.get(level, {})
        pairs = [index for index in here if not index & 1 and index + 1 in here]
        above = levels.setdefault(level + 1, {}) if pairs else {}
        for index in pairs:
            if index >> 1 not in above:
                above[index >> 1] = node_hash(here[index], here[index + 1])
    return {(level, index): value for level, row in levels.items() for index, value in row.items()}


def one_checkpoint(one: SignedCheckpoint, other: SignedCheckpoint) -> SignedCheckpoint:
    """Return a checkpoint with the signatures of both notes: the log's first, then by name.

    Raises:
        NotAuthentic: code ``log_forked``; one size, two roots.
        Usage: code ``checkpoints_differ``; the texts differ in their extensions.
    """
    if one == other:
        return one
    if one.checkpoint.root != other.checkpoint.root:
        raise _forked(one.checkpoint.origin, f"the tree of size {one.checkpoint.size}")
    if one.note.text != other.note.text:
        raise Usage(
            "two checkpoints of one size have different extensions: merge with one of them only",
            code="checkpoints_differ",
        )

    def order(line: SignatureLine) -> tuple[bool, str, bytes, bytes]:
        return (line.name != one.checkpoint.origin, line.name, line.key_id, line.signature)

    lines = sorted({*one.note.signatures, *other.note.signatures}, key=order)
    return SignedCheckpoint(one.checkpoint, Note(one.note.text, tuple(lines)))


def _forked(origin: str, where: str) -> NotAuthentic:
    return NotAuthentic(
        f"the log {origin} shows two histories: keep both files, they prove it",
        code="log_forked",
        got=f"two hashes for {where}",
    )
