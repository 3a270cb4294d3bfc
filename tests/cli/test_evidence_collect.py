"""``teeproof evidence collect``: the attesters of this machine, and what they give, end to end."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from teeproof.core import strictjson
from teeproof.core.digests import named, sha256
from teeproof.evidence.collect.nvml import NvmlAttester
from teeproof.evidence.collect.simulated import (
    SimulatedPlatform,
    opt_in_policy,
    reference_policy,
    snp_opt_in_policy,
)
from teeproof.evidence.nvidia.nonce import gpu_nonce
from teeproof.evidence.tpm import document as tpm_document
from teeproof.evidence.tpm import public as tpm_public
from tests.cli.program import Answer
from tests.evidence.tpm.software import software_tpm
from tests.sim.nvml import VENDOR, Driver, driver
from tests.sim.tappd import tappd
from tests.sim.tsm import NOW, SEED
from tests.sim.tsm_mount import Mounted, mounted

PLATFORM = SimulatedPlatform(SEED)
NONCE = bytes(range(32)).hex()
REPORT_DATA = NONCE + "00" * 32


@pytest.fixture(scope="module")
def tdx() -> Iterator[Mounted]:
    with mounted("tdx_guest") as found:
        yield found


@pytest.fixture(scope="module")
def snp() -> Iterator[Mounted]:
    with mounted("sev_guest") as found:
        yield found


def verified(teeproof, folder: Path, policy: str, *, report_data: str = REPORT_DATA) -> Answer:
    """Verify a directory as of the day on which the stand-in's vendor speaks."""
    expected = folder.parent / "policy.toml"
    expected.write_text(policy + f'report_data = "{report_data}"\n')
    return teeproof("verify", folder, "--policy", expected, "--at", NOW.isoformat(), "--json")


@pytest.mark.parametrize("named", [[], ["--attester", "tsm"]])
def test_a_tdx_guests_quote_verifies(teeproof, tdx, tmp_path, monkeypatch, named):
    monkeypatch.setenv("TEEPROOF_TSM", str(tdx.place))
    folder = tmp_path / "evidence"
    answer = teeproof("evidence", "collect", "--report-data", NONCE, "--out", folder, *named)
    assert answer.code == 0, answer.err
    assert str(tdx.place) in answer.out
    assert [path.name for path in folder.iterdir()] == ["quote.bin"]
    collateral = strictjson.dumps(PLATFORM.collateral(NOW).to_json())
    (folder / "collateral.json").write_text(collateral)
    policy = opt_in_policy(PLATFORM)
    assert verified(teeproof, folder, policy).code == 0
    assert verified(teeproof, folder, policy, report_data="01" + REPORT_DATA[2:]).code == 4


def test_a_tdx_guests_quote_alone_says_what_it_lacks(teeproof, tdx, tmp_path, monkeypatch):
    monkeypatch.setenv("TEEPROOF_TSM", str(tdx.place))
    folder = tmp_path / "evidence"
    teeproof("evidence", "collect", "--report-data", NONCE, "--out", folder)
    assert verified(teeproof, folder, opt_in_policy(PLATFORM)).code == 3


def test_an_sev_snp_guests_report_verifies_with_the_hosts_certificates(
    teeproof, snp, tmp_path, monkeypatch
):
    monkeypatch.setenv("TEEPROOF_TSM", str(snp.place))
    folder = tmp_path / "evidence"
    answer = teeproof(
        "evidence", "collect", "--report-data", REPORT_DATA, "--out", folder, "--json"
    )
    assert answer.json["files"] == ["report.bin", "certificates.pem"]
    assert answer.json["report_data"] == REPORT_DATA
    policy = snp_opt_in_policy(PLATFORM)
    assert verified(teeproof, folder, policy).code == 0
    assert verified(teeproof, folder, policy, report_data="01" + REPORT_DATA[2:]).code == 4


def test_host_a_report_over_other_data_is_written_nowhere(teeproof, snp, tmp_path, monkeypatch):
    monkeypatch.setenv("TEEPROOF_TSM", str(snp.place))
    folder = tmp_path / "evidence"
    with snp.misbehaving("swapped"):
        answer = teeproof("evidence", "collect", "--report-data", NONCE, "--out", folder)
    assert answer.code == 2
    assert "for other data" in answer.err
    assert not folder.exists()


