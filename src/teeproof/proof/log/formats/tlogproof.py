"""One entry's proof as a text that any C2SP client can check: index, path and checkpoint.

c2sp.org/tlog-proof. A proof's bytes are its one encoding.

Trusts: the policy that the caller names.  Does not trust: the proof, its extra data least of all.
"""

from __future__ import annotations

from typing import Self

import msgspec

from teeproof.core.errors import Malformed, NotAllowed, NotAuthentic, TooLarge
from teeproof.core.text import legible
from teeproof.proof.log.formats.checkpoint import SignedCheckpoint
from teeproof.proof.log.formats.note import MAX_NOTE_BYTES
from teeproof.proof.log.formats.policy import Judgement, TlogPolicy
from teeproof.proof.log.formats.rfc6962 import HASH_BYTES, leaf_hash, verify_inclusion
from teeproof.proof.log.formats.text import MAX_NUMBER, decimal, from_base64, to_base64

__all__ = ["MAX_EXTRA_BYTES", "MAX_PROOF_BYTES", "TlogProof", "verify"]

MAX_EXTRA_BYTES = 1 << 16
MAX_HASHES = 63  # a tree of fewer than 2^63 leaves is no higher
# base64 takes 4/3; a hash line has 45 bytes; the rest is for the header's words.
MAX_PROOF_BYTES = MAX_NOTE_BYTES + MAX_EXTRA_BYTES * 4 // 3 + MAX_HASHES * 45 + 128

_MAGIC = b"c2sp.org/tlog-proof@v1"


class TlogProof(msgspec.Struct, frozen=True):
    """A proof, unverified.

    Attributes:
        extra: opaque bytes that nobody signed; None if there are none.
        index: the entry's place in the log, from 0.
        hashes: the path from the leaf's sibling up, 32 bytes each.
        checkpoint: the log's, with its cosignatures.
    """

    extra: bytes | None
    index: int
    hashes: tuple[bytes, ...]
    checkpoint: SignedCheckpoint

    def __post_init__(self) -> None:
        if self.extra is not None and not 0 < len(self.extra) <= MAX_EXTRA_BYTES:
            raise _malformed("extra data is left out, or has 1 to 65,536 bytes")
        if not 0 <= self.index <= MAX_NUMBER:
            raise _malformed("its index is out of range")
        if len(self.hashes) > MAX_HASHES or any(len(h) != HASH_BYTES for h in self.hashes):
            raise _malformed("its path is not at most 63 hashes of 32 bytes")

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Return the proof in a text.

        Raises:
            Malformed: another first line, lines in another order, more than 63 hashes, base64 or
                numbers of another spelling, or what follows the empty line is no checkpoint.
            TooLarge: more than 348 KiB.
        """
        if len(data) > MAX_PROOF_BYTES:
            raise TooLarge("the proof is too long", expected=f"at most {MAX_PROOF_BYTES} bytes")
        head, separator, checkpoint = data.partition(b"\n\n")
        magic, *lines = head.split(b"\n")
        if not separator or magic != _MAGIC:
            raise _malformed("its first line is another", got=legible(magic[:100]))
        extra = None
        if lines and lines[0].startswith(b"extra "):
            extra = from_base64(lines.pop(0)[6:], what="extra data")
        if not lines or not lines[0].startswith(b"index "):
            raise _malformed("it has no index line")
        index = decimal(lines.pop(0)[6:], what="index")
        hashes = tuple(from_base64(line, what="hash", size=HASH_BYTES) for line in lines)
        return cls(extra, index, hashes, SignedCheckpoint.parse(checkpoint))

    def encode(self) -> bytes:
        """Return the proof's text."""
        extra = [b"extra " + to_base64(self.extra)] if self.extra is not None else []
        lines = [_MAGIC, *extra, b"index %d" % self.index, *map(to_base64, self.hashes)]
        return b"\n".join(lines) + b"\n\n" + self.checkpoint.encode()


def verify(proof: TlogProof, entry: bytes, *, policy: TlogPolicy, now: int) -> Judgement:
    """Check that an entry is in a log that the policy knows, under a checkpoint that it accepts.

    Args:
        proof: what somebody handed over.
        entry: the entry's bytes, from elsewhere than the proof.
        policy: the relying party's.
        now: seconds since 1970.

    Returns:
        The policy's judgement on the checkpoint; its ``time`` bounds when the entry existed.

    Raises:
        NotAuthentic: codes ``log_unknown``, ``checkpoint_signature`` and ``inclusion_mismatch``.
        NotAllowed: code ``quorum_missed``; too few witnesses that the policy counts.
    """
    signed = proof.checkpoint
    judgement = policy.judge(signed, now=now)
    if judgement.log is None:
        raise NotAuthentic(
            "the policy has no log of this origin",
            code="log_unknown",
            expected=", ".join(policy.logs) or None,
            got=signed.checkpoint.origin,
        )
    if not judgement.log:
        raise NotAuthentic(
            "no signature by the log's known keys holds: fetch the checkpoint again",
            code="checkpoint_signature",
        )
    if not judgement.quorum:
        raise NotAllowed(
            "too few cosignatures count: ask the log for a checkpoint with more",
            code="quorum_missed",
            expected=f"the quorum {ascii(policy.quorum)[1:-1]}",
            got="; ".join(f"{c.name}: {c.why}" for c in judgement.cosignatures) or "none",
        )
    verify_inclusion(
        leaf_hash(entry),
        index=proof.index,
        size=signed.checkpoint.size,
        proof=proof.hashes,
        root=signed.checkpoint.root,
    )
    return judgement


def _malformed(why: str, got: str | None = None) -> Malformed:
    return Malformed(f"this is not a log proof: {why}", code="tlog_proof_malformed", got=got)
