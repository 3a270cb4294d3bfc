"""Whoever verifies has the judges of every chapter, whichever door they come in by."""

import subprocess
import sys
from pathlib import Path

import pytest

import teeproof

JUDGED = {
    "aci/1",
    *(
        f"urn:teeproof:{name}:v1"
        for name in (
            "action", "admission", "contribution", "dataset", "erasure", "lease", "node",
            "training", "withdrawn",
        )
    ),
}  # fmt: skip


@pytest.mark.parametrize(
    "door",
    [
        "import teeproof as tp; tp.verify",
        "import teeproof as tp; tp.load",
        "import teeproof as tp; tp.Graph",
        "import teeproof.cli.chapters",
    ],
)
def test_each_door_brings_the_judges_of_every_chapter(door):
    told = subprocess.run(
        [
            sys.executable, "-c",
            f"{door}\nfrom teeproof.proof.verify.claims import judged_types\n"
            "print(*judged_types())",
        ],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    assert set(told.stdout.split()) >= JUDGED


def test_every_chapter_with_a_judge_is_among_them():
    from teeproof.cli.chapters import CHAPTERS

    root = Path(teeproof.__file__).parent
    here = {Path(one.__file__) for one in CHAPTERS}
    judging = {path for path in root.rglob("*.py") if "\n@judge(" in path.read_text("utf-8")}
    assert judging
    assert judging <= here
