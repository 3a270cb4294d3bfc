"""The report claim by claim: every answer has its source, and no figure is typed by hand."""

from __future__ import annotations

import re
from html import unescape

import msgspec
import pytest

from teeproof.bench.compare import compare
from teeproof.bench.paper import PRINTED
from teeproof.core.errors import Usage
from teeproof.explorer.app import make_app
from teeproof.explorer.report.claims import FINDINGS, LACKS, chapters, claims, needs, select
from teeproof.explorer.report.figures import FIGURES, figure
from teeproof.explorer.report.telling import document, missing, summary, table
from tests.explorer.conftest import ask
from tests.report_map import PAGE, page
from tests.vectors import ROOT

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
    for share in re.findall(r"\d+\.\d\d(?:%|(?= points| µs))", claim.why):
        assert share in computed


def test_three_findings_and_no_fourth():
    assert FINDINGS == ("reproduced", "contradicted", "not checkable here")
    assert sum(len(select(finding=word)) for word in FINDINGS) == len(ALL)


@pytest.mark.parametrize("claim", ALL, ids=lambda c: c.key)
def test_what_is_not_checkable_says_what_was_missing(claim):
    assert (claim.lacks is not None) == (claim.finding == "not checkable here")
    if claim.state.startswith("planned") and claim.finding == "not checkable here":
        assert claim.lacks in ("our stack", "hardware", "a market"), "what is planned is not there"


def test_what_our_stack_has_not_built_is_said_of_each(client):
    own = [claim for claim in ALL if claim.lacks == "our stack"]
    page = client("/report?finding=not+checkable+here")
    assert own
    assert page.count("not built yet") == len(own)
    assert "not built yet" not in client("/report?finding=reproduced")


@pytest.fixture
def client():
    app = make_app(None, command=str)
    return lambda path: unescape(ask(app, "GET", path).text)


def test_the_first_screen_has_the_sum_and_what_does_not_hold(client):
    text = client("/report")
    assert summary() in text
    wrong = select(finding="contradicted")
    assert text.count('<article class="claim contradicted"') == len(wrong)
    assert text.count("<article") == len(wrong)
    keys = re.findall('<article[^>]* id="([^"]+)"', text)
    figures = [claim.figure is not None for key in keys for claim in wrong if claim.key == key]
    assert figures == sorted(figures, reverse=True), "figures first"
    for line in table():
        assert f'href="/report?chapter={line.number}">{line.chapter}</a>' in text
    assert all(f"{count}: {sentence}" in text for sentence, count in missing())


def test_every_claim_is_on_one_page_under_its_chapter_with_a_place_of_its_own(client):
    text = client("/report?finding=all")
    assert re.findall('id="([^"]+)">\n<h3>', text) == [claim.key for claim in ALL]
    headings = re.findall("<h2>(.+)</h2>", text)
    assert headings == list(dict.fromkeys(claim.chapter for claim in ALL))
    for claim in ALL:
        assert f"{claim.finding}</strong>{claim.rest}." in text
        assert claim.command is None or f'<pre class="command">{claim.command}</pre>' in text
        assert f"Source: {claim.basis}" in text


@pytest.mark.parametrize("word", [None, *FINDINGS])
@pytest.mark.parametrize("number", list(chapters()))
def test_finding_and_chapter_narrow_the_page_together(client, word, number):
    wanted = [c for c in ALL if c.number == number and word in (None, c.finding)]
    query = f"chapter={number}" + (f"&finding={word.replace(' ', '+')}" if word else "")
    text = client(f"/report?{query}")
    assert re.findall('id="([^"]+)">\n<h3>', text) == [claim.key for claim in wanted]
    assert ("No claim of these has that finding" in text) == (not wanted)
    assert text.count('aria-current="page"') >= 2


def test_links_narrow_by_what_was_not_narrowed_yet(client):
    text = client("/report?finding=contradicted&chapter=6")
    assert 'href="/report?finding=reproduced&chapter=6"' in text
    assert 'href="/report?finding=contradicted&chapter=3"' in text
    assert 'href="/report.json?finding=contradicted&chapter=6"' in text


@pytest.mark.parametrize(
    "query", ["chapter=9", "chapter=-1", "finding=open", "section=9", "chapter=%3Cb%3E"]
)
def test_what_is_not_there_is_refused(query):
    app = make_app(None, command=str)
    for path in ("/report", "/report.json"):
        answer = ask(app, "GET", f"{path}?{query}")
        assert answer.status_code == 400
        assert path.endswith(".json") or "<b>" not in answer.text


def test_the_page_says_what_its_commands_need(client):
    assert all(sentence in client("/report?finding=all") for sentence in needs(ALL))
    assert "demo/ is what this leaves" not in client("/report?finding=contradicted&section=6.1")


def test_the_sum_is_of_all_and_the_table_adds_up_to_it():
    counts = [sum(line.counts[at] for line in table()) for at in range(len(FINDINGS))]
    assert sum(line.total for line in table()) == len(ALL)
    assert [int(n) for n in re.findall(r"\d+", summary())] == [len(ALL), *counts]
    assert [sentence for sentence, _ in missing()] == list(LACKS.values())
    assert sum(count for _, count in missing()) == counts[-1]


