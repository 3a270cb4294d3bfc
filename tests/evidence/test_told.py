"""Checks of Nitro documents and CCA tokens come in the order of the page, with the codes on it."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from teeproof.evidence.cca.policy import CcaPolicy
from teeproof.evidence.simulated.states.enclaves import NITRO_STATES, simulate_nitro
from tests.evidence.cca import scenes as cca
from tests.evidence.nitro import scenes as nitro
from tests.test_reference import assert_told

LISTED = ("ff" * 48,)
STRICT = nitro.expecting(
    simulated_roots=(nitro.AWS.root_fingerprint,),
    pcr0=LISTED,
    pcr8=LISTED,
    user_data="00",
    nonce="mine",
    max_age_seconds=60,
)


@pytest.mark.parametrize("name", NITRO_STATES)
def test_every_state_of_a_document_reads_as_the_page_says(name):
    data = simulate_nitro(name, platform=nitro.AWS, now=nitro.NOW)
    for expected in (nitro.OPT_IN, nitro.expecting(), STRICT):
        assert_told(SimpleNamespace(checks=nitro.judge(data, expected)))


def test_every_token_reads_as_the_page_says():
    simulated = cca.Trusted(simulated_keys=(cca.KEY,), cca=CcaPolicy(rim=("ff" * 64,)))
    tokens = (
        cca.token(),
        cca.token({"c2395": 0x4000}),
        cca.token({"c10": bytes(32)}),
        cca.token(rak=cca.CPAK),
        cca.token(cpak=cca.RAK),
    )
    for data in tokens:
        for expected in (cca.TRUSTED, cca.Trusted(), simulated):
            assert_told(SimpleNamespace(checks=cca.judge(data, expected)))
