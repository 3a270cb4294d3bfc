"""Every state of the simulated AWS gets exactly the refusal that it names."""

from __future__ import annotations

import pytest

from teeproof.evidence.nitro.document import parse
from teeproof.evidence.simulated.nitro import Enclave, SimulatedNitro
from teeproof.evidence.simulated.states.enclaves import NITRO_STATES, simulate_nitro
from tests.evidence.nitro.scenes import (
    AWS,
    NOW,
    OPT_IN,
    T,
    expecting,
    failures,
    judge,
    made,
    verified,
)

# A leaf that had ended when the document was made has also ended at T.
ALSO = {"nitro-leaf-expired": [("nitro-time", "nitro_time_outside")]}


@pytest.mark.parametrize("name", NITRO_STATES)
def test_a_state_fails_the_check_that_it_names_and_no_other(name):
    state = NITRO_STATES[name]
    checks = judge(simulate_nitro(name, platform=AWS, now=NOW))
    expected = [] if state.check is None else [(state.check, state.code)]
    assert failures(checks) == expected + ALSO.get(name, [])


def test_a_document_in_order_is_simulated_and_never_hardware():
    facts = verified(parse(made())).facts
    assert facts is not None
    assert (facts.level, facts.confidential) == ("simulated", False)


def test_a_simulators_root_that_is_pinned_as_aws_gives_no_hardware():
    pinned = expecting(roots=(AWS.root_fingerprint,))
    assert failures(judge(made(), pinned)) == [("simulated-root", "simulated_root_not_accepted")]


def test_a_simulators_root_is_refused_unless_the_policy_accepts_it():
    checks = judge(made(), expecting())
    assert failures(checks) == [("simulated-root", "simulated_root_not_accepted")]
    assert failures(judge(made(), OPT_IN)) == []


def test_an_unmarked_root_of_ones_own_holds_where_it_is_pinned():
    other = SimulatedNitro(b"\6" * 32, marked=False)
    document = other.document(Enclave(), now=NOW)
    pinned = expecting(roots=(other.root_fingerprint,))
    assert failures(judge(document, pinned)) == []


def test_one_seed_gives_one_document():
    assert made() == SimulatedNitro(b"\5" * 32).document(Enclave(), now=NOW)
    assert made() != SimulatedNitro(b"\7" * 32).document(Enclave(), now=NOW)
    assert parse(made()).seconds == T
