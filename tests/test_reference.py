"""The reference pages are complete and true: held against the source and against verdicts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

import pytest

from teeproof.evidence.collect.simulated import reference_policy
from teeproof.evidence.endorsements import Collateral
from teeproof.evidence.policy import BUILT_IN, load_policy, parse_policy
from teeproof.evidence.simulated.states import STATES
from teeproof.evidence.verdict import Verdict
from teeproof.evidence.verify import verify
from tests import check_codes
from tests.evidence.scenes import NOW, PLATFORM, REPORT_DATA, opt_in, reference, state
from tests.evidence.sev_snp.real import MOMENT, evidence_of
from tests.vectors import ROOT, each

CHECKS = (ROOT / "docs/reference/checks.md").read_text()
EXIT_CODES = {"authenticity": 2, "availability": 3, "policy": 4}


class Entry(NamedTuple):
    """What the page says of one check: its paragraph, and exit codes by failure code."""

    text: str
    codes: dict[str, int]


def entries(page: str) -> dict[str, Entry]:
    """Return the page's checks in its order."""
    found: dict[str, Entry] = {}
    for part in re.split(r"^##+ ", page, flags=re.MULTILINE):
        heading, _, text = part.partition("\n")
        given = re.findall(r"`([a-z0-9-]+)`", heading)
        codes = dict(_codes(text))
        for name in given:
            assert name not in found, f"{name} stands on the page twice"
            found[name] = Entry(text, {c: n for c, n in codes.items() if _owner(c, given) == name})
    return found


def _owner(code: str, names: list[str]) -> str:
    """Return which of the checks under one heading a code belongs to: the one it begins with."""
    if len(names) == 1:
        return names[0]
    return max((n for n in names if code.startswith(n.replace("-", "_") + "_")), key=len)


def _codes(text: str) -> Iterator[tuple[str, int]]:
    for line in re.findall(r"^- (`.+?\((?:2|3|4)\)):", text.replace("\n  ", " "), re.MULTILINE):
        for code in re.findall(r"`([a-z0-9_]+)`", line):
            yield code, int(line[-2])


# What the source composes at run time, and the syntax alone does not show.
WINDOWS = ("tcb_info", "qe_identity", "crl")
COMPOSED = {
    *(("certificate-dates", f"certificate_{end}", 2) for end in ("expired", "not_yet_valid")),
    *(("ak-certificate-dates", f"certificate_{end}", 2) for end in ("expired", "not_yet_valid")),
    *(
        ("collateral-dates", f"{window}_{end}", 2)
        for window in WINDOWS
        for end in ("expired", "not_yet_valid")
    ),
    *(("gpu-certificate-dates", f"certificate_{end}", 2) for end in ("expired", "not_yet_valid")),
    *(("gpu-rim-dates", f"rim_certificate_{end}", 2) for end in ("expired", "not_yet_valid")),
    ("collateral-signatures", "collateral_signature", 2),
    ("second-path-signatures", "paths_disagree", 2),
    ("second-path-tcb", "paths_disagree", 2),
    ("signatures", "refused", 2),  # all of dcap-qvl's refusals of SGX that are not of the TCB
    ("tcb-status", "tcb_status_unknown", 4),
    ("advisories", "advisories_unknown", 4),
}
# The compose file was already read by the check ``compose``, or this check does not look at it.
# Without a PCK chain the documents are compared with no platform.
NO_PLATFORM = {
    ("collateral-signatures", code, 2)
    for code in ("tcb_info_tee", "tcb_info_fmspc", "qe_identity_kind")
}
READ_BEFORE = NO_PLATFORM | {
    ("compose-images", code, 4)
    for code in (
        "compose_malformed", "json_malformed", "json_duplicate_key", "json_too_deep",
        "json_too_many", "too_large",
    )
}  # fmt: skip
LOG_STEPS = {
    "event-log-format": ("teeproof.evidence.eventlog.parse", "parse"),
    "event-log-payloads": ("teeproof.evidence.eventlog.payloads", "check_payloads"),
    "event-log-order": ("teeproof.evidence.eventlog.facts", "app_facts"),
    "tcg-log-format": ("teeproof.evidence.eventlog.firmware.parse", "parse"),
    "tcg-log-data": ("teeproof.evidence.eventlog.firmware.coverage", "check_data"),
    "tcg-log-replay": ("teeproof.evidence.eventlog.firmware.replay", "replay"),
}


def from_source() -> set[tuple[str, str, int]]:
    """Return every (check, code, exit code) that the source can make."""
    found = {(n, code, EXIT_CODES[concern]) for n, code, concern in check_codes.failures()}
    for name, (where, function) in LOG_STEPS.items():
        module = check_codes.modules()[where]
        found |= {(name, c, 2) for c in check_codes.reached(module, module.functions[function])}
    return (found | COMPOSED) - READ_BEFORE


def on_page(page: str = CHECKS) -> set[tuple[str, str, int]]:
    return {(n, code, exit_) for n, e in entries(page).items() for code, exit_ in e.codes.items()}


