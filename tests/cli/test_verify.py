"""``teeproof verify``: the screen, its JSON twin, exit codes, and where endorsements come from."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import shutil
from datetime import UTC, datetime

import msgspec
import pytest

import teeproof as library
from teeproof.cli.screen import Screen
from teeproof.cli.verdicts import write_strength
from teeproof.evidence.second_path import dated
from tests.cli.conftest import AT
from tests.vectors import each

DSTACK = "dcap/dstack-quote-report"
ITS_TIME = "2026-02-25"


def test_real_evidence_verifies_as_of_its_own_time(teeproof, vectors):
    answer = teeproof("verify", vectors / DSTACK, "--at", ITS_TIME)
    assert answer.code == 0
    assert answer.out.splitlines()[0].startswith("TDX quote version 4 with a TD report 1.0")
    assert "level         hardware" in answer.out
    assert (
        "confidential  yes, as far as the platform's patches hold (UpToDate): the host cannot read"
        " the workload's memory\n" in answer.out
    )
    assert "✓ quote-signature" in answer.out
    assert "AUTHENTIC AND ALLOWED · " in answer.out
    assert answer.err == ""


def test_the_same_evidence_is_refused_today_with_the_date_on_which_it_expired(teeproof, vectors):
    answer = teeproof("verify", vectors / DSTACK)
    assert answer.code == 2
    assert "✗ collateral-dates" in answer.out
    assert "expired on 2026-03-20" in answer.out
    assert "confidential  unknown: nothing is established\n" in answer.out
    assert "NOT AUTHENTIC · " in answer.out


@pytest.mark.parametrize("record", each("dcap"))
def test_every_real_vector_gets_the_library_s_verdict_from_the_command_line(teeproof, record):
    answer = teeproof("verify", record.path, "--at", record.entry["now"], "--json")
    evidence = library.load(record.path)
    verdict = library.verify(evidence, now=record.now)
    shown = answer.json
    assert shown.pop("input")["name"] == record.path.name
    assert shown == json.loads(json.dumps(verdict.to_json()))
    assert answer.code == verdict.exit_code


def test_the_json_twin_has_every_check_that_the_screen_shows(teeproof, simulated):
    folder = simulated()
    policy = folder / "policy.toml"
    screen = teeproof("verify", folder, "--policy", policy, "--at", AT, "--all").out
    twin = teeproof("verify", folder, "--policy", policy, "--at", AT, "--json").json
    marks = {"passed": "✓", "failed": "✗", "not_checked": "–"}
    for check in twin["checks"]:
        line = next(line for line in screen.splitlines() if f" {check['name']} " in line)
        assert line.strip().startswith(marks[check["state"]])
        assert check["detail"] in line
    states = [check["state"] for check in twin["checks"]]
    assert f"{states.count('passed')} passed, {states.count('failed')} failed" in screen
    assert twin["subject"][:23] in screen
    assert twin["key"][:23] in screen


def test_a_verdict_s_json_is_a_verdict_again(teeproof, simulated):
    folder = simulated()
    answer = teeproof("verify", folder, "--policy", folder / "policy.toml", "--at", AT, "--json")
    verdict = library.Verdict.from_json(answer.out)
    assert verdict.ok
    assert verdict.key == answer.json["key"]


def test_simulated_evidence_is_refused_until_a_policy_pins_its_root(teeproof, simulated):
    folder = simulated()
    refused = teeproof("verify", folder, "--at", AT)
    assert refused.code == 4
    assert "✗ simulated-root" in refused.out
    assert "SIMULATED, NOT ALLOWED" in refused.out
    assert "AUTHENTIC" not in refused.out
    allowed = teeproof("verify", folder, "--at", AT, "--policy", folder / "policy.toml")
    assert allowed.code == 0
    assert "SIMULATED, AND ALLOWED AS SUCH" in allowed.out
    assert "confidential  no" in allowed.out


@pytest.mark.parametrize(
    ("state", "code", "check", "words"),
    [
        ("debug", 4, "debug", "SIMULATED, NOT ALLOWED"),
        ("pck-revoked", 2, "pck-revocation", "NOT AUTHENTIC"),
        ("quote-body-flipped", 2, "quote-signature", "NOT AUTHENTIC"),
        ("collateral-missing", 3, "collateral-dates", "CANNOT TELL: endorsements missing"),
    ],
)
def test_the_exit_code_says_why_trust_failed(teeproof, simulated, state, code, check, words):
    folder = simulated(state)
    answer = teeproof("verify", folder, "--at", AT, "--policy", folder / "policy.toml")
    assert answer.code == code
    assert f"✗ {check} " in answer.out
    assert f"\n{words} · " in answer.out


def test_of_several_bundles_the_worst_exit_code_wins(teeproof, simulated):
    good, debug, flipped = map(simulated, ("up-to-date", "debug", "quote-body-flipped"))
    policy = ("--policy", good / "policy.toml", "--set", "report_data=" + "00" * 64)
    first = teeproof("verify", good, debug, "--at", AT, *policy, "--json")
    assert first.code == 4
    both = teeproof("verify", good, debug, flipped, "--at", AT, *policy, "--json")
    assert both.code == both.json["exit_code"] == 2
    assert [verdict["input"]["name"] for verdict in both.json["verdicts"]] == [
        "up-to-date",
        "debug",
        "quote-body-flipped",
    ]


def test_an_expectation_can_be_set_on_the_command_line(teeproof, simulated):
    folder = simulated()
    mrtd = teeproof("show", folder / "quote.bin", "--json").json["td_report"]["mrtd"]
    policy = ("--policy", folder / "policy.toml", "--at", AT)
    assert teeproof("verify", folder, *policy, "--set", f"mrtd={mrtd}").code == 0
    refused = teeproof("verify", folder, *policy, "--set", f"mrtd={'0' * 96}")
    assert refused.code == 4
    assert "✗ mrtd " in refused.out
    assert f"got       {mrtd}" in refused.out


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("mrdt=00", "did you mean mrtd?"),
        ("mrtd", "--set takes a field and a value"),
        ("mrtd=xyz", "96 lower-case hex digits"),
        ("debug=perhaps", "policy cannot be used"),
    ],
)
def test_a_misspelt_expectation_is_an_error_and_never_a_weaker_policy(
    teeproof, simulated, change, words
):
    answer = teeproof("verify", simulated(), "--set", change)
    assert answer.code == 1
    assert words in answer.err
    assert answer.out == ""


def test_what_the_policy_leaves_open_is_named_in_one_paragraph_and_with_all_on_lines(
    teeproof, simulated
):
    folder = simulated()
    screen = teeproof("verify", folder, "--at", AT).out
    paragraph = next(line for line in screen.splitlines() if "does not ask:" in line)
    assert "mrtd, mrseam, rtmr0" in paragraph
    assert "--all shows each" in paragraph
    every = teeproof("verify", folder, "--at", AT, "--all").out
    assert "does not ask:" not in every
    assert "– mrtd " in every


def test_host_cannot_bring_its_own_policy_in_the_evidence(teeproof, simulated):
    folder = simulated()
    (folder / "policy.toml").write_text('name = "host"\nroots = []\nsimulated_roots = []\n')
    answer = teeproof("verify", folder, "--at", AT)
    assert "policy        standard" in answer.out
    assert "ignored       policy.toml: a policy comes from you" in answer.out


def test_endorsements_are_taken_from_the_option_then_the_bundle_then_the_archive(
    teeproof, simulated, tmp_path
):
    folder = simulated()
    quote, collateral = folder / "quote.bin", folder / "collateral.json"
    policy = ("--policy", folder / "policy.toml", "--at", AT)
    missing = teeproof("verify", quote, *policy)
    assert missing.code == 3
    assert "endorsements  none: not beside the evidence, and not in your archive" in missing.out
    assert "endorsements  from beside the evidence" in teeproof("verify", folder, *policy).out
    named = teeproof("verify", quote, *policy, "--endorsements", collateral)
    assert "endorsements  as you named them, in force 2026-03-01 to 2026-03-31" in named.out
    kept = tmp_path / "kept"
    kept.mkdir()
    shutil.copy(collateral, kept)
    assert teeproof("verify", quote, *policy, "--endorsements", kept).out == named.out
    assert teeproof("endorsements", "add", collateral).code == 0
    assert "endorsements  from your archive" in teeproof("verify", quote, *policy).out


def test_an_expired_archive_says_on_which_date_it_expired(teeproof, simulated):
    folder = simulated()
    teeproof("endorsements", "add", folder / "collateral.json")
    answer = teeproof(
        "verify", folder / "quote.bin", "--policy", folder / "policy.toml", "--at", "2026-06-01"
    )
    assert answer.code == 2
    assert "expired on 2026-03-3" in answer.out


def test_endorsements_for_another_platform_are_an_error_that_says_so(teeproof, simulated, vectors):
    folder = simulated()
    others = [vectors / name / "collateral.json" for name in (DSTACK, "dcap/sgx-v3-00a067")]
    options = [part for other in others for part in ("--endorsements", other)]
    answer = teeproof("verify", folder / "quote.bin", *options)
    assert answer.code == 1
    assert "none of the named endorsements is for the platform" in answer.err


def test_guest_copies_beside_the_quote_are_never_believed(teeproof, simulated, tmp_path):
    folder = simulated()
    response = {
        "quote": (folder / "quote.bin").read_bytes().hex(),
        "event_log": (folder / "event_log.json").read_text(),
        "report_data": "ff" * 64,
    }
    file = tmp_path / "response.json"
    file.write_text(json.dumps(response))
    answer = teeproof("verify", file, folder / "collateral.json", "--at", AT, "--json").json
    assert "ff" * 64 not in answer["facts"]["report_data"]
    assert "another report_data beside the quote" in answer["input"]["remarks"][0]
    response["report_data"] = answer["facts"]["report_data"]
    file.write_text(json.dumps(response))
    honest = teeproof("verify", file, folder / "collateral.json", "--at", AT, "--json").json
    assert honest["input"]["remarks"] == []


def test_a_bad_time_is_an_error_of_usage(teeproof, simulated):
    answer = teeproof("verify", simulated(), "--at", "yesterday")
    assert answer.code == 1
    assert "--at: this is not a time" in answer.err
    assert "expected  2026-02-25T12:00:00Z" in answer.err


def test_a_policy_that_does_not_exist_names_those_that_do(teeproof, simulated):
    answer = teeproof("verify", simulated(), "--policy", "stict")
    assert answer.code == 1
    assert "did you mean strict?" in answer.err
    assert "standard, strict, dstack" in answer.err


def test_checks_that_were_not_made_for_one_reason_stand_together(teeproof, simulated):
    folder = simulated()
    files = (folder / "quote.bin", folder / "collateral.json")
    answer = teeproof("verify", *files, "--at", AT)
    assert (
        "– not checked, no event log was given: event-log-format, event-log-payloads,"
        " event-log-replay, event-log-order" in answer.out
    )
    assert "– event-log-replay " in teeproof("verify", *files, "--at", AT, "--all").out


def test_a_directory_of_a_tpms_evidence_says_that_nobody_vouches_for_the_key(teeproof, vectors):
    answer = teeproof("verify", vectors / "other/tpm-quote")
    assert answer.code == 2
    assert "TPM 2.0 quote of sha256:0,1" in answer.out
    assert "nobody vouches for the attestation key" in answer.out
    assert "a TPM quote without its signature and key" in answer.out


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"debug": True}, "no: the host can read the workload's memory (debug)"),
        ({"service_td": True}, "no: the memory is shared with a service TD"),
        ({"migratable": True}, "no: the domain, with its memory, can be migrated by others"),
        ({}, "no: its attributes hold bits that nobody knows"),
    ],
)
def test_hardware_that_keeps_no_secret_says_why(vectors, facts, words):
    evidence = library.load(vectors / DSTACK)
    verdict = library.verify(evidence, now=datetime(2026, 2, 25, tzinfo=UTC))
    assert (verdict.level, verdict.confidential) == ("hardware", True)
    changed = msgspec.structs.replace(verdict, confidential=False, facts=verdict.facts | facts)
    stream = io.StringIO()
    write_strength(Screen(stream, color=True, width=200), changed)
    line = stream.getvalue().splitlines()[1]
    assert words in line
    assert "\x1b[31m" in line


def test_the_second_path_s_words_show_dates_and_no_seconds(teeproof, vectors):
    answer = teeproof("verify", vectors / "dcap/dstack-tdx-lite", "--at", "2026-03-01")
    assert answer.code == 2
    assert "CertNotValidYet { time: 2026-03-01T00:00:00Z, not_before: 2026-04-15T" in answer.out
    assert "UnixTime" not in answer.out
    odd = "UnixTime(99999999999999999999) UnixTime(-1) UnixTime()"
    assert dated(odd) == odd


@pytest.mark.parametrize(
    ("name", "at", "code", "words"),
    [
        ("nitro-dstack", "2025-12-25T13:20:00Z", 0, "AUTHENTIC AND ALLOWED"),
        ("nitro-dstack", "2025-12-25T18:20:00Z", 2, "certificate-dates"),
        ("nitro-debug", "2025-12-25T08:30:00Z", 4, "a debug enclave: PCR0 is all zero"),
    ],
)
def test_a_real_nitro_document_holds_for_some_hours(teeproof, vectors, name, at, code, words):
    answer = teeproof("verify", vectors / "nitro" / name / "document.bin", "--at", at)
    assert (answer.code, words in answer.out) == (code, True)
    assert "which the document brings" in answer.out


def test_a_tpm_is_said_to_keep_no_memory_and_an_azure_machine_to_hang_on_its_paravisor(vectors):
    tpm = library.verify(
        vectors / "other/tpm-quote/tpm_evidence.json",
        policy=library.load_policy("tpm").with_(
            tpm={"keys": ["sha256:" + _tpm_key(vectors / "other/tpm-quote/tpm_evidence.json")]}
        ),
        now=datetime(2025, 7, 20, tzinfo=UTC),
    )
    assert "no: a TPM measures what was started" in _strength(tpm)
    azure = library.verify(
        vectors / "snp/milan-azure-hcl-vtpm/evidence-v1.json", now=datetime(2025, 7, 20, tzinfo=UTC)
    )
    for level, confidential, words in (
        ("measured", False, "nobody listed the paravisor"),
        ("hardware", True, "yes, from the host; the paravisor that the policy lists"),
    ):
        changed = msgspec.structs.replace(azure, level=level, confidential=confidential)
        assert words in _strength(changed)


def _tpm_key(path):
    value = json.loads(path.read_bytes())
    return hashlib.sha256(base64.b64decode(value["ak_public"])).hexdigest()


def _strength(verdict):
    stream = io.StringIO()
    write_strength(Screen(stream, color=False, width=200), verdict)
    return stream.getvalue()
