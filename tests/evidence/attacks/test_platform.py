"""Attacks by a platform that is signed and true: old, revoked, open to its host, or unwanted."""

from __future__ import annotations

from dataclasses import replace

import pytest

from teeproof.core.digests import named, sha256
from teeproof.evidence.policy import Policy, load_policy
from teeproof.evidence.simulated.hardware import Domain, Processor, QuotingEnclave, patched
from tests.evidence.attacks.court import (
    accepted,
    but,
    flagged,
    only,
    quote_only,
    real,
    reference,
    refused,
)
from tests.evidence.scenes import NOW, PLATFORM, REPORT_DATA, collateral, opt_in, resigned, state

CHECKLIST = {
    14: ("test_operator_cannot_quote_with_an_old_quoting_enclave",),
    15: ("test_host_cannot_run_a_tdx_module_that_intel_does_not_list",),
    16: ("test_host_cannot_run_a_tdx_module_of_another_signer",),
    17: (
        "test_host_cannot_keep_a_window_into_the_domain",
        "test_host_cannot_keep_a_window_into_a_real_domain",
        "test_operator_cannot_run_a_real_enclave_under_debug",
    ),
    18: ("test_host_cannot_move_the_domain_away",),
    19: (
        "test_host_that_may_inject_memory_faults_is_shown",
        "test_host_that_may_inject_memory_faults_is_shown_in_real_evidence",
    ),
    20: (
        "test_operator_cannot_use_a_platform_that_intel_revoked",
        "test_operator_cannot_use_a_platform_that_is_out_of_date",
        "test_operator_cannot_use_a_platform_below_every_level",
        "test_operator_cannot_use_real_platforms_that_are_behind",
    ),
    21: (
        "test_operator_cannot_leave_a_denied_flaw_open",
        "test_operator_cannot_leave_a_denied_flaw_open_on_a_real_platform",
    ),
    56: (
        "test_operator_cannot_use_a_machine_on_the_block_list",
        "test_operator_cannot_use_a_machine_that_nobody_knows",
        "test_operator_cannot_use_a_real_machine_on_the_block_list",
    ),
}

_DEBUG, _SEPT_VE_DISABLE, _MIGRATABLE = 1 << 0, 1 << 28, 1 << 29
NO_LEVEL = ("tcb-level", "tcb_level_none")
STATUS = ("tcb-status", "tcb_status")


def _quoted(domain: Domain | None = None, enclave: QuotingEnclave | None = None) -> bytes:
    return PLATFORM.machine(domain=domain, enclave=enclave).quote(REPORT_DATA, version=5)


def test_operator_cannot_quote_with_an_old_quoting_enclave() -> None:
    refused(state("qe-no-level"), ("qe-measurement", "qe_level_none"))
    refused(state("qe-revoked"), ("tcb-level", "tcb_revoked"))
    refused(state("qe-out-of-date"), STATUS, exit_code=4, policy=reference())
    # Between the levels, the one below counts; at the newest, nothing is open.
    given = quote_only(_quoted(enclave=QuotingEnclave(isvsvn=5)))
    assert accepted(given).facts["tcb"]["qe_status"] == "OutOfDate"
    accepted(quote_only(_quoted(enclave=QuotingEnclave(isvsvn=6))), policy=_status_only())
    accepted(quote_only(_quoted(enclave=QuotingEnclave(isvsvn=7))), policy=_status_only())


def _status_only() -> Policy:
    return opt_in().with_(tcb_statuses=["UpToDate"])


def test_operator_cannot_quote_with_an_enclave_of_his_own() -> None:
    refused(state("qe-signer"), ("qe-measurement", "qe_mrsigner"))
    refused(state("qe-product"), ("qe-measurement", "qe_product"))
    refused(state("qe-debug"), ("qe-measurement", "qe_attributes"))
    refused(state("qe-vendor"), ("quoting-enclave", "qe_vendor"))


def test_host_cannot_run_a_tdx_module_that_intel_does_not_list() -> None:
    check = only(refused(state("tdx-module-unknown"), ("tdx-module", "tdx_module_unknown")))
    assert check.got == "TDX_05"
    refused(state("tdx-module-no-level"), ("tcb-level", "tdx_module_level_none"))
    refused(state("tdx-module-revoked"), ("tcb-level", "tcb_revoked"))
    accepted(state("tdx-module-version-3"))
    # Nor does a list that names the version in other letters help.
    renamed = resigned(
        collateral(), tcb_info=lambda d: d["tdxModuleIdentities"][1].update(id="TDX_5")
    )
    verdict = quote_only(_quoted(), renamed)
    with pytest.raises(AssertionError):
        accepted(verdict)


def test_host_cannot_run_a_tdx_module_of_another_signer() -> None:
    refused(state("tdx-module-signer"), ("tdx-module", "tdx_module_signer"))
    refused(state("tdx-module-attributes"), ("tdx-module", "tdx_module_attributes"))
    for position in (0, 47):
        signer = bytearray(48)
        signer[position] = 1
        given = quote_only(_quoted(Domain(mrsignerseam=bytes(signer))))
        refused(given, ("tdx-module", "tdx_module_signer"))
    accepted(quote_only(_quoted(Domain(mrsignerseam=bytes(48)))))


