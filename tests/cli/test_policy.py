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
        said = row["meaning"]
        assert (said if row["expected"] is None else re.sub("^(true|false) if ", "", said)) in part


def test_an_expectation_stands_as_the_file_has_it_with_its_meaning(teeproof, tmp_path):
    screen = teeproof("policy", "explain", "strict").out
    assert (
        "  debug = false             the host may not be able to look into the domain\n" in screen
    )
    assert '  tcb_statuses = ["UpToDate"]\n' in screen
    lines = screen.partition("expected\n")[2].partition("\nnot checked")[0].splitlines()
    assigned = [line.strip().partition("   ")[0] for line in lines if " = " in line]
    body = "\n".join(line for line in assigned if line != "")
    assert parse_policy(body) == load_policy("strict").with_(name="unnamed", description="")
    file = tmp_path / "p.toml"
    file.write_text("debug = true\n")
    contrary = "  debug = true              not: the host may not be able"
    assert contrary in teeproof("policy", "explain", file).out


def test_a_built_in_policy_can_be_checked_by_its_name(teeproof):
    answer = teeproof("policy", "check", "standard")
    assert answer.code == 0
    assert "standard can be used" in answer.out
    assert "left open" not in answer.out
    assert teeproof("policy", "check", "standrad").code == 1


@pytest.mark.parametrize(
    ("text", "field", "words"),
    [
        ("", "debug", "a domain whose host can read its memory is allowed"),
        ("", "tcb_statuses", "a platform whose patches are long out of date is allowed"),
        ('app_id = ["' + "00" * 20 + '"]', "mrtd, rtmr1, rtmr2", "until the image is pinned"),
    ],
)
def test_what_hardly_anyone_means_to_allow_is_named(teeproof, tmp_path, text, field, words):
    file = tmp_path / "p.toml"
    file.write_text(text + "\n")
    screen = teeproof("policy", "check", file).out
    assert f"left open     {field} – " in screen
    assert words in teeproof("policy", "check", file, "--json").json["left_open"][field]
    if field == "mrtd, rtmr1, rtmr2":
        pin = f'["{"00" * 48}"]'
        text += f"\nmrtd = {pin}\nrtmr1 = {pin}\nrtmr2 = {pin}\n"
    file.write_text(text + '\ndebug = false\ntcb_statuses = ["UpToDate"]\n')
    assert "left open" not in teeproof("policy", "check", file).out


def test_a_good_guess_needs_no_list_of_all_names(teeproof, tmp_path):
    file = tmp_path / "p.toml"
    file.write_text("dbug = false\n")
    near = teeproof("policy", "check", file)
    assert "did you mean debug?" in near.err
    assert "expected" not in near.err
    file.write_text("qqqqqq = false\n")
    far = teeproof("policy", "check", file)
    assert "did you mean" not in far.err
    assert "expected  one of name, " in far.err


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
        ('mrtd = ["abcd"]', "96 lower-case hex digits (48 bytes), got 4 digits"),
        ('app_id = ["' + "AB" * 20 + '"]', f'write "{"ab" * 20}"'),
        ('roots = ["sha256:' + "AB" * 32 + '"]', f'write "sha256:{"ab" * 32}"'),
        ("second_path = false", "only true has a meaning, so leave second_path out"),
        ('compose_hash = "00"', 'write compose_hash = ["00"]'),
        ('debug = "false"', "debug is true or false, without quotes"),
        ("debug = 0", "debug: expected true or false, got a whole number"),
        ('max_age_seconds = "60"', "max_age_seconds: expected a whole number, got text"),
        ('tcb_statuses = ["uptodate"]', "which is none of UpToDate, "),
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
    assert answer.err.startswith(f"error     {file}: ")
    assert "`" not in answer.err
    twin = teeproof("policy", "check", file, "--json")
    assert twin.code == 1
    assert twin.json["ok"] is False
    assert words in twin.json["detail"]
