"""``teeproof measure``: images in, what to expect of a machine out; and ``why --expected``."""

from __future__ import annotations

import json
import tomllib

import pytest

from teeproof.evidence.eventlog import firmware
from teeproof.evidence.measure.snp.launch import measurement
from teeproof.evidence.measure.snp.vmsa import CPUS
from teeproof.evidence.policy import parse_policy
from tests.evidence.eventlog import tcglogs
from tests.evidence.measure import images, test_tpm


@pytest.fixture
def files(tmp_path):
    """Images in a folder, by name."""
    made = {
        "ovmf": images.ovmf(),
        "kernel": images.bzimage(),
        "initrd": b"ramdisk",
        "uki": test_tpm.image(),
    }
    for name, data in made.items():
        (tmp_path / name).write_bytes(data)
    return tmp_path


def tdx(files, *more):
    given = ["--firmware", files / "ovmf", "--kernel", files / "kernel", "--memory", "2G"]
    return ["measure", "tdx", *given, "--initrd", files / "initrd", "--cmdline", "quiet", *more]


def test_a_tdx_guests_registers_are_shown_kept_and_pasted(teeproof, files):
    screen = teeproof(*tdx(files))
    twin = teeproof(*tdx(files), "--json").json
    lines = teeproof(*tdx(files), "--toml").out
    policy = parse_policy(teeproof("policy", "show", "dstack").out + lines)
    assert screen.code == 0
    for register in twin["registers"]:
        assert all(value in screen.out for value in register["values"])
        if register["not_checked"]:
            assert f"not checked: {register['not_checked']}" in screen.out
        else:
            assert getattr(policy, register["name"].lower()) == tuple(register["values"])
    assert [r["name"] for r in twin["registers"] if r["not_checked"]] == ["RTMR0"]
    assert all(line.strip() in screen.out for line in lines.splitlines())


def test_an_snp_guests_measurement_is_the_librarys(teeproof, files):
    given = ["--firmware", files / "ovmf", "--cpus", "2", "--kernel", files / "kernel"]
    value = measurement(
        images.ovmf(), cpus=2, cpu=CPUS["EPYC-Genoa"], kernel=images.bzimage(), vmm="gce"
    )
    for cpu in ("EPYC-Genoa", hex(CPUS["EPYC-Genoa"])):
        answer = teeproof("measure", "snp", *given, "--cpu", cpu, "--vmm", "gce", "--toml")
        policy = parse_policy(teeproof("policy", "show", "sev-snp").out + answer.out)
        assert policy.measurement == (value.hex(),)


def test_a_tpms_registers_are_a_table_each(teeproof, files):
    answer = teeproof("measure", "tpm", "--unified", files / "uki", "--bank", "sha384", "--toml")
    found = {row["pcr"]: row for row in tomllib.loads(answer.out)["tpm"]["pcrs"]}
    assert set(found) == {2, 3, 4, 6, 7, 9, 11}
    assert {row["bank"] for row in found.values()} == {"sha384"}
    later = teeproof("measure", "tpm", "--unified", files / "uki", "--phases", "enter-initrd")
    assert "systemd reached enter-initrd" in later.out


