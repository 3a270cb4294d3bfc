"""Every real report and manifest gets the verdict that it must get, and for the right reason."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from teeproof.core.errors import Malformed, NotAuthentic
from teeproof.evidence.nvidia import bundle, certificates, issuance, xmlsig
from teeproof.evidence.nvidia.policy import NVIDIA, NVIDIA_DEVICE_ROOT, NVIDIA_RIM_ROOT
from teeproof.evidence.nvidia.rim import _verified
from tests.evidence.nvidia.scenes import (
    LATE,
    NOW,
    judge,
    real,
    real_bundle,
    real_device,
    rims,
)
from tests.vectors import records

pytestmark = pytest.mark.usefixtures("vectors")

GOOD = {
    "h100-535.86.09": ("HOPPER", "GH100", "535.86.09", "96.00.5E.00.01", None),
    "h100-580.159.03-sdk": ("HOPPER", "GH100", "580.159.03", "96.00.74.00.20", "SPT"),
    "gb100-blackwell-575.32": ("BLACKWELL", "GB100", "575.32", "97.00.88.00.0F", None),
    "h100-expired-rim-570.124.03": ("HOPPER", "GH100", "570.124.03", "96.00.5E.00.04", None),
    "nvswitch-ls10": ("LS10", "LS10", None, "96.10.55.00.01", None),
}
BAD = {
    "h100-invalid-signature": [("gpu-firmware", "gpu_fwid"), ("gpu-signature", "gpu_signature")],
    "nvswitch-invalid-signature": [("gpu-signature", "gpu_signature")],
    "h100-bad-chain-case2": [("gpu-certificates", "gpu_chain_length")],
}


def test_the_tables_name_every_vector():
    told = {*GOOD, *BAD, "evidence-json", "roots-and-rims"}
    assert {record.id for record in records("nvidia")} == told


@pytest.mark.parametrize("name", GOOD)
def test_a_real_report_is_authentic_and_its_unknowns_are_said(name):
    answer = judge((real_device(name),))
    assert answer.failures == []
    (device,) = answer.found.facts.devices
    assert (
        device.architecture, device.chip, device.driver, device.vbios, device.feature
    ) == GOOD[name]  # fmt: skip
    assert answer.found.facts.level == "hardware"
    for unknown in ("gpu-revocation", "gpu-measurements", "gpu-mode", "gpu-host", "gpu-nonce"):
        assert answer.check(unknown).state == "not_checked"


@pytest.mark.parametrize("name", BAD)
def test_a_real_report_that_is_wrong_is_refused_for_the_right_reason(name):
    answer = judge((real_device(name),))
    assert answer.failures == BAD[name]
    assert answer.found.facts is None


def test_the_pinned_roots_are_the_vendors():
    (device,) = certificates.parse_chain(real("roots-and-rims/device_root.pem"), what="root")
    (manifest,) = certificates.parse_chain(real("roots-and-rims/rim_root.pem"), what="root")
    assert (device.fingerprint, device.subject) == (NVIDIA_DEVICE_ROOT, "NVIDIA Device Identity CA")
    assert (manifest.fingerprint, manifest.subject) == (
        NVIDIA_RIM_ROOT,
        "NVIDIA CoRIM signing Root CA",
    )
    issuance.require_chain((device,), what="root", code="root")
    issuance.require_chain((manifest,), what="root", code="root")


def test_a_vbios_manifest_fits_and_without_the_drivers_the_measurements_stay_open():
    answer = judge(
        (real_device("h100-535.86.09"),),
        rims=rims("h100-535.86.09/vbios_rim.swidtag"),
        now=datetime(2024, 6, 1, tzinfo=UTC),
    )
    assert answer.failures == []
    assert answer.check("gpu-vbios-rim").state == "passed"
    check = answer.check("gpu-measurements")
    assert check.state == "not_checked"
    assert check.detail.startswith("all 12 active measurements are what the vendor lists, but")


def test_a_manifest_whose_signer_is_no_longer_certified_is_refused():
    answer = judge(
        (real_device("h100-535.86.09"),), rims=rims("h100-535.86.09/vbios_rim.swidtag"), now=NOW
    )
    assert answer.failures == [("gpu-rim-dates", "rim_certificate_expired")]


def test_a_manifest_of_other_measurements_is_refused_by_the_one_that_differs():
    answer = judge(
        (real_device("h100-535.86.09"),),
        rims=rims("h100-535.86.09/vbios_rim_mismatch.xml"),
        now=datetime(2024, 6, 1, tzinfo=UTC),
    )
    assert answer.failures == [("gpu-measurements", "gpu_measurement_mismatch")]
    assert "first of all number 9" in answer.check("gpu-measurements").detail


def test_a_tampered_driver_manifest_is_refused():
    answer = judge(
        (real_device("h100-535.86.09"),), rims=rims("h100-535.86.09/driver_rim_tampered.xml")
    )
    assert answer.failures == [("gpu-driver-rim", "rim_digest")]


def test_the_expired_driver_manifest_is_also_a_changed_one():
    answer = judge(
        (real_device("h100-expired-rim-570.124.03"),),
        rims=rims("h100-expired-rim-570.124.03/driver_rim_expired.xml"),
    )
    assert answer.failures == [("gpu-driver-rim", "rim_digest")]
    signer = xmlsig.parse(real("h100-expired-rim-570.124.03/driver_rim_expired.xml")).certificates[
        0
    ]
    assert signer.not_after - signer.not_before == 86400


def test_every_measurement_of_a_switch_is_what_its_manifest_lists():
    answer = judge((real_device("nvswitch-ls10"),), rims=rims("nvswitch-ls10/rim.xml"), now=LATE)
    assert answer.failures == []
    assert answer.check("gpu-measurements").detail == (
        "all 31 active measurements are what the vendor lists"
    )
    assert answer.found.facts.devices[0].measured


def test_a_changed_manifest_of_a_switch_is_refused():
    answer = judge(
        (real_device("nvswitch-ls10"),), rims=rims("nvswitch-ls10/rim_invalid_signature.xml")
    )
    assert answer.failures == [("gpu-vbios-rim", "rim_digest")]


def test_a_manifest_of_another_driver_is_left_aside():
    answer = judge(
        (real_device("h100-535.86.09"),), rims=rims("roots-and-rims/driver_rim_550.144.03.xml")
    )
    assert answer.failures == []
    assert answer.check("gpu-driver-rim").state == "not_checked"


def test_the_real_driver_manifest_verifies_and_has_21_active_measurements():
    manifest = _verified(real("roots-and-rims/driver_rim_550.144.03.xml"), NVIDIA.manifests)
    assert (manifest.product, manifest.version, len(manifest.golden)) == ("GH100", "550.144.03", 21)
    assert 35 in manifest.golden


@pytest.mark.parametrize(
    ("name", "code"),
    [("driver_rim_bad_chain.xml", "rim_root_not_pinned"),
     ("driver_rim_bad_signature.xml", "rim_signature")],
)  # fmt: skip
def test_a_real_manifest_that_is_wrong_is_refused_for_the_right_reason(name, code):
    with pytest.raises(NotAuthentic) as caught:
        _verified(real(f"roots-and-rims/{name}"), NVIDIA.manifests)
    assert caught.value.code == code


def test_a_signers_certificate_is_no_root_of_manifests():
    (other,) = certificates.parse_chain(real("roots-and-rims/incorrect_rim_root.crt"), what="root")
    assert not other.is_ca
    with pytest.raises(NotAuthentic, match="may not sign certificates"):
        issuance.require_chain((other,), what="root", code="root")
    with pytest.raises(NotAuthentic) as caught:
        _verified(real("roots-and-rims/driver_rim_550.144.03.xml"), frozenset({other.fingerprint}))
    assert caught.value.code == "rim_root_not_pinned"


@pytest.mark.parametrize(
    ("name", "count"),
    [("hopper_evidence", 1), ("hopper_evidence_cert_hold", 1), ("multi_gpu_hopper_x4", 4),
     ("gpu_evidence_hgx_x8", 8)],
)  # fmt: skip
def test_gpus_that_report_together_are_as_many_different_ones(name, count):
    answer = judge(real_bundle(name))
    assert answer.failures == []
    assert len({device.device_id for device in answer.found.facts.gpus}) == count
    assert answer.check("gpu-copies").state == "passed"


def test_a_suspended_certificate_is_not_known_without_an_ocsp_answer():
    answer = judge(real_bundle("hopper_evidence_cert_hold"))
    check = answer.check("gpu-revocation")
    assert (check.state, check.code) == ("not_checked", None)
    assert "nothing is known of revocation" in check.detail


def test_four_reports_of_one_switch_do_not_count_as_four():
    answer = judge(
        real_bundle("multi_switch_ls10_x4"), rims=rims("nvswitch-ls10/rim.xml"), now=LATE
    )
    assert answer.failures == [("gpu-distinct", "gpu_counted_twice")]


def test_a_verifiers_unsigned_token_is_refused_as_proof():
    with pytest.raises(NotAuthentic, match="nobody signed") as caught:
        bundle.parse(real("evidence-json/dstack_nvattest_output_h100.json"))
    assert caught.value.code == "gpu_token_unsigned"


def test_real_reports_are_read_to_the_last_byte():
    device = real_device("h100-580.159.03-sdk")
    for cut in (1, 96, 97, 500, 4000):
        with pytest.raises(Malformed):
            bundle.Device.of(device.report.raw[:-cut], device.certificates)
    with pytest.raises(Malformed):
        bundle.Device.of(device.report.raw + b"\0", device.certificates)
