"""One device: its chain, its signature, its vendor's word, its manifests, in reading order.

Trusts: the pinned roots.  Does not trust: host, network, operator, what came beside the report.
"""

from __future__ import annotations

from dataclasses import dataclass

from teeproof.core.errors import Error
from teeproof.evidence.dates import check_dates
from teeproof.evidence.nvidia import chain, issuance, revocation
from teeproof.evidence.nvidia.bundle import Device
from teeproof.evidence.nvidia.chain import Endorsed
from teeproof.evidence.nvidia.facts import evidence_identity
from teeproof.evidence.nvidia.reference import NO_ANSWER, NO_ANSWERS, Given, refer
from teeproof.evidence.nvidia.rim import Manifest
from teeproof.evidence.steps import Steps
from teeproof.evidence.verdict import Check, failed, not_checked, passed

__all__ = ["Found", "examine"]


@dataclass(frozen=True, slots=True)
class Found:
    """What was found of one device.

    Attributes:
        endorsed: what its certificates say; None if they did not hold.
        evidence_id: the report's identity; None likewise.
        manifests: those that were verified.
        checks: in reading order.
    """

    endorsed: Endorsed | None
    evidence_id: str | None
    manifests: tuple[Manifest, ...]
    checks: tuple[Check, ...]


def examine(device: Device, given: Given) -> Found:
    """Return what one device established; the checks have the same names for every device."""
    out = Steps()
    count = len(device.report.measurements)
    out.checks.append(passed("gpu-report", f"an SPDM 1.1 report with {count} measurements"))
    endorsed = chain.endorse(out, device, given.roots.devices)
    windows = [issuance.window(c, "certificate") for c in endorsed.chain] if endorsed else []
    out.checks.append(check_dates("gpu-certificate-dates", windows, given.now))
    out.checks.append(_signature(device, endorsed))
    out.checks.append(_copies(device, endorsed))
    out.checks.append(_revocation(endorsed, given))
    manifests = refer(out, device, endorsed, given)
    evidence_id = evidence_identity(device.report, endorsed.leaf.tbs) if endorsed else None
    return Found(endorsed, evidence_id, manifests, tuple(out.checks))


def _signature(device: Device, endorsed: Endorsed | None) -> Check:
    if endorsed is None:
        return not_checked("gpu-signature", "no trusted chain leads to the key that signed")
    report = device.report
    if issuance.signed_raw(endorsed.leaf.key, report.signature, report.signed):
        return passed("gpu-signature", "the device's firmware key signed request and response")
    return failed(
        "gpu-signature", "gpu_signature", "the device's firmware key did not sign this report"
    )


def _copies(device: Device, endorsed: Endorsed | None) -> Check:
    """Hold what came beside the report, unsigned, against what is signed."""
    if not device.copies:
        return not_checked("gpu-copies", "nothing came beside the report that could differ from it")
    report = device.report
    signed = {
        "arch": endorsed.architecture if endorsed else None,
        "nonce": report.nonce.hex(),
        "driver_version": report.driver,
        "vbios_version": report.vbios,
    }
    for name, copy in device.copies:
        # nvml writes versions in either case, and "N/A" or nothing for what a switch lacks.
        if copy.upper() not in ((signed[name] or "").upper(), "", "N/A"):
            return failed(
                "gpu-copies",
                "gpu_copy_differs",
                f"{name} beside the report is not what the report says",
                expected=signed[name],
                got=copy,
            )
    return passed("gpu-copies", "what came beside the report says the same as the report")


def _revocation(endorsed: Endorsed | None, given: Given) -> Check:
    if endorsed is None:
        return not_checked("gpu-revocation", "no trusted chain could be revoked")
    if not given.answers:
        return not_checked("gpu-revocation", NO_ANSWERS)
    try:
        # The first certificate is made on the device, for each firmware: nobody answers for it.
        unknown = revocation.unanswered(endorsed.chain, given.answers, now=given.now, first=1)
    except Error as error:
        return failed(
            "gpu-revocation", error.code, error.detail, expected=error.expected, got=error.got
        )
    if unknown:
        return not_checked("gpu-revocation", f"{NO_ANSWER} {', '.join(unknown)}")
    return passed("gpu-revocation", "the vendor says of the chip and all above it: good")
