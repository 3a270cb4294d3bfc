"""What the anchors in a proof say of a checkpoint: is it in a block that the relying party trusts.

Trusts: blocks of the relying party's trust.  Does not trust: the proof, an embedded chain's clock.
"""

from __future__ import annotations

from collections.abc import Iterable

from teeproof.core.errors import Error
from teeproof.evidence.verdict import Check, failed, not_checked, passed
from teeproof.proof import anchor
from teeproof.proof.log.formats.checkpoint import SignedCheckpoint
from teeproof.proof.verify.trust import Trust

__all__ = ["anchored_by"]


def anchored_by(
    documents: Iterable[bytes], signed: SignedCheckpoint, trust: Trust
) -> tuple[Check | None, anchor.Anchored | None]:
    """Return what the anchors of one checkpoint say: the earliest block that proves a time."""
    best: anchor.Anchored | None = None
    said: Check | None = None
    for document in documents:
        check, found = _anchor(signed, document, trust)
        if found is not None and (best is None or found.time < best.time):
            best, said = found, check
        elif said is None:
            said = check
    return said, best


def _anchor(
    signed: SignedCheckpoint, document: bytes, trust: Trust
) -> tuple[Check, anchor.Anchored | None]:
    try:
        found = anchor.verify(
            anchor.AnchorProof.parse(document),
            origin=signed.checkpoint.origin,
            checkpoint=signed.checkpoint,
            trusted_blocks=trust.blocks,
        )
    except Error as error:
        if error.code == "block_untrusted":
            return not_checked("anchor", error.detail, "policy", got=error.got), None
        return failed(
            "anchor", error.code, error.detail, expected=error.expected, got=error.got
        ), None
    if found.proven_time is None:
        return not_checked("anchor", found.why, "policy"), None
    return passed("anchor", found.why, "policy"), found
