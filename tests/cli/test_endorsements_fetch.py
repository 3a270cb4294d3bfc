"""``teeproof endorsements fetch``: from the vendors into the archive, and then offline."""

from __future__ import annotations

import json
import os
from datetime import timedelta
from pathlib import Path

import pytest

from teeproof.core.clock import format_time, wall_clock
from teeproof.core.home import data_directory
from teeproof.evidence.collect.simulated import SimulatedPlatform, open_platform
from teeproof.evidence.nvidia import handed, rim
from teeproof.evidence.simulated.nvidia import DRIVER
from tests.evidence.fetch.amd_scene import serve
from tests.evidence.fetch.nvidia_scene import DRIVER_ID, VBIOS_ID, Responder
from tests.sim.vendors import Vendors, status
from tests.sim.vendors import vendors as running

NAMES = ("pcs", "pcs-certificates", "kds", "rim", "ocsp")


@pytest.fixture
def vendors():
    with running() as made:
        yield made


@pytest.fixture
def here(vendors) -> list[str]:
    """The options that ask the services on this machine."""
    return [text for name in NAMES for text in ("--service", f"{name}={vendors.url}")]


@pytest.fixture
def guest(teeproof, tmp_path) -> Path:
    """A simulated TDX guest's evidence of now, without its collateral."""
    folder = tmp_path / "guest"
    assert teeproof("simulate", "up-to-date", "--out", folder).code == 0
    (folder / "collateral.json").unlink()
    return folder


@pytest.fixture
def platform() -> SimulatedPlatform:
    return open_platform(data_directory(os.environ))


def test_a_quote_alone_is_verified_offline_once_its_endorsements_were_fetched(
    teeproof, guest, vendors, here, platform
):
    vendors.publish(platform.collateral(wall_clock()))
    verify = ("verify", guest, "--policy", guest / "policy.toml")
    assert teeproof(*verify).code == 3
    answer = teeproof("endorsements", "fetch", guest, *here)
    assert answer.code == 0, answer.out + answer.err
    assert "✓ guest\n  fetched       TDX collateral of FMSPC 53494d000000, in force" in answer.out
    asked = list(vendors.asked)
    found = teeproof(*verify)
    assert "endorsements  from your archive" in found.out
    assert found.code == 0, found.out
    assert vendors.asked == asked


def test_what_is_in_force_is_not_fetched_again_unless_fresh(
    teeproof, guest, vendors, here, platform
):
    vendors.publish(platform.collateral(wall_clock()))
    fetch = ("endorsements", "fetch", guest, *here, "--json")
    first = teeproof(*fetch).json[0]["endorsements"][0]
    count = len(vendors.asked)
    again = teeproof(*fetch).json[0]["endorsements"][0]
    assert (first["source"], again["source"]) == ("fetched", "archive")
    assert again["id"] == first["id"]
    assert len(vendors.asked) == count
    assert teeproof(*fetch, "--fresh").json[0]["endorsements"][0]["source"] == "fetched"
    assert len(vendors.asked) == 2 * count


def test_offline_says_what_is_missing_and_asks_nobody(teeproof, guest, vendors, here, platform):
    vendors.publish(platform.collateral(wall_clock()))
    answer = teeproof("endorsements", "fetch", guest, *here, "--offline")
    assert answer.code == 3
    assert "teeproof is offline" in " ".join(answer.out.split())
    assert vendors.asked == []
    assert teeproof("endorsements", "fetch", guest, *here).code == 0
    assert teeproof("endorsements", "fetch", guest, *here, "--offline").code == 0


def test_network_what_another_vendor_signed_is_not_kept(teeproof, guest, vendors, here):
    vendors.publish(SimulatedPlatform(b"\7" * 32).collateral(wall_clock()))
    answer = teeproof("endorsements", "fetch", guest, *here, "--json")
    assert answer.code == 2
    assert answer.json[0]["error"]["error"] == "collateral_signature"
    assert teeproof("endorsements", "list", "--json").json["sets"] == []


