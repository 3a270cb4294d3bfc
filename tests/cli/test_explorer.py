"""``teeproof explorer``: it says where it is, answers, and ends when it is told to."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import httpx
import pytest

from teeproof.cli import main

PROGRAM = ("-m", "teeproof.cli")
FAULTY = """
import sys
import teeproof.explorer.pages.words
from teeproof.cli import main

async def page(self, request):
    raise ZeroDivisionError("a fault of ours")

teeproof.explorer.pages.words.WordPages.page = page
sys.exit(main())
"""


@pytest.fixture
def started(tmp_path, request):
    program = getattr(request, "param", PROGRAM)
    command = [sys.executable, *program, "explorer", "--port", "0", "--json"]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
    )  # fmt: skip
    assert process.stdout is not None
    lines = []
    while not lines or lines[-1] != "}\n":
        line = process.stdout.readline()
        assert line, process.communicate()[1]
        lines.append(line)
    yield process, json.loads("".join(lines))
    if process.poll() is None:
        process.kill()
    process.communicate()


def test_it_prints_its_address_answers_there_and_ends_on_a_sigterm(started):
    process, about = started
    with httpx.Client(base_url=about["url"], timeout=60) as client:
        assert client.get("/words").status_code == 200
        assert client.get("/verify.json").json()["send"] == "POST /verify.json"
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (0, "", "")


@pytest.mark.parametrize("started", [("-c", FAULTY)], indirect=True)
def test_a_fault_of_ours_is_told_to_whoever_serves_and_not_to_who_asked(started):
    process, about = started
    answer = httpx.get(f"{about['url']}/words", timeout=60)
    assert answer.status_code == 500
    assert "ZeroDivisionError" not in answer.text
    assert "a fault of ours" not in answer.text
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=60)
    assert "ZeroDivisionError: a fault of ours" in err


def test_network_asks_by_a_name_that_it_was_not_given(started):
    _, about = started
    answer = httpx.get(f"{about['url']}/words", headers={"host": "evil.example"}, timeout=60)
    assert answer.status_code == 400


@pytest.mark.parametrize(
    ("arguments", "code"),
    [(["nowhere"], 1), (["--policy", "nowhere"], 1), (["--logs", "nowhere"], 3)],
)
def test_what_it_is_not_given_rightly_is_said_before_it_serves(arguments, code, tmp_path, capsys,
                                                               monkeypatch):  # fmt: skip
    monkeypatch.chdir(tmp_path)
    assert main(["explorer", "--port", "0", *arguments]) == code
    assert "error" in capsys.readouterr().err
