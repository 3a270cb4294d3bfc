"""The second path: what dcap-qvl really says, and when its word and ours agree."""

from __future__ import annotations

import re
from datetime import timedelta
from importlib.metadata import version
from pathlib import Path

import pytest

from teeproof.evidence import second_path
from teeproof.evidence.collect.simulated import Domain, QuotingEnclave
from teeproof.evidence.endorsements import Collateral
from teeproof.evidence.second_path import NAME, REFUSALS, Opinion, compare
from teeproof.evidence.simulated.hardware import patched
from teeproof.evidence.tdx.tcb import Tcb
from teeproof.evidence.verdict import Check, failed, passed
from teeproof.evidence.verify import verify
from tests.evidence.scenes import (
    NOW,
    PLATFORM,
    REPORT_DATA,
    collateral,
    evidence,
    flipped,
    judge,
    opt_in,
    resigned,
    state,
)

SEPT_VE = 1 << 28


def _ask(quote: bytes, given: Collateral | None = None, *, seconds: int = 0) -> Opinion:
    return second_path.ask(
        quote,
        collateral=given or collateral(),
        root_fingerprint=PLATFORM.root_fingerprint,
        root_der=PLATFORM.root_der,
        now=int((NOW + timedelta(seconds=seconds)).timestamp()),
    )


def _attributes(bits: int) -> bytes:
    domain = Domain(tdattributes=bits.to_bytes(8, "little"))
    return PLATFORM.machine(domain=domain).quote(REPORT_DATA)


def _service_td() -> bytes:
    machine = PLATFORM.machine(domain=Domain(mrservicetd=b"\1" * 48))
    return machine.quote(REPORT_DATA, version=5)


def _debug_enclave() -> bytes:
    honest = QuotingEnclave().attributes
    enclave = QuotingEnclave(attributes=bytes([honest[0] | 2]) + honest[1:])
    return PLATFORM.machine(enclave=enclave).quote(REPORT_DATA)


def _module(svn: int) -> bytes:
    domain = Domain(tee_tcb_svn=bytes([svn, 1, 3]) + bytes(13))
    return PLATFORM.machine(domain=domain).quote(REPORT_DATA)


# The message of each row -> evidence that makes dcap-qvl say so.
PROVOKED = {
    "SEPT_VE_DISABLE is not enabled": _attributes(0),
    "Debug mode is enabled": _attributes(SEPT_VE | 1),
    "TD profiling is enabled": _attributes(SEPT_VE | 1 << 4),
    "TD migration is enabled": _attributes(SEPT_VE | 1 << 29),
    "SERVTD_EXT is enabled": _attributes(SEPT_VE | 1 << 17),
    "Invalid MR service TD": _service_td(),
    "Reserved bits in TD attributes are set": _attributes(SEPT_VE | 1 << 8),
    "No matching TCB level found": PLATFORM.machine(processor=patched(1)).quote(REPORT_DATA),
    "TCB status is invalid: Revoked": PLATFORM.machine(processor=patched(3)).quote(REPORT_DATA),
    REFUSALS[-1][0]: _module(1),
}


def test_the_version_that_is_installed_is_the_one_that_the_table_was_made_for() -> None:
    assert f"dcap-qvl {version('dcap-qvl')}" == NAME
    project = Path(__file__).resolve().parents[2] / "pyproject.toml"
    assert f'"dcap-qvl=={version("dcap-qvl")}' in project.read_text()


def test_every_row_of_the_table_has_evidence_that_provokes_it() -> None:
    assert [fragment for fragment, _, _ in REFUSALS] == list(PROVOKED)


@pytest.mark.parametrize("row", REFUSALS, ids=lambda row: row[0])
def test_dcap_qvl_says_what_the_table_expects_it_to_say(row: tuple[str, str, str]) -> None:
    fragment, code, reason = row
    opinion = _ask(PROVOKED[fragment])
    assert not opinion.accepted
    assert (opinion.code, opinion.reason) == (code, reason)
    assert opinion.text is not None
    assert re.fullmatch(fragment, opinion.text)
    assert "Verification failed" not in opinion.text
    assert (opinion.status, opinion.advisories) == (None, ())


