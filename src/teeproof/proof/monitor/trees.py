"""The tree behind a checkpoint that somebody shows: a log has tiles, a witness has none.

Trusts: nothing.  Does not trust: whoever shows it; what is read is compared with the checkpoint.
"""

from __future__ import annotations

from collections.abc import Callable

from teeproof.core.errors import Unavailable
from teeproof.proof.log.formats.checkpoint import SignedCheckpoint
from teeproof.proof.log.http.tiletree import TileTree
from teeproof.proof.monitor.source import Source

__all__ = ["TreeOf", "ahead", "no_tree", "tree"]

TreeOf = Callable[[SignedCheckpoint, Source], TileTree | None]
"""From a checkpoint and who showed it to its tree; None if only the checkpoint can be had."""


def tree(signed: SignedCheckpoint, source: Source) -> TileTree:
    """Return the tree, read from the tiles of whoever showed the checkpoint."""
    return TileTree(signed.checkpoint.size, signed.checkpoint.root, source.read)


def no_tree(_signed: SignedCheckpoint, _source: Source) -> None:
    """Return nothing: a witness has no tiles."""
    return


def ahead(signed: SignedCheckpoint) -> Unavailable:
    """Return why a checkpoint of more entries than were seen cannot be followed yet."""
    return Unavailable(
        f"it cosigned {signed.checkpoint.size} entries, which the log has not shown here yet",
        code="tile_missing",
    )
