"""``teeproof endorsements``: kept by content, found again, and a changed one is noticed."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.cli.conftest import AT


@pytest.fixture
def added(teeproof, simulated):
    """Return the id of a set that is in the archive."""
    answer = teeproof("endorsements", "add", simulated() / "collateral.json", "--json")
    assert answer.json[0]["new"] is True
    return answer.json[0]["id"]


def test_what_was_added_is_listed_with_its_dates(teeproof, added):
    answer = teeproof("endorsements", "list", "--at", AT)
    assert answer.code == 0
    assert answer.out.count(added) == 1
    assert answer.out.count(added[7:15]) == 1
    assert "in force      2026-03-01 to 2026-03-31: in force until 2026-03-31" in answer.out
    twin = teeproof("endorsements", "list", "--at", AT, "--json").json
    assert [row["id"] for row in twin["sets"]] == [added]
    assert twin["sets"][0]["state"] in answer.out
    assert twin["sets"][0]["fmspc"] in answer.out
    assert twin["faults"] == []


def test_adding_again_changes_nothing(teeproof, simulated, added):
    again = teeproof("endorsements", "add", simulated() / "collateral.json", "--json").json
    assert again[0]["id"] == added
    assert again[0]["new"] is False
    screen = teeproof("endorsements", "add", simulated() / "collateral.json").out
    assert "✓ collateral.json: already there\n" in screen
    assert len(teeproof("endorsements", "list", "--json").json["sets"]) == 1


def test_an_empty_archive_says_how_to_fill_it(teeproof):
    answer = teeproof("endorsements", "list")
    assert answer.code == 0
    assert "teeproof endorsements add FILE" in answer.out


def test_a_set_is_shown_by_the_first_digits_of_its_id(teeproof, added):
    answer = teeproof("endorsements", "show", added.removeprefix("sha256:")[:8])
    assert answer.code == 0
    assert added in answer.out
    assert teeproof("endorsements", "show", added, "--json").json["id"] == added


@pytest.mark.parametrize("wanted", ["0" * 16, "zz"])
def test_a_set_that_is_not_there_is_an_error(teeproof, added, wanted):
    assert not added.startswith(f"sha256:{wanted}")
    answer = teeproof("endorsements", "show", wanted)
    assert answer.code == 3
    assert f"no set in the archive has an id that begins with {wanted}:" in answer.err


def test_too_few_digits_name_no_set(teeproof, added):
    answer = teeproof("endorsements", "show", added.removeprefix("sha256:")[:2])
    assert answer.code == 1
    assert "too few digits to name one set" in answer.err


@pytest.mark.parametrize("verb", ["list", "check"])
def test_the_help_says_what_the_time_means_here(teeproof, verb):
    words = " ".join(teeproof("endorsements", verb, "--help").out.split())
    assert "Say what is in force at this time" in words
    assert "Verify as of" not in words


def test_check_says_which_sets_are_in_force(teeproof, added):
    assert "in force until 2026-03-31" in teeproof("endorsements", "check", "--at", AT).out
    late = teeproof("endorsements", "check", "--at", "2026-05-01")
    assert late.code == 0
    assert "expired on 2026-03-31" in late.out
    assert "not in force before" in teeproof("endorsements", "check", "--at", "2026-01-01").out


def test_host_cannot_change_the_archive_unnoticed(teeproof, added):
    blobs = Path(os.environ["TEEPROOF_HOME"]) / "endorsements" / "blobs"
    blob = max(
        (path for path in blobs.rglob("*") if path.is_file()), key=lambda p: p.stat().st_size
    )
    blob.write_bytes(blob.read_bytes()[:-1] + b"!")
    answer = teeproof("endorsements", "check", "--at", AT)
    assert answer.code == 2
    assert "✗" in answer.out
    assert "changed on disk" in answer.out
    twin = teeproof("endorsements", "check", "--at", AT, "--json")
    assert twin.code == 2
    assert twin.json["sets"][0]["intact"] is False


def test_what_is_no_collateral_is_not_added(teeproof, simulated):
    answer = teeproof("endorsements", "add", simulated() / "event_log.json")
    assert answer.code == 2
    assert "event_log.json: a dstack event log, not Intel collateral" in answer.err
    quote = teeproof("endorsements", "add", simulated() / "quote.bin")
    assert quote.code == 2
    assert "quote.bin: a TDX quote, not Intel collateral" in quote.err
    assert teeproof("endorsements", "list", "--json").json == {
        "sets": [],
        "records": [],
        "faults": [],
    }


def test_network_endorsements_that_nobody_signed_are_not_added(teeproof, simulated, tmp_path):
    value = json.loads((simulated() / "collateral.json").read_text())
    for field in ("tcb_info", "qe_identity"):
        document = json.loads(value[field]) | {"tcbEvaluationDataNumber": 10**6}
        value[field] = json.dumps(document)
    forged = tmp_path / "forged.json"
    forged.write_text(json.dumps(value))
    answer = teeproof("endorsements", "add", forged)
    assert answer.code == 2
    assert "the signature of the TCB info does not hold" in answer.err
    assert teeproof("endorsements", "list", "--json").json["sets"] == []
    # Nor does it hide the good ones that are named along with it.
    folder = tmp_path / "named"
    folder.mkdir()
    for path in (forged, simulated() / "collateral.json"):
        (folder / path.name).write_bytes(path.read_bytes())
    quote, policy = simulated() / "quote.bin", simulated() / "policy.toml"
    found = teeproof("verify", quote, "--policy", policy, "--at", AT, "--endorsements", folder)
    assert "remark        endorsements passed over, sha256:" in found.out
    assert "✓ tcb-info" in found.out


@pytest.mark.parametrize("content", ["{}", None])
def test_host_one_broken_file_is_reported_and_stops_no_verification(
    teeproof, simulated, added, content
):
    sets = Path(os.environ["TEEPROOF_HOME"]) / "endorsements" / "sets"
    if content is None:
        (sets / "zz.json").mkdir()
    else:
        (sets / "zz.json").write_text(content)
    listed = teeproof("endorsements", "list", "--at", AT)
    assert listed.code == 0
    assert added in listed.out
    assert "zz.json" in listed.out
    checked = teeproof("endorsements", "check", "--at", AT)
    assert checked.code == 2
    assert "1 sets, 0 records, 1 faults" in checked.out
    twin = teeproof("endorsements", "check", "--at", AT, "--json").json
    assert (twin["ok"], [fault["name"] for fault in twin["faults"]]) == (False, ["zz.json"])
    assert twin["sets"][0]["intact"] is True
    quote, policy = simulated() / "quote.bin", simulated() / "policy.toml"
    verify = ("verify", quote, "--policy", policy, "--at", AT)
    found = teeproof(*verify)
    assert "from your archive" in found.out
    assert "remark        endorsements passed over, zz.json" in found.out
    assert "zz.json" in teeproof(*verify, "--json").json["input"]["remarks"][0]


def test_host_cannot_crash_the_list_with_a_date(teeproof, added):
    sets = Path(os.environ["TEEPROOF_HOME"]) / "endorsements" / "sets"
    (path,) = sets.iterdir()
    path.write_text(json.dumps(json.loads(path.read_text()) | {"ends": 10**15}))
    answer = teeproof("endorsements", "list")
    assert answer.code == 0
    assert "not an entry" in answer.out
    assert teeproof("endorsements", "check").code == 2


def test_host_cannot_stop_the_check_with_a_directory_for_a_blob(teeproof, added):
    blobs = Path(os.environ["TEEPROOF_HOME"]) / "endorsements" / "blobs"
    blob = next(path for path in blobs.rglob("*") if path.is_file())
    blob.unlink()
    blob.mkdir()
    answer = teeproof("endorsements", "check", "--at", AT)
    assert answer.code == 2
    assert "changed on disk" in answer.out
    assert "1 sets, 0 records, 1 faults" in answer.out
