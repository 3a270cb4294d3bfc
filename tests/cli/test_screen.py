"""What strangers wrote, on a screen: it cannot begin a line, move the cursor or borrow a colour."""

from __future__ import annotations

import io
import json
import shutil
from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

import teeproof as library
from teeproof.cli.screen import Screen, plain
from teeproof.cli.simulate import files_of, write_simulated
from teeproof.cli.verdicts import write_strength, write_verdict
from teeproof.evidence.collect.simulated import SimulatedPlatform, simulate, states
from teeproof.evidence.simulated.pki import Names
from tests.cli.conftest import AT

FORGED = "✓ quote-signature"
EVIL = f"x\n{FORGED} \r\t\x1b[32m\x85\x9b\u202e\u2028\u200by"
SHOWN = f"x\\n{FORGED} \\r\\t\\x1b[32m\\x85\\x9b\\u202e\\u2028\\u200by"
GREEN = "\x1b[32"
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def written(width, write):
    stream = io.StringIO()
    write(Screen(stream, color=False, width=width))
    return stream.getvalue()


@given(st.text())
def test_whatever_a_text_holds_it_stays_on_its_line_and_prints(text):
    for write in (
        lambda screen: screen.text(text),
        lambda screen: screen.row("label", text),
        lambda screen: screen.row(text, "text"),
        lambda screen: screen.sides("left", text),
        lambda screen: screen.sides(text, "right"),
        lambda screen: screen.write(screen.paint(text, "bold")),
    ):
        line, end, rest = written(1 << 20, write).partition("\n")
        assert (end, rest) == ("\n", "")
        assert line.isprintable()


def test_line_ends_tabs_controls_and_direction_marks_are_escaped():
    assert plain(EVIL) == SHOWN
    assert plain("\x00\x7f\x9f\u2029\u2066\ufeff\ud800") == (
        "\\x00\\x7f\\x9f\\u2029\\u2066\\ufeff\\ud800"
    )


KEY = "log.example/one+0123abcd+" + "A" * 52
COMMAND = (
    "teeproof verify 'a  file.proof' --logs trusted-logs --set simulated_roots=sha256:" + "0" * 64
)


@pytest.mark.parametrize("value", [KEY, COMMAND, "short", "x" * 500])
@pytest.mark.parametrize("label", ["key", "", "a label that is longer than its column"])
@pytest.mark.parametrize("mark", ["", "+"])
@pytest.mark.parametrize("width", [40, 59, 80, 120, 1 << 20])
def test_what_people_copy_is_never_broken(value, label, mark, width):
    text = written(width, lambda screen: screen.copied(label, value, mark=mark))
    assert any(line.endswith(value) for line in text.splitlines())
    assert len(text.splitlines()) <= 2


def test_what_is_copied_stands_beside_its_label_where_it_fits_and_below_it_where_not():
    assert written(80, lambda screen: screen.copied("key", "k" * 64)) == (
        "  key           " + "k" * 64 + "\n"
    )
    assert written(80, lambda screen: screen.copied("key", "k" * 65)) == (
        "  key\n    " + "k" * 65 + "\n"
    )


def test_a_host_cannot_break_the_line_of_what_is_copied():
    text = written(80, lambda screen: screen.copied("next", EVIL))
    assert text.count("\n") == 1
    assert SHOWN.replace("✓", "+") in text


@pytest.mark.parametrize("text", ["a" * 300_000, " " * 300_000, "a " * 150_000, "\n" * 75_000])
def test_host_cannot_keep_the_screen_wrapping_for_ever(text):
    lines = written(80, lambda screen: screen.row("label", text)).splitlines()
    assert max(map(len, lines)) <= 80
    assert len("".join(lines)) >= 150_000


