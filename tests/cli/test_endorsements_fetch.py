"""``teeproof endorsements fetch``: from the vendors into the archive, and then offline."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from teeproof.core.clock import format_time, wall_clock
from teeproof.core.home import data_directory
from teeproof.evidence.collect.simulated import SimulatedPlatform, open_platform
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
