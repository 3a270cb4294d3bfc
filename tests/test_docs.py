"""Pages hold: the report map resolves row by row, links lead somewhere, sessions run."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.cli_tree import commands
from tests.transcripts import blocks, check, make_targets
from tests.vectors import ROOT

MAP = ROOT / "docs" / "report-map.md"
REPORT = ROOT.parent / "shared" / "report" / "phala-dagi-2025.txt"
THREATS = ROOT / "docs" / "concepts" / "threats.md"
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/*.md")])
DECISIONS = sorted(ROOT.glob("docs/decisions/*.md"))
STATES = ("answered", "partly", "planned")
FINDINGS = ("reproduced", "contradicted", "not checkable here")


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


class Row(NamedTuple):
    """One row of the map."""

    section: str
    claim: str
    answer: str
    state: str
    finding: str
    shown: str


def rows(text: str) -> list[Row]:
    tables = [line for line in text.splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in tables]
    return [Row(*c) for c in cells if c[0] != "report" and not set(c[0]) <= set("-")]


def layers() -> set[str]:
    config = tomllib.loads((ROOT / "pyproject.toml").read_text())
    contract = config["tool"]["importlinter"]["contracts"][0]
    return set(re.findall(r"\w+", " ".join(contract["layers"])))


def complaints(row: Row) -> list[str]:
    """Return what of a row does not resolve."""
    wrong = [f"no such place: {t}" for t in re.findall(r"`([^`]+)`", row.answer) if not resolves(t)]
    state, _, folders = row.state.partition(": ")
    named_folders = re.findall(r"`([^`]+)`", folders)
    if state not in STATES:
        wrong.append(f"no such state: {row.state}")
    if state == "planned" and not named_folders:
        wrong.append("planned, and no folder is named")
    if state == "partly" and "`" not in row.answer:
        wrong.append("partly answered, and nothing is named")
    wrong += [f"no such layer: {folder}" for folder in named_folders if folder not in layers()]
    if state == "answered" and "`" not in row.answer and not _none_needed(row):
        wrong.append("answered, and nothing is named")
    if not row.finding.startswith(FINDINGS):
        wrong.append(f"no such finding: {row.finding}")
    if state == "planned" and row.finding.startswith("reproduced"):
        wrong.append("planned, and already reproduced")
    return wrong


def _none_needed(row: Row) -> bool:
    return row.answer.startswith("nothing:") and row.finding.startswith("not checkable here")


def resolves(token: str) -> bool:
    if token.startswith("make "):
        return token.split()[1] in make_targets()
    if token.startswith("teeproof"):
        return token in commands()
    return (ROOT / token).exists()


@pytest.mark.parametrize(
    "row", rows(MAP.read_text()), ids=lambda row: f"{row.section}: {row.claim}"[:60]
)
def test_a_row_of_the_report_map_resolves(row):
    assert complaints(row) == []


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"answer": "`src/teeproof/nowhere/`"}, "no such place: src/teeproof/nowhere/"),
        ({"answer": "`make coffee`"}, "no such place: make coffee"),
        ({"answer": "words"}, "answered, and nothing is named"),
        ({"state": "done"}, "no such state: done"),
        ({"state": "planned"}, "planned, and no folder is named"),
        ({"state": "planned: `attic`"}, "no such layer: attic"),
        ({"state": "partly", "answer": "words"}, "partly answered, and nothing is named"),
        ({"finding": "perhaps"}, "no such finding: perhaps"),
        ({"state": "planned: `data`", "finding": "reproduced"}, "planned, and already reproduced"),
    ],
)
def test_a_row_that_does_not_resolve_is_caught(change, complaint):
    where = "`src/teeproof/evidence/`, `make test`"
    good = Row("1.2 x", "a claim", where, "answered", "contradicted", "–")
    assert complaints(good) == []
    assert complaints(good._replace(**change)) == [complaint]


def test_a_command_that_does_not_exist_is_caught():
    assert resolves("teeproof")
    assert not resolves("teeproof brew-coffee")


# What the page layout of the report leaves between its headings: logos, captions, a date.
NOISE = """
Phala Network 2025|Real Code for Real dAGI|NEVR|IZ.NET|Spore Fun|Hyperbolic|ail6z|Flashbots|
Δ Λυτυμλτλ|b) lit|🗞 RITUAL|Ľ\t10.00|November 6, 2024|Acknowledgments
""".replace("\n", "").split("|")


def plain(text: str) -> str:
    """Return text without what scanning and typesetting change."""
    text = re.sub(r"\bAl\b", "AI", text)
    text = re.sub(r"^\d\. ?(\d) ", r"\g<0>", text)
    return re.sub(r"[^\w%$]+", " ", text).casefold().strip()


def headings(report: str) -> list[str]:
    """Return the lines of the report that stand alone, are short and end no sentence."""
    lines = ["", *report.partition("\nReferences\n")[0].splitlines(), ""]
    alone = [
        line.strip()
        for before, line, after in zip(lines, lines[1:], lines[2:], strict=False)
        if line.strip() and not before.strip() and not after.strip()
    ]
    return [
        re.sub(r"^(\d)\. (\d)", r"\1.\2", line)
        for line in alone
        if len(line) < 80 and not line.endswith((".", ":")) and line not in NOISE
    ]


@pytest.fixture
def report():
    if not REPORT.is_file():
        pytest.skip("the report's text is missing: it lies beside the project as shared/report/")
    return REPORT.read_text()


def test_no_heading_of_the_report_is_missing_from_the_map(report):
    sections = plain(" ".join(f"{row.section} |" for row in rows(MAP.read_text())))
    wanted = [h for h in headings(report) if not h.isdecimal() and h != "8. References"]
    missing = [h for h in wanted if plain(re.sub(r"^\d(\.\d)? ", "", h)) not in sections]
    assert len(wanted) > 60
    assert missing == []


def test_no_numbered_section_of_the_report_is_missing_from_the_map(report):
    numbers = set(re.findall(r"\b([1-6]\.[1-5]) ", report.partition("8. References")[0]))
    mapped = {row.section.split()[0] for row in rows(MAP.read_text())}
    assert len(numbers) == 23
    assert numbers <= mapped
    assert set("12345678") <= mapped


def unnamed(line: str) -> bool:
    """Say whether no test that a row of threats links to is named for the row's attacker."""
    who, *_, shown = [cell.strip() for cell in line.strip("|").split("|")]
    linked = [(THREATS.parent / to).resolve() for to in re.findall(r"\]\(([^)#]+)", shown)]
    files = [f for path in linked for f in ([path] if path.is_file() else path.rglob("test_*.py"))]
    names = " ".join(name for f in files for name in re.findall(r"def (test_\w+)", f.read_text()))
    words = set(re.findall("[a-z]{4,}", who.lower()))
    return not re.search(rf"\btest_(an?_)?({'|'.join(words)})s?_", names)


