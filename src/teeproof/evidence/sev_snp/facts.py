"""What a verified SEV-SNP report establishes, before anyone's opinion.

Trusts: the verification that made them.  Does not trust: nothing else comes in.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import msgspec

from teeproof.core.clock import format_time
from teeproof.core.digests import framed_sha256, named, sha256
from teeproof.evidence.sev_snp.layout import (
    GUEST_POLICY,
    KEY_INFO,
    PLATFORM_INFO,
    ReportBody,
    named_bits,
)
from teeproof.evidence.sev_snp.report import SnpReport
from teeproof.evidence.sev_snp.tcb import Tcb
from teeproof.evidence.sev_snp.vek import Vek
from teeproof.evidence.verdict import Level

__all__ = ["TCBS", "SnpFacts", "evidence_identity"]

TCBS = ("reported", "current", "committed", "launch")
_NO_AGENT = b"\xff" * 32


class SnpFacts(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """Facts of one SEV-SNP report.

    Attributes:
        evidence_id: the evidence's identity, see ``evidence_identity``.
        level: hardware or simulated.
        root: fingerprint of the root that vouches for it.
        body: the report's fields.
        vek: the key that signed, by its certificate.
        list_issued: when the newest revocation list that holds was issued, seconds since 1970;
            None if none came along.
    """

    evidence_id: str
    level: Level
    root: str
    body: ReportBody
    vek: Vek
    list_issued: int | None = None

    @property
    def debug(self) -> bool:
        """Whether the host may read and change the guest's memory."""
        return self._allows("DEBUG")

    @property
    def migratable(self) -> bool:
        """Whether a migration agent may take the guest elsewhere, or already belongs to it."""
        agent = self.body.report_id_ma
        return self._allows("MIGRATE_MA") or (agent != _NO_AGENT and any(agent))

    @property
    def single_socket(self) -> bool:
        """Whether the guest may run on one socket only."""
        return self._allows("SINGLE_SOCKET")

    @property
    def smt(self) -> bool:
        """Whether two threads share each core of the platform."""
        return bool(self.body.platform_info & 1)

    @property
    def ciphertext_hiding(self) -> bool:
        """Whether the host is kept from reading even the encrypted memory."""
        return bool(self.body.platform_info >> 4 & 1)

    @property
    def platform_id(self) -> str | None:
        """``sha256:…`` of the chip id, dstack's device_id; None if it is masked."""
        return None if self.body.masked else named(sha256(self.body.chip_id))

    @cached_property
    def reserved(self) -> tuple[str, ...]:
        """What is set although it is reserved, in words."""
        tcbs = [which for which in TCBS if any(self.tcb(which).reserved)]
        return (*self.body.reserved, *(f"{which} TCB" for which in tcbs))

    @property
    def confidential(self) -> bool:
        """Whether hardware keeps the guest's memory from its host, and from everyone else.

        A migration shares it; of an unknown bit nobody can say what it opens.
        """
        opened = self.debug or self.migratable or self.reserved
        return self.level == "hardware" and not opened

    def tcb(self, which: str) -> Tcb:
        """Return a TCB version of the report: one of ``TCBS``."""
        return self.body.tcb(which, self.vek.product)

    def to_json(self) -> dict[str, Any]:
        """Return the facts for people and programs. No chip id: only its digest."""
        body, vek = self.body, self.vek
        mitigations, issued = body.mitigations, self.list_issued
        return {
            "report_version": body.version,
            "measurement": body.measurement.hex(),
            "report_data": body.report_data.hex(),
            "host_data": body.host_data.hex(),
            "family_id": body.family_id.hex(),
            "image_id": body.image_id.hex(),
            "guest_svn": body.guest_svn,
            "vmpl": body.vmpl,
            "id_key_digest": body.id_key_digest.hex(),
            "author_key_digest": body.author_key_digest.hex(),
            "report_id": body.report_id.hex(),
            "report_id_ma": body.report_id_ma.hex(),
            "guest_policy": named_bits(body.policy, GUEST_POLICY),
            "least_firmware": f"{body.policy >> 8 & 0xFF}.{body.policy & 0xFF}",
            "platform_info": named_bits(body.platform_info, PLATFORM_INFO),
            "key_info": named_bits(body.key_info, KEY_INFO),
            "debug": self.debug,
            "migratable": self.migratable,
            "single_socket": self.single_socket,
            "smt": self.smt,
            "ciphertext_hiding": self.ciphertext_hiding,
            "masked_chip_id": body.masked,
            "product": vek.product,
            "cpuid": list(body.cpuid) if body.cpuid else None,
            "tcb": {which: self.tcb(which).to_json() for which in TCBS},
            "firmware": dict(zip(("current", "committed"), body.firmware, strict=True)),
            "mitigations": (
                {"launch": f"{mitigations[0]:#x}", "current": f"{mitigations[1]:#x}"}
                if mitigations
                else None
            ),
            "reserved": list(self.reserved),
            "root": self.root,
            "signer": {"kind": vek.kind, "product": vek.product_name, "csp_id": vek.csp_id},
            "platform": {"id": self.platform_id},
            "revocation_list_issued": None if issued is None else format_time(issued),
        }

    def _allows(self, name: str) -> bool:
        return name in named_bits(self.body.policy, GUEST_POLICY)


def evidence_identity(report: SnpReport) -> str:
    """Return ``sha256:…`` that names this evidence, whatever malleable twin of it one holds.

    Over the signed bytes alone: they name the chip and the TCB version from which its key follows.
    Twin signatures and certificates that AMD issues anew for one key leave it unchanged.
    """
    return named(framed_sha256("teeproof.evidence.sev-snp.v1", report.signed))
