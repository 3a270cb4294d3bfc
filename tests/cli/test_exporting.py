"""``teeproof verify --export``, ``keys new --verdict`` and ``evidence read``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from teeproof.core.clock import parse_time
from teeproof.proof.results import ear, vsa
from teeproof.proof.results.keyfile import read_public
from tests.cli.conftest import AT

REAL, ITS_TIME = "dcap/dstack-quote-report", "2026-02-25"


@pytest.fixture
def keys(teeproof, tmp_path, monkeypatch):
    """A folder with verdict.key, verdict.pub, and other.pub of another verifier."""
    monkeypatch.chdir(tmp_path)
    for name in ("verdict", "other"):
        assert teeproof("keys", "new", f"{name}.key", "--verdict").code == 0
        Path(f"{name}.pub").write_text(teeproof("keys", "show", f"{name}.key").out)
    return tmp_path


def exported(teeproof, folder, form, *options):
    policy = folder / "policy.toml"
    key = () if form == "dstack" else ("--key", "verdict.key")
    return teeproof(
        "verify", folder, "--policy", policy, "--at", AT, "--export", form, *key, *options
    )


def test_a_verdict_key_is_for_its_owner_and_its_public_half_for_all(teeproof, keys):
    assert Path("verdict.key").stat().st_mode & 0o777 == 0o600
    public = Path("verdict.pub").read_text().strip()
    secret = Path("verdict.key").read_text().strip().removeprefix("teeproof-verdict-secret-")
    twin = teeproof("keys", "show", "verdict.key", "--json")
    assert twin.json["public"] == public == teeproof("keys", "show", "verdict.pub").out.strip()
    assert twin.json["jwk"]["crv"] == "Ed25519"
    again = teeproof("keys", "new", "verdict.key", "--verdict", "--json")
    assert (again.code, again.json["error"]) == (1, "out_taken")
    shown = teeproof("show", "verdict.key")
    assert public in shown.out
    for answer in (twin, again, shown):
        assert secret not in answer.out + answer.err


def test_an_ear_is_written_to_standard_output_with_the_verdict_s_exit_code(
    teeproof, keys, simulated
):
    answer = exported(teeproof, simulated(), "ear", "--nonce", "my own nonce")
    assert answer.code == 0
    found = ear.verify(answer.out, key=read_public(Path("verdict.pub")), now=parse_time(AT))
    assert found.status == "contraindicated"
    assert found.nonce == "my own nonce"
    refused = exported(teeproof, simulated("debug"), "ear")
    assert refused.code == 4
    assert refused.out.count(".") == 2


def test_with_a_file_the_verdict_is_shown_too(teeproof, keys, simulated):
    folder = simulated()
    answer = exported(teeproof, folder, "vsa", "-o", "result.vsa")
    assert "SIMULATED, AND ALLOWED AS SUCH" in answer.out
    assert "written       result.vsa" in answer.out
    found = vsa.verify(
        Path("result.vsa").read_bytes(), key=read_public(Path("verdict.pub")), now=parse_time(AT)
    )
    assert not found.passed
    again = exported(teeproof, folder, "vsa", "-o", "result.vsa")
    assert (again.code, "exists" in again.err) == (1, True)
    assert exported(teeproof, folder, "vsa", "-o", "result.vsa", "--force").code == 0
    twin = exported(teeproof, folder, "ear", "-o", "result.jwt", "--json")
    assert twin.json["type"] == "urn:teeproof:verdict:v1"
    assert Path("result.jwt").read_text().count(".") == 2


def test_dstack_s_answer_is_json_that_nobody_signed(teeproof, keys, simulated):
    answer = exported(teeproof, simulated(), "dstack")
    assert answer.json["is_valid"] is False
    assert answer.json["details"]["quote_verified"] is True


def test_real_evidence_is_exported_and_read_back(teeproof, keys, vectors):
    options = ("--at", ITS_TIME, "--key", "verdict.key")
    answer = teeproof("verify", vectors / REAL, *options, "--export", "ear", "-o", "real.jwt")
    assert answer.code == 0
    read = teeproof("evidence", "read", "real.jwt", "--key", "verdict.pub", "--at", ITS_TIME)
    assert read.code == 3
    assert "hardware            2" in read.out
    assert "NO CLAIM" in read.out
    twin = teeproof(
        "evidence", "read", "real.jwt", "--key", Path("verdict.pub").read_text().strip(),
        "--at", ITS_TIME, "--policy", "standard", "--json",
    )  # fmt: skip
    assert (twin.json["form"], twin.json["status"], twin.json["exit_code"]) == ("ear", "none", 3)
    quote = json.loads(teeproof("show", vectors / REAL, "--json").out)
    assert quote
    pins = [f"--set={name}={twin.json['submods']['tdx']['attester_claims'][f'tdx_{name}']}"
            for name in ("mrtd", "rtmr1", "rtmr2")]  # fmt: skip
    answer = teeproof("verify", vectors / REAL, *options, *pins, "--export", "ear")
    Path("pinned.jwt").write_text(answer.out)
    read = teeproof("evidence", "read", "pinned.jwt", "--key", "verdict.pub", "--at", ITS_TIME)
    assert read.code == 0
    assert "\nAFFIRMING\n" in read.out


def test_real_evidence_passes_in_a_vsa(teeproof, keys, vectors):
    answer = teeproof(
        "verify", vectors / REAL, "--at", ITS_TIME, "--export", "vsa", "--key", "verdict.key",
        "-o", "real.vsa",
    )  # fmt: skip
    assert answer.code == 0
    read = teeproof("evidence", "read", "real.vsa", "--key", "verdict.pub", "--policy", "standard")
    assert read.code == 0
    assert "levels        TEEPROOF_HARDWARE, TEEPROOF_CONFIDENTIAL" in read.out
    twin = teeproof(
        "evidence", "read", "real.vsa", "--key", "verdict.pub", "--policy", "strict", "--json"
    )
    assert (twin.code, twin.json["error"]) == (2, "vsa_policy")


@pytest.mark.parametrize(
    ("options", "error"),
    [
        (("--key", "other.pub"), "result_signature"),
        (("--key", "verdict.pub", "--nonce", "another nonce"), "ear_nonce"),
        (("--key", "verdict.pub", "--policy", "strict"), "ear_policy"),
        (("--key", "verdict.pub", "--subject", "sha256:" + "0" * 64), "ear_subject"),
        (("--key", "verdict.pub", "--at", "2026-03-02"), "ear_expired"),
    ],
)
def test_client_shows_an_ear_for_what_it_was_not_made_for(
    teeproof, keys, simulated, options, error
):
    exported(teeproof, simulated(), "ear", "-o", "result.jwt")
    at = () if "--at" in options else ("--at", AT)
    answer = teeproof("evidence", "read", "result.jwt", *options, *at, "--json")
    assert (answer.code, answer.json["error"]) == (2, error)
    good = teeproof("evidence", "read", "result.jwt", "--key", "verdict.pub", "--at", AT)
    assert good.code == 4


@pytest.mark.parametrize(
    ("options", "code", "error"),
    [
        (("--export", "ear"), 1, "verdict_key_missing"),
        (("--export", "vsa"), 1, "verdict_key_missing"),
        (("--export", "dstack", "--key", "verdict.key"), 1, "option_unused"),
        (("--export", "vsa", "--key", "verdict.key", "--nonce", "12345678"), 1, "option_unused"),
        (("--key", "verdict.key"), 1, "option_unused"),
        (("-o", "file"), 1, "option_unused"),
        (("--export", "ear", "--key", "verdict.pub"), 4, "key_open"),
        (("--export", "ear", "--key", "missing.key"), 3, "file_unavailable"),
        (("--export", "ear", "--key", "verdict.key", "--nonce", "short"), 1, "nonce_malformed"),
    ],
)
def test_what_cannot_be_exported_says_why(teeproof, keys, simulated, options, code, error):
    folder = simulated()
    answer = teeproof("verify", folder, "--at", AT, *options, "-o", "x.out", "--json")
    assert (answer.code, answer.json["error"]) == (code, error)
    assert not Path("x.out").exists()


@pytest.mark.parametrize("command", ["verify", "show"])
def test_an_ear_in_the_place_of_evidence_is_told_from_it(teeproof, keys, simulated, command):
    exported(teeproof, simulated(), "ear", "-o", "result.jwt")
    answer = teeproof(command, "result.jwt", "--json")
    assert (answer.code, answer.json["error"]) == (1, "not_evidence")
    assert "teeproof evidence read" in answer.json["detail"]


def test_json_and_an_export_do_not_share_standard_output(teeproof, keys, simulated):
    answer = exported(teeproof, simulated(), "ear", "--json")
    assert (answer.code, answer.json["error"]) == (1, "stdout_taken")


def test_two_pieces_of_evidence_are_two_parts_of_an_ear_and_no_vsa(teeproof, keys, vectors):
    both = (vectors / REAL, vectors / "dcap/tdx-v4-b0c06f-uptodate")
    options = ("--at", ITS_TIME, "--key", "verdict.key", "--export")
    answer = teeproof("verify", *both, *options, "ear")
    found = ear.parse(answer.out)
    assert set(found.submods) == {"tdx", "tdx_1"}
    refused = teeproof("verify", *both, *options, "vsa")
    assert refused.code == 1
    assert "one at a time" in refused.err
