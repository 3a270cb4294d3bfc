"""``teeproof doctor``: it says what is here and what is missing, and why, and touches nothing."""

from __future__ import annotations

import os
import socket
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from teeproof.cli import doctor_look
from teeproof.cli.doctor_look import Finding
from teeproof.core import strictjson
from teeproof.evidence.collect.kinds import KINDS
from teeproof.evidence.collect.simulated import SimulatedPlatform
from tests.cli.program import program
from tests.evidence.tpm.software import lay_down, software_tpm
from tests.sim.nvml import Driver, driver
from tests.sim.tsm_mount import Mounted, mounted

NOW = datetime(2026, 3, 1, tzinfo=UTC)
PLATFORM = SimulatedPlatform(bytes(range(32)))


@pytest.fixture(scope="module")
def tdx() -> Iterator[Mounted]:
    with mounted("tdx_guest") as found:
        yield found


@pytest.fixture(scope="module")
def gpus() -> Iterator[Driver]:
    with driver() as found:
        yield found


@pytest.fixture
def nothing(monkeypatch, tmp_path) -> Path:
    """A machine without any attester."""
    absent = tmp_path / "absent"
    for name in ("TEEPROOF_TSM", "TEEPROOF_TPM", "TEEPROOF_NVML"):
        monkeypatch.setenv(name, str(absent))
    return absent


def attesters(answer) -> dict[str, dict[str, object]]:
    return {one["kind"]: one for one in answer.json["attesters"]}


def test_a_machine_without_hardware_says_why_each_attester_is_missing(teeproof, nothing):
    answer = teeproof("doctor", "--json")
    assert answer.code == 0, answer.err
    found = attesters(answer)
    assert set(found) == {*KINDS, "nvidia"}
    for kind, one in found.items():
        assert one["present"] is (kind == "simulated")
        assert one["present"] or (one["detail"] and one["remedy"]), one
    assert answer.json["attester"] is None
    assert answer.json["ok"]


def test_the_screen_shows_reason_and_remedy(teeproof, nothing):
    answer = teeproof("doctor")
    assert answer.code == 0
    assert "no socket: nothing is at /var/run/dstack.sock" in answer.out
    assert f"no device: {nothing} is absent" in answer.out
    assert "to have it: give the machine a TPM 2.0" in answer.out
    assert "NOTHING THAT IS NEEDED IS BROKEN · no attester here is taken" in answer.out


def test_the_real_program_says_the_same(nothing):
    answer = program("doctor", "--json")
    assert (answer.code, answer.json["ok"]) == (0, True)


def test_it_writes_nothing(teeproof, nothing):
    teeproof("doctor")
    assert not Path(os.environ["TEEPROOF_HOME"]).exists()
    assert not nothing.exists()


def test_a_guest_is_found_and_would_be_asked(teeproof, nothing, tdx, monkeypatch):
    monkeypatch.setenv("TEEPROOF_TSM", str(tdx.place))
    answer = teeproof("doctor", "--json")
    assert attesters(answer)["tsm"]["detail"] == f"Intel TDX at {tdx.place}"
    assert answer.json["attester"] == "tsm"
    assert tdx.instances == []
    assert "evidence collect asks tsm" in teeproof("doctor").out


def test_a_guest_without_a_driver_is_told_to_load_it(teeproof, nothing, tdx, monkeypatch):
    monkeypatch.setenv("TEEPROOF_TSM", str(tdx.place))
    with tdx.misbehaving("without-provider"):
        found = attesters(teeproof("doctor", "--json"))["tsm"]
    assert not found["present"]
    assert "modprobe tdx_guest" in str(found["remedy"])


def test_a_tpm_is_found_and_not_taken_silently(teeproof, nothing, monkeypatch):
    with software_tpm() as address:
        monkeypatch.setenv("TEEPROOF_TPM", address)
        answer = teeproof("doctor", "--json")
        found = attesters(answer)
        assert "banks of registers: " in str(found["tpm"]["detail"])
        assert "keeps no such report" in str(found["azure"]["detail"])
        assert answer.json["attester"] is None
        lay_down(address, 0x01400001, b"HCLA")
        assert attesters(teeproof("doctor", "--json"))["azure"]["present"]


def test_a_tpm_over_the_network_is_not_asked(teeproof, nothing, monkeypatch):
    monkeypatch.setenv("TEEPROOF_TPM", "192.0.2.1:2321")  # a test that reached for it would fail
    found = attesters(teeproof("doctor", "--json"))["tpm"]
    assert found["detail"] == "named: 192.0.2.1:2321, not asked"


def test_an_agent_over_the_network_is_not_asked(teeproof, nothing, monkeypatch):
    monkeypatch.setenv("DSTACK_SIMULATOR_ENDPOINT", "http://192.0.2.1:8090")
    found = attesters(teeproof("doctor", "--json"))["dstack"]
    assert found["detail"] == "named: http://192.0.2.1:8090, not asked"


