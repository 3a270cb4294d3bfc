"""Hold a device against what its vendor says is good: find its manifests, verify them, compare.

Trusts: the pinned roots of manifests.  Does not trust: whoever collected manifests and answers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from teeproof.core.errors import Error
from teeproof.evidence.dates import check_dates
from teeproof.evidence.nvidia import issuance, measurements, revocation, rim
from teeproof.evidence.nvidia.bundle import Device
from teeproof.evidence.nvidia.chain import Endorsed
from teeproof.evidence.nvidia.ocsp import Answer
from teeproof.evidence.nvidia.policy import Roots
from teeproof.evidence.nvidia.rim import Manifest, Rim, Wanted
from teeproof.evidence.steps import Steps
from teeproof.evidence.verdict import Check, failed, not_checked, passed

__all__ = ["NO_ANSWER", "NO_ANSWERS", "Given", "refer"]

NO_ANSWERS = "no OCSP answers were given, so nothing is known of revocation"
NO_ANSWER = "nothing is known of revocation: no OCSP answer was given for"


@dataclass(frozen=True, slots=True)
class Given:
    """What all devices are verified with.

    Attributes:
        rims: manifests, as they were handed over.
        answers: OCSP answers, parsed.
        roots: of devices and of manifests.
        now: the T, seconds since 1970.
    """

    rims: Sequence[Rim]
    answers: Sequence[Answer]
    roots: Roots
    now: int


def refer(
    out: Steps, device: Device, endorsed: Endorsed | None, given: Given
) -> tuple[Manifest, ...]:
    if endorsed is None:
        for name in ("gpu-driver-rim", "gpu-vbios-rim"):
            out.skip(name, "no trusted chain vouches for the report")
        driver_rim, vbios_rim, complete = None, None, False
    else:
        driver, vbios = rim.wanted(device.report, endorsed)
        driver_rim = _driver_rim(out, driver, endorsed, given)
        vbios_rim = _vbios_rim(out, vbios, endorsed, given)
        complete = bool((driver_rim or endorsed.is_switch) and vbios_rim)
    manifests = tuple(m for m in (driver_rim, vbios_rim) if m is not None)
    windows = [issuance.window(c, "rim_certificate") for m in manifests for c in m.chain]
    out.checks.append(
        check_dates("gpu-rim-dates", windows, given.now)
        if windows
        else not_checked("gpu-rim-dates", "there is no verified manifest")
    )
    out.checks.append(_rim_revocation(manifests, given))
    out.checks.append(_measured(device, manifests, complete=complete))
    return manifests


def _driver_rim(
    out: Steps, want: Wanted | None, endorsed: Endorsed, given: Given
) -> Manifest | None:
    if want is None:
        out.skip(
            "gpu-driver-rim",
            "a switch has no driver of its own"
            if endorsed.is_switch
            else "the report does not say which driver it ran under",
        )
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
    out: Steps, want: Wanted | None, endorsed: Endorsed, given: Given
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


def _rim_revocation(manifests: Sequence[Manifest], given: Given) -> Check:
    if not manifests:
        return not_checked("gpu-rim-revocation", "there is no verified manifest")
    if not given.answers:
        return not_checked("gpu-rim-revocation", NO_ANSWERS)
    unknown: list[str] = []
    try:
        for manifest in manifests:
            unknown += revocation.unanswered(manifest.chain, given.answers, now=given.now, first=0)
    except Error as error:
        return failed(
            "gpu-rim-revocation", error.code, error.detail, expected=error.expected, got=error.got
        )
    if unknown:
        return not_checked("gpu-rim-revocation", f"{NO_ANSWER} {', '.join(unknown)}")
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
