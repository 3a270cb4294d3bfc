"""A machine with two simulated GPUs, what it hands over, and the policy that accepts it.

Trusts: whoever holds the seed.  Does not trust: nothing comes from outside.
"""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import msgspec

from teeproof.core import strictjson
from teeproof.evidence.nvidia.bundle import Device
from teeproof.evidence.nvidia.nonce import gpu_nonce
from teeproof.evidence.nvidia.policy import GpuPolicy
from teeproof.evidence.nvidia.rim import Rim
from teeproof.evidence.record import Evidence
from teeproof.evidence.simulated.nvidia import DRIVER, VBIOS, SimulatedGpu, answer, manifest
from teeproof.evidence.simulated.nvidia_pki import GpuVendor, Issued

__all__ = ["GpuEvidence", "GpuScene", "beside", "reference_policy"]


@dataclass(frozen=True, slots=True)
class GpuEvidence:
    """What a machine with GPUs hands over.

    Attributes:
        devices: reports and chains, parsed.
        rims: manifests.
        ocsp: OCSP answers, DER.
    """

    devices: tuple[Device, ...]
    rims: tuple[Rim, ...]
    ocsp: tuple[bytes, ...]

    def document(self) -> bytes:
        """Return the evidence of the devices as NVIDIA's tools write it."""
        items = [
            {
                "arch": "HOPPER",
                "certificate": b64encode(device.certificates).decode(),
                "evidence": b64encode(device.report.raw).decode(),
                "nonce": device.report.nonce.hex(),
            }
            for device in self.devices
        ]
        return strictjson.dumps(items, pretty=True).encode() + b"\n"

    @property
    def manifests(self) -> tuple[bytes, ...]:
        """The manifests as files: XML, or as the service that has them by their id answers."""
        return tuple(rim.xml if rim.id is None else _answered(rim) for rim in self.rims)


def _answered(rim: Rim) -> bytes:
    answer = {"id": rim.id, "rim": b64encode(rim.xml).decode(), "rim_format": "TCG"}
    return strictjson.dumps(answer).encode()


@dataclass(frozen=True, slots=True)
class GpuScene:
    """Where a state is brought about.

    Attributes:
        vendor: of the GPUs.
        nonce: 32 bytes that the verifier expects.
        now: the time at which somebody will verify.
    """

    vendor: GpuVendor
    nonce: bytes
    now: datetime

    def gpus(self, **changes: object) -> tuple[SimulatedGpu, ...]:
        """Return two GPUs, the second changed like this."""
        other: SimulatedGpu = replace(SimulatedGpu(self.vendor, 1), **changes)  # type: ignore[arg-type]
        return SimulatedGpu(self.vendor, 0), other

    def rims(self, chain: tuple[Issued, ...] | None = None) -> tuple[Rim, ...]:
        """Return the manifests of driver and VBIOS."""
        made = SimulatedGpu(self.vendor).measurements
        chain = chain or self.vendor.rim_chain
        return (
            Rim(manifest(DRIVER, {i: made[i] for i in range(21, 41)}, chain)),
            Rim(manifest(VBIOS, {i: made[i] for i in range(13)}, chain)),
        )

    def ocsp(self, **changes: object) -> tuple[bytes, ...]:
        """Return answers about every certificate used; ``changes`` concern the second chip."""
        vendor, yesterday = self.vendor, self.now - timedelta(hours=12)
        pairs = {(vendor.family, vendor.device_root), (vendor.provisioner, vendor.family)}
        pairs |= {(vendor.rim_signer, vendor.rim_authority)}
        pairs |= {(vendor.rim_authority, vendor.rim_root)}
        chips = [vendor.chip(gpu.name) for gpu in self.gpus()]
        said = [answer(vendor, c, issuer, now=yesterday) for c, issuer in pairs]
        said.append(answer(vendor, chips[0], vendor.provisioner, now=yesterday))
        words: dict[str, object] = {"now": yesterday} | changes
        said.append(answer(vendor, chips[1], vendor.provisioner, **words))  # type: ignore[arg-type]
        return tuple(said)

    def evidence(
        self,
        gpus: tuple[SimulatedGpu, ...] | None = None,
        *,
        rims: tuple[Rim, ...] | None = None,
        ocsp: tuple[bytes, ...] | None = None,
    ) -> GpuEvidence:
        """Return what these GPUs hand over; what is not given is in order."""
        return GpuEvidence(
            tuple(gpu.device(self.nonce) for gpu in gpus or self.gpus()),
            self.rims() if rims is None else rims,
            self.ocsp() if ocsp is None else ocsp,
        )


def beside(
    machine: Evidence, vendor: GpuVendor, report_data: bytes, *, count: int, now: datetime
) -> Evidence:
    """Return a machine's evidence with that of its GPUs, which answer what it determines.

    Args:
        machine: its own evidence.
        vendor: of the GPUs.
        report_data: 64 bytes that the machine's evidence binds.
        count: how many GPUs it has; OCSP answers are there about the first two.
        now: when somebody will verify it.
    """
    scene = GpuScene(vendor, gpu_nonce(report_data[:32]), now)
    made = scene.evidence(tuple(SimulatedGpu(vendor, number) for number in range(count)))
    return msgspec.structs.replace(
        machine, gpus=made.document(), manifests=made.manifests, ocsp=made.ocsp
    )


def reference_policy(vendor: GpuVendor) -> GpuPolicy:
    """Return the policy that accepts this simulator's GPUs where all is in order: two of them."""
    return GpuPolicy(
        min_gpus=2,
        architectures=("HOPPER",),
        drivers=(DRIVER,),
        vbios=(VBIOS,),
        rims=True,
        revocation=True,
        simulated_roots=(vendor.device_root.fingerprint, vendor.rim_root.fingerprint),
    )
