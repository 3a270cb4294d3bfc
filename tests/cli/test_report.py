"""``teeproof report``: the report's claims on the screen, and the same as JSON."""

from __future__ import annotations

import shlex

import pytest

from teeproof.explorer.app import make_app
from teeproof.explorer.report.claims import claims
from teeproof.explorer.report.telling import missing, summary
from tests.cli_tree import commands
from tests.explorer.conftest import ask
from tests.vectors import ROOT

COMMANDS = sorted({claim.command for claim in claims() if claim.command})


def unknown(line: str) -> list[str]:
    """Return what of a command line does not exist: command, option or test."""
    program, *words = shlex.split(line)
    if program == "python":
        assert words[:2] == ["-m", "bench.run"]
        return [word for word in words[2:] if not (ROOT / f"bench/bench_{word}.py").exists()]
    if program == "pytest":
        return [word for word in words if not (ROOT / word).exists()]
    known, name = commands(), program
    while words and f"{name} {words[0]}" in known:
        name = f"{name} {words.pop(0)}"
    if name == "teeproof":
        return [line]
    options = {opt for param in known[name].params for opt in param.opts}
    return [word for word in words if word.startswith("--") and word not in options]


@pytest.mark.parametrize("line", COMMANDS)
def test_what_shows_a_finding_exists(line):
    assert unknown(line) == []


def test_what_does_not_exist_is_noticed():
    assert unknown("teeproof brew demo/log") == ["teeproof brew demo/log"]
    assert unknown("teeproof agent demo/log --police x") == ["--police"]
    assert unknown("pytest tests/nowhere.py") == ["tests/nowhere.py"]
    assert unknown("python -m bench.run nothing") == ["nothing"]


@pytest.mark.parametrize("line", [line for line in COMMANDS if "$TEEPROOF_VECTORS" in line])
def test_what_is_shown_by_published_evidence_runs_and_holds(teeproof, vectors, line):
    _, *words = shlex.split(line.replace("$TEEPROOF_VECTORS", str(vectors)))
    said = teeproof(*words)
    assert said.code == 0
    assert words[0] != "verify" or "AUTHENTIC AND ALLOWED" in said.out


def test_every_claim_is_on_the_screen(teeproof):
    said = teeproof("report", "--all")
    assert said.code == 0
    for claim in claims():
        assert claim.claim in said.out
        assert claim.sentence in said.out


def test_without_a_choice_the_sum_and_what_does_not_hold(teeproof):
    said = teeproof("report").out
    assert summary() in said
    for claim in claims():
        assert (f"✗ {claim.claim}\n" in said) == (claim.finding == "contradicted")
    assert "source: the report, 3.4" in said
    assert all(f"{count} {sentence}" in " ".join(said.split()) for sentence, count in missing())


@pytest.mark.parametrize("columns", [40, 80])
@pytest.mark.parametrize("arguments", [(), ("--all",), ("--chapter", "6")])
def test_it_fits_the_terminal_but_for_what_is_copied(teeproof, monkeypatch, arguments, columns):
    monkeypatch.setenv("COLUMNS", str(columns))
    lines = teeproof("report", *arguments).out.splitlines()
    assert [x for x in lines if len(x) > columns and not x.lstrip().startswith("$ ")] == []


def test_a_narrow_terminal_gets_the_counts_below_each_chapter(teeproof, monkeypatch):
    monkeypatch.setenv("COLUMNS", "50")
    said = teeproof("report").out
    assert "7. Conclusion\n  1 reproduced, 2 contradicted, 4 not checkable\n" in said


def test_the_json_holds_what_the_screen_does(teeproof):
    found = teeproof("report", "--json").json
    rows = found["claims"]
    assert [row["claim"] for row in rows] == [claim.claim for claim in claims()]
    assert found["total"] == len(rows) == sum(found["counts"].values())
    assert all(row["source"] for row in rows)
    time = next(row for row in rows if row["claim"].startswith("20 epochs take"))
    assert "2.05 h" in time["computed"][0]
    assert time["command"] == "teeproof report 3.4"


def test_the_page_prints_the_same_object(teeproof):
    app = make_app(None, command=str)
    page = ask(app, "GET", "/report.json?chapter=3&finding=contradicted").json()
    said = teeproof("report", "--chapter", "3", "--finding", "contradicted", "--json").json
    assert page == said


def test_one_section_of_one_finding(teeproof):
    said = teeproof("report", "6.1", "--finding", "contradicted")
    assert "6 claims and figures: 6 contradicted" in said.out
    assert "“below 7%” in time to the first token" in said.out
    assert "nearly 99%" not in said.out


def test_a_chapter_that_is_not_there(teeproof):
    said = teeproof("report", "--chapter", "8")
    assert said.code == 1
    assert "0, 1, 2, 3, 4, 5, 6, 7" in said.err


def test_the_pictures_values_are_those_of_a_real_quote(teeproof, vectors):
    shown = teeproof("show", vectors / "dcap/tdx-v4-b0c06f-uptodate/quote.bin", "--json").json
    text = str(shown)
    assert "0601030000000000000000000000" in text
    assert ("5b38e33a6487958b72c3c12a938eaa5e3fd4510c51aeeab58c7d5ecee41d7c436489d6c8"
            "e4f92f160b7cad34207b00c1") in text  # fmt: skip


def test_a_section_that_is_not_there(teeproof):
    said = teeproof("report", "9")
    assert said.code == 1
    assert "6.1" in said.err
