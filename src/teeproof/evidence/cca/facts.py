"""What a verified CCA token establishes, before anyone's opinion.

Trusts: the verification that made them.  Does not trust: nothing else comes in.
"""

from __future__ import annotations

from typing import Any

import msgspec

from teeproof.core.digests import framed_sha256, named, sha256
from teeproof.evidence.cca.token import CcaToken
from teeproof.evidence.verdict import Level

__all__ = ["LIFECYCLES", "CcaFacts", "evidence_identity", "lifecycle_name"]

# draft-ffm-rats-cca-token, "Security Lifecycle": bits 8-15; the low byte is the maker's own.
LIFECYCLES = {
    0x00: "unknown",
    0x10: "assembly and test",
    0x20: "provisioning",
    0x30: "secured",
    0x40: "non-recoverable debug",
    0x50: "recoverable debug",
    0x60: "decommissioned",
}
_SECURED = 0x30


def lifecycle_name(value: int) -> str:
    """Return the name of a lifecycle state."""
    return LIFECYCLES.get(value >> 8, "undefined")


class CcaFacts(msgspec.Struct, frozen=True, kw_only=True):
    """Facts of one CCA token.

    Attributes:
        evidence_id: the evidence's identity, see ``evidence_identity``.
        level: what the relying party says of the platform's key: hardware or simulated.
        root: fingerprint of the platform's key; there is nothing above it.
        token: the token itself.
    """

    evidence_id: str
    level: Level
    root: str
    token: CcaToken

    @property
    def report_data(self) -> bytes:
        """64 bytes that the realm chose: its challenge."""
        return self.token.realm.challenge

    @property
    def secured(self) -> bool:
        """Whether the platform is in the one lifecycle state in which nobody debugs it."""
        return self.token.platform.lifecycle >> 8 == _SECURED

    @property
    def confidential(self) -> bool:
        """Whether hardware keeps the realm's memory from its host."""
        return self.level == "hardware" and self.secured

    @property
    def platform_id(self) -> str:
        """``sha256:…`` of the instance id: names the platform without publishing the id."""
        return named(sha256(self.token.platform.instance_id))

    def to_json(self) -> dict[str, Any]:
        """Return the facts for people and programs. No instance id: only its digest."""
        platform, realm = self.token.platform, self.token.realm
        return {
            "platform": {
                "id": self.platform_id,
                "profile": platform.profile,
                "implementation_id": platform.implementation_id.hex(),
                "lifecycle": lifecycle_name(platform.lifecycle),
                "config": platform.config.hex(),
                "components": [
                    {
                        "name": each.name,
                        "measurement": each.measurement.hex(),
                        "signer": each.signer.hex(),
                        "version": each.version,
                    }
                    for each in platform.components
                ],
                "hash": platform.hash_algorithm,
            },
            "profile": realm.profile,
            "rim": realm.initial_measurement.hex(),
            **{f"rem{i}": value.hex() for i, value in enumerate(realm.extensible_measurements)},
            "hash": realm.hash_algorithm,
            "personalization_value": realm.personalization_value.hex(),
            "report_data": realm.challenge.hex(),
            "unread_claims": [*platform.others, *realm.others],
            "root": self.root,
        }


def evidence_identity(token: CcaToken) -> str:
    """Return ``sha256:…`` that names this evidence, whatever malleable twin of it one holds.

    Over what the two keys sign: the wrapper, its encoding and twin signatures leave it unchanged.
    """
    parts = (token.platform_message.signed, token.realm_message.signed)
    return named(framed_sha256("teeproof.evidence.cca.v1", *parts))
