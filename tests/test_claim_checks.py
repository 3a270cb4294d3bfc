"""The page on claims has each check and code that a judge can make, and no other."""

from __future__ import annotations

import ast
import re
from typing import NamedTuple

import pytest

from teeproof.cli.chapters import CHAPTERS, JUDGED
from teeproof.evidence.verdict import failed, not_checked, passed
from teeproof.inference import fees, lineage, replay
from teeproof.inference import verify as answers
from teeproof.network import audit
from tests import claim_codes
from tests.test_reference import entries
from tests.vectors import ROOT

PAGE = (ROOT / "docs/reference/claim-checks.md").read_text()
CHAPTER_FOLDERS = ("network", "cloud", "data", "training", "inference", "agents")
# What was read from canonical JSON can be written in it.
NEVER_FAILED = {"not_canonical_value"}
# These look at more than a proof: at a ledger, at the answer in hand, at the model itself.
NO_JUDGES = {audit.__name__, answers.__name__, replay.__name__}

Row = tuple[str, str, int]


class Kind(NamedTuple):
    """One section of the page: the checks in its first paragraph, and those of its headings."""

    named: tuple[str, ...]
    told: tuple[str, ...]


def kinds(page: str = PAGE) -> dict[str, Kind]:
    found = {}
    for part in re.split(r"^## ", page, flags=re.MULTILINE)[1:]:
        first = re.match(r".+\n\n`([\w:/-]+)`: (?:.|\n)+?Checks:((?:.|\n)+?)\n\n", part)
        if first is not None:
            links = re.findall(r"\[`([a-z-]+)`\]\(#([a-z-]+)\)", first[2])
            assert all(name == anchor for name, anchor in links), first[1]
            told = re.findall(r"^### `([a-z-]+)`$", part, re.MULTILINE)
            found[first[1]] = Kind(tuple(name for name, _ in links), tuple(told))
    return found


def on_page(page: str = PAGE) -> set[Row]:
    return {(n, c, exit_) for n, e in entries(page).items() for c, exit_ in e.codes.items()}


def from_source() -> set[Row]:
    made = (claim_codes.checks_of(judge) for judge in claim_codes.judges().values())
    return {
        (one.check, one.code, one.exit_code)
        for found in made
        for one in found
        if one.code is not None and one.exit_code is not None and one.code not in NEVER_FAILED
    }


def states() -> dict[str, set[str]]:
    """Return the states that each check can have."""
    found: dict[str, set[str]] = {}
    for judge in claim_codes.judges().values():
        for one in claim_codes.checks_of(judge):
            found.setdefault(one.check, set()).add(one.state)
    return found


def test_the_page_has_every_kind_that_is_judged_and_no_other() -> None:
    assert CHAPTERS
    assert set(kinds()) == set(claim_codes.judges()) <= set(JUDGED)


def test_the_page_names_every_check_of_every_kind_and_no_other() -> None:
    for kind, judge in claim_codes.judges().items():
        made = {one.check for one in claim_codes.checks_of(judge)}
        assert set(kinds()[kind].named) == made, kind


def test_each_check_is_told_once_in_the_order_of_its_kind() -> None:
    told = [name for kind in kinds().values() for name in kind.told]
    assert told == list(entries(PAGE))
    assert set(told) == set(states())
    for kind in kinds().values():
        assert kind.told == tuple(name for name in kind.named if name in kind.told)


def test_the_page_has_every_code_of_every_check_and_no_other() -> None:
    assert from_source() - on_page() == set()
    assert on_page() - from_source() == set()


@pytest.mark.parametrize(
    ("change", "difference"),
    [
        (("- `job_not_committed` (2)", "- it"), {("training-job", "job_not_committed", 2)}),
        (
            ("`weight_mismatch` (2)", "`weight_mismatch`, `too_heavy` (2)"),
            {("weight", "too_heavy", 2)},
        ),
        (
            ("`closing_too_long` (2)", "`closing_too_long` (4)"),
            {("closing-time", "closing_too_long", 2), ("closing-time", "closing_too_long", 4)},
        ),
    ],
    ids=("forgotten", "invented", "another exit code"),
)
def test_a_code_that_the_page_tells_otherwise_is_caught(
    change: tuple[str, str], difference: set[Row]
) -> None:
    assert change[0] in PAGE
    assert on_page(PAGE.replace(*change)) ^ from_source() == difference


