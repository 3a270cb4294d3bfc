"""The page on proof verdicts is complete and true: held against the source and against verdicts."""

from __future__ import annotations

import ast
import re
from typing import Any

import pytest

from tests import check_codes
from tests.proof.attacks.tools import found
from tests.proof.verify.scenes import refused, whole
from tests.vectors import ROOT

PAGE = (ROOT / "docs/reference/proof-verdict.md").read_text()
EXIT_CODES = {"authenticity": 2, "availability": 3, "policy": 4}
ANCHOR = ("document", "header", "receipt", "rlp", "trie", "verify")
# Anchors: a block that nobody trusts is not checked, and only makers of anchors meet the last.
NEVER_FAILED = {"block_untrusted"}
HOLDERS = (dict, list, tuple)
OPEN = ("machine", "author-policy")  # these fail with any code of evidence

Rows = set[tuple[str, str, int]]


def on_page(page: str = PAGE) -> Rows:
    rows = set()
    for part in re.split(r"^### ", page, flags=re.MULTILINE)[1:]:
        name = re.match(r"`([a-z-]+)`", part)
        assert name is not None
        for code, number in re.findall(r"^- `([a-z0-9_]+)` \(([234])\):", part, re.MULTILINE):
            rows.add((name[1], code, int(number)))
    return rows


def named_on_page(page: str = PAGE) -> set[str]:
    return set(re.findall(r"^### `([a-z-]+)`$", page, re.MULTILINE))


@pytest.fixture
def modules(monkeypatch: pytest.MonkeyPatch) -> list[check_codes.Module]:
    """The modules of ``proof.verify``; those that they call can be looked up too."""
    source = check_codes.SOURCE
    mine = [check_codes._read(path) for path in sorted(source.glob("proof/verify/*.py"))]
    others = [check_codes._read(path) for path in sorted(source.glob("proof/log/**/*.py"))]
    table = {module.name: module for module in [*mine, *others]}
    monkeypatch.setattr(check_codes, "modules", lambda: table)
    return mine


def from_source(modules: list[check_codes.Module]) -> Rows:
    rows: set[tuple[str, str, str]] = set()
    for module in modules:
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Call):
                rows |= check_codes._of_call(module, node)
            elif isinstance(node, ast.Try):
                rows |= check_codes._of_try(module, node)
    constants = {"AUTHOR_REFUSED": ("author", "author_refused", "authenticity")}
    told = {(n, c, EXIT_CODES[concern]) for n, c, concern in {*rows, *constants.values()}}
    told |= {("anchor", code, 2) for code in anchor_codes()}
    return {row for row in told if row[0] not in OPEN}


def anchor_codes() -> set[str]:
    codes: set[str] = set()
    for name in ANCHOR:
        module = check_codes._read(check_codes.SOURCE / f"proof/anchor/{name}.py")
        codes |= set(check_codes._codes(module, module.tree))
    return codes - NEVER_FAILED


def test_the_page_has_every_code_and_no_other(modules: list[check_codes.Module]) -> None:
    page = {row for row in on_page() if row[0] not in OPEN}
    assert page - from_source(modules) == set()
    assert from_source(modules) - page == set()


def test_a_code_that_the_page_forgets_is_caught(modules: list[check_codes.Module]) -> None:
    without = on_page(re.sub(r"(?m)^- `log_forked`.*\n", "", PAGE))
    assert from_source(modules) - without == {("consistency", "log_forked", 2)}


def test_the_page_has_every_check_and_no_other(modules: list[check_codes.Module]) -> None:
    names = {
        name
        for module in modules
        for call in check_codes._calls(module.tree)
        if check_codes._called(call) in ("passed", "failed", "not_checked")
        and (name := check_codes._text(call, 0)) is not None
    }
    assert named_on_page() == names


def test_every_fault_that_the_scenes_show_stands_on_the_page() -> None:
    for verdict in refused():
        for where, name, code, concern in found(verdict):
            if where != "evidence":
                assert (name, code, EXIT_CODES[concern]) in on_page()


def fields(page: str = PAGE) -> set[str]:
    part = page.partition("## Fields\n")[2].partition("\n## ")[0]
    return set(re.findall(r"^\| `([\w\[\].]+)` \|", part, re.MULTILINE))


def paths(value: Any, at: str = "") -> set[str]:
    """Where the fields of a verdict are; what has a page of its own is not looked into."""
    if isinstance(value, dict):
        found: set[str] = {at} if at and "[]" not in at and at != "provenance" else set()
        for key, below in value.items():
            place = f"{at}.{key}".lstrip(".")
            atom = key in ("checks", "check", "evidence") or not isinstance(below, HOLDERS)
            found |= {place} if atom else paths(below, place)
        return found
    if isinstance(value, list | tuple):
        inner = {
            place for each in value if isinstance(each, dict) for place in paths(each, f"{at}[]")
        }
        return {at} | inner
    return {at}


def test_the_page_names_every_field_and_no_other() -> None:
    shown: set[str] = set()
    for verdict in (whole(), *refused()):
        shown |= paths(verdict.to_json())
    assert fields() == shown | {"provenance"}


def test_the_anchors_in_the_page_lead_somewhere() -> None:
    headings = {
        re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-")
        for heading in re.findall(r"^#+ (.+)$", PAGE, re.MULTILINE)
    }
    assert set(re.findall(r"\]\(#([\w-]+)\)", PAGE)) <= headings