def test_a_screen_leaves_out_the_styles_that_it_is_told_to():
    screen = Screen(io.StringIO(), color=True, width=80)
    assert screen.paint("a", "green", "bold") == "\x1b[32;1ma\x1b[0m"
    assert screen.without("green").paint("a", "green", "bold") == "\x1b[1ma\x1b[0m"
    assert screen.without("green").paint("a", "green") == "a"


@pytest.fixture
def evil(tmp_path):
    """Return a folder whose name, file names and certificates hold what a forger would write."""
    platform = SimulatedPlatform(bytes(32), names=Names(EVIL, "Intel", marked=True))
    evidence = simulate("up-to-date", bytes(64), platform=platform, now=NOW)
    compose = json.dumps(json.loads(evidence.compose) | {"name": EVIL, "allowed_envs": [EVIL]})
    evidence = msgspec.structs.replace(evidence, compose=compose.encode())
    folder = tmp_path / EVIL
    write_simulated(folder, files_of(evidence, policy="", state=states()["up-to-date"]))
    (folder / EVIL).write_text("text that is nothing")
    log = json.loads(evidence.event_log)
    log[-1]["event"] = EVIL
    (folder / "logs").mkdir()
    (folder / "logs/log.json").write_text(json.dumps(log))
    shutil.copy(folder / "quote.bin", folder / f"{EVIL}.bin")
    return folder


def harmless(answer):
    shown = answer.out + answer.err
    assert all(line.isprintable() for line in shown.splitlines())
    assert not any(line.lstrip(" +").startswith(FORGED) for line in shown.split("\n"))
    return shown


@pytest.mark.parametrize(
    ("command", "where"),
    [
        (["verify", "{}", "--at", AT], f" · {SHOWN}\n"),
        (["verify", "{}", "--at", AT], f"  ignored       {SHOWN}: text that begins"),
        (["verify", "{}", "--at", AT], f"  ✓ root                    {SHOWN} Root CA"),
        (["verify", "{}", "--at", AT], f"  got       {SHOWN} PCK Certificate\n"),
        (["verify", "{}", "--at", AT, "--set", f"name={EVIL}"], f"\npolicy {SHOWN}\n"),
        (["verify", "{}", "--at", AT, "--set", f"name={EVIL}"], f"  policy        {SHOWN} sha256"),
        (["show", "{}/quote.bin"], f"  subject           {SHOWN} PCK Certificate\n"),
        (["show", "{}/app-compose.json"], f"  {SHOWN}\n"),
        (["show", f"{{}}/{EVIL}.bin"], f"TDX quote · {SHOWN}.bin\n"),
        (["show", f"{{}}/{EVIL}.bin"], r"/x\012\342\234\223 quote-signature \015\011\033[32m"),
        (["show", "{}/logs/log.json"], "event 28 of the log has a malformed name"),
        (["why", "{}/logs/log.json"], "event 28 of the log has a malformed name"),
        (["why", "{}/event_log.json"], f"{SHOWN}/event_log.json · what its"),
        (["why", "{}/event_log.json", "{}/quote.bin"], f"{SHOWN}/quote.bin\n"),
        (["why", "{}/quote.bin", f"{{}}/{EVIL}.bin"], f"{SHOWN}/quote.bin and "),
        (["verify", f"{{}}/{EVIL}"], f"error     {SHOWN} is nothing that"),
        (["verify", "{}/nowhere"], f"{SHOWN}/nowhere cannot be read"),
        (["verify", f"--{EVIL}"], SHOWN),
        (["endorsements", "add", "{}/none"], f"{SHOWN}/none cannot be read"),
        (["policy", "show", EVIL], f"got       {SHOWN}\n"),
        (["samples", "fetch", EVIL], SHOWN),
        (["simulate", EVIL], SHOWN),
        (["simulate", "--out", "{}"], f"{SHOWN} holds other files"),
    ],
)
def test_host_cannot_begin_a_line_of_the_screen(teeproof, evil, command, where):
    shown = harmless(teeproof(*(part.replace("{}", str(evil)) for part in command)))
    assert where in shown


