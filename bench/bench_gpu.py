"""How fast NVIDIA's reports become facts: one GPU and eight, with manifests and OCSP answers.

Warm is the next set of reports of GPUs whose chains, manifests and answers were seen before; each
set has another nonce. Cold is the first of all.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import cycle

from bench.limits import forget, p384, together
from bench.measure import Row, beside
from teeproof.core.clock import to_epoch
from teeproof.core.digests import sha256
from teeproof.evidence.nvidia import bundle
from teeproof.evidence.nvidia.policy import NVIDIA
from teeproof.evidence.nvidia.rim import Rim
from teeproof.evidence.nvidia.verify import verify
from teeproof.evidence.simulated.nvidia import SimulatedGpu, answer
from teeproof.evidence.simulated.nvidia_pki import GpuVendor
from teeproof.evidence.simulated.nvidia_scene import GpuScene

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
VENDOR = GpuVendor(b"\x4e" * 32)
SETS = 8


def rows() -> Iterator[Row]:
    """Yield the rows."""
    scene = GpuScene(VENDOR, sha256(b"first"), NOW)
    rims, answers = tuple(rim.xml for rim in scene.rims()), _answers(scene, 8)
    for count in (1, 8):
        yield from _gpus(scene, count, rims, answers)


def _gpus(
    scene: GpuScene, count: int, rims: tuple[bytes, ...], answers: tuple[bytes, ...]
) -> Iterator[Row]:
    gpus = tuple(SimulatedGpu(VENDOR, number) for number in range(count))
    # As the machine hands them over: parsing is part of the work.
    documents = cycle(
        [
            GpuScene(VENDOR, sha256(b"%d" % number), NOW).evidence(gpus).document()
            for number in range(SETS)
        ]
    )

    def facts() -> None:
        found = verify(
            bundle.parse(next(documents)),
            rims=tuple(map(Rim, rims)), ocsp=answers, roots=NVIDIA, now=to_epoch(NOW),
        )  # fmt: skip
        assert found.facts is not None

    words = "1 GPU" if count == 1 else f"{count} GPUs"
    ours, limit = beside(facts, p384(count))
    what = f"{count} P-384 verifies" if count > 1 else "1 P-384 verify"
    yield Row(f"reports of {words} to facts, warm", ours, limit, what, goal=0.4)
    signatures = _signatures(scene, count, len(answers))
    ours, limit = beside(together(forget, facts), p384(signatures), rounds=5)
    what = f"{signatures} P-384 verifies: reports, chains, manifests, answers"
    yield Row("the same, cold", ours, limit, what)


def _answers(scene: GpuScene, count: int) -> tuple[bytes, ...]:
    """Return OCSP answers about every certificate in use, one for each GPU among them."""
    yesterday = scene.now - timedelta(hours=12)
    pairs = [
        (VENDOR.family, VENDOR.device_root), (VENDOR.provisioner, VENDOR.family),
        (VENDOR.rim_signer, VENDOR.rim_authority), (VENDOR.rim_authority, VENDOR.rim_root),
    ]  # fmt: skip
    chips = [VENDOR.chip(SimulatedGpu(VENDOR, number).name) for number in range(count)]
    pairs += [(chip, VENDOR.provisioner) for chip in chips]
    return tuple(answer(VENDOR, child, issuer, now=yesterday) for child, issuer in pairs)


def _signatures(scene: GpuScene, count: int, answers: int) -> int:
    """Return how many different signatures there are; of answers, those about these GPUs."""
    chains = {issued.der for n in range(count) for issued in SimulatedGpu(VENDOR, n).chain}
    manifests = len(scene.rims()) + len(VENDOR.rim_chain)
    return count + len(chains) + manifests + answers - (8 - count)
