"""What the reference page says of the checks of GPUs is what their verdicts show."""

from __future__ import annotations

import pytest

from teeproof.evidence.nvidia.policy import GpuPolicy
from teeproof.evidence.simulated.states.gpus import GPU_STATES
from tests.evidence.nvidia.scenes import VENDOR, judge, judge_simulated, real_device, state
from tests.test_reference import CHECKS, EXIT_CODES, entries

PAGE = entries(CHECKS)
LAX = GpuPolicy(simulated_roots=(VENDOR.device_root.fingerprint, VENDOR.rim_root.fingerprint))


def assert_told(answer) -> None:
    order = list(PAGE)
    places = [order.index(check.name) for check in answer.checks]
    assert places == sorted(places), "the page has another order"
    for check in answer.checks:
        if check.state == "failed":
            assert PAGE[check.name].codes[check.code] == EXIT_CODES[check.concern]
        if check.state == "not_checked":
            assert "*not checked*" in " ".join(PAGE[check.name].text.lower().split())


@pytest.mark.parametrize("policy", [None, LAX, GpuPolicy()], ids=["reference", "lax", "real only"])
@pytest.mark.parametrize("name", GPU_STATES)
def test_every_verdict_on_simulated_gpus_reads_as_the_page_says(name, policy):
    assert_told(judge_simulated(state(name), policy))


@pytest.mark.usefixtures("vectors")
@pytest.mark.parametrize("name", ["h100-535.86.09", "nvswitch-ls10", "h100-bad-chain-case2"])
def test_every_verdict_on_real_reports_reads_as_the_page_says(name):
    assert_told(judge((real_device(name),)))
