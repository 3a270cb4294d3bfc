"""The words: the same as the terminal's, never better than the verdict, known for every kind."""

from __future__ import annotations

import pytest

import teeproof.cli.chapters  # noqa: F401  every kind of statement
from teeproof.cli.claims import claims
from teeproof.cli.verdicts import worded
from teeproof.evidence.files.kinds import identify
from teeproof.evidence.verdict import failed, not_checked, passed
from teeproof.explorer.telling.answer import badge, open_questions, strength, tone_of
from teeproof.explorer.telling.faults import alike
from teeproof.explorer.telling.fields import explained, sections
from teeproof.explorer.telling.sentences import _SAYINGS, clause
from teeproof.explorer.telling.times import dated
from teeproof.explorer.telling.words import LEVELS, POWERS, WORDS
from teeproof.proof.statement import known_types
from teeproof.proof.verify import Fault
from tests.evidence import scenes

STATES = [(code, level) for code in (0, 2, 3, 4)
          for level in ("hardware", "measured", "simulated", None)]  # fmt: skip


@pytest.mark.parametrize(("code", "level"), STATES)
def test_the_badge_has_the_terminals_words(code, level):
    assert badge(code, level) == worded(code, level, "")[0].removesuffix(": ")


@pytest.mark.parametrize(("code", "level"), STATES)
def test_only_hardware_that_holds_is_green(code, level):
    assert (tone_of(code, level) == "good") == (code == 0 and level == "hardware")


@pytest.mark.parametrize("level", ["hardware", "measured", "simulated", None])
@pytest.mark.parametrize("confidential", [True, False])
def test_nobody_is_told_that_the_operator_is_kept_out_but_of_confidential_hardware(
    level, confidential
):
    block = strength(level, confidential=confidential, why_not="because")
    read = dict(block.points)["Could their operator read it?"]
    kept = level == "hardware" and confidential
    assert read.startswith("No, as far as" if kept else "Assume yes: because")
    assert (block.tone == "good") == kept


def test_of_nitro_nobody_is_told_that_memory_is_encrypted():
    for kinds, words in (
        (["nitro"], "hypervisor"),
        (["tdx", "nitro"], "hypervisor"),
        (["tdx"], "patches"),
    ):
        block = strength("hardware", confidential=True, why_not="", kinds=kinds)
        read = dict(block.points)["Could their operator read it?"]
        assert words in read
        assert ("is not encrypted" in read) == (kinds == ["nitro"])


def test_what_was_not_checked_is_counted_and_told_once():
    own = [
        passed("a", "x"),
        failed("b", "c", "x"),
        not_checked("d", "why"),
        not_checked("e", "why"),
        not_checked("f", "the policy sets no limit", "policy"),
    ]
    below = [not_checked("g", "1 of 2"), not_checked("g", "2 of 3"), not_checked("d", "why")]
    block = open_questions(own, below)
    assert block.short == "3 things; and 1 that the policy does not ask"
    assert block.lines == (
        "d, e: why.", "In what it rests on, g, 2 times, such as: 1 of 2.",
        "The policy does not ask about f.",
    )  # fmt: skip
    assert open_questions([passed("a", "x")]).short == "Everything was checked"
    unasked = open_questions(own[-1:])
    assert unasked.short == "Only what the policy does not ask: 1 thing"


def test_the_gravest_of_what_was_not_checked_is_named_beside_the_number():
    names = ["replay", "origins", "b", "action-on-chain"]
    block = open_questions([not_checked(name, "why") for name in names])
    assert block.short == (
        "4 things, such as whether the trade is on the chain, and how what came from outside was"
        " made"
    )
    assert [line.partition(":")[0] for line in block.lines] == [
        "action-on-chain, origins, replay, b"
    ]
    assert open_questions([passed("origins", "x"), not_checked("b", "y")]).short == "1 thing"


def test_what_was_not_checked_is_told_in_words_the_gravest_first():
    own = [not_checked("rotation", "none"), not_checked("action-on-chain", "no block")]
    below = [
        not_checked("age", "no time"),
        not_checked("origins", "1"),
        not_checked("origins", "2"),
    ]
    assert open_questions(own, below).lines == (
        "Whether the trade is on the chain (action-on-chain): no block.",
        "Whether its keys follow earlier ones (rotation): none.",
        "In what it rests on, how what came from outside was made (origins), 2 times, such as: 1.",
        "In what it rests on, how old it is (age): no time.",
    )


def _fault(where, subject, name, code, detail):
    return Fault(where=where, subject=subject, path=(), check=failed(name, code, detail))


