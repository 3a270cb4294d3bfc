"""``teeproof show``: every field, marked as a claim, and the same facts in JSON."""

from __future__ import annotations

import json
import shlex
import textwrap

import pytest

from teeproof.evidence.policy import parse_policy, policy_text
from tests.cli.conftest import AT

QUOTE = "dcap/tdx-v5-90c06f-google/quote.bin"


def values(tree):
    """Yield every text in a JSON document but the head of it."""
    if isinstance(tree, dict):
        for key, value in tree.items():
            if key not in ("kind", "verified"):
                yield from values(value)
    elif isinstance(tree, list):
        for value in tree:
            yield from values(value)
    elif isinstance(tree, str) and tree.strip("0"):
        yield tree


def test_every_field_of_a_real_quote_is_shown_as_a_claim(teeproof, vectors):
    answer = teeproof("show", vectors / QUOTE)
    assert answer.code == 0
    assert answer.out.splitlines()[1].startswith("NOT VERIFIED: these are claims.")
    for field in (
        "version", "key_type", "tee_type", "tee_tcb_svn", "mrseam", "mrsignerseam",
        "seamattributes", "tdattributes", "xfam", "mrtd", "mrconfigid", "mrowner", "rtmr0", "rtmr1",
        "rtmr2", "rtmr3", "report_data", "subject", "issuer", "valid_until", "fmspc",
        "tcb_components", "pce_svn",
    ):  # fmt: skip
        assert f"\n  {field} " in answer.out
    assert "(SEPT_VE_DISABLE)" in answer.out
    assert "Intel's root key" in answer.out


@pytest.mark.parametrize(
    "name", ["quote.bin", "collateral.json", "event_log.json", "app-compose.json"]
)
def test_the_json_twin_has_the_facts_of_the_screen(teeproof, simulated, name):
    file = simulated() / name
    screen = " ".join(teeproof("show", file).out.split())
    twin = teeproof("show", file, "--json").json
    assert twin["verified"] is False
    left_out = ("depends_on", "digest", "covered", "type")
    for event in twin.get("event_log", []):
        for key in left_out:
            event.pop(key)
    for text in values(twin):
        assert " ".join(text.split()) in screen


def test_the_ppid_is_shown_only_when_asked_for(teeproof, vectors):
    asked = teeproof("show", vectors / QUOTE, "--ppid", "--json").json["platform"]["ppid"]
    assert len(asked) == 32
    assert asked not in teeproof("show", vectors / QUOTE).out
    assert asked in teeproof("show", vectors / QUOTE, "--ppid").out


def test_sgx_evidence_shows_the_enclave(teeproof, vectors):
    report = teeproof("show", vectors / "dcap/sgx-v3-00a067/quote.bin", "--json").json
    assert report["kind"] == "sgx-quote"
    assert len(report["enclave_report"]["mrenclave"]) == 64
    screen = teeproof("show", vectors / "dcap/sgx-v3-00a067/quote.bin").out
    assert report["enclave_report"]["mrenclave"] in screen


def test_a_simulated_quote_says_so_by_its_root(teeproof, simulated):
    answer = teeproof("show", simulated() / "quote.bin")
    assert "SIMULATED: it carries a simulator's mark" in answer.out


@pytest.mark.parametrize(
    ("state", "meaning"),
    [
        ("mr-config-zero", "zero: the host fixed no configuration"),
        ("up-to-date", "dstack version 1: the compose hash"),
        ("mr-config-v2", "dstack version 2"),
        ("mr-config-v3", "dstack version 3"),
    ],
)
def test_mrconfigid_is_explained(teeproof, simulated, state, meaning):
    assert meaning in teeproof("show", simulated(state) / "quote.bin").out


def test_report_data_that_is_text_is_shown_as_text_too(teeproof, simulated):
    folder = simulated("up-to-date", "--report-data", b"hello there".hex().ljust(128, "0"))
    assert 'text: "hello there"' in teeproof("show", folder / "quote.bin").out


