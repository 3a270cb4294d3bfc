"""What the evidence of GPUs, a manifest of theirs, or an OCSP answer claims, field by field."""

from __future__ import annotations

from typing import Any

from teeproof.core.clock import format_time
from teeproof.core.digests import named, sha256
from teeproof.evidence.nvidia import bundle, handed, ocsp, rim
from teeproof.evidence.nvidia.bundle import Device
from teeproof.evidence.nvidia.certificates import parse_chain

__all__ = ["gpu_evidence", "gpu_manifest", "ocsp_answer"]

Claims = dict[str, Any]


def gpu_evidence(data: bytes) -> Claims:
    """Return what the reports of GPUs and switches claim; Malformed if there are none."""
    return {"devices": [_device(device) for device in bundle.parse(data)]}


def _device(device: Device) -> Claims:
    report = device.report
    chain = parse_chain(device.certificates, what="device's chain")
    return {
        "certificate": chain[0].subject,
        "root": chain[-1].fingerprint,
        "nonce": report.nonce.hex(),
        "driver": report.driver,
        "vbios": report.vbios,
        "board": " ".join(report.board) if report.board else None,
        "feature": report.feature,
        "measurements": len(report.measurements),
        **{f"{name}_beside_it": copy for name, copy in device.copies},
    }


def gpu_manifest(data: bytes) -> Claims:
    """Return what a manifest says it is for; Malformed if it cannot be read."""
    found = handed.read(data)
    product, version = rim.claimed(found.xml) or (None, None)
    return {"id": found.id, "product": product, "version": version}


def ocsp_answer(data: bytes) -> Claims:
    """Return what an OCSP answer says, and until when; Malformed if it is none."""
    found = ocsp.parse_answer(data)
    return {
        "certificate": named(sha256(str(found.serial).encode())),
        "certificate_meaning": "SHA-256 of its serial number, which would name a chip for ever",
        "says": "good" if found.revoked is None else f"revoked ({found.reason or 'no reason'})",
        "since": None if found.revoked is None else format_time(found.revoked),
        "right_at": format_time(found.this_update),
        "counts_until": format_time(found.next_update),
    }
