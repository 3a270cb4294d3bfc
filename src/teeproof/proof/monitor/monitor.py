"""One look at a log: fetch its checkpoint, verify it, compare it with all that was seen before.

    signature     of the log, over the checkpoint
    not larger    the root of our own tree at that size is the one that was signed
    larger        complete subtrees, each checked against the new root, make our old root; then the
                  new entries are read, each is in the new tree and can be parsed
    read again    some older entries, so that what is served stays what was signed
    in doubt      a signed checkpoint whose tiles are missing or wrong is kept, and compared once
                  our tree has grown past it; two of one size must have one root

Every signed checkpoint of every vantage point goes the same way, so a log that shows two trees to
two askers is caught. Only a contradiction between two signatures of the log is an accusation, and
only after its fork.proof was verified; whatever else is wrong may be the network.

Trusts: the log's keys, its own memory.
Does not trust: the log, the network, what other vantage points and witnesses serve.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from teeproof.core.errors import Error, NotAuthentic
from teeproof.proof.log.formats.checkpoint import SignedCheckpoint
from teeproof.proof.log.formats.entry import Entry
from teeproof.proof.log.formats.merkle import HASH_BYTES, Get, multiproof, roots
from teeproof.proof.log.formats.note import VerifierKey
from teeproof.proof.log.formats.tiles import TILE_WIDTH
from teeproof.proof.log.http.tiletree import TileTree
from teeproof.proof.monitor.again import Again, some
from teeproof.proof.monitor.evidence import accuse, manner
from teeproof.proof.monitor.report import Finding, Level, Report, in_order
from teeproof.proof.monitor.source import Source
from teeproof.proof.monitor.store import MAX_DOUBTS, Damaged, Doubt, Store, Unwritable
from teeproof.proof.monitor.trees import TreeOf, ahead, no_tree, tree
from teeproof.proof.witness.signed import require_signed, strip

__all__ = ["Monitor"]

DELAY = 60  # seconds after which missing tiles of a signed checkpoint are overdue


class Monitor:
    """Follows one log.

    Args:
        store: its memory.
        keys: the log's verifier keys, all of one name: the origin.
        source: where the log is read.
        others: further vantage points, which show the log's tiles too.
        witnesses: what witnesses cosigned last; they have no tiles.
        now: seconds since 1970.
        delay: seconds that the log may take to serve the tiles of a checkpoint.
        again: which older bundles to read again.
        check: raises Malformed for an entry of another form.

    Raises:
        NotAuthentic: ``log_unknown``; what the memory holds was not signed by these keys.
    """

    def __init__(
        self,
        store: Store,
        keys: Sequence[VerifierKey],
        source: Source,
        *,
        now: Callable[[], float],
        others: Sequence[Source] = (),
        witnesses: Sequence[Source] = (),
        delay: int = DELAY,
        again: Again = some,
        check: Callable[[bytes], object] = Entry.parse,
    ) -> None:
        self._store, self._keys, self._source = store, tuple(keys), source
        self._sources, self._witnesses = (source, *others), witnesses
        self._now, self._delay, self._again, self._check = now, delay, again, check
        self._findings: list[Finding] = []
        if store.held is not None:
            require_signed(store.held, self._keys)

    def look(self) -> Report:
        """Return what one look finds. Once the log is proven bad, it is not followed any more.

        Raises:
            Unwritable: the memory cannot be written.
            Damaged, Malformed: the memory is not what it was.
        """
        self._findings = []
        before = self._store.verified if self._store.held else None
        if self._store.proof() is None:
            try:
                for source in self._sources:
                    self._visit(source, tree)
                for witness in self._witnesses:
                    self._visit(witness, no_tree)
                self._review()
            except _Forked:
                pass
            finally:
                self._store.rollback()
        return self._report(before)

    def _visit(self, source: Source, tree_of: TreeOf) -> None:
        try:
            signed = SignedCheckpoint.parse(source.read("checkpoint"))
            require_signed(signed, self._keys)
            signed = strip(signed, self._keys)
        except Error as error:
            self._findings.append(Finding.of(error, source.name))
            return
        size, seen = signed.checkpoint.size, tree_of(signed, source)
        larger = self._store.held is None or size > self._store.verified
        if larger and seen:
            self._grow(signed, source, seen)
        elif larger:
            self._put_in_doubt(signed, source, ahead(signed))
        elif not self._is_ours(signed):
            self._accuse(signed, source, seen)
        elif size < self._store.verified:
            self._older(size, source)
        elif seen:
            self._read_again(seen, source)

    def _older(self, size: int, source: Source) -> None:
        if source is not self._source:
            self._say("note", "vantage_behind", f"it shows {size} entries of our tree", source.name)
            return
        self._say(
            "missing",
            "checkpoint_replayed",
            "an older checkpoint than was seen before is served: a cache, a replay on the way, or"
            " a log that lost entries",
            source.name,
            expected=f"at least {self._store.verified} entries",
            got=f"{size}",
        )

    def _is_ours(self, signed: SignedCheckpoint) -> bool:
        return self._store.root(signed.checkpoint.size) == signed.checkpoint.root

    def _grow(self, signed: SignedCheckpoint, source: Source, tree: TileTree) -> None:
        """Follow a larger tree, if it begins with ours and all of it can be seen."""
        try:
            if not self._begins_with_ours(tree):
                self._accuse(signed, source, tree)
            self._read_new(tree, source)
            self._store.keep(signed)
        except (Damaged, Unwritable):
            raise
        except Error as error:
            self._store.rollback()
            self._put_in_doubt(signed, source, error)
        else:
            self._read_again(tree, source)

    def _begins_with_ours(self, tree: TileTree) -> bool:
        old = self._store.verified
        sizes = (old, tree.size)
        nodes = {node: tree.node(*node) for node in multiproof((), sizes)}
        return roots({}, nodes, sizes)[old] == self._store.root(old)

    def _read_new(self, tree: TileTree, source: Source) -> None:
        start = self._store.verified
        for number in range(start // TILE_WIDTH, -(-tree.size // TILE_WIDTH)):
            first = number * TILE_WIDTH
            known = max(start - first, 0)
            entries = tree.bundle(number)  # each of them hashes to its place in the tile
            self._parse(entries[known:], first + known, source)
            self._store.extend(tree.tile(0, number)[known * HASH_BYTES :])

    def _parse(self, entries: Sequence[bytes], first: int, source: Source) -> None:
        for index, entry in enumerate(entries, first):
            try:
                self._check(entry)
            except Error as error:
                self._say(
                    "refused",
                    "entry_malformed",
                    f"entry {index} is in the tree that the log signed, and is no entry:"
                    f" {error.detail}",
                    source.name,
                )

    def _read_again(self, tree: TileTree, source: Source) -> None:
        for number in self._again(-(-tree.size // TILE_WIDTH)):
            try:
                tree.bundle(number)
            except Error as error:
                self._findings.append(Finding.of(error, source.name))

    def _put_in_doubt(self, signed: SignedCheckpoint, source: Source, error: Error) -> None:
        finding = Finding.of(error, source.name)
        if error.code == "tile_missing":  # the log has a while to serve what it signed
            finding = msgspec.structs.replace(finding, level="note", code="tiles_awaited")
        self._findings.append(finding)
        for known in self._store.doubts:
            if known.signed.checkpoint.size == signed.checkpoint.size:
                if known.signed.checkpoint.root != signed.checkpoint.root:
                    self._prove(known.signed, signed, source.name, None, None)
                return
        doubts = (*self._store.doubts, Doubt(signed, int(self._now()), source.name))
        if len(doubts) > MAX_DOUBTS:
            self._say(
                "missing",
                "doubts_too_many",
                "the log signs more checkpoints than it serves tiles for: this one is not kept",
                source.name,
            )
        self._store.doubt(doubts)

    def _review(self) -> None:
        """Compare what is in doubt with our tree as far as that has grown; complain of the rest."""
        still: list[Doubt] = []
        for doubt in self._store.doubts:
            if self._store.held is None or doubt.signed.checkpoint.size > self._store.verified:
                still.append(doubt)
            elif not self._is_ours(doubt.signed):
                self._prove(self._store.held, doubt.signed, doubt.source, self._store.node, None)
        self._store.doubt(still)
        for doubt in still:
            if (waited := int(self._now()) - doubt.since) > self._delay:
                self._say(
                    "missing",
                    "tiles_overdue",
                    f"the log signed {doubt.signed.checkpoint.size} entries and does not show them",
                    doubt.source,
                    expected=f"their tiles within {self._delay} s",
                    got=f"{waited} s",
                )

    def _accuse(self, signed: SignedCheckpoint, source: Source, tree: TileTree | None) -> None:
        if self._store.held is not None:  # an empty memory contradicts nothing
            node = tree.node if tree else None
            self._prove(self._store.held, signed, source.name, self._store.node, node)

    def _prove(
        self,
        old: SignedCheckpoint,
        new: SignedCheckpoint,
        source: str,
        get_old: Get | None,
        get_new: Get | None,
    ) -> None:
        keys = {self._store.origin: self._keys}
        try:
            proof, fork = accuse(old, new, get_a=get_old, get_b=get_new, keys=keys)
        except NotAuthentic as error:
            # What came from the log was verified on its way here: our own tree must be wrong.
            raise Damaged(
                "the monitor's tree does not fit what it verified: begin anew in another directory"
                f" with --state ({error.detail})",
                got=str(self._store.directory),
            ) from None
        self._store.keep_proof(proof)
        sizes = (old.checkpoint.size, new.checkpoint.size)
        self._say(
            "fork",
            "split_view"
            if source != self._source.name
            else manner(sizes, fork.index, get_old, get_new),
            fork.sentence(),
            source,
            expected=f"{old.checkpoint.size} entries, root {old.checkpoint.root.hex()}",
            got=f"{new.checkpoint.size} entries, root {new.checkpoint.root.hex()}",
        )
        raise _Forked

    def _say(
        self,
        level: Level,
        code: str,
        detail: str,
        source: str,
        *,
        expected: str | None = None,
        got: str | None = None,
    ) -> None:
        self._findings.append(Finding(level, code, detail, source, expected, got))

    def _report(self, before: int | None) -> Report:
        held, proof = self._store.held, self._store.proof()
        fork = proof.verify({self._store.origin: self._keys}) if proof else None
        if fork and not any(finding.level == "fork" for finding in self._findings):
            self._say("fork", "log_forked", fork.sentence(), str(self._store.proof_path))
        return Report(
            origin=self._store.origin,
            size=held.checkpoint.size if held else None,
            root=held.checkpoint.root if held else None,
            before=before,
            findings=in_order(self._findings),
            fork=fork,
            proof=str(self._store.proof_path) if fork else None,
        )


class _Forked(Exception):
    """The log was proven bad: there is nothing more to follow."""
