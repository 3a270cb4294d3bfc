"""The report claim by claim: every answer has its source, and no figure is typed by hand."""

from __future__ import annotations

import re
from html import unescape

import msgspec
import pytest

from teeproof.core.errors import Usage
from teeproof.explorer.app import make_app
from teeproof.explorer.report.claims import FINDINGS, claims, needs, select
from teeproof.explorer.report.figures import FIGURES, figure
from tests.explorer.conftest import ask
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
    assert claim.why, "a finding needs its reason"
    if claim.finding in ("reproduced", "contradicted"):
        assert claim.command or claim.source, "what was found can be seen somewhere"


@pytest.mark.parametrize("claim", ALL, ids=lambda c: f"{c.section}: {c.claim}"[:60])
def test_the_numbers_of_a_sentence_are_those_that_are_computed(claim):
    if claim.figure is None:
        return
    computed = " ".join(figure(claim.figure)).replace(" %", "%")
    for share in re.findall(r"\d+\.\d\d%", claim.why):
        assert share in computed


def test_the_page_says_what_its_commands_need_and_of_which_chapter_each_claim_is():
    app = make_app(None, command=str)
    text = ask(app, "GET", "/report").text
    assert all(sentence in unescape(text) for sentence in needs(ALL))
    chapters = list(dict.fromkeys(claim.chapter for claim in ALL))
    assert re.findall("<h2>(.+)</h2>", text) == chapters
    some = ask(app, "GET", "/report?finding=contradicted&section=6.1").text
    assert "demo/ is what this leaves" not in some
    assert "/report.json?finding=contradicted&amp;section=6.1" in some


def test_no_claim_is_told_twice():
    assert len({(c.section, c.claim) for c in ALL}) == len(ALL)


def test_every_figure_is_used_and_every_name_of_one_is_a_figure():
    assert {claim.figure for claim in ALL if claim.figure} == set(FIGURES)
    assert all(figure(name) for name in FIGURES)


def test_half_an_hour_stands_beside_the_logs_seconds():
    claim = of("20 epochs take 0.5 h")
    assert claim.finding == "contradicted"
    line, longer = figure("training-time")
    assert "7373.5492 s = 2.05 h" in line
    assert "0.5 h" in line
    assert longer.startswith("30 epochs at the log's rate take 3.07 h, and the text says 1 h")


def test_the_logs_figures_agree_with_each_other():
    samples, steps, *_ = figure("training-log")
    assert "2,559 samples: 20 epochs of 128 fingerprints" in samples
    assert steps.startswith("20 steps in that time are 0.0027 a second")


def test_nearly_zero_on_long_texts_is_the_70b_model_alone():
    assert of("larger models and longer sequences").finding == "contradicted"
    lines = figure("large-and-long")
    assert [line.partition(" of long")[0] for line in lines] == [
        "Llama-3.1-8B on H100: 6.65 %", "Phi-3-14B on H100: 4.49 %",
        "Llama-3.1-70B on H100: -0.31 %", "Llama-3.1-8B on H200: 8.66 %",
        "Phi-3-14B on H200: 6.35 %", "Llama-3.1-70B on H200: 2.24 %",
    ]  # fmt: skip


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
