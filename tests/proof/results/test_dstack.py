"""dstack-verifier's JSON: its names, and nothing true that was not checked."""

from __future__ import annotations

import json

import msgspec
import pytest

import teeproof as tp
from teeproof.core.errors import Malformed
from teeproof.proof.results.dstack import answer_of, refusal_of
from tests.proof.results.verdicts import PINNED, SIMULATED, hardware, of_state, refused, unknown
from tests.vectors import each

replace = msgspec.structs.replace
DETAILS = {
    "quote_verified", "event_log_verified", "os_image_hash_verified", "acpi_tables_verified",
    "os_image_is_dev", "os_image_version", "tee_variant", "report_data", "tcb_status",
    "advisory_ids", "key_provider", "app_info",
}  # fmt: skip
APP_INFO = {
    "app_id", "compose_hash", "instance_id", "device_id", "mr_system", "mr_aggregated",
    "os_image_hash", "key_provider_info",
}  # fmt: skip
BOOT_INFO = {
    "teeVariant", "mrAggregated", "osImageHash", "mrSystem", "appId", "composeHash", "instanceId",
    "deviceId", "keyProviderInfo", "tcbStatus", "advisoryIds",
}  # fmt: skip
LOG = ("event-log-format", "event-log-payloads", "event-log-replay", "event-log-order")
ALL = (*PINNED, *LOG, "guest-image", "os-image")
VERIFIED = ("quote_verified", "event_log_verified", "os_image_hash_verified")


def test_an_answer_has_the_names_that_dstack_s_has():
    answer = answer_of(hardware(*ALL))
    assert set(answer) == {"is_valid", "details", "reason"}
    assert set(answer["details"]) == DETAILS | {"boot_info"}
    assert set(answer["details"]["app_info"]) == APP_INFO
    assert set(answer["details"]["boot_info"]) == BOOT_INFO


def test_what_is_verified_in_all_three_ways_is_valid():
    answer = answer_of(hardware(*ALL))
    assert answer["is_valid"] is True
    assert answer["reason"] is None
    assert all(answer["details"][name] is True for name in VERIFIED)
    assert answer["details"]["tee_variant"] == "dstack-tdx"
    assert answer["details"]["tcb_status"] == "UpToDate"
    assert answer["details"]["acpi_tables_verified"] is False
    app, boot = answer["details"]["app_info"], answer["details"]["boot_info"]
    assert (boot["teeVariant"], boot["tcbStatus"]) == ("dstack-tdx", "UpToDate")
    assert boot["composeHash"] == app["compose_hash"]
    info = json.loads(bytes.fromhex(boot["keyProviderInfo"]))
    assert info["name"] == answer["details"]["key_provider"]["name"]


@pytest.mark.parametrize("name", [*LOG, "guest-image", "os-image"])
def test_what_was_not_checked_is_false_and_nothing_is_valid_then(name):
    answer = answer_of(hardware(*ALL, **unknown(name)))
    field = "event_log_verified" if name in LOG else "os_image_hash_verified"
    assert answer["details"][field] is False
    assert answer["is_valid"] is False
    assert "boot_info" not in answer["details"]
    assert "was not checked" in answer["reason"]
    if name in LOG:
        assert answer["details"]["app_info"] is None
        assert answer["details"]["os_image_hash_verified"] is False


def test_what_the_policy_refuses_is_not_valid_and_the_reason_says_so():
    debug = tp.Check("debug", "failed", "The host can look inside.", "policy", "debug_on")
    answer = answer_of(hardware(*ALL, debug=debug))
    assert answer["details"]["quote_verified"] is True
    assert answer["is_valid"] is False
    assert answer["reason"] == "debug: The host can look inside."


@pytest.mark.parametrize("verdict", [SIMULATED, of_state("up-to-date")], ids=["opt-in", "not"])
def test_simulator_is_never_valid(verdict):
    answer = answer_of(verdict)
    assert answer["is_valid"] is False
    assert "imulat" in answer["reason"] or "SIMULATED" in answer["reason"]


def test_evidence_that_does_not_hold_establishes_nothing():
    answer = answer_of(refused("quote_signature"))
    assert answer["is_valid"] is False
    assert {name for name, value in answer["details"].items() if value} == set()
    assert answer["reason"].startswith("a-check: ")


def test_what_cannot_be_read_is_answered_in_the_same_form():
    answer = refusal_of(Malformed("this is no quote", got="3 bytes"))
    assert set(answer["details"]) == DETAILS
    assert answer["reason"] == "this is no quote (got 3 bytes)"
    assert answer["is_valid"] is False


@pytest.mark.parametrize("record", each("dcap"))
def test_real_evidence_without_a_pinned_image_is_not_valid(record):
    verdict = tp.verify(tp.load(record.path), now=record.now)
    answer = answer_of(verdict)
    assert answer["is_valid"] is False
    assert answer["reason"]
    assert answer["details"]["quote_verified"] is verdict.authentic
    assert answer["details"]["report_data"] == verdict.facts.get("report_data")