def test_network_a_server_that_fails_midway_leaves_nothing_kept(
    teeproof, guest, vendors, here, platform
):
    vendors.publish(platform.collateral(wall_clock()))
    del vendors.files["/IntelSGXRootCA.der"]
    answer = teeproof("endorsements", "fetch", guest, *here)
    assert answer.code == 3
    assert "has no revocation list of Intel's root" in " ".join(answer.out.split())
    assert not (data_directory(os.environ) / "endorsements").exists()


def test_a_wait_that_a_server_asks_for_is_said_on_standard_error(
    teeproof, guest, vendors, here, platform
):
    vendors.publish(platform.collateral(wall_clock()))
    vendors.faults.append(status(429, Retry_After="0"))
    answer = teeproof("endorsements", "fetch", guest, *here)
    assert answer.code == 0
    assert "HTTP 429; asking again in 0 s for TDX TCB info of FMSPC" in answer.err


def test_the_configuration_file_says_whom_to_ask(teeproof, guest, vendors, platform):
    vendors.publish_as_pccs(platform.collateral(wall_clock()))
    place = data_directory(os.environ) / "services.toml"
    place.write_text(f'pccs = "{vendors.url}"\n')
    assert teeproof("endorsements", "fetch", guest).code == 0
    assert vendors.asked[0].startswith("/tdx/certification/v4/tcb?fmspc=")
    place.write_text(f'pccs = "{vendors.url}"\noffline = true\n')
    assert teeproof("endorsements", "fetch", guest, "--fresh").code == 3


def test_one_that_fails_does_not_keep_the_others_from_being_fetched(
    teeproof, guest, vendors, here, platform, tmp_path
):
    vendors.publish(platform.collateral(wall_clock()))
    other = tmp_path / "other"
    assert teeproof("simulate", "nitro-in-order", "--out", other).code == 0
    answer = teeproof("endorsements", "fetch", other, guest, *here, "--json")
    assert answer.code == 1
    assert [each["error"] is None for each in answer.json] == [False, True]
    assert answer.json[0]["error"]["error"] == "nothing_to_fetch"
    assert answer.json[1]["endorsements"][0]["ends"] > format_time(wall_clock())


def test_host_what_is_no_address_is_asked_by_nobody(teeproof, guest, vendors: Vendors):
    for wrong in ("kds=http://10.0.0.1", "host=https://a", "pcs"):
        answer = teeproof("endorsements", "fetch", guest, "--service", wrong)
        assert answer.code == 1, answer.out


# AMD ----------------------------------------------------------------------------------------------


@pytest.fixture
def snp(teeproof, tmp_path, vendors) -> Path:
    """A simulated SEV-SNP guest's report of now, alone, and AMD's server for its chip."""
    folder = tmp_path / "snp"
    assert teeproof("simulate", "snp-up-to-date", "--out", folder).code == 0
    for path in folder.iterdir():
        if path.name not in ("report.bin", "policy.toml"):
            path.unlink()
    platform = open_platform(data_directory(os.environ))
    serve(vendors, pki=platform.snp, issued=wall_clock() - timedelta(days=1))
    return folder


def _lines(answer) -> str:
    return " ".join((answer.out + answer.err).split())


def test_a_report_alone_is_verified_offline_once_amd_was_asked(teeproof, snp, here, vendors):
    verify = ("verify", snp / "report.bin", "--policy", snp / "policy.toml")
    before = teeproof(*verify)
    assert before.code == 3
    assert "teeproof endorsements fetch" in _lines(before)
    assert "none: not beside the evidence, and not in your archive" in before.out
    answer = teeproof("endorsements", "fetch", snp, *here)
    assert answer.code == 0, answer.out + answer.err
    assert answer.out.count("  fetched  ") == 2
    asked = list(vendors.asked)
    found = teeproof(*verify)
    assert found.code == 0, found.out
    words = "from your archive: AMD certificate of an endorsement key, AMD revocation list\n"
    assert f"  endorsements  {words}" in found.out
    assert "✓ vek-revocation" in found.out
    given = teeproof(*verify, "--json").json["input"]["endorsements"]
    assert given["source"] == "archive"
    assert len(given["added"]) == 2
    assert vendors.asked == asked