def test_faults_of_one_kind_are_told_once_and_none_is_lost():
    faults = [
        _fault("log", "a.example/log", "checkpoint", "unsigned", f"at {size}") for size in range(9)
    ] + [
        _fault("statement", "sha256:aa", "signature", "bad", "x"),
        _fault("statement", "sha256:bb", "signature", "bad", "x"),
        _fault("statement", "sha256:bb", "signature", "other", "x"),
    ]  # fmt: skip
    groups = alike(faults, own="sha256:bb")
    assert [(g.first.subject, g.first.check.code, len(g.others)) for g in groups] == [
        ("sha256:bb", "bad", 1), ("sha256:bb", "other", 0), ("a.example/log", "unsigned", 8),
    ]  # fmt: skip
    told = [fault for group in groups for fault in (group.first, *group.others)]
    assert sorted(map(repr, told)) == sorted(map(repr, faults))


def test_every_kind_of_statement_of_ours_has_a_sentence():
    from teeproof.proof.statement import _TYPES  # tests have kinds of their own

    ours = {name for name in known_types() if _TYPES[name].__module__.startswith("teeproof.")}
    assert ours <= set(_SAYINGS)
    assert len(ours) > 10


@pytest.mark.parametrize("body", [{}, [], None, 7, {"ending": 3}, {"files": "x", "decision": {}}])
@pytest.mark.parametrize("kind", [*sorted(_SAYINGS), "https://slsa.dev/provenance/v1"])
def test_author_writes_something_else_than_the_kind_has(kind, body):
    said = clause(kind, body, title="word")
    assert len(said) < 400


def test_every_field_of_evidence_is_explained(vectors):
    quotes = [
        scenes.evidence().quote,
        (vectors / "dcap/tdx-v4-b0c06f-uptodate/quote.bin").read_bytes(),
        (vectors / "snp/milan-virtee/report.bin").read_bytes(),
        *((path / "quote.bin").read_bytes() for path in sorted(vectors.glob("dcap/sgx-*"))
          if (path / "quote.bin").is_file()),
    ]  # fmt: skip
    for quote in quotes:
        for section in sections(claims(identify(quote))):
            if section.title.endswith("tcb"):
                continue  # numbers of parts, each by its name
            for field in section.fields:
                assert field.purpose or field.meaning, (section.title, field.name)
    assert explained("mrtd") != explained("rtmr0")


def test_a_number_that_names_a_machine_is_left_out_even_if_somebody_hands_it_over():
    made = sections({"kind": "x", "platform": {"ppid": "11" * 16, "chip_id": "22" * 64, "a": 1}})
    names = [field.name for section in made for field in section.fields]
    assert names == ["a"]


def test_a_file_with_many_fields_is_cut():
    made = sections({f"field{number}": number for number in range(5_000)})
    assert sum(len(section.fields) for section in made) == 600


def test_each_power_is_answered_at_each_level():
    assert all(len(power.stops) == len(LEVELS) for power in POWERS)
    assert all(all(power.stops) for power in POWERS)
    assert len({word.word for word in WORDS}) == len(WORDS)


def test_author_gives_a_step_a_name_that_turns_the_line_around():
    said = clause("urn:teeproof:step:v1", {"step": "\u202eact\x1b[2J\n✓ author"}, title="x")
    assert said.isprintable()
    assert "act" in said


@pytest.mark.parametrize(("code", "words"), [
    ("withdrawn", "an owner took the data back"), ("some_other", "some_other"),
])  # fmt: skip
def test_a_refusal_of_keys_is_told_in_words_and_an_unknown_one_by_its_code(code, words):
    body = {"decision": "refused", "files": ["x"], "code": code}
    assert clause("urn:teeproof:release:v1", body).endswith(f": {words}")


def test_times_in_what_a_check_says_are_written_as_elsewhere_on_the_page():
    assert dated("seen by 2026-11-29T21:12:47Z, and 2026-01-02T03:04:05Z") == (
        "seen by 29 Nov 2026, 21:12:47 UTC, and 2 Jan 2026, 03:04:05 UTC"
    )
    for none in ("2026-13-29T21:12:47Z", "2026-11-29T25:12:47Z", "2026-11-29", "", "٢026-11-29T21"):
        assert dated(none) == none  # looks like a time, and is none


def test_evidence_that_keeps_nobody_out_is_never_green():
    assert tone_of(0, "hardware") == "good"
    assert tone_of(0, "hardware", confidential=False) == "measured"
    assert tone_of(0, "simulated", confidential=False) == "simulated"
    assert tone_of(2, "hardware", confidential=False) == "bad"
