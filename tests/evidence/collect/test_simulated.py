"""The simulator in the place of a device."""

from __future__ import annotations

from datetime import timedelta

import dcap_qvl
import pytest

from teeproof.core.errors import Usage
from teeproof.evidence.collect import Attester
from teeproof.evidence.collect.simulated import (
    SimulatedAttester,
    SimulatedPlatform,
    opt_in_policy,
    reference_policy,
    states,
)
from teeproof.evidence.policy import parse_policy
from teeproof.evidence.verify import verify
from tests.evidence.simulated.judge import NOW, REPORT_DATA, SEED, ask_about

PLATFORM = SimulatedPlatform(SEED)


def test_it_attests_what_it_is_given():
    attester = SimulatedAttester(PLATFORM, now=lambda: NOW)
    evidence = attester.attest(REPORT_DATA)
    assert isinstance(attester, Attester)
    assert dcap_qvl.parse_quote(evidence.quote).report.report_data == REPORT_DATA
    assert ask_about(evidence, PLATFORM) == ("UpToDate", [])
    assert "simulat" in attester.name
    assert evidence.name.startswith("simulated")


@pytest.mark.parametrize("size", [0, 32, 63, 65])
def test_anything_but_64_bytes_is_refused(size):
    for state in (None, "out-of-date", "report-data-zero"):
        attester = SimulatedAttester(PLATFORM, now=lambda: NOW, state=state)
        with pytest.raises(Usage) as refusal:
            attester.attest(bytes(size))
        assert refusal.value.code == "report_data_length"


def test_collateral_follows_the_clock():
    times = iter([NOW, NOW + timedelta(days=40)])
    attester = SimulatedAttester(PLATFORM, now=lambda: next(times))
    first, later = attester.attest(REPORT_DATA), attester.attest(REPORT_DATA)
    policy = parse_policy(opt_in_policy(PLATFORM))
    late = NOW + timedelta(days=40)
    assert verify(later, policy=policy, now=late).exit_code == 0
    assert verify(first, policy=policy, now=late).exit_code == 2


def test_it_can_be_put_into_a_state():
    attester = SimulatedAttester(PLATFORM, now=lambda: NOW, state="out-of-date")
    assert ask_about(attester.attest(REPORT_DATA), PLATFORM)[0] == "OutOfDate"
    with pytest.raises(Usage, match="no such state"):
        SimulatedAttester(PLATFORM, now=lambda: NOW, state="out of date")


def test_the_reference_policy_lists_what_a_machine_in_order_has_and_no_more():
    policy = parse_policy(reference_policy(PLATFORM, report_data=REPORT_DATA))
    evidence = SimulatedAttester(PLATFORM, now=lambda: NOW).attest(REPORT_DATA)
    verdict = verify(evidence, policy=policy, now=NOW)
    assert (verdict.exit_code, verdict.level) == (0, "simulated")
    other = SimulatedAttester(PLATFORM, now=lambda: NOW).attest(bytes(64))
    assert verify(other, policy=policy, now=NOW).exit_code == 4


def test_the_registry_cannot_be_changed():
    with pytest.raises(TypeError):
        states()["mine"] = states()["up-to-date"]