def test_a_saved_verdict_shows_its_checks_and_that_it_proves_nothing(teeproof, simulated, tmp_path):
    saved = tmp_path / "verdict.json"
    saved.write_text(teeproof("verify", simulated(), "--at", AT, "--json").out)
    answer = teeproof("show", saved)
    assert answer.code == 0
    assert "Only its maker knows whether it is true" in answer.out
    assert "✗ simulated-root" in answer.out
    assert teeproof("show", saved, "--json").json["verdict"]["exit_code"] == 4


def test_a_directory_shows_each_file_that_is_understood(teeproof, simulated):
    twin = teeproof("show", simulated(), "--json").json
    assert {found["kind"] for found in twin} == {
        "app-compose",
        "collateral",
        "event-log",
        "policy",
        "tdx-quote",
    }


def test_a_quote_with_broken_certificates_is_still_shown(teeproof, simulated, tmp_path):
    raw = (simulated() / "quote.bin").read_bytes()
    file = tmp_path / "broken.bin"
    file.write_bytes(raw.replace(b"-----BEGIN", b"-----bEGIN", 1))
    answer = teeproof("show", file)
    assert answer.code == 0
    assert "cannot be read" in answer.out
    assert "mrtd" in answer.out


def test_host_cannot_paint_the_terminal_through_a_name_in_a_log(teeproof, simulated, tmp_path):
    log = (simulated() / "event_log.json").read_text()
    evil = log.replace('"event_payload":"', '"event_payload":"1b5b33316d', 1)
    file = tmp_path / "evil.json"
    file.write_text(evil)
    assert "\x1b" not in teeproof("show", file).out
    compose = tmp_path / "app-compose.json"
    compose.write_text(
        '{"runner":"docker-compose","manifest_version":2,"name":"\\u001b[2Jfake\\u202e",'
        '"docker_compose_file":"services: {}"}'
    )
    shown = teeproof("show", compose).out
    assert "\x1b" not in shown
    assert "\u202e" not in shown
    assert "\\x1b[2Jfake\\u202e" in shown
    twin = teeproof("show", compose, "--json")
    assert "\u202e" not in twin.out
    assert twin.json["application"] == "\x1b[2Jfake\u202e"


def test_the_advice_is_a_command_that_works_and_stands_only_where_a_quote_is(teeproof, simulated):
    folder = simulated()
    for path in (folder, folder / "quote.bin"):
        (line,) = [x for x in teeproof("show", path).out.splitlines() if "Check them: " in x]
        _, *command = shlex.split(line.partition("Check them: ")[2])
        assert command == ["verify", str(path)]
        assert teeproof(*command, "--at", AT).code in (3, 4)  # not misuse, and no wrong name
    for name in ("collateral.json", "event_log.json", "app-compose.json", "policy.toml"):
        answer = teeproof("show", folder / name)
        assert "NOT VERIFIED: these are claims.\n" in answer.out
        assert "Check them" not in answer.out


def test_one_quote_in_two_files_is_told_of_once(teeproof, simulated):
    folder = simulated()
    quote = (folder / "quote.bin").read_bytes()
    (folder / "response.json").write_text(json.dumps({"quote": quote.hex()}))
    screen = teeproof("show", folder).out
    assert screen.count("\n  mrtd   ") == 1
    assert "same_quote_as     quote.bin\n" in screen
    (folder / "response.json").write_text(json.dumps({"quote": (quote + bytes(4)).hex()}))
    other = teeproof("show", folder).out
    assert other.count("\n  mrtd   ") == 2
    assert "same_quote_as" not in other


def test_a_policy_is_shown_as_its_file_would_have_it(teeproof, tmp_path):
    file = tmp_path / "p.toml"
    file.write_text(policy_text("strict") + "\n[tcb_grace_days]\nOutOfDate = 3\n")
    lines = teeproof("show", file).out.partition("\nexpects\n")[2]
    assert parse_policy(textwrap.dedent(lines)) == parse_policy(file.read_text())
    assert "debug = false\n" in lines
