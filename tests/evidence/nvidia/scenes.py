"""What the tests of GPUs share: one simulated vendor, a verdict in one call, the real files."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from teeproof.core.clock import to_epoch
from teeproof.evidence.nvidia import appraise, bundle
from teeproof.evidence.nvidia.bundle import Device
from teeproof.evidence.nvidia.policy import NVIDIA, GpuPolicy, Roots
from teeproof.evidence.nvidia.rim import Rim
from teeproof.evidence.nvidia.verify import Verification, verify
from teeproof.evidence.simulated.nvidia_pki import GpuVendor
from teeproof.evidence.simulated.nvidia_scene import GpuEvidence, GpuScene, reference_policy
from teeproof.evidence.simulated.states.gpus import GPU_STATES
from teeproof.evidence.verdict import Check
from tests.vectors import directory

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
LATE = datetime(2026, 10, 1, tzinfo=UTC)  # when the manifest of the switch was in force
NONCE = bytes(range(32))
VENDOR = GpuVendor(b"\x4e" * 32)
SCENE = GpuScene(VENDOR, NONCE, NOW)


@dataclass(frozen=True)
class Answer:
    """What came of evidence: verification, and the policy's checks where it got so far."""

    found: Verification
    checks: tuple[Check, ...]

    @property
    def failures(self) -> list[tuple[str, str | None]]:
        return [(check.name, check.code) for check in self.checks if check.state == "failed"]

    @property
    def exit_code(self) -> int:
        concerns = {check.concern for check in self.checks if check.state == "failed"}
        return next(
            (
                n
                for n, c in ((2, "authenticity"), (3, "availability"), (4, "policy"))
                if c in concerns
            ),
            0,
        )

    def check(self, name: str) -> Check:
        return next(check for check in self.checks if check.name == name)


def judge(
    devices: tuple[Device, ...],
    *,
    rims: tuple[Rim, ...] = (),
    ocsp: tuple[bytes, ...] = (),
    now: datetime = NOW,
    roots: Roots = NVIDIA,
    policy: GpuPolicy | None = None,
    nonce: bytes | None = None,
) -> Answer:
    found = verify(devices, rims=rims, ocsp=ocsp, roots=roots, now=to_epoch(now))
    told = list(found.checks)
    if found.facts is not None:
        nonces = {} if nonce is None else {nonce: "the expected nonce"}
        told += appraise.checks(found.facts, policy or GpuPolicy(), nonces=nonces)
    return Answer(found, tuple(told))


def judge_simulated(made: GpuEvidence, policy: GpuPolicy | None = None) -> Answer:
    return judge(
        made.devices,
        rims=made.rims,
        ocsp=made.ocsp,
        policy=policy or reference_policy(VENDOR),
        nonce=NONCE,
    )


@cache
def state(name: str) -> GpuEvidence:
    return GPU_STATES[name].make(SCENE)


def real(path: str) -> bytes:
    """Return a real file; only in tests that are skipped without them."""
    folder = directory()
    assert folder is not None
    return (Path(folder) / "nvidia" / path).read_bytes()


def real_device(name: str) -> Device:
    report = bytes.fromhex(real(f"{name}/report.txt").decode().strip())
    return Device.of(report, real(f"{name}/cert_chain.txt"))


def real_bundle(name: str) -> tuple[Device, ...]:
    return bundle.parse(real(f"evidence-json/{name}.json"))


def rims(*paths: str) -> tuple[Rim, ...]:
    return tuple(Rim(real(path)) for path in paths)


def flipped(data: bytes, at: int, bit: int = 1) -> bytes:
    return data[:at] + bytes([data[at] ^ bit]) + data[at + 1 :]