@pytest.mark.parametrize("row", REFUSALS, ids=lambda row: row[0])
def test_both_paths_agree_about_evidence_that_dcap_qvl_refuses(row: tuple[str, str, str]) -> None:
    fragment, _, reason = row
    verdict = judge(PROVOKED[fragment], endorsements=collateral())
    signatures, tcb = (verdict.check(f"second-path-{part}") for part in ("signatures", "tcb"))
    assert signatures.state == "passed"
    assert tcb.state == ("passed" if reason == "tcb" else "not_checked")
    assert verdict.exit_code in ((0, 4) if reason == "built_in" else (2,))
    if reason == "built_in":
        assert "rule of its own" in tcb.detail


@pytest.mark.parametrize("row", REFUSALS, ids=lambda row: row[0])
def test_host_a_forged_signature_is_no_disagreement_whatever_else_is_wrong(
    row: tuple[str, str, str],
) -> None:
    # One bit of the quote's own signature: dcap-qvl refuses it before or after its other rules.
    quote = flipped(PROVOKED[row[0]], len(PROVOKED[row[0]]) - len(_section(PROVOKED[row[0]])))
    verdict = judge(quote, endorsements=collateral())
    assert verdict.exit_code == 2
    assert all(check.code != "paths_disagree" for check in verdict.checks)


def _section(quote: bytes) -> bytes:
    signed = 48 + 584 if quote[0] == 4 else 48 + 6 + int.from_bytes(quote[50:54], "little")
    return quote[signed + 4 :]


@pytest.mark.parametrize(
    "quote",
    [_debug_enclave(), PLATFORM.machine(enclave=QuotingEnclave(isvsvn=1)).quote(REPORT_DATA)],
    ids=["debug", "old"],
)
def test_operator_a_refusal_of_the_quoting_enclave_is_none_of_the_domain(quote: bytes) -> None:
    assert _ask(quote).reason == "authenticity"


@pytest.mark.parametrize("row", REFUSALS[:-1], ids=lambda row: row[0])
def test_host_words_of_a_rule_inside_a_message_are_not_the_rule(row: tuple[str, str, str]) -> None:
    # dcap-qvl quotes a label that it did not expect: whoever makes the collateral chooses it.
    chain = collateral().tcb_info_issuer_chain.replace(
        b"BEGIN CERTIFICATE", f"BEGIN {row[0]}".encode(), 1
    )
    opinion = _ask(evidence().quote, collateral().replace(tcb_info_issuer_chain=chain))
    assert row[0] in (opinion.text or "")
    assert (opinion.accepted, opinion.reason) == (False, "authenticity")


def test_good_evidence_is_accepted_with_status_and_sorted_advisories() -> None:
    assert _ask(evidence().quote) == Opinion(True, "UpToDate", ())
    twice = resigned(
        collateral(),
        tcb_info=lambda d: d["tcbLevels"][0].update(
            advisoryIDs=["INTEL-SA-2", "INTEL-SA-1", "INTEL-SA-2"]
        ),
    )
    assert _ask(evidence().quote, twice).advisories == ("INTEL-SA-1", "INTEL-SA-2")


@pytest.mark.parametrize(
    "quote", [b"", b"x", bytes(5000), evidence().quote[:600]], ids=lambda quote: str(len(quote))
)
def test_bytes_that_are_no_quote_are_a_refusal_and_no_crash(quote: bytes) -> None:
    opinion = _ask(quote)
    assert (opinion.accepted, opinion.code, opinion.reason) == (False, "refused", "authenticity")


def test_a_time_before_1970_is_a_refusal_and_no_crash() -> None:
    assert not _ask(evidence().quote, seconds=-int(NOW.timestamp()) - 1).accepted


@pytest.mark.parametrize("fault", ["tcb_info", "pck_crl_issuer_chain"])
def test_collateral_that_is_no_text_is_a_refusal_and_no_crash(fault: str) -> None:
    assert not _ask(evidence().quote, collateral().replace(**{fault: b"\xff"})).accepted


def test_long_words_of_dcap_qvl_are_cut() -> None:
    noisy = resigned(collateral(), tcb_info=lambda d: d.update(version="x" * 5000))
    opinion = _ask(evidence().quote, noisy)
    assert opinion.text is not None
    assert len(opinion.text) <= 300
    assert "\n" not in opinion.text


