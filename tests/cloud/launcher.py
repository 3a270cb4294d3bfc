"""A launcher to be killed: ``python -m tests.cloud.launcher FOLDER IMAGE SANDBOX``."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from teeproof.cloud.image import Image
from teeproof.cloud.launch import launch
from teeproof.cloud.manifest import Manifest
from teeproof.evidence.collect.simulated import SimulatedPlatform


def main(folder: Path, code: Path, sandbox: str) -> None:
    image = Image(code)
    manifest = Manifest("orphan", "probes.resident", ("wait",), {}, image.digest)
    running = launch(
        manifest, image=image, platform=SimulatedPlatform.create(), folder=folder,
        sandbox=sandbox,  # type: ignore[arg-type]
    )  # fmt: skip
    while running.progress() is None and running.returncode is None:
        time.sleep(0.02)
    print(json.dumps({"pid": running.pid, "said": running.progress()}), flush=True)
    time.sleep(600)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