def test_the_page_says_of_each_check_whether_it_can_be_left_open() -> None:
    for name, entry in entries(PAGE).items():
        said = "*not checked*" in " ".join(entry.text.partition("\n## ")[0].lower().split())
        assert said is ("not_checked" in states()[name]), name


def test_the_page_says_of_each_check_that_never_fails_that_it_does_not() -> None:
    for name, entry in entries(PAGE).items():
        said = "It never fails" in entry.text or "It always passes" in " ".join(entry.text.split())
        assert said is ("failed" not in states()[name]), name


def test_every_code_says_what_happened_and_what_to_do() -> None:
    lines = re.findall(r"^- `.+?(?=\n- |\n\n|\Z)", PAGE, re.MULTILINE | re.DOTALL)
    assert len(lines) > 80
    assert [line for line in lines if len(re.findall(r"\.(?:\s|$)", line)) < 2] == []


def test_no_check_of_a_chapter_is_passed_over() -> None:
    sites = {
        (module, line)
        for folder in CHAPTER_FOLDERS
        for path in (ROOT / "src/teeproof" / folder).rglob("*.py")
        for module, line in claim_codes.all_sites(
            ast.parse(path.read_text()),
            ".".join(path.relative_to(ROOT / "src").with_suffix("").parts),
        )
    }
    judged = {site for j in claim_codes.judges().values() for site in claim_codes.sites_of(j)}
    assert {module for module, _ in sites - judged} == NO_JUDGES
    assert judged - sites == set()
    assert not {module for module, _ in judged} & NO_JUDGES


def test_the_exceptions_are_needed() -> None:
    made = (claim_codes.checks_of(judge) for judge in claim_codes.judges().values())
    assert {one.code for found in made for one in found} >= NEVER_FAILED


def test_the_page_has_every_error_of_dividing_a_fee_and_no_other() -> None:
    part = PAGE.partition("\n## Payment\n")[2]
    told = {(c, int(e)) for c, e in re.findall(r"^- `(\w+)` \((\d)\):", part, re.MULTILINE)}
    starts = (fees.split, fees.Split.proof, fees.Split.require_paid)
    assert told == {one for s in starts for one in claim_codes.errors_of(s, (fees, lineage))}


# How names and codes are found.


def _loop(pairs: tuple[tuple[str, str], ...]) -> object:
    pairs = (("red", "1"), ("blue", "2"))
    for what, _ in pairs:
        return _named("colour", f"colour_{what}")
    return passed("colour", "there is none")


def _named(name: str, code: str) -> object:
    return failed(name, code, "it is wrong", "policy")


def _composed() -> object:
    return _same("two-words")


def _same(name: str) -> object:
    code = name.replace("-", "_") + "_differs"
    return failed(name, code, "they differ")


def _open() -> object:
    return not_checked("open", "nobody knows")


def _dark(name: str, code: str) -> object:
    return failed(name, code, "who knows which")


@pytest.mark.parametrize(
    ("start", "found"),
    [
        (
            _loop,
            {("colour", "failed", "colour_red", 4), ("colour", "failed", "colour_blue", 4),
             ("colour", "passed", None, None)},
        ),
        (_composed, {("two-words", "failed", "two_words_differs", 2)}),
        (_open, {("open", "not_checked", None, None)}),
    ],
)  # fmt: skip
def test_checks_are_found_however_their_names_and_codes_are_put_together(
    start: object, found: set[tuple[object, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    for function in (_loop, _named, _composed, _same):
        monkeypatch.setattr(function, "__module__", "teeproof.planted")
    assert claim_codes.checks_of(start) == found


def _half_dark(code: str) -> object:
    return failed("half-dark", code, "who knows why")


@pytest.mark.parametrize(("start", "what"), [(_dark, "which check"), (_half_dark, "which code")])
def test_a_check_whose_name_or_code_cannot_be_told_is_an_error(start: object, what: str) -> None:
    with pytest.raises(AssertionError, match=what):
        claim_codes.checks_of(start)
