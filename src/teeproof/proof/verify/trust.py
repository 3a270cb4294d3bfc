"""What a relying party brings: expectations, log and witness keys, blocks. Never from the file.

Trusts: whoever fills it in.  Does not trust: the proof; nothing here may come from it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType

import msgspec

from teeproof.core.clock import to_epoch
from teeproof.core.digests import framed_sha256, named
from teeproof.evidence.policy import Policy
from teeproof.proof.anchor import TrustedBlock
from teeproof.proof.log.formats.checkpoint import Accept
from teeproof.proof.log.formats.policy import TlogPolicy

__all__ = ["Trust"]


class Trust(msgspec.Struct, frozen=True, kw_only=True):
    """Whom and what a relying party believes.

    Attributes:
        policy: expectations about the evidence of every identity in the proof; None for the
            built-in ``standard`` (TDX) and ``sgx`` (SGX).
        author_policy: further expectations about whoever wrote the root statements.
        logs: trusted log and witness keys and the quorum, in C2SP's tlog-policy; without it no
            log is believed and no time is known.
        blocks: blocks that the relying party knows to be final, by hash.
        both_paths: whether each quote is verified by the second verifier too.
    """

    policy: Policy | None = None
    author_policy: Policy | None = None
    logs: TlogPolicy | None = None
    blocks: Mapping[bytes, TrustedBlock] = MappingProxyType({})
    both_paths: bool = True

    @property
    def digest(self) -> str:
        """``sha256:…`` over all of it: two verdicts under different trust are never confused."""
        parts = (
            _digest(self.policy),
            _digest(self.author_policy),
            self.logs.digest.encode() if self.logs else b"",
            bytes([self.both_paths]),
            *(_block(key, self.blocks[key]) for key in sorted(self.blocks)),
        )
        return named(framed_sha256("teeproof.trust.v1", *parts))

    def accepting(self, now: datetime) -> Accept | None:
        """Return which of a log's checkpoints say when it was said; None if none can.

        That is where no log is trusted, and where no witness is asked for.

        A log publishes more checkpoints than witnesses come to see, so the first one that covers an
        entry may never have a quorum, and a later one has it.
        """
        policy, at = self.logs, to_epoch(now)
        if policy is None or policy.quorum is None:
            return None
        return lambda signed: policy.judge(signed, now=at).time is not None


def _digest(policy: Policy | None) -> bytes:
    return policy.digest.encode() if policy else b""


def _block(key: bytes, block: TrustedBlock) -> bytes:
    what = b"%d %d" % (block.chain_id, block.public)
    return framed_sha256("teeproof.trusted-block.v1", key, what, *sorted(block.contracts))