@cache
def verdicts() -> tuple[Verdict, ...]:
    """Return what comes of every state of the simulator under every policy."""
    snp = parse_policy(reference_policy(PLATFORM, report_data=REPORT_DATA, kind="sev-snp"))
    gpus = parse_policy(reference_policy(PLATFORM, report_data=REPORT_DATA, kind="nvidia"))
    policies = [opt_in(), reference(), snp, gpus, *(load_policy(name) for name in BUILT_IN)]
    found = []
    for name in set(STATES) - UNREADABLE:
        found += [verify(state(name), now=NOW, policy=policy) for policy in policies]
    return tuple(found)


UNREADABLE = {
    "section-length-huge",
    "quote-truncated",
    "snp-unsigned-bytes",
    "tpm-bank-twice",
    "cca-profile-unknown",
    "cca-rim-too-long",
}  # no quote, so no verdict


def test_the_page_names_every_check_and_no_other():
    assert set(entries(CHECKS)) == check_codes.names()


def test_a_check_that_the_page_forgets_or_invents_is_caught():
    assert "pck-chain" not in entries(CHECKS.replace("### `pck-chain`", "### the chain"))
    assert "coffee" in entries(CHECKS + "\n### `coffee`\n\nIs it hot?\n")


def test_the_page_names_every_code_of_every_check_and_no_other():
    page, source = on_page(), from_source()
    assert source - page == set()
    assert page - source == set()


@pytest.mark.parametrize(
    ("change", "difference"),
    [
        (("- `qe_debug` (2)", "- debug (2)"), {("qe-measurement", "qe_debug", 2)}),
        (("`rtmr2_mismatch`, ", ""), {("rtmr2", "rtmr2_mismatch", 4)}),
        (
            ("`root_revoked` (2)", "`root_revoked` (3)"),
            {("pck-revocation", "root_revoked", 2), ("pck-revocation", "root_revoked", 3)},
        ),
        (
            ("`qe_debug` (2)", "`qe_debug`, `qe_tired` (2)"),
            {("qe-measurement", "qe_tired", 2)},
        ),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_a_code_that_the_page_forgets_or_invents_is_caught(change, difference):
    assert change[0] in CHECKS
    assert on_page(CHECKS.replace(*change)) ^ on_page() == difference


def test_the_exceptions_are_needed():
    by_syntax = {(n, code, EXIT_CODES[c]) for n, code, c in check_codes.failures()}
    assert by_syntax >= READ_BEFORE
    assert by_syntax.isdisjoint(COMPOSED)


def test_every_code_says_what_happened_and_what_to_do():
    lines = re.findall(r"^- `.+?(?=\n- |\n\n)", CHECKS, re.MULTILINE | re.DOTALL)
    assert len(lines) > 100
    assert [line for line in lines if len(re.findall(r"\.(?:\s|$)", line)) < 2] == []


@pytest.mark.parametrize(
    ("function", "codes"),
    [
        ("teeproof.evidence.tdx.tcb.match_qe_level", {"qe_level_none"}),
        ("teeproof.evidence.x509.load_key", {"key_malformed"}),
        ("teeproof.evidence.eventlog.yamltree.parse_yaml", {"yaml_malformed", "yaml_too_large"}),
        ("teeproof.evidence.tdx.vendor._about_platform", None),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_codes_are_found_where_they_are_raised(function, codes):
    where, _, name = function.rpartition(".")
    module = check_codes.modules()[where]
    found = check_codes.reached(module, module.functions[name])
    expected = {"tcb_info_tee", "tcb_info_fmspc", "tcb_info_pceid", "qe_identity_kind"}
    assert found == (codes or expected)


def checks_of(record) -> list[Verdict]:
    """Return the verdicts on one piece of real evidence, of SGX too."""
    quote, endorsements = record.read("quote.bin"), record.path / "collateral.json"
    collateral = Collateral.parse(endorsements.read_bytes()) if endorsements.exists() else None
    return [
        verify(quote, now=record.now, policy=load_policy(name), collateral=collateral)
        for name in BUILT_IN
    ]


def assert_told(verdict: Verdict) -> None:
    page = entries(CHECKS)
    order = list(page)
    given = [check.name for check in verdict.checks]
    for gpus in (False, True):  # those of GPUs follow the machine's, and come first without one
        places = [order.index(name) for name in given if name.startswith("gpu-") is gpus]
        assert places == sorted(places), given
    for check in verdict.checks:
        if check.state == "failed":
            assert page[check.name].codes[check.code or ""] == EXIT_CODES[check.concern], check
        if check.state == "not_checked":
            assert "*not checked*" in " ".join(page[check.name].text.lower().split()), check.name


def test_every_verdict_on_simulated_evidence_reads_as_the_page_says():
    for verdict in verdicts():
        assert_told(verdict)


@pytest.mark.parametrize("record", each("dcap"))
def test_every_verdict_on_real_evidence_reads_as_the_page_says(record):
    for verdict in checks_of(record):
        assert_told(verdict)


@pytest.mark.parametrize("record", each("snp"))
def test_every_verdict_on_real_reports_reads_as_the_page_says(record):
    given = evidence_of(record)
    for name in BUILT_IN:
        assert_told(verify(given, now=MOMENT, policy=load_policy(name)))
