"""Hold what a device measured against what its vendor says is good.

Every active index of the driver's and the VBIOS's manifest must have one of its good digests in the
report. No index may be active in both: then one of the two speaks of something that is not its own.
Index 35 is the firmware of the first video decoder, and not measured where that is disabled.

Source: NVIDIA/nvtrust, local verifier.

Trusts: verified manifests.  Does not trust: the report's measurements.
"""

from __future__ import annotations

from teeproof.core.errors import NotAuthentic
from teeproof.evidence.nvidia.report import Report
from teeproof.evidence.nvidia.rim import Manifest

__all__ = ["compare"]

NVDEC0_INDEX = 35


def compare(report: Report, *manifests: Manifest) -> tuple[str, int]:
    """Return one sentence and how many measurements agree.

    Raises:
        NotAuthentic: one differs, is missing, or is active in two manifests.
    """
    golden: dict[int, tuple[bytes, ...]] = {}
    for manifest in manifests:
        both = sorted(golden.keys() & manifest.golden.keys())
        if both:
            raise NotAuthentic(
                f"measurement {both[0]} is active in both manifests, so one of them is not for "
                "this device",
                code="rim_conflict",
            )
        golden |= manifest.golden
    skipped = NVDEC0_INDEX in golden and report.nvdec0_disabled
    if skipped:
        del golden[NVDEC0_INDEX]
    # A block's index in the report is one more than the manifest's (SPDM counts from 1).
    wrong = [i for i in sorted(golden) if report.measurements.get(i + 1) not in golden[i]]
    if wrong:
        good, got = golden[wrong[0]], report.measurements.get(wrong[0] + 1)
        raise NotAuthentic(
            f"{len(wrong)} of {len(golden)} measurements are not what the vendor lists, first of "
            f"all number {wrong[0]}: the device runs other firmware or another driver than it says",
            code="gpu_measurement_mismatch",
            expected=" or ".join(value.hex() for value in good[:4]),
            got=got.hex() if got else "no such measurement",
        )
    note = "; the first video decoder is disabled, and its firmware not measured" if skipped else ""
    return f"all {len(golden)} active measurements are what the vendor lists{note}", len(golden)