def test_host_cannot_keep_a_window_into_the_domain() -> None:
    expected = ("debug", "debug_on")
    refused(state("debug"), expected, exit_code=4, policy=reference())
    verdict = accepted(state("debug"))  # authentic, and shown for what it is
    assert verdict.facts["debug"] is True
    assert not verdict.confidential
    flagged(verdict, "debug", "the host can read and change the domain's memory")
    no_debug = opt_in().with_(debug=False)
    for bit in (0, 4, 5, 6):
        attributes = (_SEPT_VE_DISABLE | 1 << bit).to_bytes(8, "little")
        given = quote_only(_quoted(Domain(tdattributes=attributes)))
        refused(given, expected, exit_code=4, policy=no_debug)
    accepted(quote_only(_quoted()), policy=no_debug)


@pytest.mark.usefixtures("vectors")
def test_host_cannot_keep_a_window_into_a_real_domain() -> None:
    record, given = real("tdx-v4-50806f-trustee")
    policy = load_policy("standard")
    refused(given, ("debug", "debug_on"), exit_code=4, policy=policy, now=record.now)
    verdict = accepted(given, policy=load_policy("genuine"), now=record.now)
    assert (verdict.level, verdict.confidential) == ("hardware", False)


@pytest.mark.usefixtures("vectors")
@pytest.mark.parametrize("name", ["sgx-v3-00a067-automata", "sgx-v3-00606a-occlum"])
def test_operator_cannot_run_a_real_enclave_under_debug(name: str) -> None:
    record, given = real(name)
    for policy in ("sgx", "genuine"):
        verdict = refused(
            given, ("debug", "debug_on"), exit_code=4, policy=load_policy(policy), now=record.now
        )
        assert not verdict.confidential
    record, given = real("sgx-v3-00a067")
    accepted(given, policy=load_policy("sgx"), now=record.now)


def test_host_cannot_move_the_domain_away() -> None:
    for name, check in (("migratable", "migration"), ("service-td", "service-td")):
        code = f"{check.replace('-', '_')}_on"
        refused(state(name), (check, code), exit_code=4, policy=reference())
        verdict = accepted(state(name))
        assert verdict.check(check).state == "not_checked"
        assert verdict.check(check).got == "on"
    accepted(state("up-to-date-v5"), policy=reference())


def test_host_that_may_inject_memory_faults_is_shown() -> None:
    given = state("sept-ve-disable-off")
    flagged(accepted(given), "sept-ve-disable", "the host can inject memory faults")
    refused(given, ("sept-ve-disable", "sept_ve_disable_off"), exit_code=4, policy=reference())


@pytest.mark.usefixtures("vectors")
def test_host_that_may_inject_memory_faults_is_shown_in_real_evidence() -> None:
    record, given = real("tdx-v4-00806f05-azure")
    verdict = accepted(given, policy=load_policy("genuine"), now=record.now)
    flagged(verdict, "sept-ve-disable", "the host can inject memory faults")
    flagged(verdict, "second-path-tcb", "SEPT_VE_DISABLE is not enabled")
    asked = load_policy("genuine").with_(sept_ve_disable=True)
    expected = ("sept-ve-disable", "sept_ve_disable_off")
    refused(given, expected, exit_code=4, policy=asked, now=record.now)


def test_operator_cannot_use_a_platform_that_intel_revoked() -> None:
    verdict = refused(state("revoked"), ("tcb-level", "tcb_revoked"))
    assert verdict.facts == {}
    # No policy can allow it, either.
    with pytest.raises(Exception, match="Revoked"):
        opt_in().with_(tcb_statuses=["Revoked"])


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("out-of-date", "OutOfDate"),
        ("out-of-date-configuration-needed", "OutOfDateConfigurationNeeded"),
        ("configuration-needed", "ConfigurationNeeded"),
        ("sw-hardening-needed", "SWHardeningNeeded"),
        ("configuration-and-sw-hardening-needed", "ConfigurationAndSWHardeningNeeded"),
        ("tdx-module-out-of-date", "OutOfDate"),
        ("td-relaunch-advised", "TDRelaunchAdvised"),
        ("td-relaunch-advised-configuration-needed", "TDRelaunchAdvisedConfigurationNeeded"),
    ],
)
def test_operator_cannot_use_a_platform_that_is_out_of_date(name: str, status: str) -> None:
    check = only(refused(state(name), STATUS, exit_code=4, policy=reference()))
    assert check.got == status
    accepted(state(name), policy=opt_in().with_(tcb_statuses=[status]))


def test_operator_gets_as_much_grace_as_the_policy_gives() -> None:
    days = (NOW.replace(hour=0) - NOW.replace(2024, 3, 13, hour=0)).days  # of its TCB level
    given, usual = state("out-of-date"), opt_in().with_(tcb_statuses=["UpToDate"])
    accepted(given, policy=usual.with_(tcb_grace_days={"OutOfDate": days + 1}))
    short = usual.with_(tcb_grace_days={"OutOfDate": days - 1})
    refused(given, ("tcb-status", "tcb_grace_over"), exit_code=4, policy=short)