def test_host_cannot_begin_a_line_with_a_remark(teeproof, evil, simulated):
    quote = (evil / "quote.bin").read_bytes().hex()
    response = {"quote": quote, "report_data": "ff" * 64}
    file = simulated() / f"{EVIL}.json"
    file.write_text(json.dumps(response))
    shown = harmless(teeproof("verify", file, "--at", AT))
    assert f"remark        {SHOWN}.json says another report_data" in shown


@pytest.mark.parametrize("verb", ["show", "check", "explain"])
def test_a_policy_cannot_begin_a_line_with_its_name(teeproof, tmp_path, verb):
    file = tmp_path / "evil.toml"
    text = json.dumps(EVIL)  # a string of JSON is one of TOML
    file.write_text(f"name = {text}\ndescription = {text}\nkey_provider = [{text}]\n")
    harmless(teeproof("policy", verb, file))


def test_host_cannot_begin_a_line_with_the_name_of_collateral_or_a_verdict(
    teeproof, evil, simulated, tmp_path
):
    shutil.copy(simulated() / "collateral.json", tmp_path / f"{EVIL}.json")
    added = harmless(teeproof("endorsements", "add", tmp_path / f"{EVIL}.json"))
    assert f"✓ {SHOWN}.json\n" in added
    verdict = teeproof("verify", evil, "--at", AT, "--json")
    saved = tmp_path / "verdict.json"
    saved.write_text(verdict.out)
    assert SHOWN in harmless(teeproof("show", saved))


def test_a_compose_file_is_shown_line_by_line_and_no_line_begins_at_the_left(teeproof, tmp_path):
    compose = tmp_path / "app-compose.json"
    text = f"services: {{}}\n{FORGED}\r\n  x: y"
    compose.write_text(
        json.dumps({"manifest_version": 2, "runner": "docker-compose", "docker_compose_file": text})
    )
    shown = teeproof("show", compose).out
    column = next(line for line in shown.splitlines() if "services: {}" in line).index("services")
    assert f"\n{' ' * column}{FORGED}\\r\n{' ' * column}  x: y" in shown


@pytest.mark.parametrize("state", states())
def test_no_simulated_evidence_is_green_whatever_is_wrong_with_it(teeproof, simulated, state):
    folder = simulated(state)
    verify = ("verify", folder, "--at", AT, "--color", "always", "--all")
    refused = teeproof(*verify)
    assert "\x1b[" in refused.out or refused.err.startswith("error  ")
    assert GREEN not in refused.out
    assert GREEN not in teeproof(*verify, "--policy", folder / "policy.toml").out


def test_nothing_unverified_is_green(teeproof, simulated, vectors, tmp_path):
    color = ("--color", "always")
    real = ("verify", vectors / "dcap/dstack-quote-report", "--at", "2026-02-25")
    assert GREEN in teeproof(*real, *color).out
    saved = tmp_path / "verdict.json"
    saved.write_text(teeproof(*real, "--json").out)
    shown = teeproof("show", saved, *color).out
    assert "AUTHENTIC AND ALLOWED" in shown
    assert GREEN not in shown
    folder = simulated()
    for files in ((folder,), (folder, folder)):
        shown = teeproof("why", *files, *color).out
        assert "NOT VERIFIED" in shown
        assert GREEN not in shown


@pytest.mark.parametrize("level", ["hardware", "measured", "simulated", None])
def test_only_the_level_hardware_is_green(vectors, level):
    evidence = library.load(vectors / "dcap/dstack-quote-report")
    verdict = library.verify(evidence, now=datetime(2026, 2, 25, tzinfo=UTC))
    assert verdict.ok
    stream = io.StringIO()
    screen = Screen(stream, color=True, width=80)
    changed = msgspec.structs.replace(verdict, level=level)
    write_strength(screen, changed)
    write_verdict(screen, changed)
    assert (GREEN in stream.getvalue()) == (level == "hardware")
