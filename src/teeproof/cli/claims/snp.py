"""What an SEV-SNP report and AMD's certificates claim, field by field, and what numbers mean."""

from __future__ import annotations

from typing import Any

from teeproof.core.clock import format_time
from teeproof.core.digests import named, sha256
from teeproof.core.errors import Error
from teeproof.evidence.files.unpack import as_pem
from teeproof.evidence.sev_snp import certificates, report
from teeproof.evidence.sev_snp.crl import parse_crl
from teeproof.evidence.sev_snp.facts import TCBS
from teeproof.evidence.sev_snp.layout import (
    GUEST_POLICY,
    KEY_INFO,
    PLATFORM_INFO,
    ReportBody,
    named_bits,
)
from teeproof.evidence.sev_snp.vek import parse_vek

__all__ = ["amd_certificates", "snp_report"]

Claims = dict[str, Any]

_SIGNERS = {0: "VCEK: the chip's own key", 1: "VLEK: a key that AMD lent to a cloud", 7: "none"}


def snp_report(raw: bytes, *, chip_id: bool) -> Claims:
    """Return what an SEV-SNP report claims; Malformed if it is none.

    Args:
        raw: its bytes.
        chip_id: whether to give the chip's id itself; without it, only its digest.
    """
    body = report.parse(raw).body
    return {
        "snp_report": {
            "version": body.version,
            "measurement": body.measurement.hex(),
            "report_data": body.report_data.hex(),
            "host_data": body.host_data.hex(),
            "family_id": body.family_id.hex(),
            "image_id": body.image_id.hex(),
            "guest_svn": body.guest_svn,
            "vmpl": body.vmpl,
            "policy": f"{body.policy:#x}",
            "policy_meaning": ", ".join(named_bits(body.policy, GUEST_POLICY)) or "nothing allowed",
            "platform_info": f"{body.platform_info:#x}",
            "platform_info_meaning": ", ".join(named_bits(body.platform_info, PLATFORM_INFO)),
            "key_info": f"{body.key_info:#x}",
            "key_info_meaning": ", ".join(
                [_SIGNERS.get(body.signing_key, "unknown"), *named_bits(body.key_info, KEY_INFO)]
            ),
            "id_key_digest": body.id_key_digest.hex(),
            "author_key_digest": body.author_key_digest.hex(),
            "report_id": body.report_id.hex(),
            "report_id_ma": body.report_id_ma.hex(),
            "product": body.product,
            **{f"{which}_tcb": _tcb(body, which) for which in TCBS},
            "firmware": body.firmware[0],
            "committed_firmware": body.firmware[1],
            "reserved": list(body.reserved),
            **_chip(body, chip_id),
        }
    }


def _tcb(body: ReportBody, which: str) -> Claims | str:
    """Return the parts where the product is known; it decides what each byte means."""
    if body.product is None:
        return body.tcb(which, "Milan").raw.hex()
    return body.tcb(which, body.product).to_json()


def _chip(body: ReportBody, chip_id: bool) -> Claims:
    if body.masked:
        return {"platform_id": None, "platform_id_meaning": "the host masked the chip's id"}
    shown = {"chip_id": body.chip_id.hex()} if chip_id else {}
    return {"platform_id": named(sha256(body.chip_id)), **shown}


def amd_certificates(data: bytes, *, form: str) -> Claims:
    """Return what AMD's certificates and revocation lists claim; Malformed if they are none."""
    ders, lists = certificates.parse_blocks(as_pem(data, form=form))
    return {
        "certificates": [_certificate(each) for each in certificates.parse_certificates(ders)],
        "revocation_lists": [_list(der) for der in lists],
    }


def _certificate(given: certificates.AmdCertificate) -> Claims:
    begins, ends = given.window
    body: Claims = {
        "subject": given.subject,
        "key": given.fingerprint,
        "serial": given.serial,
        "begins": format_time(begins),
        "ends": format_time(ends),
    }
    if given.is_ca:
        return body
    try:
        vek = parse_vek(given)
    except Error as error:
        return body | {"problem": error.got or error.detail}
    return body | {
        "kind": vek.kind,
        "product": vek.product_name,
        "tcb": vek.tcb.to_json(),
        "platform_id": named(sha256(vek.chip_id)) if vek.chip_id else None,
        "csp_id": vek.csp_id,
    }


def _list(der: bytes) -> Claims:
    crl = parse_crl(der)
    return {
        "issued": format_time(crl.this_update),
        "next_update": format_time(crl.next_update),
        "revoked_serials": sorted(crl.serials),
    }
