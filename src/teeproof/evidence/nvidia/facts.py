"""What verified reports of GPUs and switches establish, before anyone's opinion.

Trusts: the verification that made them.  Does not trust: nothing else comes in.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from teeproof.core.digests import framed_sha256, named
from teeproof.evidence.nvidia.report import Report
from teeproof.evidence.verdict import Level

__all__ = ["DeviceFacts", "GpuFacts", "bundle_identity", "evidence_identity"]


class DeviceFacts(msgspec.Struct, frozen=True, kw_only=True):
    """Facts of one GPU or switch.

    Attributes:
        evidence_id: the report's identity, see ``evidence_identity``.
        device_id: ``sha256:…`` that stands for the chip; nobody can tell its serial number from it.
        level: hardware or simulated; ``root`` is the fingerprint of the root that vouches for it.
        architecture: HOPPER, BLACKWELL or LS10; ``chip`` such as GH100.
        is_switch: whether it connects GPUs and is none.
        driver: version of the driver; None of a switch.
        vbios: version of the VBIOS.
        board: project, project SKU and chip SKU.
        feature: SPT, MPT, PPCIE, or None where the report does not say.
        measurements: index from 0 on, as manifests count -> 48 bytes.
        rim_roots: roots of the manifests that vouch for measurements; empty without manifests.
        measured: whether every active measurement is known to be what the vendor lists.
        revocation_known: whether the vendor said of every certificate used that it is good.
    """

    evidence_id: str
    device_id: str
    level: Level
    root: str
    architecture: str
    chip: str
    is_switch: bool
    driver: str | None
    vbios: str | None
    board: tuple[str, str, str] | None
    feature: str | None
    measurements: dict[int, bytes]
    rim_roots: tuple[str, ...]
    measured: bool
    revocation_known: bool

    def to_json(self) -> dict[str, Any]:
        """Return the facts for people and programs. No serial number of a chip."""
        body: dict[str, Any] = msgspec.to_builtins(self)
        return body | {"measurements": {str(i): v.hex() for i, v in self.measurements.items()}}


class GpuFacts(msgspec.Struct, frozen=True, kw_only=True):
    """Facts of the GPUs and switches that were reported together.

    Attributes:
        evidence_id: the identity of all of it, whatever their order.
        level: the lowest of the devices.
        nonce: 32 bytes that all reports answer.
        devices: in the order in which they came.
    """

    evidence_id: str
    level: Level
    nonce: bytes
    devices: tuple[DeviceFacts, ...]

    @property
    def gpus(self) -> tuple[DeviceFacts, ...]:
        """Those that are GPUs."""
        return tuple(device for device in self.devices if not device.is_switch)

    @property
    def switches(self) -> tuple[DeviceFacts, ...]:
        """Those that are switches."""
        return tuple(device for device in self.devices if device.is_switch)

    @property
    def simulated_roots(self) -> frozenset[str]:
        """The simulators' roots that anything here hangs on."""
        found = [d for d in self.devices if d.level == "simulated"]
        return frozenset(root for d in found for root in (d.root, *d.rim_roots))

    def to_json(self) -> dict[str, Any]:
        """Return the facts for people and programs."""
        return {
            "gpus": len(self.gpus),
            "switches": len(self.switches),
            "nonce": self.nonce.hex(),
            "devices": [device.to_json() for device in self.devices],
        }


def evidence_identity(report: Report, leaf_tbs: bytes) -> str:
    """Return ``sha256:…`` that names one report, whatever malleable twin of it one holds.

    Over what the device signed and the leaf's TBSCertificate: the twin signature with the other s,
    other encodings of the chain and every unsigned copy leave it unchanged.
    """
    return named(framed_sha256("teeproof.evidence.nvidia.v1", report.signed, leaf_tbs))


def bundle_identity(evidence_ids: Sequence[str]) -> str:
    """Return ``sha256:…`` that names reports given together, in whatever order."""
    each = (text.encode() for text in sorted(evidence_ids))
    return named(framed_sha256("teeproof.evidence.nvidia-devices.v1", *each))