def attacks(text: str) -> list[str]:
    return [line for line in text.splitlines() if re.match(r"\| (?!who )\w", line)]


@pytest.mark.parametrize("line", attacks(THREATS.read_text()), ids=lambda line: line[:60])
def test_an_attack_has_a_test_named_for_its_attacker(line):
    assert not unnamed(line)


def test_an_attack_without_one_is_noticed():
    line = "| burglar | climb in | a wall | [pages](../../tests/explorer/test_pages.py) |"
    assert unnamed(line)
    assert not unnamed(line.replace("burglar", "network"))


def test_the_tables_of_attacks_have_no_gap():
    """A row behind an empty line is text, and no row."""
    text = THREATS.read_text()
    assert len(attacks(text)) > 40
    assert not re.search(r"(?<!\n\n)\n\n\| (?!who )", text)


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_link_of_a_page_leads_somewhere(page):
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    links = re.findall(r"\]\(([^)\s]+)\)", text)
    local = [link.partition("#")[0] for link in links if "://" not in link]
    assert [link for link in local if link and not (page.parent / link).exists()] == []


def test_every_page_is_found_from_the_index():
    index = ROOT / "docs" / "README.md"
    links = re.findall(r"\]\(([^)\s#]+)", index.read_text())
    listed = {(index.parent / link).resolve() for link in links}
    pages = {p for p in PAGES if p.is_relative_to(index.parent) and "decisions" not in p.parts}
    assert pages - listed - {index} == set()


@pytest.mark.parametrize("page", [p for p in PAGES if p.name != "README.md"], ids=named)
def test_a_page_does_what_it_says(page, tmp_path):
    shown = [block for block in blocks(page.read_text()) if block.language in ("console", "python")]
    assert (check(page.read_text(), tmp_path) > 0) is bool(shown)


@pytest.mark.parametrize("page", DECISIONS, ids=named)
def test_a_decision_is_one_page_with_four_parts(page):
    text = page.read_text()
    number = page.name[:4]
    assert text.startswith(f"# {number}. ")
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == ["Context", "Options", "Choice", "Price"]
    assert len(text.split()) < 600


def test_decisions_are_numbered_without_a_gap():
    assert [p.name[:4] for p in DECISIONS] == [f"{n:04}" for n in range(len(DECISIONS))]


def test_the_layers_are_drawn_as_they_are_enforced():
    drawn = (ROOT / "docs/decisions/0001-one-distribution-and-layers.md").read_text()
    config = tomllib.loads((ROOT / "pyproject.toml").read_text())
    enforced = config["tool"]["importlinter"]["contracts"][0]["layers"]
    assert "\n".join(re.sub(r"[()]", "", line) for line in enforced) in drawn
