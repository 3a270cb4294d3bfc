"""Report 6.2: put a program of your own into a (simulated) TEE, and prove what it said there.

Needs nothing that runs: python examples/ch6_cloud.py
"""

import tempfile
from pathlib import Path

import teeproof as tp
from teeproof.cloud.image import Image
from teeproof.cloud.inside import Inside
from teeproof.cloud.launch import launch
from teeproof.cloud.manifest import Manifest
from teeproof.evidence.collect.simulated import SimulatedPlatform, application_policy


def main(inside: Inside) -> None:
    """Run inside: make keys, have the machine commit to them, say something, leave the proof."""
    me = inside.boot()
    said = me.seal("greet", outputs={"greeting": f"hello, {inside.arguments[0]}".encode()})
    said.save(inside.outputs / "greeting.proof")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        folder, vendor = Path(name), SimulatedPlatform.create()
        image = Image.snapshot(folder / "images", extra={"mine/greet.py": Path(__file__)})
        code = Manifest("greet", "mine.greet", ("world",), {}, image.digest)
        with launch(code, image=image, platform=vendor, folder=folder) as running:
            running.finish(60)
        # Whoever checks pins the vendor and this very code; one byte of it more, and it is refused.
        policy = tp.parse_policy(application_policy(vendor, compose_hash=[code.compose_hash]))
        print(tp.verify(folder / "out" / "greeting.proof", policy=policy))
