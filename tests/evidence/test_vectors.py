"""Each piece of real evidence gets the verdict it deserves, for the right reason, by both paths."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from teeproof.evidence import eventlog
from teeproof.evidence.endorsements import Collateral
from teeproof.evidence.policy import load_policy
from teeproof.evidence.record import Evidence
from teeproof.evidence.tdx import documents
from teeproof.evidence.tdx import quote as tdx_quote
from teeproof.evidence.verdict import State, Verdict
from teeproof.evidence.verify import verify
from tests.vectors import Record, each, records

LATER = datetime(2026, 11, 22, tzinfo=UTC)  # months after the newest of the collateral expired


@dataclass(frozen=True, kw_only=True)
class Expected:
    """What must come of one vector.

    Attributes:
        said: the manifest's own words, so that a changed manifest does not go unnoticed.
        expires: the day on which the first part of its collateral expired.
        status: Intel's word for the platform; None where our path must not get that far.
        advisories: Intel's advisories that apply.
        module: Intel's word for the TDX module; None for a module of version 0, and for SGX.
        genuine: names and codes of the checks that fail when only genuineness is asked for.
        standard: the same when the usual policy of its kind is asked.
        agreed: states of ``second-path-signatures`` and ``second-path-tcb``.
    """

    said: str
    expires: str
    status: str | None = None
    advisories: tuple[str, ...] = ()
    module: str | None = None
    genuine: tuple[tuple[str, str], ...] = ()
    standard: tuple[tuple[str, str], ...] = ()
    agreed: tuple[State, State] = ("passed", "passed")


_NO_LEVEL = (("tcb-level", "tcb_level_none"),)
_TOO_EARLY = (("certificate-dates", "certificate_not_yet_valid"),)
_DEBUG = (("debug", "debug_on"),)
_SGX_AGREED: tuple[State, State] = ("not_checked", "not_checked")  # dcap-qvl is the only path
# Both refuse, and dcap-qvl does so before it has seen every signature.
_BOTH_REFUSE: tuple[State, State] = ("not_checked", "not_checked")


def _up_to_date(expires: str) -> Expected:
    return Expected(
        said="UpToDate (qe=UpToDate, platform=UpToDate)",
        expires=expires,
        status="UpToDate",
        module="UpToDate",
    )


def _no_level(expires: str) -> Expected:
    # Authentic signatures of platforms older than the last level that Intel still lists. Intel
    # vouches for none of them, so no policy can allow one. Both paths find so.
    return Expected(
        said="REJECT: Verification failed: No matching TCB level found",
        expires=expires,
        genuine=_NO_LEVEL,
        standard=_NO_LEVEL,
    )


def _debug_enclave(expires: str) -> Expected:
    # Real, and the host can read it. dcap-qvl stops there, so its status stays unknown.
    return Expected(
        said="REJECT: Verification failed: Debug mode is enabled",
        expires=expires,
        genuine=_DEBUG,
        standard=_DEBUG,
        agreed=_SGX_AGREED,
    )


EXPECTED = {
    "tdx-v4-b0c06f-uptodate": _up_to_date("2025-07-19"),
    "tdx-v4-b0c06f-tappd": _no_level("2025-07-19"),
    "tdx-v5-90c06f-notcb": _no_level("2026-03-20"),
    "tdx-v5-90c06f-automata": _no_level("2026-03-20"),
    "tdx-v5-90c06f-google": _up_to_date("2026-03-20"),
    # The CPU's microcode reaches only a level that Intel lists as OutOfDate, without advisories;
    # the module (version 3, SVN 5) is fine by itself.
    "tdx-v4-00a06d08-trustee": Expected(
        said="OutOfDate (qe=UpToDate, platform=OutOfDate)",
        expires="2026-02-11",
        status="OutOfDate",
        module="UpToDate",
        standard=(("tcb-status", "tcb_status"),),
    ),
    # TEE_TCB_SVN[1] is 1, so the module's own identity judges its SVN, not the levels
    # (4.1.2.4.17.3). See the test below that counts it in and gets it wrong.
    "tdx-v4-00806f05-gcp-cos113": _up_to_date("2025-08-06"),
    # Azure's paravisor takes memory faults itself, so SEPT_VE_DISABLE is off: dcap-qvl refuses to
    # go on, for us it is a question of policy. Besides, the module is out of date.
    "tdx-v4-00806f05-azure": Expected(
        said="REJECT: Verification failed: SEPT_VE_DISABLE is not enabled",
        expires="2025-08-06",
        status="OutOfDate",
        module="OutOfDate",
        advisories=("INTEL-SA-00960", "INTEL-SA-00982", "INTEL-SA-00986"),
        standard=(("tcb-status", "tcb_status"), ("sept-ve-disable", "sept_ve_disable_off")),
        agreed=("passed", "not_checked"),
    ),
    "tdx-v4-50806f-google-e4": _no_level("2023-07-08"),
    # A real trust domain under debug: authentic, readable by its host. Its module has version 0,
    # for which TCB info lists no identity of its own.
    "tdx-v4-50806f-trustee": Expected(
        said="REJECT: Verification failed: Debug mode is enabled",
        expires="2023-07-08",
        status="UpToDate",
        standard=_DEBUG,
        agreed=("passed", "not_checked"),
    ),
    "sgx-v3-00a067": Expected(
        said="ConfigurationAndSWHardeningNeeded "
        "(qe=UpToDate, platform=ConfigurationAndSWHardeningNeeded)",
        expires="2025-07-19",
        status="ConfigurationAndSWHardeningNeeded",
        advisories=("INTEL-SA-00289", "INTEL-SA-00615"),
        agreed=_SGX_AGREED,
    ),
    "sgx-v3-00a067-automata": _debug_enclave("2025-07-19"),
    "sgx-v3-00606a-occlum": _debug_enclave("2025-09-14"),
    "dstack-quote-report": _up_to_date("2026-03-20"),
    # Its PCK certificate was issued in April 2026, and the collateral expired in March: there is
    # no moment at which both count.
    "dstack-tdx-lite": Expected(
        said="REJECT: Verification failed: Failed to verify certificate chain  Caused by:     "
        "CertNotValidYet { time: UnixTime(1768867200), not_before: UnixTime(1776214258) }",
        expires="2026-03-20",
        genuine=_TOO_EARLY,
        standard=_TOO_EARLY,
        agreed=("not_checked", "not_checked"),  # both refuse,
    ),
}


def _evidence(record: Record) -> Evidence:
    log = record.path / "event_log.json"
    return Evidence(
        quote=record.read("quote.bin"),
        event_log=log.read_bytes() if log.exists() else None,
        collateral=Collateral.parse(record.read("collateral.json")),
        name=record.id,
    )


def _record(name: str) -> Record:
    return next(record for record in records("dcap") if record.id == name)


def _usual(record: Record) -> str:
    return "sgx" if record.id.startswith("sgx") else "standard"


def _failures(verdict: Verdict) -> tuple[tuple[str, str | None], ...]:
    return tuple((check.name, check.code) for check in verdict.failures)


def _exit_code(failures: tuple[tuple[str, str], ...]) -> int:
    names = {name for name, _ in failures}
    return 2 if names - {"debug", "tcb-status", "sept-ve-disable"} else 4 if names else 0


@pytest.mark.usefixtures("vectors")
def test_every_vector_has_an_expected_verdict_and_no_expectation_lacks_its_vector() -> None:
    assert {record.id: record.entry["expected"] for record in records("dcap")} == {
        name: expected.said for name, expected in EXPECTED.items()
    }


@pytest.mark.parametrize("record", each("dcap"))
@pytest.mark.parametrize("policy", ["genuine", "usual"])
def test_real_evidence_gets_its_verdict_for_its_reason(record: Record, policy: str) -> None:
    expected = EXPECTED[record.id]
    failures = expected.genuine if policy == "genuine" else expected.standard
    name = policy if policy == "genuine" else _usual(record)
    verdict = verify(_evidence(record), policy=load_policy(name), now=record.now)

    assert _failures(verdict) == failures
    assert verdict.exit_code == _exit_code(failures)
    assert verdict.confidential is (verdict.exit_code != 2 and "Debug" not in expected.said)
    states = [verdict.check(f"second-path-{part}").state for part in ("signatures", "tcb")]
    assert tuple(states) == expected.agreed
    assert "paths_disagree" not in [check.code for check in verdict.checks]
    tcb = verdict.facts.get("tcb") or {"status": None, "advisories": []}
    assert tcb["status"] == expected.status
    assert tuple(tcb["advisories"]) == expected.advisories
    assert tcb.get("tdx_module_status") == expected.module


@pytest.mark.parametrize("record", each("dcap"))
def test_real_evidence_gets_the_same_verdict_from_our_path_alone(record: Record) -> None:
    if _usual(record) == "sgx":
        with_both = verify(_evidence(record), policy=load_policy("sgx"), now=record.now)
        alone = verify(
            _evidence(record), policy=load_policy("sgx"), now=record.now, both_paths=False
        )
        assert alone == with_both  # there is only one path
        return
    verdict = verify(
        _evidence(record), policy=load_policy("genuine"), now=record.now, both_paths=False
    )
    assert _failures(verdict) == EXPECTED[record.id].genuine
    assert verdict.check("second-path-signatures").state == "not_checked"


@pytest.mark.parametrize("record", each("dcap"))
def test_real_evidence_of_another_day_is_refused_today_with_the_date_of_its_end(
    record: Record,
) -> None:
    verdict = verify(_evidence(record), policy=load_policy("genuine"), now=LATER)
    assert verdict.exit_code == 2
    assert verdict.facts == {}
    assert EXPECTED[record.id].expires in " ".join(check.detail for check in verdict.failures)


@pytest.mark.parametrize("record", each("dcap"))
def test_real_evidence_is_refused_on_the_day_before_its_collateral_was_issued(
    record: Record,
) -> None:
    early = record.now - timedelta(days=40)
    verdict = verify(_evidence(record), policy=load_policy("genuine"), now=early)
    assert verdict.exit_code == 2
    assert verdict.facts == {}


@pytest.mark.usefixtures("vectors")
@pytest.mark.parametrize("name", ["dstack-quote-report", "dstack-tdx-lite"])
def test_the_event_log_of_a_real_dstack_guest_replays_to_its_quote(name: str) -> None:
    evidence = _evidence(_record(name))
    body = tdx_quote.parse(evidence.quote).body
    checks, facts = eventlog.verify(
        evidence.event_log, rtmrs=body.rtmrs, mrconfigid=body.mrconfigid
    )
    assert [check.state for check in checks[:4]] == ["passed"] * 4
    assert facts is not None
    assert facts.compose_hash


@pytest.mark.usefixtures("vectors")
def test_a_real_event_log_does_not_replay_to_the_quote_of_another_guest() -> None:
    log = _evidence(_record("dstack-quote-report")).event_log
    other = tdx_quote.parse(_evidence(_record("dstack-tdx-lite")).quote).body
    checks, facts = eventlog.verify(log, rtmrs=other.rtmrs)
    assert [check.code for check in checks if check.state == "failed"] == ["rtmr_mismatch"]
    assert facts is None


@pytest.mark.usefixtures("vectors")
def test_a_real_dstack_guest_without_a_kms_is_refused_where_keys_must_come_from_one() -> None:
    record = _record("dstack-quote-report")
    body = tdx_quote.parse(_evidence(record).quote).body
    pins = {"mrtd": [body.mrtd.hex()], **{f"rtmr{i}": [body.rtmrs[i].hex()] for i in (1, 2)}}
    pinned = load_policy("dstack").with_(**pins)
    kms = pinned.with_(key_provider=["kms"])
    verdict = verify(_evidence(record), policy=kms, now=record.now)
    assert _failures(verdict) == (("key-provider", "key_provider_mismatch"),)
    assert verdict.exit_code == 4
    local = pinned.with_(key_provider=["local-sgx"])
    verdict = verify(_evidence(record), policy=local, now=record.now)
    assert verdict.exit_code == 0
    assert verdict.check("event-log").state == "passed"
    assert verdict.facts["application"]["key_provider"]["name"] == "local-sgx"


@pytest.mark.usefixtures("vectors")
def test_intels_rule_for_module_versions_makes_the_google_machine_up_to_date() -> None:
    evidence = _evidence(_record("tdx-v4-00806f05-gcp-cos113"))
    assert evidence.collateral is not None
    svn = tdx_quote.parse(evidence.quote).body.tee_tcb_svn
    newest = documents.parse_tcb_info(evidence.collateral.tcb_info).tcb_levels[0]
    assert svn[1] > 0
    # Byte 0 is below the level: a verifier that does not skip it says OutOfDate.
    assert svn[0] < newest.tdx[0]
    assert newest.tcb_status == "UpToDate"


@pytest.mark.usefixtures("vectors")
def test_a_real_guest_whose_certificate_is_younger_than_its_collateral_holds_at_no_moment() -> None:
    record = _record("dstack-tdx-lite")
    evidence, policy = _evidence(record), load_policy("genuine")
    issued = datetime(2026, 4, 15, 1, tzinfo=UTC)  # one hour after the certificate
    assert _failures(verify(evidence, policy=policy, now=record.now)) == _TOO_EARLY
    verdict = verify(evidence, policy=policy, now=issued)
    assert _failures(verdict) == (("collateral-dates", "crl_expired"),)
    assert verdict.check("certificate-dates").state == "passed"
