"""Whoever makes the collateral chooses words that dcap-qvl quotes: they must not become a verdict.

An SGX quote is verified by dcap-qvl alone, and its refusals are text. Here a host forges a report
and puts the text of a welcome refusal where an error message will repeat it.
"""

from __future__ import annotations

import pytest

from teeproof.evidence.endorsements import Collateral
from teeproof.evidence.policy import load_policy
from teeproof.evidence.record import Evidence
from teeproof.evidence.second_path import REFUSALS
from teeproof.evidence.verdict import Verdict
from teeproof.evidence.verify import verify
from tests.vectors import Record, records

pytestmark = pytest.mark.usefixtures("vectors")

WORDS = [pattern for pattern, _, _ in REFUSALS[:-1]]
REPORT = 48  # an SGX quote's report begins behind the header


def _record() -> Record:
    return next(record for record in records("dcap") if record.id == "sgx-v3-00a067")


def _forged(*, debug: bool) -> bytes:
    quote = bytearray(_record().read("quote.bin"))
    quote[REPORT + 64 : REPORT + 96] = b"\xee" * 32  # MRENCLAVE
    if debug:
        quote[REPORT + 48] |= 0x02
    return bytes(quote)


def _verdict(quote: bytes, collateral: Collateral) -> Verdict:
    evidence = Evidence(quote=quote, collateral=collateral)
    return verify(evidence, policy=load_policy("genuine"), now=_record().now)


@pytest.mark.parametrize("debug", [False, True], ids=["", "debug"])
@pytest.mark.parametrize("words", WORDS)
@pytest.mark.parametrize("field", ["tcb_info_issuer_chain", "qe_identity_issuer_chain"])
def test_host_cannot_speak_through_a_label_of_the_issuer_chain(field, words, debug):
    honest = Collateral.parse(_record().read("collateral.json"))
    chain = getattr(honest, field).replace(b"BEGIN CERTIFICATE", f"BEGIN {words}".encode(), 1)
    verdict = _verdict(_forged(debug=debug), honest.replace(**{field: chain}))
    assert verdict.exit_code == 2
    assert verdict.level is None
    assert verdict.facts == {}


@pytest.mark.parametrize("words", WORDS)
@pytest.mark.parametrize("field", ["tcb_info", "qe_identity"])
def test_host_cannot_speak_through_a_status_in_a_document(field, words):
    honest = Collateral.parse(_record().read("collateral.json"))
    document = getattr(honest, field).replace(b"UpToDate", words.encode(), 1)
    verdict = _verdict(_forged(debug=True), honest.replace(**{field: document}))
    assert (verdict.exit_code, verdict.level) == (2, None)


def test_the_same_quote_unforged_under_honest_collateral_is_genuine():
    honest = Collateral.parse(_record().read("collateral.json"))
    verdict = _verdict(_record().read("quote.bin"), honest)
    assert (verdict.exit_code, verdict.level) == (0, "hardware")


def test_host_a_forged_report_is_refused_under_honest_collateral():
    honest = Collateral.parse(_record().read("collateral.json"))
    for debug in (False, True):
        verdict = _verdict(_forged(debug=debug), honest)
        assert (verdict.exit_code, verdict.check("signatures").state) == (2, "failed")
