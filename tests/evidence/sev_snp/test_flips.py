"""Flip each byte of a report: nothing breaks, and no flip is ever taken."""

from __future__ import annotations

from functools import cache

import pytest

from teeproof.core.errors import Malformed
from teeproof.evidence.policy import Policy, load_policy
from teeproof.evidence.record import Evidence
from teeproof.evidence.verify import verify
from tests.evidence.scenes import NOW, PLATFORM, flipped, state
from tests.evidence.sev_snp.real import MOMENT, evidence_of, record_of
from tests.vectors import MISSING, directory

OPT_IN = Policy(roots=(), simulated_roots=(PLATFORM.snp.root_fingerprint,))
missing = pytest.mark.skipif(directory() is None, reason=MISSING)
SUBJECTS = [
    "snp-up-to-date",
    "snp-turin",
    pytest.param("milan-virtee", marks=missing),
    pytest.param("milan-vlek-trustee", marks=missing),
]


@cache
def _evidence(name: str) -> Evidence:
    return state(name) if name.startswith("snp-") else evidence_of(record_of(name))


def _taken(name: str, report: bytes) -> bool:
    given = _evidence(name)
    simulated = name.startswith("snp-")
    anything = load_policy("genuine").with_(roots=list(load_policy("sev-snp").roots))
    try:
        verdict = verify(
            Evidence(quote=report, certificates=given.certificates),
            now=NOW if simulated else MOMENT,
            policy=OPT_IN if simulated else anything,
        )
    except Malformed:
        return False
    assert verdict.exit_code == 0 or (verdict.level, verdict.facts) == (None, {})
    return verdict.exit_code == 0


@pytest.mark.parametrize("name", SUBJECTS)
def test_host_flips_a_bit_of_each_byte_of_a_report_and_gains_nothing(name: str) -> None:
    report = _evidence(name).quote
    assert _taken(name, report)
    taken = [at for at in range(len(report)) if _taken(name, flipped(report, at, mask=1 << at % 8))]
    assert taken == []


@pytest.mark.parametrize("name", SUBJECTS)
def test_host_flips_every_bit_of_some_bytes_of_a_report_and_gains_nothing(name: str) -> None:
    report = _evidence(name).quote
    some = [*range(0, len(report), 37), *range(0x48, 0x50), *range(0x180, 0x190)]
    taken = [
        (at, bit)
        for at in some
        for bit in range(8)
        if _taken(name, flipped(report, at, mask=1 << bit))
    ]
    assert taken == []
