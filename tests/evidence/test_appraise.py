"""Each expectation of a policy: not checked unless it is set, passed if met, failed if not.

The table names every field of ``Policy`` once; a field that is added without a row fails a test.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, get_args

import msgspec
import pytest

from teeproof.core.digests import named, sha256
from teeproof.core.errors import Usage
from teeproof.evidence.appraise.expect import any_of, flag
from teeproof.evidence.appraise.kind import ANSWERED, check_kind
from teeproof.evidence.binding import report_data_for
from teeproof.evidence.collect.simulated import Domain, Machine, Processor
from teeproof.evidence.policy import Policy, load_policy
from teeproof.evidence.recognise import USUAL_POLICY, Kind
from teeproof.evidence.record import Evidence
from teeproof.evidence.simulated.nitro import Enclave
from teeproof.evidence.simulated.tpm import TpmMachine
from teeproof.evidence.verdict import Verdict
from teeproof.evidence.verify import verify
from tests.evidence.scenes import (
    NOW,
    PLATFORM,
    REPORT_DATA,
    collateral,
    evidence,
    failures,
    judge,
    opt_in,
    state,
)

MACHINE = PLATFORM.machine()
GPU_ROOTS = [PLATFORM.gpus.device_root.fingerprint, PLATFORM.gpus.rim_root.fingerprint]
GUEST, DOMAIN = MACHINE.guest, MACHINE.domain
PLATFORM_ID = named(sha256(MACHINE.processor.ppid))
KEYSET, OTHER_KEYSET = "sha256:" + "11" * 32, "sha256:" + "22" * 32
NOTHING = "00" * 32


def _quoted(report_data: bytes) -> Evidence:
    return MACHINE.evidence(report_data, now=NOW, version=5)


def _bound() -> Evidence:
    return _quoted(report_data_for(KEYSET, nonce="a nonce"))


def _without_log() -> Evidence:
    return msgspec.structs.replace(evidence(), event_log=None)


@dataclass(frozen=True, kw_only=True)
class Row:
    """How one field is met and not met.

    Attributes:
        check: the check that speaks of it.
        met: changes to a policy without expectations.
        unmet: likewise.
        code: of the failure.
        given: evidence; ``given_unmet`` if another is needed to break the expectation.
        both_paths: whether the second path runs when the expectation is to be broken.
    """

    check: str
    met: dict[str, Any]
    unmet: dict[str, Any]
    code: str
    given: Callable[[], Evidence] = evidence
    given_unmet: Callable[[], Evidence] | None = None
    both_paths: bool = field(default=True)


def _listed(name: str, check: str, value: str, other: str) -> Row:
    code = check.replace("-", "_") + "_mismatch"
    return Row(check=check, met={name: [other, value]}, unmet={name: [other]}, code=code)


def _flag(name: str, *, right: bool) -> Row:
    check = name.replace("_", "-")
    code = f"{name}_{'on' if right else 'off'}"
    return Row(check=check, met={name: right}, unmet={name: not right}, code=code)


_ZERO = "00" * 48
_RTMRS = {
    f"rtmr{number}": _listed(f"rtmr{number}", f"rtmr{number}", value.hex(), _ZERO)
    for number, value in enumerate(MACHINE.rtmrs)
}
_AN_HOUR_AGO = (NOW - timedelta(hours=1)).isoformat()


def _snp() -> Evidence:
    return state("snp-up-to-date")


def _snp_listed(name: str, value: str) -> Row:
    row = _listed(name, name.replace("_", "-"), value, "ab" * (len(value) // 2))
    key = _SNP_KEY if name in ("family_id", "image_id") else {}
    return replace(row, met=row.met | key, unmet=row.unmet | key, given=_snp)


def _snp_flag(name: str, *, right: bool) -> Row:
    return replace(_flag(name, right=right), given=_snp)


_SNP_FACTS = verify(
    _snp(),
    now=NOW,
    policy=Policy(roots=(), simulated_roots=(PLATFORM.snp.root_fingerprint,)),
).facts
_SNP_KEY = {"id_key_digest": [_SNP_FACTS["id_key_digest"]]}
SNP_ROWS: dict[str, Row] = {
    "products": Row(
        check="product",
        met={"products": ["Genoa", "Milan"]},
        unmet={"products": ["Genoa"]},
        code="product_mismatch",
        given=_snp,
    ),
    "minimum_tcb": Row(
        check="minimum-tcb",
        met={"minimum_tcb": [{"product": "Milan", "snp": 24, "microcode": 219}]},
        unmet={"minimum_tcb": [{"product": "Milan", "snp": 24, "microcode": 220}]},
        code="minimum_tcb_below",
        given=_snp,
    ),
    "revocation_list": Row(
        check="revocation-list",
        met={"revocation_list": True},
        unmet={"revocation_list": True},
        code="revocation_list_missing",
        given=lambda: state("snp-not-revoked"),
        given_unmet=_snp,
    ),
    "vlek": _snp_flag("vlek", right=False),
    "masked_chip_id": _snp_flag("masked_chip_id", right=False),
    "ciphertext_hiding": _snp_flag("ciphertext_hiding", right=False),
    "single_socket": _snp_flag("single_socket", right=False),
    "vmpl": Row(
        check="vmpl",
        met={"vmpl": [1, 0]},
        unmet={"vmpl": [1]},
        code="vmpl_mismatch",
        given=_snp,
    ),
    "minimum_guest_svn": Row(
        check="guest-svn",
        met={"minimum_guest_svn": 2} | _SNP_KEY,
        unmet={"minimum_guest_svn": 3} | _SNP_KEY,
        code="guest_svn_below",
        given=_snp,
    ),
    **{
        name: _snp_listed(name, _SNP_FACTS[name])
        for name in (
            "measurement",
            "host_data",
            "family_id",
            "image_id",
            "id_key_digest",
            "author_key_digest",
        )
    },
}


def _nitro() -> Evidence:
    return state("nitro-in-order")


def _pcr7(*values: str) -> list[dict[str, Any]]:
    return [{"bank": "sha256", "pcr": 7, "values": list(values)}]


NITRO_ROWS: dict[str, Row] = {
    f"pcr{index}": replace(
        _listed(f"pcr{index}", f"pcr{index}", Enclave().pcrs[index].hex(), "ab" * 48), given=_nitro
    )
    for index in (0, 1, 2, 3, 4, 8)
} | {
    "user_data": Row(
        check="user-data",
        met={"user_data": REPORT_DATA.hex()},
        unmet={"user_data": "ab" * 64},
        code="user_data_mismatch",
        given=_nitro,
    )
}

TABLE: dict[str, Row] = {
    "tcb_statuses": Row(
        check="tcb-status",
        met={"tcb_statuses": ["OutOfDate", "UpToDate"]},
        unmet={"tcb_statuses": ["OutOfDate"]},
        code="tcb_status",
    ),
    "tcb_grace_days": Row(
        check="tcb-status",
        met={"tcb_statuses": ["UpToDate"], "tcb_grace_days": {"OutOfDate": 3000}},
        unmet={"tcb_statuses": ["UpToDate"], "tcb_grace_days": {"OutOfDate": 30}},
        code="tcb_grace_over",
        given=lambda: state("out-of-date"),
    ),
    "denied_advisories": Row(
        check="advisories",
        met={"denied_advisories": ["INTEL-SA-00001"]},
        unmet={"denied_advisories": ["INTEL-SA-00001", "INTEL-SA-01397"]},
        code="advisory_denied",
        given=lambda: state("advisory"),
    ),
    "tcb_evaluation_floor": Row(
        check="evaluation-number",
        met={"tcb_evaluation_floor": [{"since": "2026-01-01", "number": 20}]},
        unmet={"tcb_evaluation_floor": [{"since": "2026-01-01", "number": 21}]},
        code="evaluation_number_rollback",
    ),
    "max_collateral_age_days": Row(
        check="collateral-age",
        met={"max_collateral_age_days": 1},
        unmet={"max_collateral_age_days": 0},
        code="collateral_too_old",
    ),
    **SNP_ROWS,
    **NITRO_ROWS,
    "tee": Row(check="tee", met={"tee": "tdx"}, unmet={"tee": "sgx"}, code="policy_for_sgx"),
    "second_path": Row(
        check="two-paths",
        met={"second_path": True},
        unmet={"second_path": True},
        code="second_path_missing",
        both_paths=False,
    ),
    "debug": _flag("debug", right=False),
    "migration": _flag("migration", right=False),
    "service_td": _flag("service_td", right=False),
    "sept_ve_disable": _flag("sept_ve_disable", right=True),
    "dynamic_platform": _flag("dynamic_platform", right=False),
    "cached_keys": _flag("cached_keys", right=False),
    "smt": _flag("smt", right=False),
    "mrtd": _listed("mrtd", "mrtd", DOMAIN.mrtd.hex(), _ZERO),
    "mrseam": _listed("mrseam", "mrseam", DOMAIN.mrseam.hex(), _ZERO),
    **_RTMRS,
    "mrconfigid": _listed("mrconfigid", "mrconfigid-value", GUEST.mrconfigid().hex(), _ZERO),
    "mrowner": _listed("mrowner", "mrowner", _ZERO, "ff" * 48),
    "mrownerconfig": _listed("mrownerconfig", "mrownerconfig", _ZERO, "ff" * 48),
    "event_log": Row(
        check="event-log",
        met={"event_log": True},
        unmet={"event_log": True},
        code="event_log_missing",
        given_unmet=_without_log,
    ),
    "compose_hash": _listed("compose_hash", "compose-hash", GUEST.compose_hash.hex(), NOTHING),
    "compose_images_pinned": Row(
        check="compose-images",
        met={"compose_images_pinned": True},
        unmet={"compose_images_pinned": True},
        code="image_not_pinned",
        given_unmet=lambda: state("mutable-image-tag"),
    ),
    "app_id": _listed("app_id", "app-id", GUEST.app_id.hex(), "00" * 20),
    "instance_id": _listed("instance_id", "instance-id", GUEST.instance_id.hex(), "00" * 20),
    "os_image_hash": _listed("os_image_hash", "os-image", GUEST.os_image_hash.hex(), NOTHING),
    "key_provider": _listed("key_provider", "key-provider", "kms", "tpm"),
    "key_provider_id": _listed("key_provider_id", "key-provider-id", GUEST.key_provider_id, "00"),
    "mr_system": _listed(
        "mr_system", "mr-system", judge().facts["application"]["mr_system"], NOTHING
    ),
    "mr_aggregated": _listed(
        "mr_aggregated", "mr-aggregated", judge().facts["application"]["mr_aggregated"], NOTHING
    ),
    "report_data": Row(
        check="report-data",
        met={"report_data": REPORT_DATA.hex()},
        unmet={"report_data": "00" * 64},
        code="report_data_mismatch",
    ),
    "nonce": Row(
        check="report-data",
        met={"nonce": "a nonce", "keyset_digest": KEYSET},
        unmet={"nonce": "another nonce", "keyset_digest": KEYSET},
        code="report_data_mismatch",
        given=_bound,
    ),
    "keyset_digest": Row(
        check="report-data",
        met={"nonce": "a nonce", "keyset_digest": KEYSET},
        unmet={"nonce": "a nonce", "keyset_digest": OTHER_KEYSET},
        code="report_data_mismatch",
        given=_bound,
    ),
    "nonce_issued_at": Row(
        check="age",
        met={
            "report_data": REPORT_DATA.hex(),
            "nonce_issued_at": _AN_HOUR_AGO,
            "max_age_seconds": 3600,
        },
        unmet={
            "report_data": REPORT_DATA.hex(),
            "nonce_issued_at": (NOW + timedelta(seconds=1)).isoformat(),
            "max_age_seconds": 3600,
        },
        code="nonce_from_the_future",
    ),
    "max_age_seconds": Row(
        check="age",
        met={
            "nonce": "a nonce",
            "keyset_digest": KEYSET,
            "nonce_issued_at": _AN_HOUR_AGO,
            "max_age_seconds": 3600,
        },
        unmet={
            "nonce": "a nonce",
            "keyset_digest": KEYSET,
            "nonce_issued_at": _AN_HOUR_AGO,
            "max_age_seconds": 3599,
        },
        code="too_old",
        given=_bound,
    ),
    "allowed_platforms": Row(
        check="platform-lists",
        met={"allowed_platforms": [OTHER_KEYSET, PLATFORM_ID]},
        unmet={"allowed_platforms": [OTHER_KEYSET]},
        code="platform_not_allowed",
    ),
    "blocked_platforms": Row(
        check="platform-lists",
        met={"blocked_platforms": [OTHER_KEYSET]},
        unmet={"blocked_platforms": [OTHER_KEYSET, PLATFORM_ID]},
        code="platform_blocked",
    ),
    "gpu": Row(
        check="gpu-count",
        met={"gpu": {"min_gpus": 2}},
        unmet={"gpu": {"min_gpus": 3}},
        code="gpu_count_too_low",
        given=lambda: state("gpus-beside"),
    ),
}
TABLE |= {
    "tpm": Row(
        check="tpm-pcr-values",
        met={"tpm": {"pcrs": _pcr7(TpmMachine().registers[7].hex())}},
        unmet={"tpm": {"pcrs": _pcr7(NOTHING)}},
        code="tpm_pcr_mismatch",
        given=lambda: state("tpm-in-order"),
    ),
    "boot": Row(
        check="secure-boot",
        met={"boot": {"secure_boot": True}},
        unmet={"boot": {"secure_boot": False}},
        code="secure_boot_on",
        given=lambda: state("tpm-in-order"),
    ),
    "cca": Row(
        check="rim",
        met={"cca": {"rim": [NOTHING, PLATFORM.cca.realm_claims(bytes(64))[44238].hex()]}},
        unmet={"cca": {"rim": [NOTHING]}},
        code="rim_mismatch",
        given=lambda: state("cca-in-order"),
    ),
}
# Fields that are no expectations, or whose default is one already: tested by themselves below.
APART = {"name", "description", "roots", "simulated_roots", "mrenclave", "mrsigner"}

fields = pytest.mark.parametrize("name", TABLE)


# What makes a guest's word count for something: its image.
IMAGE = {
    "mrtd": [DOMAIN.mrtd.hex()],
    "rtmr1": [MACHINE.rtmrs[1].hex()],
    "rtmr2": [MACHINE.rtmrs[2].hex()],
}
TOLD_BY_GUEST = {
    "compose_hash",
    "compose_images_pinned",
    "app_id",
    "instance_id",
    "os_image_hash",
    "key_provider",
    "key_provider_id",
}


def _judge(given: Evidence, *, both_paths: bool = True, **changes: Any) -> Verdict:
    pins = IMAGE if TOLD_BY_GUEST & set(changes) else {}
    vendors = (PLATFORM, PLATFORM.snp, PLATFORM.nitro, PLATFORM.tpm, PLATFORM.cca)
    roots = [each.root_fingerprint for each in vendors]
    changes["gpu"] = {"simulated_roots": GPU_ROOTS} | changes.get("gpu", {})
    policy = opt_in().with_(**pins | changes, simulated_roots=roots)
    return verify(given, policy=policy, now=NOW, both_paths=both_paths)


def test_every_field_of_a_policy_has_a_row() -> None:
    assert set(TABLE) | APART == set(Policy.__struct_fields__)
    for name, row in TABLE.items():
        assert name in row.met
        assert name in row.unmet


@fields
def test_what_is_not_set_is_not_checked_and_says_so(name: str) -> None:
    row = TABLE[name]
    verdict = _judge(row.given())
    check = verdict.check(row.check)
    assert check.state == "not_checked"
    assert check.concern == "policy"
    assert check.detail
    assert verdict.exit_code == 0


@fields
def test_what_is_set_and_met_is_passed(name: str) -> None:
    row = TABLE[name]
    verdict = _judge(row.given(), **row.met)
    check = verdict.check(row.check)
    assert (check.state, check.concern) == ("passed", "policy")
    assert failures(verdict) == []
    assert (verdict.ok, verdict.exit_code) == (True, 0)


@fields
def test_what_is_set_and_not_met_is_not_allowed_with_both_sides_named(name: str) -> None:
    row = TABLE[name]
    given = (row.given_unmet or row.given)()
    verdict = _judge(given, both_paths=row.both_paths, **row.unmet)
    check = verdict.check(row.check)
    assert (check.state, check.code, check.concern) == ("failed", row.code, "policy")
    assert check.expected
    assert check.got
    assert check.expected != check.got
    assert failures(verdict) == [(row.check, row.code)]
    assert (verdict.ok, verdict.authentic, verdict.exit_code) == (False, True, 4)
    assert verdict.facts, "it is authentic, so its facts stand"


def test_no_two_checks_of_a_verdict_have_the_same_name() -> None:
    for name in ("up-to-date", "up-to-date-v5", "quote-body-flipped", "collateral-missing"):
        names = [check.name for check in judge(state(name)).checks]
        assert len(set(names)) == len(names)


# Roots ----------------------------------------------------------------------------------------


def test_operator_a_simulators_root_must_be_pinned_as_such() -> None:
    assert judge().level == "simulated"
    assert judge().check("simulated-root").state == "passed"
    for policy in (
        Policy(),
        Policy(roots=()),
        Policy(simulated_roots=(OTHER_KEYSET,)),
        # Pinned as if it were a vendor's: the mark still says what it is.
        Policy(roots=(PLATFORM.root_fingerprint,)),
    ):
        verdict = judge(policy=policy)
        assert failures(verdict) == [("simulated-root", "simulated_root_not_accepted")]
        assert (verdict.level, verdict.confidential, verdict.exit_code) == ("simulated", False, 4)
        check = verdict.check("simulated-root")
        assert check.expected
        assert check.got == PLATFORM.root_fingerprint


def test_a_root_without_the_mark_that_nobody_pinned_is_not_authentic() -> None:
    verdict = judge(state("impostor-root"))
    assert ("root", "root_not_pinned") in failures(verdict)
    assert (verdict.level, verdict.exit_code, verdict.facts) == (None, 2, {})


# Boundaries -----------------------------------------------------------------------------------


def test_grace_ends_with_its_last_second() -> None:
    given = state("out-of-date")  # its level is of 2024-03-13
    grace = {"tcb_statuses": ["UpToDate"], "tcb_grace_days": {"OutOfDate": 718}}
    last = datetime(2026, 3, 1, 0, 0, 0, tzinfo=UTC)
    policy = opt_in().with_(**grace)
    assert verify(given, policy=policy, now=last).exit_code == 0
    over = verify(given, policy=policy, now=last + timedelta(seconds=1))
    assert failures(over) == [("tcb-status", "tcb_grace_over")]
    assert over.check("tcb-status").expected == "until 2026-03-01"


def test_grace_for_one_status_is_no_grace_for_another() -> None:
    grace: dict[str, Any] = {"tcb_statuses": [], "tcb_grace_days": {"SWHardeningNeeded": 9000}}
    verdict = _judge(state("out-of-date"), **grace)
    assert failures(verdict) == [("tcb-status", "tcb_status")]


def test_a_floor_counts_from_its_day_on_and_the_highest_one_counts() -> None:
    def floors(*rows: tuple[str, int]) -> Verdict:
        given = [{"since": since, "number": number} for since, number in rows]
        return _judge(evidence(), tcb_evaluation_floor=given)

    assert floors(("2026-03-01", 21)).exit_code == 4
    later = floors(("2026-03-02", 21))
    assert (later.check("evaluation-number").state, later.exit_code) == ("not_checked", 0)
    assert floors(("2020-01-01", 20), ("2026-03-02", 21)).exit_code == 0
    assert floors(("2026-01-01", 21), ("2026-02-01", 19)).exit_code == 4


def test_the_age_of_collateral_counts_to_the_second() -> None:
    policy = opt_in().with_(max_collateral_age_days=3)
    issued = datetime(2026, 3, 1, tzinfo=UTC)
    assert verify(evidence(), policy=policy, now=issued + timedelta(3)).exit_code == 0
    old = verify(evidence(), policy=policy, now=issued + timedelta(days=3, seconds=1))
    assert failures(old) == [("collateral-age", "collateral_too_old")]
    assert old.check("collateral-age").got == "more than 3 days"


def test_the_age_of_a_quote_is_unknown_where_it_does_not_bind_the_nonce() -> None:
    verdict = _judge(
        evidence(),
        report_data="00" * 64,
        nonce_issued_at=_AN_HOUR_AGO,
        max_age_seconds=7200,
    )
    assert failures(verdict) == [("report-data", "report_data_mismatch"), ("age", "age_unknown")]


# Lists ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", [name for name, row in TABLE.items() if isinstance(row.met[name], list)]
)
def test_an_empty_list_allows_nothing_and_is_never_green(name: str) -> None:
    empty: dict[str, Any] = {name: []}
    if name in ("family_id", "image_id"):
        empty |= _SNP_KEY
    verdict = _judge(TABLE[name].given(), **empty)
    check = verdict.check(TABLE[name].check)
    denies = name in {"denied_advisories", "blocked_platforms", "tcb_evaluation_floor"}
    assert check.state == ("not_checked" if denies else "failed")


def test_a_blocked_platform_is_blocked_even_if_it_is_allowed() -> None:
    lists: dict[str, Any] = {"allowed_platforms": [PLATFORM_ID], "blocked_platforms": [PLATFORM_ID]}
    assert failures(_judge(evidence(), **lists)) == [("platform-lists", "platform_blocked")]


def test_what_the_evidence_does_not_establish_is_not_what_the_policy_lists() -> None:
    for name in ("compose_hash", "app_id", "instance_id", "os_image_hash", "key_provider"):
        given = msgspec.structs.replace(state("mr-config-zero"), event_log=None)
        verdict = _judge(given, **TABLE[name].met)
        check = verdict.check(TABLE[name].check)
        assert check.code == TABLE[name].check.replace("-", "_") + "_unknown"
        assert "event log" in check.detail
        assert verdict.exit_code == 4


def test_host_withholding_the_log_does_not_make_its_own_mrconfigid_count() -> None:
    # MRCONFIGID is what the host fixed at start; only the guest can have looked at it.
    given = msgspec.structs.replace(evidence(), event_log=None)
    verdict = _judge(given, compose_hash=[GUEST.compose_hash.hex()])
    assert failures(verdict) == [("compose-hash", "compose_hash_unknown")]


@pytest.mark.parametrize("name", sorted(TOLD_BY_GUEST))
def test_host_a_guest_that_nobody_pinned_cannot_vouch_for_its_application(name: str) -> None:
    row = TABLE[name]
    loose = opt_in().with_(**row.met)
    verdict = verify(row.given(), policy=loose, now=NOW)
    assert failures(verdict) == [("guest-image", "guest_image_unpinned")]
    assert verdict.exit_code == 4
    for missing in IMAGE:
        pins = {field: value for field, value in IMAGE.items() if field != missing}
        assert verify(row.given(), policy=loose.with_(**pins), now=NOW).exit_code == 4
    pinned = loose.with_(**IMAGE)
    assert verify(row.given(), policy=pinned, now=NOW).check("guest-image").state == "passed"


@pytest.mark.parametrize("name", ["mrenclave", "mrsigner"])
def test_a_trust_domain_is_no_enclave(name: str) -> None:
    assert failures(_judge(evidence(), **{name: ["00" * 32]})) == [(name, f"{name}_unknown")]


def test_pinned_images_need_the_compose_file_that_was_measured() -> None:
    given = msgspec.structs.replace(evidence(), compose=None)
    verdict = _judge(given, compose_images_pinned=True)
    assert failures(verdict) == [("compose-images", "compose_missing")]


def test_a_log_that_does_not_hold_leaves_the_application_not_checked() -> None:
    verdict = _judge(state("log-event-removed"), compose_hash=[GUEST.compose_hash.hex()])
    assert verdict.exit_code == 2
    assert verdict.check("application").state == "not_checked"
    with pytest.raises(KeyError):
        verdict.check("compose-hash")


# Report data and replay -----------------------------------------------------------------------


def test_client_a_report_data_that_was_accepted_before_is_refused() -> None:
    fresh = verify(evidence(), policy=opt_in(), now=NOW, seen={bytes(64)})
    assert (fresh.check("replay").state, fresh.exit_code) == ("not_checked", 0)
    assert "a first time proves nothing" in fresh.check("replay").detail
    assert "was given no earlier evidence" in judge().check("replay").detail
    again = verify(evidence(), policy=opt_in(), now=NOW, seen={REPORT_DATA})
    assert failures(again) == [("replay", "report_data_reused")]
    assert again.check("replay").got == REPORT_DATA.hex()


def test_a_zero_report_data_binds_nothing_and_says_so() -> None:
    verdict = verify(_quoted(bytes(64)), policy=opt_in(), now=NOW, seen={bytes(64)})
    assert verdict.check("report-data").state == "not_checked"
    assert "all zero" in verdict.check("report-data").detail
    assert verdict.check("replay").state == "not_checked"


# Attributes -----------------------------------------------------------------------------------


@pytest.mark.parametrize("bit", range(64))
def test_every_attribute_bit_is_either_known_or_refused(bit: int) -> None:
    machine: Machine = PLATFORM.machine(
        domain=Domain(tdattributes=(1 << 28 | 1 << bit).to_bytes(8, "little"))
    )
    verdict = judge(machine.quote(REPORT_DATA), endorsements=collateral())
    check = verdict.check("td-attributes")
    known = {0, 4, 5, 6, 16, 17, 27, 28, 29, 30, 31, 62, 63}
    assert check.state == ("passed" if bit in known else "failed")
    assert verdict.exit_code == (0 if bit in known else 4)
    assert verdict.facts["debug"] is (bit < 8)
    assert verdict.facts["migratable"] is (bit == 29)
    assert verdict.confidential is False


@pytest.mark.parametrize("name", ["dynamic", "cached_keys", "smt"])
def test_what_the_owner_chose_is_read_from_the_certificate(name: str) -> None:
    machine = PLATFORM.machine(processor=Processor(**{name: True}))  # type: ignore[arg-type]
    verdict = judge(machine.quote(REPORT_DATA), endorsements=collateral())
    checks = {"dynamic": "dynamic-platform", "cached_keys": "cached-keys", "smt": "smt"}
    for field_name, check in checks.items():
        assert verdict.check(check).got == ("on" if field_name == name else "off")


# The forms of an expectation ------------------------------------------------------------------


def test_a_property_that_the_evidence_does_not_state_meets_no_expectation() -> None:
    sentences = {"on": "it is on", "off": "it is off"}
    for expected in (True, False):
        check = flag("a-thing", expected, None, **sentences)
        assert (check.state, check.code, check.got) == ("failed", "a_thing_unknown", "unknown")
        assert "does not say" in check.detail
    assert flag("a-thing", None, None, **sentences).state == "not_checked"
    assert flag("a-thing", True, True, **sentences).detail == "it is on"
    assert flag("a-thing", True, False, **sentences).code == "a_thing_off"


def test_a_value_is_never_looked_for_inside_another() -> None:
    assert any_of("x", ("abc",), "abc", what="x").state == "passed"
    for got in ("ab", "bc", "", "ABC", "abcd"):
        assert any_of("x", ("abc",), got, what="x").state == "failed"


def test_grace_without_statuses_is_an_error_and_not_a_weaker_policy() -> None:
    with pytest.raises(Usage, match="tcb_grace_days needs tcb_statuses"):
        opt_in().with_(tcb_grace_days={"OutOfDate": 30})


# Kinds ----------------------------------------------------------------------------------------


def test_every_field_of_a_policy_is_answered_by_some_kind_of_evidence() -> None:
    assert set().union(*ANSWERED.values()) == set(Policy.__struct_fields__)


def test_every_kind_of_evidence_has_its_fields_and_its_usual_policy() -> None:
    assert set(ANSWERED) == set(USUAL_POLICY) == set(get_args(Kind))
    for kind, name in USUAL_POLICY.items():
        policy = load_policy(name)
        assert policy.tee == kind
        assert check_kind(kind, policy).state == "passed"
        others = [check_kind(other, policy).code for other in ANSWERED if other != kind]
        assert set(others) == {f"policy_for_{kind.replace('-', '_')}"}


@pytest.mark.parametrize("kind", ANSWERED)
def test_a_field_that_a_kind_cannot_show_is_never_passed_over(kind: Kind) -> None:
    for name, row in TABLE.items():
        policy = Policy().with_(**{**row.met, "tee": None})
        expected = "not_checked" if set(row.met) <= ANSWERED[kind] else "failed"
        assert check_kind(kind, policy).state == expected, name
