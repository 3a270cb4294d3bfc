"""``teeproof policy``: nothing misspelt passes, and every field is explained."""

from __future__ import annotations

import re
import tomllib

import pytest

from teeproof.cli.meanings import meaning_of
from teeproof.evidence.policy import BUILT_IN, Policy, load_policy, parse_policy

FIELDS = [field for field in Policy.__struct_fields__ if field not in ("name", "description")]


def test_every_built_in_policy_is_listed(teeproof):
    listed = teeproof("policy", "list")
    twin = teeproof("policy", "list", "--json").json
    assert [row["name"] for row in twin] == list(BUILT_IN)
    for row in twin:
        assert row["description"] in listed.out
        assert row["digest"] == load_policy(row["name"]).digest


@pytest.mark.parametrize("name", BUILT_IN)
def test_a_built_in_policy_that_is_shown_is_the_policy_itself(teeproof, name):
    assert parse_policy(teeproof("policy", "show", name).out) == load_policy(name)
    assert teeproof("policy", "show", name, "--json").json["digest"] == load_policy(name).digest


@pytest.mark.parametrize("name", BUILT_IN)
def test_a_policy_is_explained_field_by_field(teeproof, name):
    screen = teeproof("policy", "explain", name).out
    expected, _, unchecked = screen.partition("not checked, because the policy does not say")
    twin = teeproof("policy", "explain", name, "--json").json
    assert [row["field"] for row in twin["fields"]] == FIELDS
    for row in twin["fields"]:
        part = unchecked if row["expected"] is None else expected
        assert f"\n  {row['field']} " in part
        assert row["meaning"] in part


def test_every_field_has_a_meaning_of_its_own():
    meanings = [meaning_of(field) for field in FIELDS]
    assert all(len(meaning) > 10 for meaning in meanings)
    assert not any("`" in meaning or "\n" in meaning for meaning in meanings)


def test_a_new_policy_can_be_used_as_it_is_and_names_every_field(teeproof, tmp_path):
    text = teeproof("policy", "new").out
    file = tmp_path / "mine.toml"
    file.write_text(text)
    assert teeproof("policy", "check", file).code == 0
    mine, standard = parse_policy(text), load_policy("standard")
    assert mine.with_(name="x", description="") == standard.with_(name="x", description="")
    for field in FIELDS:
        assert re.search(rf"(?m)^(# )?{field} = ", text), field
    assert all(len(line) <= 120 for line in text.splitlines())
    assert teeproof("policy", "new", "--json").json["toml"] == text


@pytest.mark.parametrize("field", FIELDS)
def test_each_line_of_a_new_policy_is_toml_with_its_comment_taken_away(teeproof, field):
    line = re.search(rf"(?m)^(?:# )?({field} = .*)$", teeproof("policy", "new").out)
    assert field in tomllib.loads(line[1])


def test_a_checked_policy_says_what_it_expects_and_what_it_leaves_open(teeproof, tmp_path):
    file = tmp_path / "p.toml"
    file.write_text('name = "p"\ndebug = false\n')
    answer = teeproof("policy", "check", file)
    assert answer.code == 0
    assert "expects       roots, debug" in answer.out
    assert "leaves open   tee, simulated_roots, tcb_statuses" in answer.out
    assert teeproof("policy", "check", file, "--json").json["ok"] is True


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('mrdt = ["00"]', "did you mean mrtd?"),
        ("dbug = false", "did you mean debug?"),
        ('allow_debug = "yes"', "a policy has no key 'allow_debug'"),
        ("debug = [", "not a TOML document"),
        ('mrtd = ["xyz"]', "96 lower-case hex digits"),
        ('nonce = "a"', "nonce and keyset_digest belong together"),
        ("debug = false\ndebug = true", "not a TOML document"),
    ],
)
def test_a_policy_with_a_mistake_is_an_error(teeproof, tmp_path, text, words):
    file = tmp_path / "bad.toml"
    file.write_text(text)
    answer = teeproof("policy", "check", file)
    assert answer.code == 1
    assert words in answer.err
    twin = teeproof("policy", "check", file, "--json")
    assert twin.code == 1
    assert twin.json["ok"] is False
    assert words in twin.json["detail"]
