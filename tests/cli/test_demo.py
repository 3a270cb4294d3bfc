"""``teeproof demo``: the whole story, with and without real evidence on the machine."""

from __future__ import annotations

import tempfile

import pytest


def test_the_demo_tells_the_whole_story(teeproof, vectors):
    answer = teeproof("demo")
    assert answer.code == 0
    words = (
        "1. Real evidence",
        "AUTHENTIC AND ALLOWED",
        "2. The same evidence, today",
        "expired on",
        "3. The same evidence, with one bit",
        "✗ quote-signature",
        "4. Simulated evidence",
        "SIMULATED, NOT ALLOWED",
        "5. The same, with a policy",
        "SIMULATED, AND ALLOWED AS SUCH",
        '"level": "simulated"',
        "6. A proof: from data to answer",
        "off: ",
        "SIMULATED, AND ALLOWED AS SUCH · 6 statements, 3 identities, 1 log, 0 checks failed",
        "7. The same proof, with one byte changed",
        "answer ",
        " ← train ",
        " ← validate ",
        "✗ signature",
        "NOT AUTHENTIC",
        "Type next",
    )
    place = 0
    for word in words:
        place = answer.out.index(word, place)


def test_the_json_twin_has_every_step(teeproof, vectors):
    twin = teeproof("demo", "--json").json
    assert {name: step["exit_code"] for name, step in twin.items()} == {
        "real": 0,
        "real_today": 2,
        "real_flipped": 2,
        "simulated": 4,
        "simulated_allowed": 0,
        "proof": 0,
        "proof_changed": 2,
    }
    log, fault = twin["proof_changed"]["failures"]
    assert (log["name"], log["error"]) == ("inclusion", "inclusion_mismatch")
    assert (fault["name"], fault["error"], len(fault["path"])) == (
        "signature",
        "signature_mismatch",
        3,
    )


def test_without_real_evidence_it_says_how_to_get_it(teeproof, monkeypatch, tmp_path):
    monkeypatch.delenv("TEEPROOF_VECTORS", raising=False)
    monkeypatch.setattr("teeproof.cli.samples.project_root", lambda: None)
    answer = teeproof("demo")
    assert answer.code == 0
    assert "teeproof samples fetch dstack" in answer.out
    assert "1. Simulated evidence" in answer.out


def test_the_demo_leaves_nothing_behind(teeproof, monkeypatch, tmp_path):
    scratch, here = tmp_path / "scratch", tmp_path / "here"
    scratch.mkdir()
    here.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    monkeypatch.chdir(here)
    assert teeproof("demo").code == 0
    assert list(scratch.iterdir()) == []
    assert list(here.iterdir()) == []


@pytest.mark.parametrize("width", ["80", "120"])
def test_no_line_is_wider_than_the_terminal(teeproof, monkeypatch, width, vectors):
    from teeproof.cli import main

    monkeypatch.setenv("COLUMNS", width)
    lines = _printed(main, monkeypatch)
    long = [line for line in lines if len(line) > int(width) and not line.startswith("  teeproof")]
    assert long == []


def _printed(main, monkeypatch):
    import io
    import sys

    stream = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    monkeypatch.setattr(sys, "stdout", stream)
    assert main(["demo"]) == 0
    stream.flush()
    return stream.buffer.getvalue().decode().splitlines()
