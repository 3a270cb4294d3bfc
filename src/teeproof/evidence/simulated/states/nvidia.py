"""States of GPUs: by themselves, and beside the machine that asked them.

Trusts: nothing; it only describes.  Does not trust: nothing comes from outside.
"""

from __future__ import annotations

from dataclasses import replace

import msgspec

from teeproof.evidence.nvidia.nonce import gpu_nonce
from teeproof.evidence.record import Evidence
from teeproof.evidence.simulated.nvidia_scene import GpuEvidence, GpuScene
from teeproof.evidence.simulated.states.gpus import GPU_STATES, GpuState
from teeproof.evidence.simulated.states.state import Make, Outcome, Scene, State

__all__ = ["STATES"]


def _gpus(scene: Scene) -> GpuScene:
    """Return where GPUs answer the nonce that the scene's report_data determines."""
    return GpuScene(scene.platform.gpus, gpu_nonce(scene.report_data[:32]), scene.now)


def _alone(state: GpuState) -> Make:
    def make(scene: Scene) -> Evidence:
        made = state.make(_gpus(scene))
        return Evidence(quote=made.document(), manifests=made.manifests, ocsp=made.ocsp)

    return make


def _beside(scene: Scene, made: GpuEvidence) -> Evidence:
    return msgspec.structs.replace(
        scene.evidence(), gpus=made.document(), manifests=made.manifests, ocsp=made.ocsp
    )


def _written(sentence: str) -> str:
    return f"{sentence[0].upper()}{sentence[1:]}."


def _together(scene: Scene) -> Evidence:
    return _beside(scene, _gpus(scene).evidence())


def _of_another_machine(scene: Scene) -> Evidence:
    other = gpu_nonce(bytes(byte ^ 0xFF for byte in scene.report_data[:32]))
    return _beside(scene, replace(_gpus(scene), nonce=other).evidence())


def _without_words(scene: Scene) -> Evidence:
    return _beside(scene, _gpus(scene).evidence(rims=(), ocsp=()))


def _report_changed(scene: Scene) -> Evidence:
    return _beside(scene, GPU_STATES["report-changed"].make(_gpus(scene)))


def _counted_twice(scene: Scene) -> Evidence:
    return _beside(scene, GPU_STATES["counted-twice"].make(_gpus(scene)))


_TOGETHER: tuple[tuple[str, str, Outcome, Make], ...] = (
    ("gpus-beside", "a machine and its two GPUs, all in order", "accepted", _together),
    (
        "gpus-beside-without-words",
        "a machine and its GPUs, and nobody collected what their vendor says of them",
        "accepted", _without_words,
    ),
    (
        "gpus-of-another-machine", "the GPUs beside the machine answer another machine's nonce",
        "not-allowed", _of_another_machine,
    ),
    (
        "gpus-beside-changed", "one report of the GPUs beside a machine was changed",
        "not-authentic", _report_changed,
    ),
    (
        "gpus-beside-counted-twice", "one of the GPUs beside a machine reports twice",
        "not-authentic", _counted_twice,
    ),
)  # fmt: skip

STATES = (
    *(
        State(f"gpu-{name}", _written(state.sentence), state.outcome, _alone(state), None, "nvidia")
        for name, state in GPU_STATES.items()
    ),
    *(
        State(
            name,
            _written(sentence),
            outcome,
            make,
            None if outcome == "not-authentic" else "UpToDate",
        )
        for name, sentence, outcome, make in _TOGETHER
    ),
)
