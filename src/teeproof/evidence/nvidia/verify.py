"""Verify the reports of GPUs and switches at a time T: from the pinned root to every measurement.

The checks, in reading order; each speaks of all devices, and says whose fault it was:

    gpu-report                                          what the bytes say they are
    gpu-certificates, gpu-root, gpu-chain, gpu-firmware whom we believe
    gpu-certificate-dates                               whether that holds at T
    gpu-signature, gpu-copies                           the report is what that key signed
    gpu-revocation                                      whether the vendor took its word back
    gpu-driver-rim, gpu-vbios-rim, gpu-rim-dates,       what the vendor says is good
    gpu-rim-revocation, gpu-measurements                whether the device measured just that
    gpu-distinct, gpu-nonces                            each device once, all asked together
    gpu-mode, gpu-host                                  what no report proves

Trusts: the pinned roots, this code.
Does not trust: host, network, operator, the manifests and OCSP answers that come with a report.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from teeproof.core.errors import Malformed, TooLarge
from teeproof.evidence.nvidia import rim
from teeproof.evidence.nvidia.bundle import MAX_DEVICES, Device
from teeproof.evidence.nvidia.chain import Endorsed
from teeproof.evidence.nvidia.device import Found, examine
from teeproof.evidence.nvidia.facts import (
    DeviceFacts,
    GpuFacts,
    bundle_identity,
    evidence_identity,
)
from teeproof.evidence.nvidia.gathered import together
from teeproof.evidence.nvidia.ocsp import MAX_ANSWERS, parse_answer
from teeproof.evidence.nvidia.policy import NVIDIA, Roots
from teeproof.evidence.nvidia.reference import Given
from teeproof.evidence.nvidia.rim import Rim
from teeproof.evidence.verdict import Check, failed, not_checked, passed

__all__ = ["Verification", "verify"]


@dataclass(frozen=True, slots=True)
class Verification:
    """What verification found.

    Attributes:
        checks: in reading order, over all devices.
        facts: None if a check of authenticity failed.
        evidence_id: the identity of all reports; None if a chain could not be read.
        of_each: the checks of each device, for those who ask whose fault it was.
    """

    checks: tuple[Check, ...]
    facts: GpuFacts | None
    evidence_id: str | None
    of_each: tuple[tuple[Check, ...], ...]


def verify(
    devices: Sequence[Device],
    *,
    rims: Sequence[Rim] = (),
    ocsp: Sequence[bytes] = (),
    roots: Roots = NVIDIA,
    now: int,
) -> Verification:
    """Return the checks and, if all held, the facts.

    Args:
        devices: parsed reports and their chains, at least one.
        rims: manifests; those for other drivers and boards are left aside, and without the ones
            for a device's own its measurements are not checked.
        ocsp: archived OCSP answers, DER; without them revocation is not checked.
        roots: of devices and of manifests.
        now: the T to verify at, seconds since 1970.

    Raises:
        TooLarge: more devices, manifests or answers than anyone has.
        Malformed: an OCSP answer cannot be read, or there is no device.
    """
    if not devices:
        raise Malformed("there is no device to verify", code="gpu_bundle_malformed")
    for given, most in ((devices, MAX_DEVICES), (rims, rim.MAX_MANIFESTS),
                        (ocsp, MAX_ANSWERS)):  # fmt: skip
        if len(given) > most:
            raise TooLarge(
                "this is too much to verify at once",
                expected=f"at most {most}",
                got=f"{len(given)}",
            )
    answers = tuple(parse_answer(der) for der in ocsp)
    found = [examine(device, Given(rims, answers, roots, now)) for device in devices]
    of_each = tuple(each.checks for each in found)
    checks = (
        *together(of_each),
        _distinct([each.endorsed for each in found]),
        _nonces(devices),
        _mode(),
        _host(),
    )
    ids = [each.evidence_id for each in found if each.evidence_id]
    evidence_id = bundle_identity(ids) if len(ids) == len(devices) and ids else None
    facts = None
    if evidence_id and not any(check.state == "failed" for check in checks):
        each_facts = tuple(_facts(d, f) for d, f in zip(devices, found, strict=True))
        hardware = all(device.level == "hardware" for device in each_facts)
        facts = GpuFacts(
            evidence_id=evidence_id,
            level="hardware" if hardware else "simulated",
            nonce=devices[0].report.nonce,
            devices=each_facts,
        )
    return Verification(checks, facts, evidence_id, of_each)


def _distinct(endorsed: Sequence[Endorsed | None]) -> Check:
    known = [each for each in endorsed if each is not None]
    for unique in ({e.device_id for e in known}, {e.leaf.fingerprint for e in known}):
        if len(unique) < len(known):
            return failed(
                "gpu-distinct",
                "gpu_counted_twice",
                "one device reported more than once: it counts as one, so ask each of the others",
                expected=f"{len(known)} different devices",
                got=f"{len(unique)}",
            )
    if not known or len(known) < len(endorsed):
        return not_checked("gpu-distinct", "not every device is known by a trusted chain")
    return passed("gpu-distinct", "every report is of another device")


def _nonces(devices: Sequence[Device]) -> Check:
    nonces = {device.report.nonce for device in devices}
    if len(nonces) > 1:
        return failed(
            "gpu-nonces",
            "gpu_nonces_mixed",
            "the reports answer different requests, so they need not be of one time and one use: "
            "ask all devices with one nonce",
            expected="one nonce",
            got=f"{len(nonces)} nonces",
        )
    return passed("gpu-nonces", "all reports answer the same nonce")


def _mode() -> Check:
    return not_checked(
        "gpu-mode",
        "no report proves that confidential computing is on and developer tools are off: the "
        "guest's driver says so, and it can be believed only where the guest itself is measured",
    )


def _host() -> Check:
    return not_checked(
        "gpu-host",
        "no report proves in which machine a GPU sits: whoever shows a report may have had it made "
        "by a GPU of another host, with the same nonce",
    )


def _facts(device: Device, found: Found) -> DeviceFacts:
    endorsed, report = found.endorsed, device.report
    assert endorsed is not None, "facts are made only where every chain held"
    good = {check.name for check in found.checks if check.state == "passed"}
    asked = {"gpu-revocation", "gpu-rim-revocation"} if found.manifests else {"gpu-revocation"}
    return DeviceFacts(
        evidence_id=evidence_identity(report, endorsed.leaf.tbs),
        device_id=endorsed.device_id,
        level=endorsed.level,
        root=endorsed.chain[-1].fingerprint,
        architecture=endorsed.architecture,
        chip=endorsed.chip,
        is_switch=endorsed.is_switch,
        driver=report.driver,
        vbios=report.vbios,
        board=report.board,
        feature=report.feature,
        measurements={index - 1: value for index, value in report.measurements.items()},
        rim_roots=tuple({m.chain[-1].fingerprint: None for m in found.manifests}),
        measured="gpu-measurements" in good,
        revocation_known=asked <= good,
    )
