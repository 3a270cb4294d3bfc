"""``teeproof report``: the report's claims on the screen, and the same as JSON."""

from __future__ import annotations

import shlex

import pytest

from teeproof.explorer.report.claims import claims
from tests.cli_tree import commands
from tests.vectors import ROOT

COMMANDS = sorted({claim.command for claim in claims() if claim.command})


def unknown(line: str) -> list[str]:
    """Return what of a command line does not exist: command, option or test."""
    program, *words = shlex.split(line)
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


def test_every_claim_is_on_the_screen(teeproof):
    said = teeproof("report")
    assert said.code == 0
    for claim in claims():
        assert claim.claim in said.out
        assert claim.sentence in said.out


def test_the_json_holds_what_the_screen_does(teeproof):
    rows = teeproof("report", "--json").json
    assert [row["claim"] for row in rows] == [claim.claim for claim in claims()]
    assert all(row["source"] for row in rows)
    time = next(row for row in rows if row["claim"].startswith("20 epochs take"))
    assert "2.05 h" in time["computed"][0]
    assert time["command"] == "teeproof report 3.4"


def test_one_section_of_one_finding(teeproof):
    said = teeproof("report", "6.1", "--finding", "contradicted")
    assert "5 claims and figures: 5 contradicted" in said.out
    assert "overhead stays below 7%" in said.out
    assert "nearly 99%" not in said.out


def test_a_section_that_is_not_there(teeproof):
    said = teeproof("report", "9")
    assert said.code == 1
    assert "6.1" in said.err
