"""The examples, each as a stranger runs it: against the demo that runs, in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.vectors import ROOT

EXAMPLES = sorted((ROOT / "examples").glob("ch*.py"))
ONE_SCREEN = 50

SAID = {
    "ch1_network": ["free", "rented at 30 a second", "closed: ", "proved seconds"],
    "ch2_data": [
        "accepted; its weight is",
        "key erased: sha256:",
        "SIMULATED, AND ALLOWED AS SUCH",
    ],
    "ch3_training": ["sealed files", "the folder holds that model: True", " 0 checks failed"],
    "ch4_inference": ["receipt sha256:", "of the answer passed, 0 failed"],
    "ch5_agent": ['"sell a tenth of my ETH" -> traded', "-> refused", "one unbroken chain"],
    "ch6_cloud": ["SIMULATED, AND ALLOWED AS SUCH", "1 machine's identity, 0 checks failed"],
}


def run(path, home):
    return subprocess.run(
        [sys.executable, str(path)], capture_output=True, text=True, check=False, timeout=1500,
        env=os.environ | {"TEEPROOF_HOME": str(home)},
    )  # fmt: skip


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_does_what_it_says(told, path):
    done = run(path, told.home)
    assert done.returncode == 0, done.stderr[-3000:]
    for part in SAID[path.stem]:
        assert part in done.stdout, done.stdout


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_fits_a_screen_and_says_what_it_answers(path):
    text = path.read_text()
    assert len(text.splitlines()) <= ONE_SCREEN
    assert text.startswith('"""Report ')


def test_there_is_one_for_each_chapter_of_the_report():
    assert {path.stem for path in EXAMPLES} == set(SAID)


def test_without_a_demo_an_example_says_what_to_start(tmp_path):
    done = run(ROOT / "examples" / "ch4_inference.py", tmp_path)
    assert done.returncode != 0
    assert "teeproof demo" in done.stderr
