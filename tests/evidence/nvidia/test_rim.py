"""Manifests: which one a report asks for, what it may say, what measurements it lets pass."""

from __future__ import annotations

import re

import pytest

from teeproof.core.errors import Malformed, NotAuthentic, TooLarge
from teeproof.evidence.nvidia import measurements, rim
from teeproof.evidence.nvidia.bundle import Device
from teeproof.evidence.nvidia.rim import MAX_MANIFESTS, Rim, _verified
from teeproof.evidence.simulated.nvidia import (
    DRIVER,
    VBIOS,
    SimulatedGpu,
    assemble,
    manifest,
    sign_xml,
)
from teeproof.evidence.simulated.nvidia_pki import sign_raw
from tests.evidence.nvidia.scenes import NONCE, NOW, SCENE, VENDOR, judge

GPU = SimulatedGpu(VENDOR)
MADE = GPU.measurements
SIGNATURE = re.compile(rb"<ds:Signature .*</ds:Signature>")
DRIVER_ID = f"NV_GPU_DRIVER_GH100_{DRIVER}"
VBIOS_ID = f"NV_GPU_VBIOS_1010_0200_882_{VBIOS.replace('.', '')}"


def device(opaque=None, made=None):
    signed = assemble(NONCE, made or MADE, GPU.opaque() | (opaque or {}))
    return Device.of(signed + sign_raw(GPU.firmware.key, signed), GPU.certificates)


def driver_rim(digests=None, **words):
    return manifest(DRIVER, digests or {21: MADE[21]}, VENDOR.rim_chain, **words)


def content(change):
    body = SIGNATURE.sub(b"%s", driver_rim()).decode()
    return _verified(sign_xml(change(body), VENDOR.rim_chain), frozenset())


def test_a_gpu_asks_for_its_driver_and_its_boards_vbios():
    report = GPU.device(NONCE).report
    answer = judge((GPU.device(NONCE),))
    assert (
        answer.check("gpu-driver-rim").detail
        == f"no manifest was given for driver {DRIVER} of GH100"
    )
    assert VBIOS_ID in answer.check("gpu-vbios-rim").detail
    assert report.board == ("1010", "0200", "882")


@pytest.mark.parametrize("named", [None, DRIVER_ID, f"NV_GPU_CC_DRIVER_GH100_{DRIVER}"])
def test_a_manifest_is_found_by_its_id_or_its_words(named):
    answer = judge((GPU.device(NONCE),), rims=(Rim(driver_rim(), named),))
    assert answer.check("gpu-driver-rim").state == "passed"


def test_a_manifest_under_the_id_of_something_else_is_left_aside():
    answer = judge((GPU.device(NONCE),), rims=(Rim(driver_rim(), "NV_GPU_DRIVER_GH100_1.2"),))
    assert answer.check("gpu-driver-rim").state == "not_checked"


@pytest.mark.parametrize("named", [DRIVER_ID, VBIOS_ID])
def test_host_cannot_pass_a_manifest_off_as_another(named):
    other = manifest("1.2", {21: MADE[21]}, VENDOR.rim_chain)
    answer = judge((GPU.device(NONCE),), rims=(Rim(other, named),))
    assert [code for _, code in answer.failures][:1] == ["rim_unfit"]


def test_host_cannot_use_the_manifest_of_another_chip():
    other = driver_rim(product="GB100")
    answer = judge((GPU.device(NONCE),), rims=(Rim(other, DRIVER_ID),))
    assert answer.failures[:1] == [("gpu-driver-rim", "rim_unfit")]


def test_a_newer_chip_names_itself_and_asks_for_that():
    answer = judge(
        (device({35: b"GB200\0"}),),
        rims=(Rim(driver_rim(product="GB200"), f"NV_GPU_CC_DRIVER_GB200_{DRIVER}"),),
    )
    assert answer.check("gpu-driver-rim").state == "passed"


def test_of_two_manifests_for_one_driver_the_one_in_force_counts():
    old = VENDOR.issue(
        "RIM L4 Signer", VENDOR.rim_authority, label="old", not_after=NOW.replace(year=2024)
    )
    expired = manifest(DRIVER, {21: MADE[21]}, (old, *VENDOR.rim_chain[1:]))
    answer = judge((GPU.device(NONCE),), rims=(Rim(expired), Rim(driver_rim())))
    assert answer.check("gpu-rim-dates").state == "passed"


def test_a_broken_manifest_beside_a_good_one_does_no_harm():
    broken = driver_rim().replace(MADE[21].hex().encode(), b"00" * 48)
    answer = judge((GPU.device(NONCE),), rims=(Rim(broken), Rim(driver_rim())))
    assert answer.check("gpu-driver-rim").state == "passed"


def test_what_cannot_be_read_at_all_is_left_aside_and_under_a_wanted_id_refused():
    rubbish = Rim(b"<rubbish")
    assert (
        judge((GPU.device(NONCE),), rims=(rubbish,)).check("gpu-driver-rim").state == "not_checked"
    )
    answer = judge((GPU.device(NONCE),), rims=(Rim(b"<rubbish", DRIVER_ID),))
    assert answer.failures[:1] == [("gpu-driver-rim", "rim_malformed")]


