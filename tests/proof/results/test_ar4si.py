"""A verdict in AR4SI's claims: nothing is affirming that was not checked."""

from __future__ import annotations

import msgspec
import pytest

from teeproof.evidence.verdict import failed, not_checked
from teeproof.proof.results.ar4si import (
    CLAIMS,
    TIERS,
    status_of,
    summed,
    tier_of,
    vector_of,
    worst,
)
from tests.proof.results.verdicts import (
    PINNED,
    SIMULATED,
    hardware,
    of_state,
    refused,
    unknown,
)

replace = msgspec.structs.replace


@pytest.mark.parametrize(
    ("value", "tier"),
    [
        (-1, "none"), (0, "none"), (1, "none"), (2, "affirming"), (31, "affirming"),
        (32, "warning"), (95, "warning"), (96, "contraindicated"), (127, "contraindicated"),
        (-2, "affirming"), (-32, "affirming"), (-33, "warning"), (-96, "warning"),
        (-97, "contraindicated"), (-128, "contraindicated"),
    ],
)  # fmt: skip
def test_a_number_has_the_tier_that_ar4si_gives_its_range(value, tier):
    # draft-ietf-rats-ar4si, 2.3.2
    assert tier_of(value) == tier


@pytest.mark.parametrize("value", [128, -129])
def test_what_is_no_signed_byte_has_no_tier(value):
    with pytest.raises(ValueError, match=str(value)):
        tier_of(value)


def test_a_whole_affirms_only_if_every_part_does():
    assert summed(["affirming", "affirming"]) == "affirming"
    assert summed(["affirming", "none"]) == "none"
    assert summed(["none", "warning"]) == "warning"
    assert worst([]) == "none"
    assert [worst(["none", tier]) for tier in TIERS] == list(TIERS)


def test_evidence_that_is_pinned_from_firmware_to_application_is_affirmed():
    verdict = hardware()
    vector = vector_of(verdict)
    assert vector == dict.fromkeys(CLAIMS, 0) | {
        "configuration": 2, "executables": 2, "hardware": 2, "runtime-opaque": 2,
    }  # fmt: skip
    assert status_of(verdict, vector) == "affirming"


def test_without_the_application_only_what_was_started_is_known():
    verdict = hardware(*PINNED[:3])
    assert vector_of(verdict)["executables"] == 3
    assert status_of(verdict, vector_of(verdict)) == "affirming"


@pytest.mark.parametrize(
    ("name", "claim"),
    [
        ("pck-chain", "hardware"), ("pck-revocation", "hardware"), ("tcb-level", "hardware"),
        ("debug", "configuration"), ("migration", "configuration"),
        ("service-td", "configuration"), ("sept-ve-disable", "configuration"),
        ("mrtd", "executables"), ("rtmr1", "executables"), ("rtmr2", "executables"),
    ],
)  # fmt: skip
def test_what_was_not_checked_is_never_affirming(name, claim):
    verdict = hardware(**unknown(name))
    vector = vector_of(verdict)
    assert verdict.ok
    assert vector[claim] == 0
    assert status_of(verdict, vector) == "none"


@pytest.mark.parametrize(
    ("changed", "claim", "value"),
    [
        ({"debug": failed("debug", "debug_on", "Open.", "policy")}, "configuration", 96),
        ({"rtmr3": failed("rtmr3", "rtmr3_mismatch", "Other.", "policy")}, "executables", 33),
        ({"pcr0": failed("pcr0", "pcr0_mismatch", "Other.", "policy")}, "executables", 33),
        ({"platform_lists": failed("platform-lists", "platform_blocked", "No.", "policy")},
         "instance-identity", 96),
        ({"platform_lists": failed("platform-lists", "platform_not_allowed", "No.", "policy")},
         "instance-identity", 97),
        ({"tcb_status": failed("tcb-status", "tcb_status", "Old.", "policy")}, "hardware", 2),
    ],
)  # fmt: skip
def test_what_the_policy_refuses_is_contraindicated_whatever_the_claims(changed, claim, value):
    verdict = hardware(**changed)
    vector = vector_of(verdict)
    assert vector[claim] == value
    assert status_of(verdict, vector) == "contraindicated"


@pytest.mark.parametrize(
    ("status", "value", "tier"),
    [("UpToDate", 2, "affirming"), ("OutOfDate", 32, "warning"),
     ("SWHardeningNeeded", 32, "warning"), ("Revoked", 96, "contraindicated")],
)  # fmt: skip
def test_a_platform_that_needs_patches_is_warned_of_even_where_the_policy_allows_it(
    status, value, tier
):
    verdict = hardware(facts={"tcb": {"status": status, "advisories": []}})
    vector = vector_of(verdict)
    assert vector["hardware"] == value
    assert status_of(verdict, vector) == tier


def test_memory_that_is_open_is_contraindicated_even_where_the_policy_allows_it():
    verdict = replace(hardware(), confidential=False)
    vector = vector_of(verdict)
    assert vector["runtime-opaque"] == 96
    assert status_of(verdict, vector) == "contraindicated"
    debug = hardware(facts={"debug": True}, **unknown("debug"))
    assert vector_of(debug)["configuration"] == 96


@pytest.mark.parametrize("name", ["up-to-date", "out-of-date", "debug"])
def test_simulator_passes_for_no_hardware_even_where_the_policy_accepts_it(name):
    for verdict in (SIMULATED, of_state(name)):
        assert verdict.level == "simulated"
        vector = vector_of(verdict)
        assert vector == dict.fromkeys(CLAIMS, 0) | {"hardware": 97}
        assert status_of(verdict, vector) == "contraindicated"


@pytest.mark.parametrize(
    ("code", "claim", "value"),
    [("quote_signature", "hardware", 99), ("root_not_pinned", "hardware", 97),
     ("tcb_level_none", "hardware", 96), ("pck_revoked", "instance-identity", 96)],
)  # fmt: skip
def test_evidence_that_does_not_hold_says_why_and_nothing_else(code, claim, value):
    verdict = refused(code)
    vector = vector_of(verdict)
    assert vector == dict.fromkeys(CLAIMS, 0) | {claim: value}
    assert status_of(verdict, vector) == "contraindicated"


def test_where_something_is_missing_no_claim_is_made():
    verdict = refused("endorsements_missing", concern="availability")
    vector = vector_of(verdict)
    assert not any(vector.values())
    assert status_of(verdict, vector) == "none"


def test_a_kind_that_nothing_is_known_of_here_is_affirmed_by_nobody():
    verdict = replace(hardware(), kind="something-new")
    vector = vector_of(verdict)
    assert vector["hardware"] == vector["configuration"] == vector["executables"] == 0
    assert status_of(verdict, vector) == "none"


def test_measured_evidence_says_nothing_of_memory():
    verdict = replace(hardware(), level="measured", confidential=False)
    assert vector_of(verdict)["runtime-opaque"] == 0
    assert status_of(verdict, vector_of(verdict)) == "none"


def test_an_enclave_of_nitro_is_isolated_and_not_encrypted():
    checks = (not_checked("nitro-revocation", "AWS has no lists."),)
    verdict = replace(hardware(), kind="nitro", checks=checks)
    vector = vector_of(verdict)
    assert (vector["runtime-opaque"], vector["hardware"]) == (32, 0)
    assert status_of(verdict, vector) == "warning"
