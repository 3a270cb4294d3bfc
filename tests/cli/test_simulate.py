"""``teeproof simulate``: what it says will happen is what happens, and nothing is overwritten."""

from __future__ import annotations

import pytest

from teeproof.evidence.collect.simulated import states
from tests.cli.conftest import AT


@pytest.mark.parametrize("state", list(states()))
def test_the_next_command_answers_as_simulate_said(teeproof, tmp_path, state):
    folder = tmp_path / "evidence"
    said = teeproof("simulate", state, "--out", folder, "--at", AT, "--json").json
    assert said["level"] == "simulated"
    program, *arguments = said["next"].split()
    assert program == "teeproof"
    answer = teeproof(*arguments)
    assert answer.code == said["expected_exit_code"], answer.out + answer.err


def test_the_screen_says_simulated_and_what_to_type_next(teeproof, tmp_path):
    answer = teeproof("simulate", "debug", "--out", tmp_path / "here", "--at", AT)
    assert answer.out.startswith("SIMULATED debug\n")
    policy = tmp_path / "here" / "policy.toml"
    assert f"teeproof verify {tmp_path / 'here'} --policy {policy} --at {AT}" in answer.out
    assert "(exit code 4)" in answer.out


def test_every_state_is_listed_with_its_sentence(teeproof):
    listed = teeproof("simulate", "--list")
    twin = teeproof("simulate", "--list", "--json").json
    assert [row["name"] for row in twin] == list(states())
    for row in twin:
        assert row["name"] in listed.out
        assert row["sentence"] in listed.out


def test_the_platform_is_kept_so_that_one_policy_serves_all_its_evidence(teeproof, simulated):
    first, second = simulated(), simulated("up-to-date-v5")
    policy = ("--policy", first / "policy.toml", "--at", AT)
    bound = (
        "report_data="
        + teeproof("show", second / "quote.bin", "--json").json["td_report"]["report_data"]
    )
    assert teeproof("verify", second, *policy, "--set", bound).code == 0


def test_report_data_and_version_can_be_chosen(teeproof, simulated):
    wanted = "ab" * 64
    folder = simulated("up-to-date", "--report-data", wanted, "--quote-version", "5")
    shown = teeproof("show", folder / "quote.bin", "--json").json
    assert shown["header"]["version"] == 5
    assert shown["td_report"]["report_data"] == wanted


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["no-such-state"], "knows no such state"),
        (["debug", "--quote-version", "5"], "fixes its own quote version"),
        (["--report-data", "abcd"], "takes 64 bytes in hex"),
        (["--report-data", "z" * 128], "takes 64 bytes in hex"),
    ],
)
def test_what_cannot_be_simulated_is_an_error_and_writes_nothing(
    teeproof, tmp_path, arguments, words
):
    answer = teeproof("simulate", *arguments, "--out", tmp_path / "out")
    assert answer.code == 1
    assert words in answer.err
    assert not (tmp_path / "out").exists()


def test_earlier_simulated_evidence_is_replaced_whole(teeproof, simulated):
    folder = simulated("mr-config-v3")
    assert (folder / "mr_config.json").exists()
    teeproof("simulate", "debug", "--out", folder, "--at", AT)
    assert not (folder / "mr_config.json").exists()
    assert "debug" in (folder / "SIMULATED.txt").read_text()
    assert [entry.name for entry in folder.parent.iterdir()] == [folder.name]


@pytest.mark.parametrize("name", ["quote.bin", "notes.txt"])
def test_a_directory_with_anything_else_in_it_is_never_touched(teeproof, tmp_path, name):
    (tmp_path / name).write_bytes(b"mine")
    answer = teeproof("simulate", "--out", tmp_path, "--at", AT)
    assert answer.code == 1
    assert "nothing is overwritten" in answer.err
    assert (tmp_path / name).read_bytes() == b"mine"
    assert [entry.name for entry in tmp_path.iterdir()] == [name]


def test_a_file_in_the_place_of_the_directory_is_never_touched(teeproof, tmp_path):
    (tmp_path / "file").write_bytes(b"mine")
    answer = teeproof("simulate", "--out", tmp_path / "file")
    assert answer.code == 1
    assert (tmp_path / "file").read_bytes() == b"mine"
