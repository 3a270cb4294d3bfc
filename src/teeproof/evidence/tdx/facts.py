"""What a verified TDX quote establishes, before anyone's opinion.

Trusts: the verification that made them.  Does not trust: nothing else comes in.
"""

from __future__ import annotations

from typing import Any

import msgspec

from teeproof.core.clock import format_time
from teeproof.core.digests import framed_sha256, named
from teeproof.evidence.tdx.documents import QeIdentity, TcbInfo
from teeproof.evidence.tdx.layout import TdReport10, TdReport15
from teeproof.evidence.tdx.pck import PckExtension
from teeproof.evidence.tdx.quote import TdxQuote
from teeproof.evidence.tdx.tcb import Tcb
from teeproof.evidence.verdict import Level

__all__ = ["TD_ATTRIBUTES", "TdAttributes", "TdxFacts", "evidence_identity", "unwelcome"]

# Intel TDX Module ABI 1.5, "ATTRIBUTES". Bits 0-7 (TUD, "TD under debug") each open the domain
# to its host; the rest are features.
TD_ATTRIBUTES = {
    0: "DEBUG",
    4: "HGS_PLUS_PROF",
    5: "PERF_PROF",
    6: "PMT_PROF",
    16: "ICSSD",
    17: "SERVTD_EXT",
    27: "LASS",
    28: "SEPT_VE_DISABLE",
    29: "MIGRATABLE",
    30: "PKS",
    31: "KL",
    62: "TPA",
    63: "PERFMON",
}
_KNOWN_BITS = sum(1 << bit for bit in TD_ATTRIBUTES)


class TdAttributes(msgspec.Struct, frozen=True):
    """The 8 attribute bytes of a trust domain, as named bits."""

    value: int

    @classmethod
    def of(cls, body: TdReport10) -> TdAttributes:
        """Return the attributes of a TD report."""
        return cls(int.from_bytes(body.tdattributes, "little"))

    @property
    def debug(self) -> bool:
        """Whether the host can look inside: any of the eight TUD bits."""
        return self.value & 0xFF != 0

    @property
    def sept_ve_disable(self) -> bool:
        """Whether the host is kept from injecting faults on the guest's memory."""
        return bool(self.value >> 28 & 1)

    @property
    def migratable(self) -> bool:
        """Whether a service TD may move the domain to another machine."""
        return bool(self.value >> 29 & 1)

    @property
    def unknown(self) -> int:
        """Bits that no specification known to this version defines."""
        return self.value & ~_KNOWN_BITS

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the bits that are set."""
        return tuple(name for bit, name in TD_ATTRIBUTES.items() if self.value >> bit & 1)


class TdxFacts(msgspec.Struct, frozen=True, kw_only=True):
    """Facts of one TDX quote.

    Attributes:
        evidence_id: the evidence's identity, see ``evidence_identity``.
        level: hardware or simulated.
        root: fingerprint of the root that vouches for it.
        body: the TD report.
        attributes: its attributes, decoded.
        pck: the platform, by its certificate; None if the chain did not hold.
        tcb: Intel's judgement; None without endorsements.
        tcb_info: the endorsement that the judgement rests on; likewise ``qe_identity``.
        lists_issued: when each revocation list was issued, seconds since 1970.
    """

    evidence_id: str
    level: Level
    root: str
    quote_version: int
    body: TdReport10
    attributes: TdAttributes
    pck: PckExtension | None
    tcb: Tcb | None
    tcb_info: TcbInfo | None
    qe_identity: QeIdentity | None
    lists_issued: tuple[int, ...] = ()

    @property
    def service_td(self) -> bool:
        """Whether a service TD is bound to the domain, or may be bound later (SERVTD_EXT)."""
        return _service_td(self.body, self.attributes)

    @property
    def confidential(self) -> bool:
        """Whether hardware keeps the domain's memory from its host, and from everyone else.

        A service TD or a migration shares it; of an unknown attribute nobody can say what it opens.
        """
        shared = self.service_td or self.attributes.migratable or self.attributes.debug
        return self.level == "hardware" and not shared and not self.attributes.unknown

    @property
    def evaluation_number(self) -> int | None:
        """The lower evaluation number of the two endorsements."""
        if self.tcb_info is None or self.qe_identity is None:
            return None
        return min(
            self.tcb_info.tcb_evaluation_data_number, self.qe_identity.tcb_evaluation_data_number
        )

    def to_json(self) -> dict[str, Any]:
        """Return the facts for people and programs. No PPID: only its digest."""
        body = self.body
        return {
            "quote_version": self.quote_version,
            "td_report": body.name,
            "mrtd": body.mrtd.hex(),
            **{f"rtmr{index}": value.hex() for index, value in enumerate(body.rtmrs)},
            "report_data": body.report_data.hex(),
            "mrconfigid": body.mrconfigid.hex(),
            "mrowner": body.mrowner.hex(),
            "mrownerconfig": body.mrownerconfig.hex(),
            "mrseam": body.mrseam.hex(),
            "tee_tcb_svn": body.tee_tcb_svn.hex(),
            "xfam": body.xfam.hex(),
            "attributes": list(self.attributes.names),
            "debug": self.attributes.debug,
            "migratable": self.attributes.migratable,
            "service_td": self.service_td,
            "root": self.root,
            "platform": _platform(self.pck),
            "tcb": _tcb(self.tcb),
            "endorsements": _endorsements(self),
        }


def _platform(pck: PckExtension | None) -> dict[str, Any] | None:
    if pck is None:
        return None
    return {
        "id": pck.platform_id,
        "fmspc": pck.fmspc.hex(),
        "dynamic_platform": pck.dynamic_platform,
        "cached_keys": pck.cached_keys,
        "smt": pck.smt,
    }


def _tcb(tcb: Tcb | None) -> dict[str, Any] | None:
    if tcb is None:
        return None
    return {
        "status": tcb.status,
        "platform_status": tcb.platform_status,
        "tdx_module_status": tcb.module_status,
        "qe_status": tcb.qe_status,
        "date": format_time(tcb.date),
        "advisories": list(tcb.advisories),
    }


def _endorsements(facts: TdxFacts) -> dict[str, Any] | None:
    if facts.tcb_info is None:
        return None
    return {
        "tcb_evaluation_number": facts.evaluation_number,
        "issued": format_time(facts.tcb_info.issue_date),
        "next_update": format_time(facts.tcb_info.next_update),
    }


def unwelcome(body: TdReport10) -> frozenset[str]:
    """Return what many verifiers refuse in a report unasked, by the codes of our own checks."""
    attributes = TdAttributes.of(body)
    found = {
        "debug": attributes.debug,
        "migration": attributes.migratable,
        "service_td": _service_td(body, attributes),
        "sept_ve_disable": not attributes.sept_ve_disable,
        "td_attributes": attributes.unknown != 0,
    }
    return frozenset(code for code, holds in found.items() if holds)


def _service_td(body: TdReport10, attributes: TdAttributes) -> bool:
    bound = isinstance(body, TdReport15) and any(body.mrservicetd)
    return bound or bool(attributes.value >> 17 & 1)


def evidence_identity(quote: TdxQuote, leaf_tbs: bytes) -> str:
    """Return ``sha256:…`` that names this evidence, whatever malleable twin of it one holds.

    Over the signed region, the attestation key and the leaf's TBSCertificate:
    trailing bytes, other encodings of the chain and twin signatures all leave it unchanged.
    """
    return named(
        framed_sha256(
            "teeproof.evidence.tdx.v1", quote.signed, quote.signature.attestation_key, leaf_tbs
        )
    )
