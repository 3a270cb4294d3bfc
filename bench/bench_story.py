"""How long the whole lifecycle takes, beside the training in it: what a newcomer waits for.

It is waited for, so these are times on the wall, of one run.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator

from bench.measure import Figure, Row


def rows() -> Iterator[Row]:
    """Yield the row."""
    told = subprocess.run(
        [sys.executable, "-m", "teeproof.cli", "demo", "--once", "--json"],
        check=True, stdout=subprocess.PIPE,
    )  # fmt: skip
    lines = json.loads(told.stdout)["lines"]
    (trained,) = [line["facts"] for line in lines if "held_out" in line["facts"]]
    yield Row(
        "the story, end to end", Figure(lines[-1]["seconds"], 0), Figure(trained["seconds"], 0),
        "its training, which two models share the machine for", at_most=240,
    )  # fmt: skip
