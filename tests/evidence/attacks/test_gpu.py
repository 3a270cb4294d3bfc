"""Attacks with GPUs: forged or borrowed reports, bent manifests, hidden revocation, double count.

All that no report can show (a relay, the mode) must never look checked.
"""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import pytest
from cryptography import x509

from teeproof.core.errors import Malformed, NotAuthentic
from teeproof.evidence.nvidia import bundle, xmlsig
from teeproof.evidence.nvidia.bundle import Device
from teeproof.evidence.nvidia.policy import GpuPolicy, Roots
from teeproof.evidence.simulated.nvidia import SimulatedGpu, assemble
from teeproof.evidence.simulated.nvidia_pki import GpuVendor, sign_raw
from teeproof.evidence.simulated.pki import pem
from tests.evidence.nvidia.scenes import (
    NONCE,
    NOW,
    SCENE,
    VENDOR,
    flipped,
    judge,
    judge_simulated,
    state,
)

CHECKLIST = {
    44: (
        "test_host_cannot_change_a_gpus_report",
        "test_host_cannot_bring_a_gpu_of_another_root",
        "test_host_cannot_borrow_the_certificates_of_another_gpu",
        "test_host_cannot_certify_a_gpu_with_a_gpu",
        "test_host_cannot_replay_a_report_for_another_nonce",
        "test_host_cannot_mix_reports_of_two_requests",
        "test_host_cannot_claim_other_firmware_than_the_key_was_made_for",
    ),
    45: (
        "test_host_cannot_bend_a_manifest",
        "test_host_cannot_run_other_firmware_than_the_manifest_lists",
        "test_host_cannot_use_an_expired_manifest",
        "test_host_cannot_make_manifests_of_its_own",
        "test_host_cannot_leave_out_a_manifest_that_the_policy_asks_for",
    ),
    46: (
        "test_host_cannot_show_a_suspended_gpu",
        "test_host_cannot_show_a_revoked_gpu",
        "test_host_cannot_hide_a_revocation_by_saying_nothing",
        "test_host_cannot_answer_about_revocation_itself",
    ),
    47: ("test_host_cannot_prove_anything_by_an_unsigned_token",),
    48: (
        "test_host_cannot_count_one_gpu_twice",
        "test_host_cannot_count_one_gpu_twice_by_two_keys_of_its_firmware",
        "test_host_cannot_claim_more_gpus_than_report",
    ),
    49: ("test_host_cannot_make_the_mode_look_proved",),
    50: ("test_host_cannot_make_a_relayed_gpu_look_like_its_own",),
}

GPU = SimulatedGpu(VENDOR)


def codes(answer) -> list[str | None]:
    return [code for _, code in answer.failures]


def test_host_cannot_change_a_gpus_report() -> None:
    first, second = state("good").devices
    for at in (60, 3000, len(first.report.signed) - 1, len(first.report.raw) - 1):
        device = Device.of(flipped(first.report.raw, at), first.certificates)
        answer = judge_simulated(replace(state("good"), devices=(device, second)))
        assert codes(answer)[0] in ("gpu_signature", "gpu_fwid")


def test_host_cannot_bring_a_gpu_of_another_root() -> None:
    assert codes(judge_simulated(state("other-root"))) == ["gpu_root_not_pinned"]


def test_host_cannot_borrow_the_certificates_of_another_gpu() -> None:
    assert codes(judge_simulated(state("other-chain")))[0] == "gpu_signature"


def test_host_cannot_certify_a_gpu_with_a_gpu() -> None:
    # The firmware's key of a real GPU signs a certificate for a key of the host's.
    forged = VENDOR.issue(
        "GH100 A01 GSP FMC LF", GPU.firmware, label="forged",
        extension=x509.UnrecognizedExtension(
            x509.ObjectIdentifier("2.23.133.5.4.1"),
            GPU.firmware.certificate.extensions.get_extension_for_oid(
                x509.ObjectIdentifier("2.23.133.5.4.1")
            ).value.value,  # type: ignore[attr-defined]
        ),
    )  # fmt: skip
    message = GPU.signed(NONCE)
    chain = b"".join(pem(issued.der) for issued in (forged, *GPU.chain))
    answer = judge((Device.of(message + sign_raw(forged.key, message), chain),))
    assert codes(answer) == ["gpu_chain_length"]
    chain = b"".join(pem(issued.der) for issued in (forged, GPU.chain[0], *GPU.chain[2:]))
    answer = judge((Device.of(message + sign_raw(forged.key, message), chain),))
    assert codes(answer) == ["gpu_chain_signature"]


def test_host_cannot_sign_reports_with_another_certificate_of_the_vendor() -> None:
    message = GPU.signed(NONCE)
    for issuer in (VENDOR.provisioner, VENDOR.chip(GPU.name)):
        other = VENDOR.responder(issuer)
        chain = (other, *GPU.chain[GPU.chain[1:].index(issuer) + 1 :]) if issuer in GPU.chain else (
            other, *GPU.chain[2:]
        )  # fmt: skip
        pems = b"".join(pem(issued.der) for issued in chain)
        answer = judge((Device.of(message + sign_raw(other.key, message), pems),))
        assert codes(answer)[0] in ("gpu_chain_leaf", "gpu_chain_length", "gpu_chain_signature")


def test_host_cannot_replay_a_report_for_another_nonce() -> None:
    answer = judge_simulated(state("other-nonce"))
    assert (codes(answer), answer.exit_code) == (["gpu_nonce_mismatch"], 4)


def test_host_cannot_mix_reports_of_two_requests() -> None:
    assert codes(judge_simulated(state("nonces-mixed"))) == ["gpu_nonces_mixed"]


