"""``teeproof report``: the report's claims on the screen, and the same as JSON."""

from __future__ import annotations

from teeproof.explorer.report.claims import claims


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
    assert "3 claims and figures: 3 contradicted" in said.out
    assert "overhead stays below 7%" in said.out
    assert "nearly 99%" not in said.out


def test_a_section_that_is_not_there(teeproof):
    said = teeproof("report", "9")
    assert said.code == 1
    assert "6.1" in said.err