def test_host_cannot_vouch_for_hardware_by_a_simulators_manifest():
    want = rim.Wanted("driver", ("GH100",), DRIVER, ())
    with pytest.raises(NotAuthentic, match="cannot vouch for hardware") as caught:
        rim.endorse((Rim(driver_rim()),), want, level="hardware", roots=frozenset(), now=0)
    assert caught.value.code == "rim_root_not_pinned"


def test_too_many_manifests_are_refused_unread():
    with pytest.raises(TooLarge):
        judge((GPU.device(NONCE),), rims=(Rim(b""),) * (MAX_MANIFESTS + 1))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('index="0"', 'index="1"'),
        ('index="0"', 'index="-1"'),
        ('index="0"', 'index="00"'),
        ('index="0"', 'index="٣"'),
        ('size="48"', 'size="32"'),
        ('active="True"', 'active="true"'),
        ('active="True"', 'active="False"'),
        ('alternatives="1"', 'alternatives="2"'),
        ('alternatives="1"', 'alternatives="0"'),
        ('alternatives="1"', 'alternatives="999"'),
        ('type="Measurement"', 'type="Firmware"'),
        ("ns2:Hash0=", "ns0:Hash0="),
        ("ns2:Hash0=", "Hash0="),
        ("ns2:Hash0=", "ns2:Hash1="),
        ('ns2:Hash0="00', 'ns2:Hash0="0x'),
        ("<ns0:Payload>", "<ns0:Payload><ns0:File/>"),
        ("<ns0:Payload>", "<ns0:Payload/><ns0:Payload>"),
        ("<ns0:Meta ", '<ns0:Meta product="GH100" colloquialVersion="1"/><ns0:Meta '),
        ("colloquialVersion=", "version="),
        (' product="GH100"', ""),
        ("SoftwareIdentity", "HardwareIdentity"),
    ],
)
def test_a_signed_manifest_of_another_form_is_refused(old, new):
    with pytest.raises(Malformed) as caught:
        content(
            lambda body: body.replace(old, new) if "Identity" in old else body.replace(old, new, 1)
        )
    assert caught.value.code == "rim_malformed"


def test_any_of_several_digests_is_good():
    wide = content(
        lambda body: body.replace(
            f'alternatives="1" ns2:Hash0="{MADE[21].hex()}"',
            f'alternatives="2" ns2:Hash0="{"00" * 48}" ns2:Hash1="{MADE[21].hex()}"',
        )
    )
    assert wide.golden[21] == (bytes(48), MADE[21])
    assert measurements.compare(GPU.device(NONCE).report, wide)[1] == 1


def test_a_measurement_that_is_missing_is_no_match():
    report = device(made={i: v for i, v in MADE.items() if i != 21}).report
    with pytest.raises(NotAuthentic, match="1 of 1") as caught:
        measurements.compare(report, _verified(driver_rim(), frozenset()))
    assert caught.value.got == "no such measurement"


def test_measurements_count_from_zero_in_manifests_and_from_one_in_reports():
    shifted = _verified(driver_rim({22: MADE[21]}), frozenset())
    with pytest.raises(NotAuthentic) as caught:
        measurements.compare(GPU.device(NONCE).report, shifted)
    assert caught.value.got == MADE[22].hex()


@pytest.mark.parametrize(("status", "holds"), [(b"\x55", True), (b"\xaa", False)])
def test_the_video_decoder_counts_only_where_it_is_enabled(status, holds):
    listed = _verified(driver_rim({21: MADE[21], 35: bytes(48)}), frozenset())
    report = device({11: status}).report
    if holds:
        sentence, count = measurements.compare(report, listed)
        assert count == 1
        assert "video decoder is disabled" in sentence
    else:
        with pytest.raises(NotAuthentic) as caught:
            measurements.compare(report, listed)
        assert caught.value.code == "gpu_measurement_mismatch"


def test_one_index_in_both_manifests_is_refused():
    answer = judge(
        (GPU.device(NONCE),),
        rims=(
            Rim(driver_rim()),
            Rim(manifest(VBIOS, {21: MADE[21]}, VENDOR.rim_chain)),
        ),
    )
    assert answer.failures[:1] == [("gpu-measurements", "rim_conflict")]


def test_all_agrees_in_the_scene():
    answer = judge((GPU.device(NONCE),), rims=SCENE.rims())
    assert answer.check("gpu-measurements").detail == (
        "all 33 active measurements are what the vendor lists"
    )


def test_host_cannot_burn_time_with_many_manifests_that_claim_to_be_the_one():
    made = [driver_rim({21: bytes([n]) * 48}) for n in range(6)]
    rims = tuple(Rim(xml.replace(b"<ns0:Entity", b"<ns0:entity")) for xml in made)
    before = rim._fitting
    tried = []
    try:
        rim._fitting = lambda *given: (tried.append(given), before(*given))[1]
        answer = judge((GPU.device(NONCE),), rims=rims)
    finally:
        rim._fitting = before
    assert len(tried) == rim.MAX_CLAIMING
    assert answer.failures[:1] == [("gpu-driver-rim", "rim_digest")]


def test_host_cannot_do_without_the_drivers_manifest_by_a_report_that_names_no_driver():
    answer = judge((device({3: b"\0"}),), rims=SCENE.rims())
    assert answer.check("gpu-driver-rim").detail.startswith("the report does not say")
    assert answer.check("gpu-measurements").state == "not_checked"
    assert not answer.found.facts.devices[0].measured