def test_host_cannot_claim_other_firmware_than_the_key_was_made_for() -> None:
    signed = assemble(NONCE, GPU.measurements, GPU.opaque() | {20: b"\7" * 48})
    device = Device.of(signed + sign_raw(GPU.firmware.key, signed), GPU.certificates)
    assert codes(judge((device,))) == ["gpu_fwid"]


def test_host_cannot_bend_a_manifest() -> None:
    assert codes(judge_simulated(state("rim-tampered"))) == ["rim_digest"]


def test_host_cannot_run_other_firmware_than_the_manifest_lists() -> None:
    assert codes(judge_simulated(state("measurement-changed"))) == ["gpu_measurement_mismatch"]


def test_host_cannot_use_an_expired_manifest() -> None:
    assert codes(judge_simulated(state("rim-expired"))) == ["rim_certificate_expired"]


def test_host_cannot_make_manifests_of_its_own() -> None:
    for name in ("rim-other-root", "rim-unfit", "rim-conflict"):
        assert codes(judge_simulated(state(name)))


def test_host_cannot_leave_out_a_manifest_that_the_policy_asks_for() -> None:
    answer = judge_simulated(state("rim-missing"))
    assert (codes(answer), answer.exit_code) == (["gpu_rims_missing"], 3)
    assert answer.check("gpu-measurements").state == "not_checked"


def test_host_cannot_show_a_suspended_gpu() -> None:
    assert codes(judge_simulated(state("ocsp-hold"))) == ["ocsp_hold"]


def test_host_cannot_show_a_revoked_gpu() -> None:
    assert codes(judge_simulated(state("ocsp-revoked"))) == ["ocsp_revoked"]


def test_host_cannot_hide_a_revocation_by_saying_nothing() -> None:
    answer = judge_simulated(state("ocsp-missing"))
    assert answer.check("gpu-revocation").state == "not_checked"
    assert (codes(answer), answer.exit_code) == (["gpu_revocation_unknown"], 3)


def test_host_cannot_answer_about_revocation_itself() -> None:
    assert codes(judge_simulated(state("ocsp-other-responder"))) == ["ocsp_signature"]


def test_host_cannot_prove_anything_by_an_unsigned_token() -> None:
    token = "eyJhbGciOiJub25lIn0.eyJtZWFzcmVzIjoic3VjY2VzcyJ9."
    for value in ([["JWT", token], {"GPU-0": token}], {"detached_eat": [["JWT", token]]}):
        with pytest.raises(NotAuthentic) as caught:
            bundle.parse(json.dumps(value))
        assert caught.value.code == "gpu_token_unsigned"


def test_host_cannot_count_one_gpu_twice() -> None:
    assert codes(judge_simulated(state("counted-twice"))) == ["gpu_counted_twice"]


def test_host_cannot_count_one_gpu_twice_by_two_keys_of_its_firmware() -> None:
    # Another VBIOS on the same chip: another firmware key, and the same identity of the chip.
    other = replace(GPU, vbios="96.00.00.00.01")
    assert other.firmware.fingerprint != GPU.firmware.fingerprint
    answer = judge((GPU.device(NONCE), other.device(NONCE)))
    assert codes(answer) == ["gpu_counted_twice"]


def test_host_cannot_claim_more_gpus_than_report() -> None:
    answer = judge_simulated(state("fewer"))
    assert (codes(answer), answer.exit_code) == (["gpu_count_too_low"], 4)


def test_host_cannot_make_the_mode_look_proved() -> None:
    for name in ("good", "relayed"):
        check = judge_simulated(state(name)).check("gpu-mode")
        assert check.state == "not_checked"
        assert "developer tools" in check.detail


def test_host_cannot_make_a_relayed_gpu_look_like_its_own() -> None:
    check = judge_simulated(state("relayed")).check("gpu-host")
    assert check.state == "not_checked"
    assert "another host" in check.detail


def test_operator_cannot_have_a_simulator_pinned_as_hardware() -> None:
    roots = Roots(
        frozenset({VENDOR.device_root.fingerprint}), frozenset({VENDOR.rim_root.fingerprint})
    )
    made = state("good")
    answer = judge(made.devices, rims=made.rims, ocsp=made.ocsp, roots=roots)
    assert answer.found.facts is not None
    assert answer.found.facts.level == "simulated"
    assert codes(answer) == ["gpu_simulated_root_not_accepted"]


def test_operator_cannot_hide_a_simulated_gpu_among_others() -> None:
    stranger = GpuVendor(b"\x01" * 32)
    policy = GpuPolicy(simulated_roots=(VENDOR.device_root.fingerprint,))
    devices = (GPU.device(NONCE), SimulatedGpu(stranger).device(NONCE))
    assert codes(judge(devices, policy=policy)) == ["gpu_simulated_root_not_accepted"]


def test_vendor_that_takes_its_word_back_later_does_not_change_the_past() -> None:
    made = state("good")
    later = SCENE.ocsp(now=NOW + timedelta(days=2), revoked=x509.ReasonFlags.key_compromise)
    answer = judge_simulated(replace(made, ocsp=(*made.ocsp, *later)))
    assert codes(answer) == []


def test_host_cannot_burn_time_with_a_manifest_of_namespaces():
    names = "".join(f' xmlns:n{i}="urn:{i}"' for i in range(1000))
    with pytest.raises(Malformed, match="namespaces"):
        xmlsig.parse(f"<SoftwareIdentity{names}>{'<a/>' * 200}</SoftwareIdentity>".encode())