@pytest.mark.parametrize("name", ["dstack", "tappd"])
def test_a_guest_agents_socket_is_knocked_at(teeproof, nothing, monkeypatch, name):
    variable = f"{name.upper()}_SIMULATOR_ENDPOINT"
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/{name}.sock"
        monkeypatch.setenv(variable, path)

        def detail() -> str:
            return str(attesters(teeproof("doctor", "--json"))[name]["detail"])

        assert detail() == f"{path}: No such file or directory"
        Path(path).touch()
        assert detail() == f"{path}: it is no socket"
        Path(path).unlink()
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(path)
            assert detail() == f"{path}: nobody listens there"
            listener.listen()
            assert detail() == f"listens at {path}"


def test_gpus_are_found_or_what_keeps_them_from_attesting(teeproof, nothing, gpus, monkeypatch):
    monkeypatch.setenv("TEEPROOF_NVML", gpus.library)
    assert attesters(teeproof("doctor", "--json"))["nvidia"]["detail"] == "2 GPUs (HOPPER)"
    monkeypatch.setattr(gpus, "cc", 0)
    assert "is off" in str(attesters(teeproof("doctor", "--json"))["nvidia"]["detail"])


def test_whom_the_environment_names_is_told(teeproof, nothing, monkeypatch):
    monkeypatch.setenv("TEEPROOF_ATTESTER", "simulated")
    assert "(taken unless another is named)" in teeproof("doctor").out


def states(found: list[Finding]) -> dict[str, str]:
    return {one.name: one.state for one in found}


def test_packages_are_held_against_what_the_metadata_requires():
    found = doctor_look.packages(
        [
            "click>=8.1",
            "pytest==0.0.1; extra == 'pinned'",
            "click>=999; extra == 'newer'",
            "package-of-nobody>=1; extra == 'absent'",
            "click>=8; extra == 'whole'",
            "package-of-nobody; extra == 'dev'",
        ]
    )
    assert states(found) == {
        "base install": "good",
        "pinned": "absent",
        "newer": "absent",
        "absent": "absent",
        "whole": "good",
    }
    (remedy,) = [one.remedy for one in found if one.name == "absent"]
    assert remedy == "pip install 'teeproof[absent]'"


def test_a_base_install_that_lacks_something_is_broken():
    (found,) = doctor_look.packages(["dcap-qvl==0.0.1", "click>=8"])
    assert (found.state, found.detail) == ("broken", "missing: dcap-qvl==0.0.1")


def test_sources_without_metadata_are_not_known_rather_than_good():
    (found,) = doctor_look.packages(None)
    assert (found.state, "not known" in found.detail) == ("absent", True)


def test_the_packages_of_this_install_are_whole():
    found = {one.name: one for one in doctor_look.packages(doctor_look.wanted())}
    assert found["base install"].state == "good"
    assert {"chain", "serve", "train"} <= set(found)


def test_a_data_directory_that_is_a_file_is_broken(teeproof, nothing, monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv("TEEPROOF_HOME", str(tmp_path / "file"))
    answer = teeproof("doctor", "--json")
    assert (answer.code, answer.json["ok"]) == (3, False)
    assert states([Finding(**one) for one in answer.json["data"]]) == {"data directory": "broken"}
    assert "BROKEN: data directory" in teeproof("doctor").out


def test_an_archive_is_counted_and_a_spoilt_one_is_broken(teeproof, nothing, tmp_path):
    collateral = tmp_path / "collateral.json"
    collateral.write_text(strictjson.dumps(PLATFORM.collateral(NOW).to_json()))
    assert teeproof("endorsements", "add", collateral).code == 0
    good = teeproof("doctor", "--json")
    (_, archive) = good.json["data"]
    assert (good.code, archive["state"]) == (0, "good")
    assert archive["detail"].startswith("1 set is kept, in force until 2026-03-30")
    (entry,) = Path(os.environ["TEEPROOF_HOME"]).glob("endorsements/sets/*.json")
    entry.write_bytes(entry.read_bytes()[:-1])
    spoilt = teeproof("doctor", "--json")
    (_, archive) = spoilt.json["data"]
    assert (spoilt.code, archive["state"]) == (3, "broken")
    assert archive["remedy"] == "teeproof endorsements check"


def test_a_clock_that_cannot_be_right_is_broken(tmp_path):
    environment = {"TEEPROOF_HOME": str(tmp_path)}

    def clock(now: datetime) -> str:
        return states(doctor_look.clock(now, environment))["clock"]

    assert clock(NOW) == "good"
    assert clock(doctor_look.EARLIEST) == "good"
    assert clock(doctor_look.EARLIEST - timedelta(seconds=1)) == "broken"
    assert clock(datetime(1970, 1, 1, tzinfo=UTC)) == "broken"
    assert clock(doctor_look.LATEST) == "broken"


def test_a_clock_behind_what_vendors_issued_is_broken(teeproof, tmp_path):
    collateral = tmp_path / "collateral.json"
    collateral.write_text(strictjson.dumps(PLATFORM.collateral(NOW).to_json()))
    assert teeproof("endorsements", "add", collateral).code == 0
    before = doctor_look.clock(NOW - timedelta(days=2), os.environ)[0]
    assert (before.state, "were issued at 2026-03-01" in before.detail) == ("broken", True)
    assert doctor_look.clock(NOW + timedelta(days=2), os.environ)[0].state == "good"
