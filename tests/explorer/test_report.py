"""The report claim by claim: every answer has its source, and no figure is typed by hand."""

from __future__ import annotations

import msgspec
import pytest

from teeproof.core.errors import Usage
from teeproof.explorer.report.claims import FINDINGS, claims, select
from teeproof.explorer.report.figures import FIGURES, figure
from tests.report_map import PAGE, page

ALL = claims()


def of(text):
    return next(claim for claim in ALL if claim.claim.startswith(text))


def test_the_page_shows_the_claims_and_nothing_else():
    assert page(PAGE.read_text(), ALL) == PAGE.read_text(), "run python -m tests.report_map"


def test_a_claim_that_changed_would_show_on_the_page():
    changed = (msgspec.structs.replace(ALL[0], claim="another"), *ALL[1:])
    assert page(PAGE.read_text(), changed) != PAGE.read_text()


@pytest.mark.parametrize("claim", ALL, ids=lambda c: f"{c.section}: {c.claim}"[:60])
def test_each_finding_says_on_what_it_rests(claim):
    assert claim.basis.startswith("the report, ")
    if claim.finding in ("reproduced", "contradicted"):
        assert claim.why, "a finding needs its reason"
        assert claim.command or "`" in claim.answer, "what was found can be seen somewhere"


def test_no_claim_is_told_twice():
    assert len({(c.section, c.claim) for c in ALL}) == len(ALL)


def test_every_figure_is_used_and_every_name_of_one_is_a_figure():
    assert {claim.figure for claim in ALL if claim.figure} == set(FIGURES)
    assert all(figure(name) for name in FIGURES)


def test_half_an_hour_stands_beside_the_logs_seconds():
    claim = of("20 epochs take 0.5 h")
    assert claim.finding == "contradicted"
    (line,) = figure("training-time")
    assert "7373.5492 s = 2.05 h" in line
    assert "0.5 h" in line


def test_the_config_hash_is_no_digest_of_a_model():
    assert of("a config hash stands for the final model").finding == "contradicted"
    assert "128 bits" in " ".join(figure("config-hash"))


def test_nearly_99_percent_was_one_slow_model():
    kept, others = figure("best-efficiency")
    assert "100.13 % on an H100, 97.71 % on an H200" in kept
    assert others == "by the other models: 91.16 to 95.42 %"


def test_below_7_percent_is_contradicted_by_the_papers_own_cells():
    assert of("overhead stays below 7%").finding == "contradicted"
    (line,) = figure("below-7")
    assert line.startswith("5 of 24 cells")
    assert "8.93 %" in line


def test_shares_are_counts_of_128_fingerprints():
    assert [line.partition(": ")[0] for line in figure("fingerprints")] == [
        "67.97 % after 20 epochs are 87 of 128 fingerprints (67.97 %)",
        "98.44 % after 30 epochs are 126 of 128 fingerprints (98.44 %)",
    ]


def test_a_section_holds_its_parts_and_no_other():
    assert {c.section.split(" ")[0] for c in select(section="3")} >= {"3", "3.1", "3.4"}
    assert {c.section.split(" ")[0] for c in select(section="6.1")} == {"6.1"}
    assert select(section="introduction")[0].section == "Introduction"


@pytest.mark.parametrize("word", FINDINGS)
def test_each_finding_can_be_asked_for(word):
    assert {c.finding for c in select(finding=word)} == {word}


def test_what_the_report_does_not_have_is_refused_with_what_it_has():
    with pytest.raises(Usage) as caught:
        select(section="9")
    assert "6.1" in (caught.value.expected or "")
    with pytest.raises(Usage) as caught:
        select(finding="true")
    assert caught.value.expected == ", ".join(FINDINGS)
