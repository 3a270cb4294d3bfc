"""Linux's configfs-tsm, on a file system with its rules: good guests, races, hostile hosts."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from teeproof.core.errors import Error, NotAuthentic, TooLarge, Unavailable, Usage
from teeproof.evidence.collect import Attester
from teeproof.evidence.collect.simulated import (
    SimulatedPlatform,
    opt_in_policy,
    reference_policy,
    snp_opt_in_policy,
)
from teeproof.evidence.collect.tsm import PROVIDERS as PROVIDERS_IN_WORDS
from teeproof.evidence.collect.tsm import TsmAttester
from teeproof.evidence.collect.tsm_entry import PREFIX, opened
from teeproof.evidence.collect.tsm_probe import probe
from teeproof.evidence.naming import report_data_of
from teeproof.evidence.policy import parse_policy
from teeproof.evidence.recognise import kind_of
from teeproof.evidence.record import MAX_EVENT_LOG_BYTES, Evidence
from teeproof.evidence.verify import verify
from tests.sim.tsm import NOW, SEED
from tests.sim.tsm_mount import Mounted, mounted
from tests.vectors import ROOT

D = bytes(range(64))
PLATFORM = SimulatedPlatform(SEED)
PROVIDERS = ("tdx_guest", "sev_guest", "arm_cca_guest")


@pytest.fixture(scope="module")
def guests() -> Iterator[dict[str, Mounted]]:
    with mounted("tdx_guest") as tdx, mounted("sev_guest") as snp, mounted("arm_cca_guest") as cca:
        yield dict(zip(PROVIDERS, (tdx, snp, cca), strict=True))


@pytest.fixture
def tdx(guests: dict[str, Mounted]) -> Mounted:
    return guests["tdx_guest"]


@pytest.fixture
def snp(guests: dict[str, Mounted]) -> Mounted:
    return guests["sev_guest"]


class Clock:
    """A clock that goes forward while somebody waits, and never else."""

    def __init__(self) -> None:
        self.now = 0.0
        self.waits: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += seconds


def refusal(guest: Mounted, *faults: str, kind: type[Error] = Unavailable, **how) -> Error:
    """Return how a request fails; the instance is gone afterwards."""
    clock = Clock()
    with guest.misbehaving(*faults) as place, pytest.raises(kind) as caught:
        TsmAttester(place, clock=clock, sleep=clock.sleep, **how).attest(D)
    assert guest.instances == []
    return caught.value


def verdict(evidence: Evidence, *, expected: bytes = D):
    """Judge collected evidence with what its vendor publishes beside it."""
    if kind_of(evidence.quote) == "cca":
        text = reference_policy(PLATFORM, report_data=expected, kind="cca")
        evidence = Evidence(quote=evidence.quote, platform_key=PLATFORM.cca.platform_key())
        return verify(evidence, now=NOW, policy=parse_policy(text))
    if evidence.certificates is None:
        text = opt_in_policy(PLATFORM)
        evidence = Evidence(quote=evidence.quote, collateral=PLATFORM.collateral(NOW))
    else:
        text = snp_opt_in_policy(PLATFORM)
    policy = parse_policy(text + f'report_data = "{expected.hex()}"\n')
    return verify(evidence, now=NOW, policy=policy)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_what_a_guest_gives_verifies_and_the_instance_is_gone(guests, provider):
    guest = guests[provider]
    attester = TsmAttester(guest.place)
    assert isinstance(attester, Attester)
    evidence = attester.attest(D)
    found = verdict(evidence)
    assert (found.ok, found.level) == (True, "simulated")
    assert guest.instances == []


@pytest.mark.parametrize("provider", PROVIDERS)
def test_what_is_one_bit_from_what_was_asked_for_is_refused_by_the_verifier(guests, provider):
    evidence = TsmAttester(guests[provider].place).attest(D)
    assert not verdict(evidence, expected=bytes([D[0] ^ 1]) + D[1:]).ok


def test_an_sev_snp_report_brings_the_hosts_certificates(snp):
    evidence = TsmAttester(snp.place).attest(D)
    assert (evidence.certificates or b"").count(b"BEGIN CERTIFICATE") == 3


@pytest.mark.parametrize(
    ("log", "given"),
    [(b"events", True), (b"", False), (None, False), (bytes(MAX_EVENT_LOG_BYTES + 1), False)],
)
def test_a_tdx_quote_brings_the_firmwares_log_where_there_is_one(tdx, tmp_path, log, given):
    place = tmp_path / "CCEL"
    if log is not None:
        place.write_bytes(log)
    evidence = TsmAttester(tdx.place, event_log=place).attest(D)
    assert evidence.firmware_log == (log if given else None)
    assert TsmAttester(tdx.place, event_log=None).attest(D).firmware_log is None


def test_a_privilege_level_that_was_asked_for_is_in_the_report(snp):
    evidence = TsmAttester(snp.place, privilege_level=0).attest(D)
    assert verdict(evidence).ok


def test_host_a_report_of_another_privilege_level_is_refused(snp):
    error = refusal(snp, kind=NotAuthentic, privilege_level=2)
    assert (error.code, error.expected, error.got) == ("tsm_privilege_level", "2", "0")


def test_a_privilege_level_is_refused_where_there_are_none(tdx):
    assert refusal(tdx, kind=Usage, privilege_level=0).code == "privilege_level"
    with pytest.raises(Usage):
        TsmAttester(tdx.place, privilege_level=4)


@pytest.mark.parametrize("size", [0, 32, 63, 65])
def test_other_than_64_bytes_are_refused_before_anything_is_made(tmp_path, size):
    with pytest.raises(Usage) as caught:
        TsmAttester(tmp_path / "nowhere").attest(bytes(size))
    assert caught.value.code == "report_data_size"


@pytest.mark.parametrize("clients", [2, 8])
@pytest.mark.parametrize("provider", PROVIDERS)
def test_racing_clients_each_get_their_own(guests, provider, clients):
    guest, start = guests[provider], threading.Barrier(clients)

    def ask(number: int) -> bool:
        asked = bytes([number]) * 64
        start.wait(30)
        return report_data_of(TsmAttester(guest.place).attest(asked)) == asked

    with ThreadPoolExecutor(clients) as pool:
        assert list(pool.map(ask, range(clients))) == [True] * clients
    assert guest.instances == []


def test_racing_processes_each_get_their_own(tdx):
    program = (
        "import sys; from pathlib import Path;"
        "from teeproof.evidence.collect.tsm import TsmAttester;"
        "from teeproof.evidence.naming import report_data_of;"
        "asked = bytes([int(sys.argv[2])]) * 64;"
        "print(report_data_of(TsmAttester(Path(sys.argv[1])).attest(asked)) == asked)"
    )
    command = [sys.executable, "-c", program, str(tdx.place)]
    racing = [
        subprocess.Popen([*command, str(n)], stdout=subprocess.PIPE, text=True, cwd=ROOT)
        for n in range(3)
    ]
    assert [one.communicate(timeout=120)[0].strip() for one in racing] == ["True"] * 3
    assert tdx.instances == []


def test_a_device_that_is_busy_is_asked_again(tdx):
    clock = Clock()
    with tdx.misbehaving("busy-twice") as place:
        evidence = TsmAttester(place, clock=clock, sleep=clock.sleep).attest(D)
    assert report_data_of(evidence) == D
    assert len(clock.waits) == 2


def test_a_device_that_would_block_is_asked_again(snp):
    clock = Clock()
    with snp.misbehaving("would-block") as place:
        assert report_data_of(TsmAttester(place, clock=clock, sleep=clock.sleep).attest(D)) == D
    assert len(clock.waits) == 1


def test_a_device_that_is_always_busy_is_given_up_after_the_timeout(tdx):
    clock = Clock()
    with tdx.misbehaving("busy") as place, pytest.raises(Unavailable) as caught:
        TsmAttester(place, timeout=7, clock=clock, sleep=clock.sleep).attest(D)
    assert caught.value.code == "tsm_busy"
    assert 7 <= clock.now < 8
    assert max(clock.waits) <= 0.25


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("fault", ["swapped", "stale"])
def test_host_a_genuine_report_over_other_data_is_refused(guests, provider, fault):
    guest = guests[provider]
    if fault == "stale":
        with guest.misbehaving("stale") as place:
            TsmAttester(place).attest(bytes(64))
            with pytest.raises(NotAuthentic) as caught:
                TsmAttester(place).attest(D)
        error: Error = caught.value
    else:
        error = refusal(guest, fault, kind=NotAuthentic)
    assert (error.code, error.expected, error.got) == ("tsm_report_data", D.hex(), bytes(64).hex())


@pytest.mark.parametrize("provider", PROVIDERS)
def test_host_somebody_elses_write_after_ours_spoils_the_instance(guests, provider):
    error = refusal(guests[provider], "overtaken-late")
    assert error.code == "tsm_interfered"
    assert "writes, and 1 were made" in (error.got or "")


def test_host_somebody_elses_write_before_the_report_spoils_the_instance(tdx, monkeypatch):
    """Another root process writes into our instance between our write and our reading."""
    from teeproof.evidence.collect import tsm

    before = tsm._require_untouched

    def race(entry, *arguments):
        if not getattr(race, "done", False):
            race.done = True
            (entry.path / "inblob").write_bytes(bytes(64))
        before(entry, *arguments)

    monkeypatch.setattr(tsm, "_require_untouched", race)
    assert refusal(tdx).code == "tsm_interfered"


@pytest.mark.parametrize("provider", PROVIDERS)
def test_host_a_provider_that_changes_while_it_is_read_is_refused(guests, provider):
    error = refusal(guests[provider], "switched")
    assert error.code == "tsm_interfered"
    assert "its provider changed" in error.detail


def test_host_a_certificate_table_cut_short_is_refused(snp):
    error = refusal(snp, "short-table")
    assert (error.code, error.exit_code) == ("tsm_malformed", 3)
    assert "certificate table" in error.detail


@pytest.mark.parametrize("fault", ["endless", "endless-table"])
def test_host_a_report_or_table_without_end_is_not_read_on(snp, fault):
    error = refusal(snp, fault, kind=TooLarge)
    assert error.code == "tsm_too_large"
    assert error.expected == "at most 65536 bytes"


@pytest.mark.parametrize(
    ("fault", "code", "advice"),
    [
        ("deaf", "tsm_not_taken", "counts no write"),
        ("unplugged", "tsm_no_provider", "load tdx_guest, sev-guest or arm"),
        ("without-provider", "tsm_no_provider", "load tdx_guest, sev-guest or arm"),
        ("mute", "tsm_timeout", "quote generation service"),
        ("full", "tsm_full", "no further instance"),
        ("foreign", "tsm_provider", "not read here"),
        ("nameless", "tsm_provider", "not read here"),
    ],
)
def test_what_goes_wrong_is_said_with_what_to_do(tdx, fault, code, advice):
    error = refusal(tdx, fault)
    assert (error.code, error.exit_code) == (code, 3)
    assert advice in error.detail


def test_the_instance_is_removed_when_its_user_fails(tdx):
    seen = []

    def use() -> None:
        with opened(tdx.place, timeout=1):
            seen.extend(tdx.instances)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        use()
    assert (len(seen), tdx.instances) == (1, [])


def test_what_a_killed_process_left_behind_is_removed_by_the_next_request(tdx):
    program = (
        "import os, signal, sys; from pathlib import Path;"
        "from teeproof.evidence.collect.tsm_entry import opened;"
        "kept = opened(Path(sys.argv[1]), timeout=1); kept.__enter__();"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", program, str(tdx.place)], check=False, cwd=ROOT)
    (left,) = tdx.instances
    assert left.startswith(PREFIX)
    TsmAttester(tdx.place).attest(D)
    assert tdx.instances == []


def test_the_instance_of_a_living_request_is_left_alone(tdx):
    with opened(tdx.place, timeout=1) as entry:
        TsmAttester(tdx.place).attest(D)
        assert tdx.instances == [entry.path.name]


def test_instances_of_other_programs_are_left_alone(tdx):
    other = tdx.place / "entry-of-another-program"
    other.mkdir()
    TsmAttester(tdx.place).attest(D)
    assert tdx.instances == [other.name]
    other.rmdir()


def test_a_name_that_is_taken_is_not_shared(tdx):
    with (
        opened(tdx.place, timeout=1, random=bytes),
        pytest.raises(Unavailable) as caught,
        opened(tdx.place, timeout=1, random=bytes),
    ):
        pytest.fail("two requests share an instance")
    assert caught.value.got == os.strerror(errno.EEXIST)
    assert tdx.instances == []


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_look_at_a_guest_says_what_it_is(guests, provider):
    found = probe(guests[provider].place)
    assert found.present
    assert PROVIDERS_IN_WORDS[provider] in found.detail
    assert guests[provider].instances == []


def test_a_look_at_a_machine_without_a_driver_says_so(tdx):
    with tdx.misbehaving("without-provider") as place:
        found = probe(place)
    assert not found.present
    assert "modprobe" in found.remedy


def test_a_look_at_a_machine_without_the_interface_names_what_is_absent(tmp_path):
    place = tmp_path / "config" / "tsm" / "report"

    def detail(release: str = "6.12.48+deb13-amd64") -> str:
        found = probe(place, release=release)
        assert not found.present
        assert found.remedy
        return found.detail

    assert "has no configfs" in detail()
    (tmp_path / "config").mkdir()
    assert "is empty" in detail()
    (tmp_path / "config" / "usb_gadget").mkdir()
    assert "no driver of TDX, SEV-SNP or Arm CCA is loaded" in detail()
    assert "is too old" in detail("6.6.99")
    assert "is too old" in detail("5.15.0-125-generic")
    assert "is too old" not in detail("6.7.0-rc1")


def test_a_plain_directory_is_no_interface(tmp_path):
    with pytest.raises(Unavailable) as caught:
        TsmAttester(tmp_path).attest(D)
    assert caught.value.code == "tsm_missing"
    assert list(tmp_path.iterdir()) == []
    assert not probe(Path(tmp_path)).present