def test_a_tpms_quote_is_a_document(teeproof, tmp_path, monkeypatch):
    folder = tmp_path / "evidence"
    with software_tpm() as address:
        monkeypatch.setenv("TEEPROOF_TPM", address)
        command = ["evidence", "collect", "--attester", "tpm", "--report-data", NONCE]
        answer = teeproof(*command, "--out", folder, "--json")
    assert answer.code == 0, answer.err
    assert answer.json["files"] == ["tpm.json"]
    assert not answer.json["simulated"]
    key = tpm_document.parse((folder / "tpm.json").read_bytes()).public
    enrolled = named(sha256(tpm_public.parse(key or b"").spki))

    def judged(keys: str, report_data: str = REPORT_DATA) -> tuple[int, str | None]:
        policy = (
            f'report_data = "{report_data}"\ntee = "tpm"\nroots = []\n[tpm]\nkeys = ["{keys}"]\n'
        )
        (tmp_path / "policy.toml").write_text(policy)
        found = teeproof("verify", folder, "--policy", tmp_path / "policy.toml", "--json")
        return found.code, found.json["level"]

    assert judged(enrolled) == (0, "measured")
    assert judged(enrolled, "01" + REPORT_DATA[2:])[0] == 4
    assert judged(named(bytes(32)))[0] != 0


def test_a_realms_token_verifies_with_its_platforms_key(teeproof, tmp_path, monkeypatch):
    folder = tmp_path / "evidence"
    with mounted("arm_cca_guest") as realm:
        monkeypatch.setenv("TEEPROOF_TSM", str(realm.place))
        command = ["evidence", "collect", "--report-data", NONCE, "--out", folder]
        assert teeproof(*command, "--json").json["files"] == ["token.cbor"]
    (folder / "platform_key.json").write_bytes(PLATFORM.cca.platform_key())

    def code(report_data: str) -> int:
        text = reference_policy(PLATFORM, report_data=bytes.fromhex(report_data), kind="cca")
        (tmp_path / "policy.toml").write_text(text)
        return teeproof("verify", folder, "--policy", tmp_path / "policy.toml").code

    assert code(REPORT_DATA) == 0
    assert code("01" + REPORT_DATA[2:]) == 4


def test_an_older_dstack_guests_quote_verifies(teeproof, tmp_path, monkeypatch):
    folder = tmp_path / "evidence"
    with tappd() as socket:
        monkeypatch.setenv("TAPPD_SIMULATOR_ENDPOINT", socket)
        monkeypatch.setenv("TEEPROOF_TSM", str(tmp_path / "nothing"))
        command = ["evidence", "collect", "--report-data", NONCE, "--out", folder]
        answer = teeproof(*command, "--attester", "tappd", "--json")
        assert answer.code == 0, answer.err
        assert answer.json["attester"] == f"dstack guest agent at {socket}"
    assert answer.json["files"] == ["quote.bin", "event_log.json", "app-compose.json"]
    collateral = strictjson.dumps(PLATFORM.collateral(NOW).to_json())
    (folder / "collateral.json").write_text(collateral)
    policy = opt_in_policy(PLATFORM) + "event_log = true\n"
    assert verified(teeproof, folder, policy).code == 0
    assert verified(teeproof, folder, policy, report_data="01" + REPORT_DATA[2:]).code == 4


def test_simulated_evidence_is_marked(teeproof, tmp_path):
    folder = tmp_path / "evidence"
    answer = teeproof("evidence", "collect", "--attester", "simulated", "--out", folder)
    assert answer.out.startswith("SIMULATED evidence of simulator")
    assert "proves nothing" in (folder / "SIMULATED.txt").read_text()
    found = teeproof("verify", folder)
    assert found.code == 4
    assert "SIMULATED" in found.out


def test_a_machine_without_an_attester_says_so_and_writes_nothing(teeproof, tmp_path, monkeypatch):
    monkeypatch.setenv("TEEPROOF_TSM", str(tmp_path / "nothing"))
    answer = teeproof("evidence", "collect", "--out", tmp_path / "evidence")
    assert answer.code == 3
    assert "teeproof doctor says what is missing" in answer.err
    assert not (tmp_path / "evidence").exists()


