"""``teeproof demo --short``: a proof and evidence, with and without real evidence here."""

from __future__ import annotations

import shlex
import tempfile

import pytest


def test_the_demo_tells_the_whole_story(teeproof, vectors):
    answer = teeproof("demo", "--short")
    assert answer.code == 0
    words = (
        "1. A proof: from data to answer",
        "off: ",
        "statements, inputs first",
        "SIMULATED, AND ALLOWED AS SUCH · 6 statements, 3 identities, 1 log, 0 checks failed",
        "2. The same proof, with one byte changed",
        "answer ",
        " ← train ",
        " ← validate ",
        "✗ signature",
        "NOT AUTHENTIC",
        "3. Real evidence",
        "AUTHENTIC AND ALLOWED",
        "4. The same evidence, today",
        "expired on",
        "5. The same evidence, with one bit",
        "✗ quote-signature",
        "6. Simulated evidence",
        "SIMULATED, NOT ALLOWED",
        "7. The same, with a policy",
        "SIMULATED, AND ALLOWED AS SUCH",
        "Type next",
        "teeproof demo --short --keep demo",
    )
    place = 0
    for word in words:
        place = answer.out.index(word, place)
    assert len(answer.out.splitlines()) < 140


def test_what_it_says_to_type_next_works(teeproof, monkeypatch, tmp_path, vectors):
    monkeypatch.chdir(tmp_path)
    keep, *following = _next_commands(teeproof("demo", "--short").out)
    assert keep == ["teeproof", "demo", "--short", "--keep", "demo"]
    assert following == _next_commands(teeproof(*keep[1:]).out)
    proofs = [command for command in following if "demo/answer.proof" in command]
    assert [command[1] for command in proofs] == ["verify", "graph", "show"]
    for command in proofs:
        assert teeproof(*command[1:]).code == 0
    assert teeproof(*(word.replace("answer", "changed") for word in proofs[0][1:])).code == 2
    again = teeproof("demo", "--short", "--keep", "demo", "--json")
    assert (again.code, again.json["error"]) == (1, "out_taken")


def _next_commands(out):
    lines = out[out.index("Type next") :].splitlines()
    return [shlex.split(line) for line in lines if line.startswith("  teeproof")]


def test_the_json_twin_has_every_step(teeproof, vectors):
    twin = teeproof("demo", "--short", "--json").json
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
    answer = teeproof("demo", "--short")
    assert answer.code == 0
    assert "teeproof samples fetch dstack" in answer.out
    assert "3. Simulated evidence" in answer.out


def test_the_demo_leaves_nothing_behind(teeproof, monkeypatch, tmp_path):
    scratch, here = tmp_path / "scratch", tmp_path / "here"
    scratch.mkdir()
    here.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    monkeypatch.chdir(here)
    assert teeproof("demo", "--short").code == 0
    assert list(scratch.iterdir()) == []
    assert list(here.iterdir()) == []


@pytest.mark.parametrize("width", ["80", "120"])
def test_no_line_is_wider_than_the_terminal(teeproof, monkeypatch, width, vectors):
    from teeproof.cli import main

    monkeypatch.setenv("COLUMNS", width)
    lines = _printed(main, monkeypatch)
    wide = [line.strip() for line in lines if len(line) > int(width)]
    assert [line for line in wide if not line.startswith("teeproof ")] == []  # copied whole


def _printed(main, monkeypatch):
    import io
    import sys

    stream = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    monkeypatch.setattr(sys, "stdout", stream)
    assert main(["demo", "--short"]) == 0
    stream.flush()
    return stream.buffer.getvalue().decode().splitlines()
