"""``teeproof why``: events in words, and the first difference between two machines."""

from __future__ import annotations

import json


def test_each_event_of_a_log_is_named_with_what_it_depends_on(teeproof, simulated):
    answer = teeproof("why", simulated() / "event_log.json")
    assert answer.code == 0
    assert "NOT VERIFIED" in answer.out
    assert "the compose file's SHA-256 is" in answer.out
    assert "depends on the application's compose file" in answer.out
    for register in ("RTMR0", "RTMR1", "RTMR2", "RTMR3"):
        assert f"\n{register} – " in answer.out


def test_the_json_twin_has_each_sentence(teeproof, simulated):
    log = simulated() / "event_log.json"
    screen = teeproof("why", log).out
    twin = teeproof("why", log, "--json").json
    assert len(twin["events"]) == len(json.loads(log.read_text()))
    assert all(event["sentence"] in screen for event in twin["events"])


def test_a_directory_says_whether_its_log_replays_to_its_quote(teeproof, simulated):
    honest, edited = simulated(), simulated("another-app")
    assert "gives the quote's four registers" in teeproof("why", honest).out
    (edited / "event_log.json").write_bytes((honest / "event_log.json").read_bytes())
    assert "does not give the quote's registers" in teeproof("why", edited).out
    assert teeproof("why", edited, "--json").json["replays_to_the_quote"] is False


def test_a_quote_alone_shows_its_registers_and_what_they_depend_on(teeproof, simulated):
    folder = simulated()
    (folder / "event_log.json").unlink()
    twin = teeproof("why", folder / "quote.bin", "--json").json
    screen = teeproof("why", folder / "quote.bin").out
    for register in twin["registers"].values():
        assert register["value"] in screen
        assert register["depends_on"] in screen


def test_two_logs_of_one_machine_are_the_same(teeproof, simulated):
    log = simulated() / "event_log.json"
    answer = teeproof("why", log, log)
    assert answer.code == 0
    assert "The same was measured on both" in answer.out
    assert teeproof("why", log, log, "--json").json["same"] is True


def test_two_logs_name_the_first_difference_and_what_it_depends_on(teeproof, simulated):
    one, other = simulated(), simulated("another-app")
    answer = teeproof("why", one / "event_log.json", other / "event_log.json")
    assert answer.code == 0
    assert "They first differ in RTMR3: changed." in answer.out
    assert "depends on    the application's compose file" in answer.out
    twin = teeproof("why", one / "event_log.json", other / "event_log.json", "--json").json
    assert twin["difference"]["left"] in answer.out
    assert twin["difference"]["right"] in answer.out


def test_two_quotes_name_the_first_register_that_differs(teeproof, simulated):
    one, other = simulated(), simulated("another-firmware")
    answer = teeproof("why", one / "quote.bin", other / "quote.bin")
    assert "They first differ in MRTD" in answer.out
    assert "the firmware image" in answer.out


def test_two_directories_with_the_same_firmware_are_compared_by_their_logs(teeproof, simulated):
    answer = teeproof("why", simulated(), simulated("development-image"))
    assert "They first differ in RTMR" in answer.out
    assert "event " in answer.out


def test_a_log_and_a_quote_cannot_be_compared(teeproof, simulated):
    folder = simulated()
    answer = teeproof("why", folder / "event_log.json", folder / "quote.bin")
    assert answer.code == 1
    assert "cannot be compared" in answer.err


def test_a_file_that_measures_nothing_is_an_error(teeproof, simulated):
    answer = teeproof("why", simulated() / "collateral.json")
    assert answer.code == 1
    assert "neither an event log nor a TDX quote" in answer.err


def test_what_no_register_measures_and_still_differs_is_named(teeproof, simulated):
    one, other = simulated(), simulated("debug")
    answer = teeproof("why", one / "quote.bin", other / "quote.bin")
    assert "The same was measured on both." in answer.out
    assert "But they differ in the attributes, which no measurement shows." in answer.out
    assert "  first         SEPT_VE_DISABLE\n" in answer.out
    assert "  second        DEBUG, SEPT_VE_DISABLE\n" in answer.out
    twin = teeproof("why", one / "quote.bin", other / "quote.bin", "--json").json
    assert list(twin["unmeasured"]) == ["tdattributes"]
    again = teeproof("why", one / "quote.bin", one / "quote.bin")
    assert "differ" not in again.out


def test_a_register_that_is_zero_says_so_and_no_log_is_spoken_of_where_there_is_none(
    teeproof, simulated, tmp_path
):
    raw = bytearray((simulated() / "quote.bin").read_bytes())
    register = bytes.fromhex(
        teeproof("show", simulated() / "quote.bin", "--json").json["td_report"]["rtmr3"]
    )
    at = raw.index(register)
    raw[at : at + 48] = bytes(48)
    file = tmp_path / "zero.bin"
    file.write_bytes(raw)
    answer = teeproof("why", file)
    assert answer.out.count("zero: nothing was measured") == 1
    assert "whoever made the quote could write anything" in answer.out
    assert "zero:" not in teeproof("why", simulated() / "quote.bin").out
    assert "whoever wrote the log" in teeproof("why", simulated() / "event_log.json").out
