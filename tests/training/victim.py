"""A trainer in a process of its own, to be killed: ``python -m tests.training.victim FILE``.

It says what a trainer says, on its standard output. FILE tells it which machine it is.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path

from teeproof.cloud.local import LocalInside
from teeproof.cloud.manifest import Manifest
from teeproof.evidence.collect.simulated import SimulatedPlatform
from teeproof.training import run, workload
from tests.data.scenes import NOW

POINTS = ("training", "saved", "named")


def main(told: dict[str, str]) -> None:
    inside = LocalInside(
        Path(told["folder"]),
        manifest=Manifest.parse(told["compose"].encode()),
        platform=SimulatedPlatform(bytes.fromhex(told["platform"])),
        peers={"kms": told["kms"]},
        now=lambda: NOW,
        stream=sys.stdout,
    )
    if told["point"] == "saved":
        save = run.Trained.save
        run.Trained.save = lambda self, to: (save(self, to), die())[0]  # type: ignore[method-assign]
    if told["point"] == "named":
        workload.write_file = lambda *_a, **_k: die()  # type: ignore[attr-defined]
    report = workload._report

    def training(*arguments: object) -> None:
        report(*arguments)  # type: ignore[arg-type]
        if told["point"] == "training" and arguments[1] == 3:
            die()

    workload._report = training  # type: ignore[assignment]
    workload.main(inside)


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    main(json.loads(Path(sys.argv[1]).read_text()))
