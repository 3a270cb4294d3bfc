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

from teeproof.core.errors import Error, TooLarge
from teeproof.evidence.dates import check_dates
from teeproof.evidence.nvidia import certificates, chain, measurements, revocation, rim
from teeproof.evidence.nvidia.bundle import MAX_DEVICES, Device
from teeproof.evidence.nvidia.chain import Endorsed
from teeproof.evidence.nvidia.facts import (
    DeviceFacts,
    GpuFacts,
    bundle_identity,
    evidence_identity,
)
from teeproof.evidence.nvidia.gathered import Gathered, together
from teeproof.evidence.nvidia.policy import NVIDIA, Roots
from teeproof.evidence.nvidia.revocation import Answer
from teeproof.evidence.nvidia.rim import Manifest, Rim, Wanted
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


@dataclass(frozen=True, slots=True)
class _Given:
    rims: Sequence[Rim]
    answers: Sequence[Answer]
    roots: Roots
    now: int


@dataclass(frozen=True, slots=True)
class _Found:
    endorsed: Endorsed | None
    evidence_id: str | None
    manifests: tuple[Manifest, ...]
    checks: tuple[Check, ...]


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
        Malformed: an OCSP answer cannot be read.
    """
    for given, most in ((devices, MAX_DEVICES), (rims, rim.MAX_MANIFESTS),
                        (ocsp, revocation.MAX_ANSWERS)):  # fmt: skip
        if len(given) > most:
            raise TooLarge(
                "this is too much to verify at once",
                expected=f"at most {most}",
                got=f"{len(given)}",
            )
    answers = tuple(revocation.parse_answer(der) for der in ocsp)
    found = [_device(device, _Given(rims, answers, roots, now)) for device in devices]
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


def _device(device: Device, given: _Given) -> _Found:
    out = Gathered()
    count = len(device.report.measurements)
    out.checks.append(passed("gpu-report", f"an SPDM 1.1 report with {count} measurements"))
    endorsed = chain.endorse(out, device, given.roots.devices)
    windows = [certificates.window(c, "certificate") for c in endorsed.chain] if endorsed else []
    out.checks.append(check_dates("gpu-certificate-dates", windows, given.now))
    out.checks.append(_signature(device, endorsed))
    out.checks.append(_copies(device, endorsed))
    out.checks.append(_revocation(endorsed, given))
    manifests = _reference(out, device, endorsed, given)
    evidence_id = evidence_identity(device.report, endorsed.leaf.tbs) if endorsed else None
    return _Found(endorsed, evidence_id, manifests, tuple(out.checks))


def _signature(device: Device, endorsed: Endorsed | None) -> Check:
    if endorsed is None:
        return not_checked("gpu-signature", "no trusted chain leads to the key that signed")
    report = device.report
    if certificates.signed_raw(endorsed.leaf.key, report.signature, report.signed):
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


def _revocation(endorsed: Endorsed | None, given: _Given) -> Check:
    if endorsed is None:
        return not_checked("gpu-revocation", "no trusted chain could be revoked")
    if not given.answers:
        return not_checked("gpu-revocation", _NO_ANSWERS)
    try:
        # The first certificate is made on the device, for each firmware: nobody answers for it.
        unknown = revocation.unanswered(endorsed.chain, given.answers, now=given.now, first=1)
    except Error as error:
        return failed(
            "gpu-revocation", error.code, error.detail, expected=error.expected, got=error.got
        )
    if unknown:
        return not_checked("gpu-revocation", f"{_NO_ANSWER} {', '.join(unknown)}")
    return passed("gpu-revocation", "the vendor says of the chip and all above it: good")


_NO_ANSWERS = "no OCSP answers were given, so nothing is known of revocation"
_NO_ANSWER = "nothing is known of revocation: no OCSP answer was given for"


def _reference(
    out: Gathered, device: Device, endorsed: Endorsed | None, given: _Given
) -> tuple[Manifest, ...]:
    if endorsed is None:
        for name in ("gpu-driver-rim", "gpu-vbios-rim"):
            out.skip(name, "no trusted chain vouches for the report")
        driver_rim, vbios_rim, complete = None, None, False
    else:
        driver, vbios = rim.wanted(device.report, endorsed)
        driver_rim = _driver_rim(out, driver, endorsed, given)
        vbios_rim = _vbios_rim(out, vbios, endorsed, given)
        complete = bool((driver_rim or driver is None) and vbios_rim)
    manifests = tuple(m for m in (driver_rim, vbios_rim) if m is not None)
    windows = [certificates.window(c, "rim_certificate") for m in manifests for c in m.chain]
    out.checks.append(
        check_dates("gpu-rim-dates", windows, given.now)
        if windows
        else not_checked("gpu-rim-dates", "there is no verified manifest")
    )
    out.checks.append(_rim_revocation(manifests, given))
    out.checks.append(_measured(device, manifests, complete=complete))
    return manifests


def _driver_rim(
    out: Gathered, want: Wanted | None, endorsed: Endorsed, given: _Given
) -> Manifest | None:
    if want is None:
        out.skip("gpu-driver-rim", "a switch has no driver of its own")
        return None
    found = rim.find(given.rims, want)
    if not found:
        out.skip("gpu-driver-rim", _missing(want))
        return None
    return out.attempt(
        "gpu-driver-rim",
        lambda: rim.endorse(
            found, want, level=endorsed.level, roots=given.roots.manifests, now=given.now
        ),
    )


def _vbios_rim(
    out: Gathered, want: Wanted | None, endorsed: Endorsed, given: _Given
) -> Manifest | None:
    if want is None:
        out.skip("gpu-vbios-rim", "the report does not say which VBIOS it ran")
        return None
    found = rim.find(given.rims, want)
    if not found:
        out.skip("gpu-vbios-rim", _missing(want))
        return None
    return out.attempt(
        "gpu-vbios-rim",
        lambda: rim.endorse(
            found, want, level=endorsed.level, roots=given.roots.manifests, now=given.now
        ),
    )


def _missing(want: Wanted) -> str:
    named = f" ({want.ids[-1]})" if len(want.ids) == 1 else ""
    return f"no manifest was given for {want.what} {want.version} of {want.products[0]}{named}"


def _rim_revocation(manifests: Sequence[Manifest], given: _Given) -> Check:
    if not manifests:
        return not_checked("gpu-rim-revocation", "there is no verified manifest")
    if not given.answers:
        return not_checked("gpu-rim-revocation", _NO_ANSWERS)
    unknown: list[str] = []
    try:
        for manifest in manifests:
            unknown += revocation.unanswered(manifest.chain, given.answers, now=given.now, first=0)
    except Error as error:
        return failed(
            "gpu-rim-revocation", error.code, error.detail, expected=error.expected, got=error.got
        )
    if unknown:
        return not_checked("gpu-rim-revocation", f"{_NO_ANSWER} {', '.join(unknown)}")
    return passed("gpu-rim-revocation", "the vendor says of the manifests' signers: good")


def _measured(device: Device, manifests: Sequence[Manifest], *, complete: bool) -> Check:
    if not manifests:
        return not_checked(
            "gpu-measurements", "there is no verified manifest to hold the measurements against"
        )
    try:
        sentence, _ = measurements.compare(device.report, *manifests)
    except Error as error:
        return failed(
            "gpu-measurements", error.code, error.detail, expected=error.expected, got=error.got
        )
    if not complete:
        return not_checked(
            "gpu-measurements", f"{sentence}, but one of the two manifests is missing"
        )
    return passed("gpu-measurements", sentence)


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


def _facts(device: Device, found: _Found) -> DeviceFacts:
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