def test_keys_are_names_for_links_and_each_is_of_one_claim():
    assert len({claim.key for claim in ALL}) == len(ALL)
    assert all(re.fullmatch(r"[a-z0-9.-]{3,60}", claim.key) for claim in ALL)


def test_the_object_says_what_was_asked_for():
    found = document(select(chapter="6", finding="contradicted"))
    assert found["total"] == len(ALL)
    assert found["counts"]["contradicted"] == len(found["claims"])
    assert found["counts"]["reproduced"] == 0


def test_the_page_of_the_object_names_its_fields_and_no_others():
    text = (ROOT / "docs/reference/report-json.md").read_text()
    whole = document(ALL)
    wanted = [*whole, *whole["claims"][0], *LACKS]
    assert re.findall(r"^\| `([^`]+)` \|", text, re.M) == wanted
    assert all(sentence in text for sentence in LACKS.values())


def test_no_claim_is_told_twice():
    assert len({(c.section, c.claim) for c in ALL}) == len(ALL)


def test_every_figure_is_used_and_every_name_of_one_is_a_figure():
    assert {claim.figure for claim in ALL if claim.figure} == set(FIGURES)
    assert all(figure(name) for name in FIGURES)


def test_half_an_hour_stands_beside_the_logs_seconds():
    claim = of("20 epochs take 0.5 hours")
    assert claim.finding == "contradicted"
    line, longer = figure("training-time")
    assert "7373.5492 s = 2.05 h" in line
    assert "0.5 h" in line
    assert longer.startswith("30 epochs at the log's rate take 3.07 h, and the text says 1 h")


def test_the_logs_figures_agree_with_each_other():
    samples, steps, tokens, *_ = figure("training-log")
    assert "2,559 samples: 20 epochs of 128 fingerprints" in samples
    assert steps.startswith("20 steps in that time are 0.0027 a second")
    assert "30 tokens a sample" in tokens


def test_nearly_zero_on_long_texts_is_the_70b_model_alone():
    assert of("“larger models and longer sequences").finding == "contradicted"
    lines = figure("large-and-long")
    assert [line.partition(" of long")[0] for line in lines] == [
        "Llama-3.1-8B on H100: 6.65 %", "Phi-3-14B on H100: 4.49 %",
        "Llama-3.1-70B on H100: -0.31 %", "Llama-3.1-8B on H200: 8.66 %",
        "Phi-3-14B on H200: 6.35 %", "Llama-3.1-70B on H200: 2.24 %",
    ]  # fmt: skip


def test_the_config_hash_is_no_digest_of_a_model():
    assert of("“Config hash of the final model”").finding == "contradicted"
    assert "128 bits" in " ".join(figure("config-hash"))


def test_nearly_99_percent_was_one_slow_model():
    kept, others = figure("best-efficiency")
    assert "100.13 % on an H100, 97.71 % on an H200" in kept
    assert others == "by the other models: 91.16 % to 95.42 %"


def test_below_7_percent_holds_as_a_count_of_tokens_and_not_of_first_tokens():
    assert of("“below 7%” in tokens per second").finding == "reproduced"
    line, above = figure("below-7")
    assert line.startswith("5 of 24 cells")
    assert line.endswith("19 lose less, 8 of them of the 70B model")
    assert "8.93 %" in line
    assert above.count("Llama-3.1-8B on H200") == 4
    assert of("“below 7%” in time to the first token").finding == "contradicted"
    later = [float(re.search(r": (-?[\d.]+) % later", x)[1]) for x in figure("first-token-rows")]
    assert sum(share >= 7 for share in later) == 4
    assert len(later) == 6


def test_printed_overheads_follow_from_the_figures_beside_them_but_for_rounding():
    (line,) = figure("printed")
    assert line.startswith("38 of 42 ")
    assert line.endswith("to 0.09")
    apart = [
        (row.quantity, abs(row.overhead - PRINTED[row.gpu, row.model][2]))
        for row in compare()
        if row.quantity == "first token"
    ]
    assert sum(gap > 0.0151 for _, gap in apart) == 4, "all that differ are first tokens"


def test_a_larger_model_does_not_gain_more_by_length_on_the_h200():
    h100, h200 = figure("growth")
    assert h100.endswith("+0.51 (Llama-3.1-8B), +0.56 (Phi-3-14B), +0.65 (Llama-3.1-70B)")
    assert h200.endswith("+0.18 (Llama-3.1-8B), -0.61 (Phi-3-14B), +0.15 (Llama-3.1-70B)")


def test_the_toll_of_a_layer_is_flat_whatever_the_layer_computes():
    tolls = [float(re.search(r", ([\d.]+) µs a layer", line)[1]) for line in figure("flat-toll")]
    assert tolls == [17.4, 17.3, 22.6, 22.0]


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
        select(chapter="8")
    assert caught.value.expected == "0, 1, 2, 3, 4, 5, 6, 7"
    with pytest.raises(Usage) as caught:
        select(finding="true")
    assert caught.value.expected == ", ".join(FINDINGS)
