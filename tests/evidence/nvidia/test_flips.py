"""Flip each byte of a report: all of it is signed, so none is accepted."""

from __future__ import annotations

import pytest

from teeproof.core.errors import Malformed
from teeproof.evidence.nvidia.bundle import Device
from teeproof.evidence.nvidia.facts import evidence_identity
from teeproof.evidence.simulated.nvidia import other_twin
from tests.evidence.nvidia.scenes import flipped, judge, real_device, state

CERTIFICATE_STEP = 41


def refused(report: bytes, certificates: bytes) -> bool:
    try:
        device = Device.of(report, certificates)
    except Malformed:
        return True
    return judge((device,)).found.facts is None


def assert_refused(device: Device, *, step: int = 1) -> None:
    report = device.report.raw
    places = range(0, len(report), step)
    assert [at for at in places if not refused(flipped(report, at), device.certificates)] == []


def test_no_byte_of_a_simulated_report_can_be_flipped():
    assert_refused(state("good").devices[0], step=2)


@pytest.mark.usefixtures("vectors")
@pytest.mark.parametrize(("name", "step"), [("h100-580.159.03-sdk", 3), ("nvswitch-ls10", 1)])
def test_no_byte_of_a_real_report_can_be_flipped(name, step):
    assert_refused(real_device(name), step=step)


@pytest.mark.usefixtures("vectors")
def test_a_byte_of_a_certificate_is_refused_or_leaves_the_identity():
    device = real_device("h100-580.159.03-sdk")
    identity = judge((device,)).found.evidence_id
    for at in range(0, len(device.certificates), CERTIFICATE_STEP):
        changed = Device(device.report, flipped(device.certificates, at))
        found = judge((changed,)).found
        assert found.facts is None or found.evidence_id == identity


@pytest.mark.usefixtures("vectors")
def test_a_report_and_its_twin_are_one_piece_of_evidence():
    device = real_device("gb100-blackwell-575.32")
    twin = Device.of(other_twin(device.report.raw), device.certificates)
    assert twin.report.raw != device.report.raw
    one, other = judge((device,)), judge((twin,))
    assert other.failures == []
    assert one.found.evidence_id == other.found.evidence_id


def test_the_order_of_devices_and_the_form_of_chains_leave_the_identity():
    first, second = state("good").devices
    wide = Device(first.report, first.certificates.replace(b"\n", b"\r\n"))
    assert (
        judge((first, second)).found.evidence_id
        == judge((second, first)).found.evidence_id
        == judge((second, wide)).found.evidence_id
    )
    assert judge((first,)).found.evidence_id != judge((second,)).found.evidence_id


def test_another_nonce_or_another_key_is_other_evidence():
    first, second = state("good").devices
    names = {evidence_identity(r, k) for r in (first.report, second.report) for k in (b"a", b"b")}
    assert len(names) == 4