def test_a_list_of_the_archive_is_added_to_certificates_that_came_along(
    teeproof, snp, here, vendors, tmp_path
):
    assert teeproof("endorsements", "fetch", snp, *here).code == 0
    whole = tmp_path / "whole"
    assert teeproof("simulate", "snp-up-to-date", "--out", whole).code == 0
    for path in whole.iterdir():
        if "crl" in path.name:
            path.unlink()
    found = teeproof("verify", whole, "--policy", whole / "policy.toml", "--json").json
    assert found["input"]["endorsements"]["source"] == "evidence"
    states = {check["name"]: check["state"] for check in found["checks"]}
    assert states["vek-revocation"] == "passed"


def test_what_amd_said_is_listed_checked_and_shown_with_the_chip_by_its_hash(teeproof, snp, here):
    assert teeproof("endorsements", "fetch", snp, *here).code == 0
    chip = (snp / "report.bin").read_bytes()[0x1A0:0x1E0].hex()
    listed = teeproof("endorsements", "list")
    assert listed.code == 0
    assert "what          AMD certificate of an endorsement key\n" in listed.out
    assert "  for           chip sha256:" in listed.out
    assert "product Milan, signer VCEK, tcb 04000000000018db\n" in listed.out
    rows = teeproof("endorsements", "list", "--json").json["records"]
    assert sorted(row["kind"] for row in rows) == ["amd-crl", "amd-key"]
    checked = teeproof("endorsements", "check")
    assert checked.code == 0
    assert "0 sets, 2 records, 0 faults" in checked.out
    shown = teeproof("endorsements", "show", rows[0]["id"])
    assert "parts  " in shown.out
    assert chip not in listed.out + checked.out + shown.out + str(rows)


def test_host_a_changed_certificate_in_the_archive_is_noticed_and_passed_over(teeproof, snp, here):
    assert teeproof("endorsements", "fetch", snp, *here).code == 0
    directory = data_directory(os.environ) / "endorsements"
    rows = teeproof("endorsements", "list", "--json").json["records"]
    key = next(row["id"] for row in rows if row["kind"] == "amd-key")
    entry = directory / "records" / f"{key.removeprefix('sha256:')}.json"
    digest = json.loads(entry.read_text())["blobs"]["key"].removeprefix("sha256:")
    blob = directory / "blobs" / digest[:2] / digest
    blob.write_bytes(blob.read_bytes()[:-1] + b"!")
    checked = teeproof("endorsements", "check")
    assert checked.code == 2
    assert "changed on disk" in checked.out
    assert "0 sets, 2 records, 1 faults" in checked.out
    found = teeproof("verify", snp / "report.bin", "--policy", snp / "policy.toml")
    assert found.code == 3
    assert "endorsements passed over" in found.out


def test_files_of_amd_are_added_together_with_those_above_them(teeproof, vectors):
    folder = vectors / "snp" / "milan-virtee"
    alone = teeproof("endorsements", "add", folder / "vcek.der")
    assert alone.code == 1
    assert "cert_chain" in alone.err
    added = teeproof("endorsements", "add", folder / "vcek.der", folder / "chain.pem")
    assert added.code == 0, added.err
    assert "product Milan, signer VCEK, tcb 0300000000000873" in added.out
    again = teeproof("endorsements", "add", folder / "vcek.der", folder / "chain.pem", "--json")
    assert [row["new"] for row in again.json] == [False]
    when = ("--at", "2025-08-01", "--json")
    found = teeproof("verify", folder / "report.bin", *when)
    assert found.code == 0
    assert found.json["input"]["endorsements"]["added"] == [again.json[0]["id"]]


def test_a_report_of_another_chip_finds_nothing_in_the_archive(teeproof, vectors, tmp_path):
    folder = vectors / "snp" / "milan-virtee"
    assert teeproof("endorsements", "add", folder / "vcek.der", folder / "chain.pem").code == 0
    other = bytearray((folder / "report.bin").read_bytes())
    other[0x1A0] ^= 1
    (tmp_path / "report.bin").write_bytes(other)
    assert teeproof("verify", tmp_path / "report.bin", "--at", "2025-08-01").code == 3


