"""What a verified TPM quote establishes, before anyone's opinion.

Trusts: the verification that made them.  Does not trust: nothing else comes in.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from teeproof.core.digests import framed_sha256, named, sha256
from teeproof.evidence.tpm.quote import TpmQuote
from teeproof.evidence.tpm.wire import HASH_NAMES
from teeproof.evidence.verdict import Level

__all__ = ["TpmFacts", "Voucher", "evidence_identity"]


class Voucher(msgspec.Struct, frozen=True, kw_only=True):
    """What other evidence, already verified, says of an attestation key.

    Attributes:
        spki: the key, DER.
        by: who says so, for messages.
        level: how strong that evidence is.
        name: the key's TPM name, if the voucher covers its attributes too.
    """

    spki: bytes
    by: str
    level: Level
    name: bytes | None = None


class TpmFacts(msgspec.Struct, frozen=True, kw_only=True):
    """Facts of one TPM quote.

    Attributes:
        evidence_id: the evidence's identity, see ``evidence_identity``.
        level: ``measured``, ``simulated``, or the level of the evidence that vouches for the key.
        vouched_by: who vouches for the key.
        root: fingerprint of the root that its certificates end in; None if something else vouches.
        spki: the key, DER.
        quote: the quote.
        pcrs: the registers that the quote covers, by bank and number; empty if none were given.
    """

    evidence_id: str
    level: Level
    vouched_by: str
    root: str | None = None
    spki: bytes
    quote: TpmQuote
    pcrs: Mapping[int, Mapping[int, bytes]]

    @property
    def confidential(self) -> bool:
        """Never: a TPM measures a machine, and does not keep its memory from its host."""
        return False

    @property
    def qualifying_data(self) -> bytes:
        """What the caller of the TPM had it sign."""
        return self.quote.extra_data

    def to_json(self) -> dict[str, Any]:
        """Return the facts for people and programs."""
        quote, clock = self.quote, self.quote.clock
        return {
            "vouched_by": self.vouched_by,
            "root": self.root,
            "attestation_key": named(sha256(self.spki)),
            "qualifying_data": quote.extra_data.hex(),
            "reset_count": clock.reset_count,
            "restart_count": clock.restart_count,
            "clock_ms": clock.milliseconds,
            "clock_safe": clock.safe,
            "firmware_version": f"{quote.firmware:016x}",
            "pcr_selection": [selection.name for selection in quote.selections],
            "pcr_digest": quote.pcr_digest.hex(),
            "pcrs": {
                HASH_NAMES[bank]: {str(index): value.hex() for index, value in values.items()}
                for bank, values in self.pcrs.items()
            },
        }


def evidence_identity(quote: TpmQuote, spki: bytes, leaf_tbs: bytes = b"") -> str:
    """Return ``sha256:…`` that names this evidence, whatever malleable twin of it one holds.

    Over what was signed, the key, and the leaf's TBSCertificate where a chain vouches for it.
    """
    return named(framed_sha256("teeproof.evidence.tpm.v1", quote.raw, spki, leaf_tbs))
