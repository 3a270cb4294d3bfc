"""What the simulator can bring about, and what a verifier must say of it."""

from __future__ import annotations

import pytest

from teeproof.evidence.nvidia.policy import GpuPolicy
from teeproof.evidence.simulated.nvidia_pki import GpuVendor
from teeproof.evidence.simulated.nvidia_scene import GpuScene
from teeproof.evidence.simulated.states.gpus import GPU_STATES
from tests.evidence.nvidia.scenes import NONCE, NOW, VENDOR, judge_simulated, state

EXIT_CODES = {"accepted": 0, "not-authentic": 2, "unavailable": 3, "not-allowed": 4}


@pytest.mark.parametrize("name", GPU_STATES)
def test_a_state_gets_the_verdict_that_it_must_get(name):
    answer = judge_simulated(state(name))
    assert answer.exit_code == EXIT_CODES[GPU_STATES[name].outcome]
    first = answer.failures[0][1] if answer.failures else None
    assert first == GPU_STATES[name].code


@pytest.mark.parametrize("name", GPU_STATES)
def test_what_no_report_proves_is_never_green(name):
    answer = judge_simulated(state(name))
    assert answer.check("gpu-mode").state == "not_checked"
    assert answer.check("gpu-host").state == "not_checked"


def test_simulated_gpus_are_refused_where_nobody_asked_for_them():
    answer = judge_simulated(state("good"), GpuPolicy())
    assert answer.found.facts.level == "simulated"
    assert ("gpu-simulated-root", "gpu_simulated_root_not_accepted") in answer.failures


@pytest.mark.parametrize("root", [VENDOR.device_root, VENDOR.rim_root])
def test_both_simulated_roots_must_be_accepted(root):
    answer = judge_simulated(state("good"), GpuPolicy(simulated_roots=(root.fingerprint,)))
    assert answer.failures == [("gpu-simulated-root", "gpu_simulated_root_not_accepted")]


def test_a_failure_names_the_device_whose_it_is():
    check = judge_simulated(state("measurement-changed")).check("gpu-measurements")
    assert check.detail.startswith("device 2 of 2: ")


def test_the_same_seed_makes_the_same_reports_and_certificates():
    again = GPU_STATES["good"].make(GpuScene(GpuVendor(VENDOR.seed), NONCE, NOW))
    assert again.devices == state("good").devices
    assert again.rims == state("good").rims


def test_facts_show_no_serial_number_of_a_chip():
    facts = judge_simulated(state("good")).found.facts
    text = str(facts.to_json())
    serials = [
        certificate.serial_number
        for gpu in GpuScene(VENDOR, NONCE, NOW).gpus()
        for certificate in (gpu.chain[0].certificate, gpu.chain[1].certificate)
    ]
    assert all(f"{serial:x}" not in text and str(serial) not in text for serial in serials)
    assert facts.to_json()["gpus"] == 2