# NVIDIA -------------------------------------------------------------------------------------------


@pytest.fixture
def served_gpus(teeproof, tmp_path, vendors):
    """Return ``served_gpus(state) -> folder``: evidence of GPUs alone, and NVIDIA's services."""

    def make(state: str) -> Path:
        folder = tmp_path / state
        assert teeproof("simulate", state, "--out", folder).code == 0
        for path in folder.glob("manifest-*"):
            found = handed.read(path.read_bytes())
            is_driver = (rim.claimed(found.xml) or ("", ""))[1] == DRIVER
            vendors.publish_rim(DRIVER_ID if is_driver else VBIOS_ID, found.xml)
            path.unlink()
        for path in folder.glob("ocsp-*"):
            path.unlink()
        platform = open_platform(data_directory(os.environ))
        vendors.answers = Responder(vendor=platform.gpus, now=wall_clock() - timedelta(hours=1))
        return folder

    return make


def test_gpus_alone_are_verified_offline_once_nvidia_was_asked(
    teeproof, served_gpus, here, vendors
):
    folder = served_gpus("gpu-good")
    verify = ("verify", folder, "--policy", folder / "policy.toml", "--json")
    before = {check["name"]: check["state"] for check in teeproof(*verify).json["checks"]}
    assert before["gpu-measurements"] == before["gpu-revocation"] == "not_checked"
    answer = teeproof("endorsements", "fetch", folder, *here)
    assert answer.code == 0, answer.out + answer.err
    assert answer.out.count("  fetched  ") == 8
    asked = list(vendors.asked)
    found = teeproof(*verify)
    after = {check["name"]: check["state"] for check in found.json["checks"]}
    assert after["gpu-measurements"] == after["gpu-revocation"] == "passed"
    assert after["gpu-rim-revocation"] == "passed"
    assert found.code == 0
    assert len(found.json["input"]["endorsements"]["added"]) == 8
    assert "from your archive: NVIDIA manifest, NVIDIA OCSP answer" in teeproof(*verify[:-1]).out
    assert vendors.asked == asked
    assert "0 sets, 8 records, 0 faults" in teeproof("endorsements", "check").out


def test_a_machine_and_its_gpus_are_fetched_for_in_one_call(
    teeproof, served_gpus, here, vendors, platform
):
    folder = served_gpus("gpus-beside")
    (folder / "collateral.json").unlink()
    vendors.publish(platform.collateral(wall_clock()))
    answer = teeproof("endorsements", "fetch", folder, *here, "--json")
    assert answer.code == 0, answer.out
    assert len(answer.json[0]["endorsements"]) == 9
    found = teeproof("verify", folder, "--policy", folder / "policy.toml", "--json")
    assert found.code == 0, found.out
    assert found.json["input"]["endorsements"]["source"] == "archive"
    screen = teeproof("verify", folder, "--policy", folder / "policy.toml").out
    assert "; from your archive: NVIDIA manifest, NVIDIA OCSP answer\n" in screen


def test_files_of_nvidia_are_added_together_with_what_they_are_about(teeproof, tmp_path):
    folder = tmp_path / "gpu"
    assert teeproof("simulate", "gpu-good", "--out", folder).code == 0
    files = sorted([*folder.glob("manifest-*"), *folder.glob("ocsp-*")])
    alone = teeproof("endorsements", "add", *folder.glob("ocsp-*"))
    assert alone.code == 1
    assert "is about a certificate that is not among these files" in alone.err
    added = teeproof("endorsements", "add", *files, folder / "gpus.json", "--json")
    assert added.code == 0, added.err
    assert len(added.json) == len(files) == 8
    for path in files:
        path.unlink()
    found = teeproof("verify", folder, "--policy", folder / "policy.toml", "--json")
    assert found.code == 0
    assert len(found.json["input"]["endorsements"]["added"]) == 8