@pytest.mark.parametrize(
    ("name", "code", "words"),
    [
        ("moon", 1, "names no attester"),
        ("tsm", 3, "load the module of this guest"),
        ("tpm", 3, "give the machine a TPM 2.0"),
        ("azure", 3, "give the machine a TPM 2.0"),
        ("tappd", 3, "this machine has no attester"),
    ],
)
def test_an_attester_that_is_named_and_is_not_here_is_an_error(
    teeproof, tmp_path, monkeypatch, name, code, words
):
    for variable in ("TEEPROOF_TSM", "TEEPROOF_TPM"):
        monkeypatch.setenv(variable, str(tmp_path / "nothing"))
    answer = teeproof("evidence", "collect", "--attester", name, "--out", tmp_path / "evidence")
    assert (answer.code, words in answer.err) == (code, True), answer.err


@pytest.mark.parametrize("given", ["", "00", "zz" * 32, "00" * 33, "00" * 65])
def test_report_data_of_another_length_is_refused(teeproof, tmp_path, given):
    answer = teeproof("evidence", "collect", "--report-data", given, "--out", tmp_path / "e")
    assert answer.code == 1
    assert "64 or 128 hex digits" in answer.err


def test_a_directory_that_holds_something_is_not_written_into(teeproof, tmp_path):
    (tmp_path / "quote.bin").write_bytes(b"mine")
    answer = teeproof("evidence", "collect", "--attester", "simulated", "--out", tmp_path)
    assert answer.code == 1
    assert (tmp_path / "quote.bin").read_bytes() == b"mine"
    file = tmp_path / "quote.bin"
    assert teeproof("evidence", "collect", "--attester", "simulated", "--out", file).code == 1


def test_an_empty_directory_is_written_into(teeproof, tmp_path):
    folder = tmp_path / "evidence"
    folder.mkdir()
    answer = teeproof("evidence", "collect", "--attester", "simulated", "--out", folder)
    assert answer.code == 0, answer.err
    assert (folder / "quote.bin").exists()


@pytest.fixture(scope="module")
def gpus() -> Iterator[Driver]:
    with driver() as found:
        yield found


def test_gpus_answer_to_the_machines_own_quote(teeproof, tdx, gpus, tmp_path, monkeypatch):
    monkeypatch.setenv("TEEPROOF_TSM", str(tdx.place))
    monkeypatch.setenv("TEEPROOF_NVML", gpus.library)
    folder = tmp_path / "evidence"
    answer = teeproof(
        "evidence", "collect", "--gpus", "--report-data", NONCE, "--out", folder, "--json"
    )
    assert answer.code == 0, answer.err
    assert answer.json["gpus"]["count"] == 2
    assert answer.json["gpus"]["settings"]["confidential"]
    collateral = strictjson.dumps(PLATFORM.collateral(NOW).to_json())
    (folder / "collateral.json").write_text(collateral)
    roots = [VENDOR.device_root.fingerprint, VENDOR.rim_root.fingerprint]
    policy = opt_in_policy(PLATFORM).replace(
        "simulated_roots = [", f"simulated_roots = [{json.dumps(roots)[1:-1]}, "
    )

    def nonce_check() -> tuple[int, str]:
        found = verified(teeproof, folder, policy)
        checks = {check["name"]: check["state"] for check in found.json["checks"]}
        return found.code, checks["gpu-nonce"]

    assert nonce_check() == (0, "passed")
    other = NvmlAttester(gpus.library).attest(gpu_nonce(bytes(32)))
    (folder / "gpus.json").write_bytes(other.document)
    assert nonce_check() == (4, "failed")


def test_gpus_whose_mode_is_off_or_open_to_tools_are_said(teeproof, gpus, tmp_path, monkeypatch):
    monkeypatch.setenv("TEEPROOF_NVML", gpus.library)
    command = ["evidence", "collect", "--attester", "simulated", "--gpus", "--out"]
    monkeypatch.setattr(gpus, "devtools", 1)
    refused = teeproof(*command, tmp_path / "refused")
    assert (refused.code, "devtools mode off" in refused.err) == (3, True)
    allowed = teeproof(*command, tmp_path / "allowed", "--devtools")
    assert (allowed.code, "DEVELOPERS' TOOLS ON" in allowed.out) == (0, True)
    monkeypatch.setattr(gpus, "cc", 0)
    off = teeproof(*command, tmp_path / "off", "--devtools")
    assert (off.code, "mode of the GPUs is off" in off.err) == (3, True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["allowed"]
