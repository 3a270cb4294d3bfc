"""Every state that the evidence of GPUs can be in, by name: right, wrong, and unwelcome.

Trusts: nothing; it only describes.  Does not trust: nothing comes from outside.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta

from cryptography import x509

from teeproof.evidence.nvidia.bundle import Device
from teeproof.evidence.nvidia.rim import Rim
from teeproof.evidence.simulated.nvidia import (
    DRIVER,
    SimulatedGpu,
    manifest,
    other_twin,
)
from teeproof.evidence.simulated.nvidia_pki import GpuVendor
from teeproof.evidence.simulated.nvidia_scene import GpuEvidence, GpuScene
from teeproof.evidence.simulated.states.state import Outcome

__all__ = ["GPU_STATES", "GpuState"]


@dataclass(frozen=True, slots=True)
class GpuState:
    """One way in which the evidence of GPUs can be right or wrong.

    Attributes:
        name: kebab-case.
        sentence: what is the case, for people.
        outcome: what a verifier must say, given ``reference_policy``.
        code: the code of the first check that fails; None where none does.
        make: brings the state about.
    """

    name: str
    sentence: str
    outcome: Outcome
    code: str | None
    make: Callable[[GpuScene], GpuEvidence]


def _resigned(scene: GpuScene, change: Callable[[bytes], bytes]) -> GpuEvidence:
    made = scene.evidence()
    second = made.devices[1]
    changed = Device.of(change(second.report.raw), second.certificates)
    return replace(made, devices=(made.devices[0], changed))


def _flipped(report: bytes) -> bytes:
    at = 60  # inside the first measurement's digest
    return report[:at] + bytes([report[at] ^ 1]) + report[at + 1 :]


def _impostor(scene: GpuScene) -> GpuVendor:
    return GpuVendor(bytes(byte ^ 0xFF for byte in scene.vendor.seed), marked=False)


def _other_root(scene: GpuScene) -> GpuEvidence:
    gpu = SimulatedGpu(_impostor(scene), 1)
    return scene.evidence((scene.gpus()[0], gpu))


def _other_chain(scene: GpuScene) -> GpuEvidence:
    made = scene.evidence()
    first, second = made.devices
    return replace(made, devices=(first, replace(second, certificates=first.certificates)))


def _mixed(scene: GpuScene) -> GpuEvidence:
    first, second = scene.gpus()
    made = scene.evidence()
    return replace(made, devices=(first.device(scene.nonce), second.device(bytes(32))))


def _other_nonce(scene: GpuScene) -> GpuEvidence:
    return replace(scene, nonce=bytes(32)).evidence()


def _tampered(scene: GpuScene) -> GpuEvidence:
    driver, vbios = scene.rims()
    digest = SimulatedGpu(scene.vendor).measurements[21].hex().encode()
    return scene.evidence(rims=(Rim(driver.xml.replace(digest, b"0" * 96)), vbios))


def _expired(scene: GpuScene) -> GpuEvidence:
    vendor = scene.vendor
    old = vendor.issue(
        "RIM L4 Signer",
        vendor.rim_authority,
        label="expired",
        not_after=scene.now - timedelta(days=30),
    )
    return scene.evidence(rims=scene.rims((old, vendor.rim_authority, vendor.rim_root)))


def _other_rim_root(scene: GpuScene) -> GpuEvidence:
    return scene.evidence(rims=scene.rims(_impostor(scene).rim_chain))


def _conflict(scene: GpuScene) -> GpuEvidence:
    made = SimulatedGpu(scene.vendor).measurements
    wide = manifest(DRIVER, {i: made[i] for i in range(12, 41)}, scene.vendor.rim_chain)
    return scene.evidence(rims=(Rim(wide), scene.rims()[1]))


def _unfit(scene: GpuScene) -> GpuEvidence:
    made = SimulatedGpu(scene.vendor).measurements
    other = manifest("999.02", {i: made[i] for i in range(21, 41)}, scene.vendor.rim_chain)
    return scene.evidence(rims=(Rim(other, f"NV_GPU_DRIVER_GH100_{DRIVER}"), scene.rims()[1]))


def _changed(scene: GpuScene) -> GpuEvidence:
    return scene.evidence(scene.gpus(changed=((5, b"\1" * 48),)))


def _revoked(reason: x509.ReasonFlags) -> Callable[[GpuScene], GpuEvidence]:
    return lambda scene: scene.evidence(ocsp=scene.ocsp(revoked=reason))


def _stale(scene: GpuScene) -> GpuEvidence:
    return scene.evidence(ocsp=scene.ocsp(now=scene.now - timedelta(days=9)))


def _self_answered(scene: GpuScene) -> GpuEvidence:
    stranger = _impostor(scene).responder(_impostor(scene).provisioner)
    return scene.evidence(ocsp=scene.ocsp(responder=stranger))


def _twice(scene: GpuScene) -> GpuEvidence:
    first = scene.gpus()[0]
    return scene.evidence((first, first))


def _fewer(scene: GpuScene) -> GpuEvidence:
    return scene.evidence(scene.gpus()[:1])


def _relayed(scene: GpuScene) -> GpuEvidence:
    return scene.evidence()


_HOLD, _COMPROMISED = x509.ReasonFlags.certificate_hold, x509.ReasonFlags.key_compromise

_TABLE: tuple[GpuState, ...] = (
    GpuState("good", "two GPUs, all in order", "accepted", None, GpuScene.evidence),
    GpuState(
        "twin-signature", "one report has the other of two good signatures", "accepted", None,
        lambda scene: _resigned(scene, other_twin),
    ),
    GpuState(
        "relayed", "the GPUs sit in another host, which no report can show", "accepted", None,
        _relayed,
    ),
    GpuState(
        "report-changed", "one byte of a report was changed", "not-authentic", "gpu_signature",
        lambda scene: _resigned(scene, _flipped),
    ),
    GpuState(
        "other-root", "one chain ends in a stranger's root", "not-authentic",
        "gpu_root_not_pinned", _other_root,
    ),
    GpuState(
        "other-chain", "one report comes with the chain of another GPU", "not-authentic",
        "gpu_signature", _other_chain,
    ),
    GpuState(
        "nonces-mixed", "two reports answer two nonces", "not-authentic", "gpu_nonces_mixed",
        _mixed,
    ),
    GpuState(
        "other-nonce", "the reports answer somebody else's nonce", "not-allowed",
        "gpu_nonce_mismatch", _other_nonce,
    ),
    GpuState(
        "measurement-changed", "one GPU runs other firmware", "not-authentic",
        "gpu_measurement_mismatch", _changed,
    ),
    GpuState(
        "rim-tampered", "a manifest was changed after it was signed", "not-authentic",
        "rim_digest", _tampered,
    ),
    GpuState(
        "rim-expired", "the manifests' signer was no longer certified", "not-authentic",
        "rim_certificate_expired", _expired,
    ),
    GpuState(
        "rim-other-root", "the manifests hang on a stranger's root", "not-authentic",
        "rim_root_not_pinned", _other_rim_root,
    ),
    GpuState(
        "rim-conflict", "both manifests claim one measurement", "not-authentic", "rim_conflict",
        _conflict,
    ),
    GpuState(
        "rim-unfit", "a manifest of another driver goes under the right name", "not-authentic",
        "rim_unfit", _unfit,
    ),
    GpuState(
        "rim-missing", "the driver's manifest was not given", "unavailable", "gpu_rims_missing",
        lambda scene: scene.evidence(rims=scene.rims()[1:]),
    ),
    GpuState(
        "ocsp-hold", "the vendor suspended a GPU's certificate", "not-authentic", "ocsp_hold",
        _revoked(_HOLD),
    ),
    GpuState(
        "ocsp-revoked", "the vendor revoked a GPU's certificate", "not-authentic", "ocsp_revoked",
        _revoked(_COMPROMISED),
    ),
    GpuState(
        "ocsp-expired", "an OCSP answer is too old", "not-authentic", "ocsp_expired", _stale
    ),
    GpuState(
        "ocsp-other-responder", "a stranger answered about a GPU's certificate", "not-authentic",
        "ocsp_signature", _self_answered,
    ),
    GpuState(
        "ocsp-missing", "nobody collected OCSP answers", "unavailable", "gpu_revocation_unknown",
        lambda scene: scene.evidence(ocsp=()),
    ),
    GpuState(
        "counted-twice", "one GPU reports twice", "not-authentic", "gpu_counted_twice", _twice
    ),
    GpuState(
        "fewer", "one GPU of two reports", "not-allowed", "gpu_count_too_low", _fewer
    ),
)  # fmt: skip

GPU_STATES: dict[str, GpuState] = {state.name: state for state in _TABLE}
