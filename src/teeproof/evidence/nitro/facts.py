"""What a verified Nitro document establishes, before anyone's opinion.

Trusts: the verification that made them.  Does not trust: nothing else comes in.
"""

from __future__ import annotations

from typing import Any

import msgspec

from teeproof.core.clock import format_time
from teeproof.core.digests import framed_sha256, named, sha256
from teeproof.evidence.nitro.document import NitroDocument
from teeproof.evidence.verdict import Level

__all__ = ["NitroFacts", "evidence_identity"]


class NitroFacts(msgspec.Struct, frozen=True, kw_only=True):
    """Facts of one Nitro document.

    Attributes:
        evidence_id: the evidence's identity, see ``evidence_identity``.
        level: hardware or simulated.
        root: fingerprint of the root that vouches for it.
        document: the document itself.
    """

    evidence_id: str
    level: Level
    root: str
    document: NitroDocument

    @property
    def debug(self) -> bool:
        """Whether the parent instance can read the enclave's console: PCR0 is all zero."""
        return not any(self.document.pcrs[0])

    @property
    def confidential(self) -> bool:
        """Whether the enclave's memory is closed to the instance beside it. It is not to AWS."""
        return self.level == "hardware" and not self.debug

    @property
    def module_id(self) -> str:
        """``sha256:…`` of the module id: names the enclave, not the instance that runs it."""
        return named(sha256(self.document.module_id.encode()))

    def to_json(self) -> dict[str, Any]:
        """Return the facts for people and programs. No instance id: only a digest."""
        document = self.document
        return {
            "module": self.module_id,
            "timestamp": format_time(document.seconds),
            "digest": document.digest,
            "pcrs": {str(index): value.hex() for index, value in sorted(document.pcrs.items())},
            "debug": self.debug,
            "public_key": _hex(document.public_key),
            "user_data": _hex(document.user_data),
            "report_data": _hex(document.report_data),
            "nonce": _hex(document.nonce),
            "root": self.root,
        }


def evidence_identity(document: NitroDocument) -> str:
    """Return ``sha256:…`` that names this evidence, whatever malleable twin of it one holds.

    Over all that is signed, which has the leaf certificate in it: the tag before the document and
    twin signatures leave it unchanged.
    """
    return named(framed_sha256("teeproof.evidence.nitro.v1", document.message.signed))


def _hex(value: bytes | None) -> str | None:
    return None if value is None else value.hex()
