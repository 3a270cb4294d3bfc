"""A trainer that is killed leaves no half model, and no plaintext on any disk."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from teeproof.core.weights import digest_model
from teeproof.data.samples import file_of
from teeproof.training import workload
from tests.proof.people import platform
from tests.training.school import CANARY
from tests.training.victim import POINTS
from tests.vectors import ROOT


@pytest.fixture(scope="session")
def undisturbed(school):
    return school.trained("undisturbed")


def run_and_kill(school, tmp_path: Path, point: str):
    """A trainer that dies at a point; its machine, and what it said."""
    inside = school.trainer(f"killed-{tmp_path.name}", school.job())
    told = {
        "folder": str(inside.inputs.parent),
        "compose": inside.manifest.compose().decode(),
        "platform": platform().pki.seed.hex(),
        "kms": school.kms_url,
        "point": point,
    }
    file, scratch = tmp_path / "told.json", tmp_path / "scratch"
    file.write_text(json.dumps(told))
    scratch.mkdir()
    ended = subprocess.run(
        [sys.executable, "-m", "tests.training.victim", str(file)],
        cwd=ROOT, capture_output=True, timeout=1500, check=False,
        env=os.environ | {"TMPDIR": str(scratch), "HOME": str(scratch), "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    return inside, ended


@pytest.mark.parametrize("point", POINTS)
def test_host_kills_the_trainer_and_the_next_run_makes_the_same_model(
    school, undisturbed, tmp_path, point
):
    inside, ended = run_and_kill(school, tmp_path, point)
    assert ended.returncode == -signal.SIGKILL, ended.stderr.decode()[-2000:]
    model = inside.outputs / workload.MODEL
    assert not (inside.outputs / workload.STATEMENT).exists()
    if point == "named":
        assert (model / "model.safetensors").exists()
    else:
        assert not model.exists()
    assert workload.main(school.again(inside)) == 0
    expected = digest_model(undisturbed[0].outputs / workload.MODEL)
    assert digest_model(model) == expected
    assert sorted(path.name for path in inside.outputs.iterdir()) == ["model", "training.json"]


@pytest.mark.parametrize("point", ["training", "nowhere"])
def test_host_reads_every_file_and_every_log_of_a_run_and_finds_no_record(school, tmp_path, point):
    shared = Path(tempfile.gettempdir())
    before = set(shared.iterdir())
    inside, ended = run_and_kill(school, tmp_path, point)
    assert ended.returncode == (0 if point == "nowhere" else -signal.SIGKILL)
    needles = [CANARY.text.encode(), str(CANARY.order.price).encode()]
    places = [inside.inputs.parent, tmp_path, *(set(shared.iterdir()) - before)]
    read = [data for place in places for data in contents(place)]
    assert len(read) > 8
    assert not any(needle in data for needle in needles for data in read)
    assert not any(needle in ended.stdout + ended.stderr for needle in needles)


def contents(place: Path) -> Iterator[bytes]:
    for path in (place, *place.rglob("*")):
        with contextlib.suppress(OSError):  # what other programs put there may be gone again
            if path.is_file():
                yield path.read_bytes()


def test_such_a_search_would_find_a_record_in_the_clear(tmp_path):
    (tmp_path / "within").mkdir()
    (tmp_path / "within" / "orders.jsonl").write_bytes(file_of([CANARY]))
    assert any(CANARY.text.encode() in data for data in contents(tmp_path))