# compare() --------------------------------------------------------------------------------------

TCB = Tcb(
    status="UpToDate",
    platform_status="UpToDate",
    module_status=None,
    qe_status="UpToDate",
    date=NOW,
    qe_date=NOW,
    advisories=("INTEL-SA-1",),
)
AGREED = Opinion(True, "UpToDate", ("INTEL-SA-1",))
HELD = (passed("quote-signature", "It held."), passed("tcb-level", "It held."))
FORGED = (failed("quote-signature", "quote_signature", "It did not hold."),)
BELOW = (failed("tcb-level", "tcb_level_none", "No level."),)
UNREAD = (failed("tcb-info", "collateral_malformed", "Not Intel's form."),)
BUILT_IN = Opinion(False, code="debug", reason="built_in", text="Debug mode is enabled")
REFUSED = Opinion(False, code="refused", reason="authenticity", text="Signature is invalid")
NO_LEVEL = Opinion(False, code="tcb_level_none", reason="tcb", text="No matching TCB level")


@pytest.mark.parametrize(
    ("opinion", "ours", "tcb", "expected"),
    [
        (AGREED, HELD, TCB, ("passed", "passed")),
        (Opinion(True, "OutOfDate", ("INTEL-SA-1",)), HELD, TCB, ("passed", "failed")),
        (Opinion(True, "UpToDate", ()), HELD, TCB, ("passed", "failed")),
        (Opinion(True, "UpToDate", ("INTEL-SA-1", "INTEL-SA-2")), HELD, TCB, ("passed", "failed")),
        (BUILT_IN, HELD, TCB, ("passed", "not_checked")),
        (REFUSED, FORGED, None, ("not_checked", "not_checked")),
        (REFUSED, HELD, TCB, ("failed", "not_checked")),
        (REFUSED, BELOW, None, ("not_checked", "not_checked")),
        (NO_LEVEL, BELOW, None, ("passed", "passed")),
        (NO_LEVEL, HELD, TCB, ("passed", "failed")),
        (AGREED, FORGED, TCB, ("failed", "not_checked")),
        (BUILT_IN, FORGED, None, ("failed", "not_checked")),
        (AGREED, BELOW, None, ("passed", "failed")),
        (AGREED, UNREAD, None, ("not_checked", "not_checked")),
        (REFUSED, UNREAD, None, ("not_checked", "not_checked")),
    ],
)
def test_what_counts_as_agreement(
    opinion: Opinion, ours: tuple[Check, ...], tcb: Tcb | None, expected: tuple[str, str]
) -> None:
    checks = compare(opinion, ours=ours, tcb=tcb, unwelcome={"debug"})
    assert [check.name for check in checks] == ["second-path-signatures", "second-path-tcb"]
    assert tuple(check.state for check in checks) == expected
    for check in checks:
        assert check.detail
        if check.state == "failed":
            assert check.code == "paths_disagree"
            assert check.concern == "authenticity"
            assert str(check.expected).startswith("ours: ")
            assert str(check.got).startswith(f"{NAME}: ")


def test_host_a_built_in_refusal_that_the_report_does_not_deserve_is_a_disagreement() -> None:
    checks = compare(BUILT_IN, ours=HELD, tcb=TCB, unwelcome={"migration"})
    assert [check.state for check in checks] == ["failed", "not_checked"]


# Whether it is asked at all ---------------------------------------------------------------------


def test_where_only_one_path_ran_agreement_is_not_checked() -> None:
    alone = verify(evidence(), policy=opt_in(), now=NOW, both_paths=False)
    for part in ("signatures", "tcb"):
        assert alone.check(f"second-path-{part}").state == "not_checked"
    assert alone.provenance.second_path is None
    assert judge().provenance.second_path == NAME
    required = verify(
        evidence(), policy=opt_in().with_(second_path=True), now=NOW, both_paths=False
    )
    assert required.exit_code == 4


def test_without_endorsements_or_root_there_is_nothing_to_ask() -> None:
    for name in ("collateral-missing", "impostor-root"):
        verdict = judge(state(name))
        assert verdict.check("second-path-signatures").state == "not_checked"
        assert verdict.provenance.second_path is None