def test_operator_cannot_use_a_platform_below_every_level() -> None:
    refused(state("no-tcb-level"), NO_LEVEL)
    refused(state("pce-too-old"), NO_LEVEL)
    # Every component counts: one step below the last level is below.
    for index, floor in enumerate((3, 2, 2, 2, 3, 1)):
        svns = bytearray(Processor().cpu_svn)
        svns[index] = floor - 1
        machine = PLATFORM.machine(processor=replace(Processor(), cpu_svn=bytes(svns)))
        refused(machine.evidence(REPORT_DATA, now=NOW), NO_LEVEL)
    lowest = PLATFORM.machine(processor=patched(4)).evidence(REPORT_DATA, now=NOW)
    assert accepted(lowest).facts["tcb"]["status"] == "OutOfDateConfigurationNeeded"


@pytest.mark.usefixtures("vectors")
def test_operator_cannot_use_real_platforms_that_are_behind() -> None:
    record, given = real("tdx-v4-00a06d08-trustee")
    policy = load_policy("standard")
    refused(given, STATUS, exit_code=4, policy=policy, now=record.now)
    accepted(given, policy=policy.with_(tcb_statuses=["OutOfDate"]), now=record.now)
    for name in ("tdx-v4-b0c06f-tappd", "tdx-v5-90c06f-notcb", "tdx-v4-50806f-google-e4"):
        record, given = real(name)
        refused(given, NO_LEVEL, policy=load_policy("genuine"), now=record.now)


def test_operator_cannot_leave_a_denied_flaw_open() -> None:
    given = state("advisory")
    assert accepted(given).facts["tcb"]["advisories"] == ["INTEL-SA-01397"]
    expected = ("advisories", "advisory_denied")
    check = only(refused(given, expected, exit_code=4, policy=reference()))
    assert check.got == "INTEL-SA-01397"
    accepted(given, policy=opt_in().with_(denied_advisories=["INTEL-SA-01398"]))


@pytest.mark.usefixtures("vectors")
def test_operator_cannot_leave_a_denied_flaw_open_on_a_real_platform() -> None:
    record, given = real("tdx-v4-00806f05-azure")
    genuine = load_policy("genuine")
    denied = genuine.with_(denied_advisories=["INTEL-SA-00982"])
    expected = ("advisories", "advisory_denied")
    refused(given, expected, exit_code=4, policy=denied, now=record.now)
    other = genuine.with_(denied_advisories=["INTEL-SA-00983"])
    accepted(given, policy=other, now=record.now)


def _platform(name: str = "machine 1") -> str:
    return named(sha256(Processor(name=name).ppid))


def test_operator_cannot_use_a_machine_on_the_block_list() -> None:
    given = state("up-to-date")
    blocked = opt_in().with_(blocked_platforms=[_platform("machine 3"), _platform()])
    expected = ("platform-lists", "platform_blocked")
    refused(given, expected, exit_code=4, policy=blocked)
    # The block list counts even for a machine that is known.
    both = blocked.with_(allowed_platforms=[_platform()])
    refused(given, expected, exit_code=4, policy=both)
    accepted(given, policy=opt_in().with_(blocked_platforms=[_platform("machine 3")]))


def test_operator_cannot_use_a_machine_that_nobody_knows() -> None:
    given, expected = state("another-platform"), ("platform-lists", "platform_not_allowed")
    refused(given, expected, exit_code=4, policy=reference())
    accepted(given, policy=opt_in().with_(allowed_platforms=[_platform("machine 2")]))
    nobody = opt_in().with_(allowed_platforms=[])
    refused(state("up-to-date"), expected, exit_code=4, policy=nobody)


def test_operator_machine_is_named_by_a_digest_and_never_by_its_ppid() -> None:
    verdict = accepted(state("up-to-date"))
    assert verdict.facts["platform"]["id"] == _platform()
    assert Processor().ppid.hex() not in str(verdict.to_json())


@pytest.mark.usefixtures("vectors")
def test_operator_cannot_use_a_real_machine_on_the_block_list() -> None:
    record, given = real("dstack-quote-report")
    genuine = load_policy("genuine")
    platform = accepted(given, policy=genuine, now=record.now).facts["platform"]["id"]
    blocked = genuine.with_(blocked_platforms=[platform])
    expected = ("platform-lists", "platform_blocked")
    refused(given, expected, exit_code=4, policy=blocked, now=record.now)
    accepted(given, policy=genuine.with_(allowed_platforms=[platform]), now=record.now)


def test_host_cannot_set_an_attribute_that_nobody_knows() -> None:
    expected = ("td-attributes", "td_attributes_unknown")
    refused(state("attributes-reserved"), expected, exit_code=4)
    given = quote_only(_quoted(Domain(tdattributes=(_SEPT_VE_DISABLE).to_bytes(8, "little"))))
    accepted(but(given, name="the same without the bit"))