def test_the_disk_of_a_unified_image_gives_pcr_5(teeproof, files):
    (files / "disk").write_bytes(images.gpt([(1, 2048, 4095)]) + bytes(2 << 20))
    given = ["measure", "tpm", "--unified", files / "uki", "--disk", files / "disk"]
    found = {r["name"]: r for r in teeproof(*given, "--json").json["registers"]}
    assert len(found["PCR 5"]["values"]) == 1
    assert len(found["PCR 5"]["events"]) == 4
    (files / "disk").write_bytes(bytes(4096))
    found = {r["name"]: r for r in teeproof(*given, "--json").json["registers"]}
    assert len(found["PCR 5"]["events"]) == 3


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["tdx"], "nothing was given"),
        (["tdx", "--kernel", "kernel"], "give --memory"),
        (["tdx", "--kernel", "kernel", "--memory", "much"], "a size"),
        (["tdx", "--kernel", "kernel", "--memory", "0G"], "a size"),
        (["tdx", "--kernel", "kernel", "--memory", "9999999T"], "a size"),
        (["snp", "--firmware", "ovmf", "--cpus", "0", "--cpu", "EPYC"], "CPUs"),
        (["snp", "--firmware", "ovmf", "--cpus", "1", "--cpu", "Xeon"], "a model"),
        (["snp", "--firmware", "ovmf", "--cpus", "1", "--cpu", "0x1ffffffff"], "a number"),
        (
            ["snp", "--firmware", "ovmf", "--cpus", "1", "--cpu", "EPYC", "--features", "x"],
            "number",
        ),
        (["tpm"], "one of"),
        (["tpm", "--kernel", "kernel", "--unified", "uki"], "one of"),
        (["tpm", "--kernel", "kernel"], "give --memory"),
        (["tpm", "--kernel", "kernel", "--memory", "1G", "--disk", "uki"], "leave --disk out"),
        (["tpm", "--unified", "uki", "--cmdline", "quiet"], "leave them out"),
        (["tpm", "--unified", "uki", "--phases", "ready"], "order"),
        (["tpm", "--kernel", "kernel", "--memory", "1G", "--phases", "sysinit"], "--unified"),
    ],
)
def test_what_cannot_be_measured_is_misuse_and_says_what_to_give(
    teeproof, files, monkeypatch, arguments, words
):
    monkeypatch.chdir(files)
    answer = teeproof("measure", *arguments)
    assert answer.code == 1
    assert words in answer.err


def test_an_image_that_is_none_is_exit_code_2(teeproof, files):
    answer = teeproof("measure", "tdx", "--firmware", files / "kernel")
    assert answer.code == 2
    assert "firmware image" in answer.err


def test_a_log_is_held_against_what_was_expected(teeproof, simulated, files):
    log = simulated() / "event_log.json"
    kept = files / "expected.json"
    kept.write_text(teeproof(*tdx(files), "--json").out)
    twin = teeproof("why", log, "--expected", kept, "--json").json
    assert twin["same"] is False
    assert {d["register"] for d in twin["differences"]} <= {"RTMR0", "RTMR1", "RTMR2"}
    screen = teeproof("why", log, "--expected", kept)
    assert screen.code == 0
    assert "NOT VERIFIED" in screen.out
    assert "depends on" in screen.out


def test_a_log_that_is_as_expected_says_which_registers_were_compared(teeproof, tmp_path):
    log = tmp_path / "log"
    log.write_bytes(tcglogs.whole())
    registers = {
        (f"PCR {e.register}"): [] for e in firmware.parse(tcglogs.whole()).events if e.extends
    }
    for event in firmware.parse(tcglogs.whole()).events:
        if event.extends:
            found = {"what": "w", "depends_on": "d", "digest": event.digests[0xB].hex()}
            registers[f"PCR {event.register}"].append(found)
    kept = {
        "type": "urn:teeproof:expected:v1",
        "tee": "tpm",
        "bank": "sha256",
        "registers": [
            {"name": n, "events": e, "values": ["00" * 32]} for n, e in registers.items()
        ],
    }
    (tmp_path / "expected").write_text(json.dumps(kept))
    answer = teeproof("why", log, "--expected", tmp_path / "expected")
    assert f"As expected: {', '.join(registers)}." in answer.out
    assert "differ" not in answer.out
    kept["registers"][0]["events"][0]["digest"] = "11" * 32
    (tmp_path / "expected").write_text(json.dumps(kept))
    twin = teeproof("why", log, "--expected", tmp_path / "expected", "--json").json
    assert [d["kind"] for d in twin["differences"]] == ["changed"]


def test_two_logs_and_an_expectation_are_misuse(teeproof, simulated, files):
    log = simulated() / "event_log.json"
    answer = teeproof("why", log, log, "--expected", files / "ovmf")
    assert answer.code == 1


def test_an_expectation_without_events_cannot_be_compared(teeproof, simulated, files):
    kept = files / "expected.json"
    given = ["--firmware", files / "ovmf", "--cpus", "1", "--cpu", "EPYC"]
    kept.write_text(teeproof("measure", "snp", *given, "--json").out)
    answer = teeproof("why", simulated() / "event_log.json", "--expected", kept)
    assert answer.code == 1
    assert "no event is expected" in answer.err
