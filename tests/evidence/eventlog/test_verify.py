"""A log against a quote's registers: what passes, and how hosts and operators lie."""

from __future__ import annotations

import hashlib
import json

import pytest

from teeproof.evidence.eventlog import CHECKS, KeyProvider, verify
from teeproof.evidence.eventlog.labels import label
from teeproof.evidence.eventlog.parse import parse
from tests.evidence.eventlog import logs


def outcome(log, *, machine=None, **more):
    """Verify a log on the machine where ``machine`` (else the log itself) really happened."""
    data = log if isinstance(log, bytes) else logs.encode(log)
    return verify(data, rtmrs=logs.rtmrs(log if machine is None else machine), **more)


def failure(log, **more):
    checks, facts = outcome(log, **more)
    failures = [c for c in checks if c.state == "failed"]
    assert len(failures) == 1, [(c.name, c.code) for c in failures]
    assert failures[0].concern == "authenticity"
    assert facts is None
    return failures[0].name, failures[0].code


def states(checks):
    return {c.name: c.state for c in checks}


@pytest.mark.parametrize("make", [logs.v1, logs.v2])
def test_a_true_log_passes_and_establishes_the_application(make):
    checks, facts = outcome(logs.whole(make))
    assert tuple(c.name for c in checks) == CHECKS
    assert [c.state for c in checks] == ["passed"] * 4 + ["not_checked"] * 2
    assert facts.app_id == logs.APP_ID
    assert facts.compose_hash == logs.COMPOSE_HASH
    assert facts.instance_id == logs.INSTANCE_ID
    assert facts.os_image_hash == logs.OS_IMAGE
    assert facts.key_provider == KeyProvider("kms", logs.KMS_KEY)
    assert facts.key_provider_info == logs.PROVIDER
    assert facts.system_events[-1] == "system-ready"
    assert facts.app_events == ()


def test_without_a_log_nothing_is_checked_and_nothing_is_established():
    checks, facts = verify(None, rtmrs=logs.rtmrs(logs.whole()))
    assert set(states(checks).values()) == {"not_checked"}
    assert facts is None


def test_events_of_the_application_are_listed_and_are_no_facts():
    log = [*logs.whole(), logs.v1("miner", b"5D33")]
    checks, facts = outcome(log)
    assert facts.app_events == ("miner",)
    assert states(checks)["event-log-order"] == "passed"


def test_an_instance_id_may_be_empty_where_the_application_asked_for_none():
    log = logs.whole()
    log[logs.place(log, "instance-id")] = logs.v1("instance-id")
    assert outcome(log)[1].instance_id == b""


# Item by item, what a verifier must refuse.


def test_host_changes_a_payload_and_keeps_the_digest():
    log, true = logs.whole(), logs.whole()
    log[logs.place(log, "compose-hash")]["event_payload"] = "66" * 32
    assert logs.rtmrs(log) == logs.rtmrs(true)  # who trusts the digest field is fooled
    assert failure(log, machine=true) == ("event-log-payloads", "event_payload_mismatch")


def test_host_changes_a_payload_and_leaves_the_digest_out():
    log, true = logs.whole(), logs.whole()
    log[logs.place(log, "compose-hash")] |= {"event_payload": "66" * 32, "digest": ""}
    checks, facts = verify(logs.encode(log), rtmrs=logs.rtmrs(true))
    assert facts is None
    assert [c.code for c in checks if c.state == "failed"] == ["rtmr_mismatch"]


def test_host_renames_a_runtime_event():
    log, true = logs.whole(), logs.whole()
    log[logs.place(log, "storage-fs")]["event"] = "os-image-hash"
    assert failure(log, machine=true) == ("event-log-payloads", "event_payload_mismatch")


def test_host_says_of_a_version_1_event_that_it_is_version_2():
    log, true = logs.whole(), logs.whole()
    log[logs.place(log, "storage-fs")]["version"] = 2
    assert failure(log, machine=true) == ("event-log-payloads", "event_payload_mismatch")


def test_host_leaves_the_preimage_of_a_version_2_event_out():
    log = logs.whole(logs.v2)
    del log[-1]["preimage"]
    assert failure(log) == ("event-log-payloads", "event_preimage_missing")


def test_host_gives_a_preimage_that_is_not_canonical():
    log = logs.whole(logs.v2)
    log[-1]["preimage"] = b'{"type":134217729,"name":"system-ready","payload":""}'.hex()
    assert failure(log) == ("event-log-payloads", "event_preimage_mismatch")


def test_host_claims_an_event_of_another_register_as_the_applications():
    forged = logs.v1("compose-hash", b"\x66" * 32, imr=2)
    log = [*logs.early(), forged, *logs.system()]
    assert failure(log) == ("event-log-order", "runtime_event_outside_rtmr3")


def test_operator_lets_the_application_measure_a_second_compose_hash():
    log = [*logs.whole(), logs.v1("compose-hash", b"\x66" * 32)]
    assert failure(log) == ("event-log-order", "event_after_system_ready")


def test_operator_lets_the_application_say_system_ready_again():
    log = [*logs.whole(), logs.v1("system-ready")]
    assert failure(log) == ("event-log-order", "event_after_system_ready")


def test_operator_measures_a_fact_twice_before_system_ready():
    log = logs.whole()
    log.insert(logs.place(log, "instance-id"), logs.v1("compose-hash", b"\x66" * 32))
    assert failure(log) == ("event-log-order", "event_duplicate")


def test_operator_hides_the_systems_events_behind_another_type():
    # The application repeats the whole boot with other values; the host relabels the real one.
    forged = logs.system()
    forged[2] = logs.v1("compose-hash", b"\x66" * 32)
    log = logs.whole() + forged
    for event in log[8:17]:
        event |= {"event_type": 5, "event": ""}
    assert failure(log) == ("event-log-order", "event_hidden_in_rtmr3")


def test_host_renames_an_event_of_firmware_and_nobody_believes_the_name():
    log = logs.whole()
    log[3]["event"] = "compose-hash"
    log[4]["event"] = "os-image-hash"
    checks, facts = outcome(log)
    assert (checks, facts) == outcome(logs.whole())
    assert label(parse(logs.encode(log))) == label(parse(logs.encode(logs.whole())))


def test_host_changes_the_payload_of_a_firmware_event_whose_digest_covers_it():
    log = logs.whole()
    log[1]["event_payload"] = logs.variable("SecureBoot", b"\0").hex()
    assert failure(log) == ("event-log-payloads", "event_payload_mismatch")


def test_host_leaves_an_event_out():
    true = logs.whole()
    for gone in range(len(true)):
        log = true[:gone] + true[gone + 1 :]
        assert failure(log, machine=true) == ("event-log-replay", "rtmr_mismatch"), gone


def test_host_swaps_two_events_of_one_register():
    true = logs.whole()
    log = [*true[:6], true[7], true[6], *true[8:]]
    assert failure(log, machine=true) == ("event-log-replay", "rtmr_mismatch")


def test_events_of_two_registers_may_interleave_in_another_way():
    true = logs.whole()
    log = [*true[4:8], *true[:4], *true[8:]]
    assert outcome(log, machine=true)[1] is not None


def test_host_appends_an_event_that_never_happened():
    true = logs.whole()
    log = [*true, logs.v1("miner", b"5D33")]
    assert failure(log, machine=true) == ("event-log-replay", "rtmr_mismatch")


def test_operator_measures_in_an_order_that_no_guest_has():
    log = logs.whole()
    at = logs.place(log, "app-id")
    log[at], log[at + 1] = log[at + 1], log[at]
    assert failure(log) == ("event-log-order", "event_order_wrong")


@pytest.mark.parametrize("name", ["app-id", "compose-hash", "instance-id"])
def test_operator_boots_without_measuring_a_fact(name):
    log = logs.whole()
    del log[logs.place(log, name)]
    assert failure(log) == ("event-log-order", "event_missing")


@pytest.mark.parametrize("name", ["app-id", "compose-hash", "instance-id", "os-image-hash"])
def test_operator_measures_a_fact_of_another_length(name):
    log = logs.whole()
    log[logs.place(log, name)] = logs.v1(name, bytes(21))
    assert failure(log) == ("event-log-order", "event_payload_length")


@pytest.mark.parametrize(
    "payload",
    [
        b"tpm",
        b'{"name":"kms"}',
        b'{"name":"kms","id":"AA"}',
        b'{"name":"kms","id":7}',
        b'{"name":"k m s","id":""}',
        b'{"name":"kms","id":"","more":1}',
    ],
)
def test_operator_measures_a_malformed_key_provider(payload):
    log = logs.whole()
    log[logs.place(log, "key-provider")] = logs.v1("key-provider", payload)
    assert failure(log)[0] == "event-log-order"


def test_operator_measures_a_key_provider_with_one_key_twice():
    log = logs.whole()
    payload = b'{"name":"kms","name":"none","id":""}'
    log[logs.place(log, "key-provider")] = logs.v1("key-provider", payload)
    assert failure(log) == ("event-log-order", "json_duplicate_key")


def test_init_scripts_may_repeat_up_to_five_times():
    log = logs.whole()
    at = logs.place(log, "instance-id")
    scripts = [logs.v1("init-script-hash", bytes([n]) * 32) for n in range(6)]
    assert len(outcome(log[:at] + scripts[:5] + log[at:])[1].init_script_hashes) == 5
    assert failure(log[:at] + scripts + log[at:]) == ("event-log-order", "event_duplicate")


def test_a_log_without_system_ready_replays_and_establishes_nothing():
    checks, facts = outcome(logs.whole()[:-1])
    assert facts is None
    assert states(checks)["event-log-replay"] == "passed"
    assert states(checks)["event-log-order"] == "not_checked"


def test_a_log_of_another_guest_than_dstack_replays_and_establishes_nothing():
    checks, facts = outcome([*logs.early(), logs.boot(3, 0xD, b"x")])
    assert facts is None
    assert states(checks)["event-log-replay"] == "passed"
    assert states(checks)["event-log-order"] == "not_checked"


def test_a_log_without_its_early_events_explains_rtmr3_alone_and_says_so():
    true = logs.whole()
    log = [true[3], *true[8:]]
    checks, facts = outcome(log, machine=true)
    assert states(checks)["event-log-replay"] == "not_checked"
    assert facts.compose_hash == logs.COMPOSE_HASH


def test_host_leaves_the_early_events_out_and_one_of_the_applications_too():
    true = logs.whole()
    log = [true[3], *true[8:10], *true[11:]]
    assert failure(log, machine=true) == ("event-log-replay", "rtmr_mismatch")


def test_host_leaves_the_events_of_one_early_register_out():
    true = logs.whole()
    log = [*true[:6], *true[8:]]
    assert failure(log, machine=true) == ("event-log-replay", "rtmr_mismatch")


def test_a_failed_check_leaves_the_later_ones_unchecked_and_says_which_failed():
    checks, _ = verify(b"[", rtmrs=logs.rtmrs([]))
    assert [c.state for c in checks[:4]] == ["failed"] + ["not_checked"] * 3
    assert "event-log-format" in checks[2].detail


def test_host_flips_any_byte_of_a_log_and_only_labels_of_firmware_are_malleable():
    log = logs.whole(logs.v2)
    data, machine = logs.encode(log), logs.rtmrs(log)
    _, true = verify(data, rtmrs=machine)
    accepted = set()
    for at in range(len(data)):
        for bit in (1, 0x20):
            flipped = data[:at] + bytes([data[at] ^ bit]) + data[at + 1 :]
            checks, facts = verify(flipped, rtmrs=machine)
            if not any(c.state == "failed" for c in checks):
                assert facts == true
                accepted |= differing(log, json.loads(flipped))
    # Payloads that no digest covers; nothing here has a name or a type to flip into another.
    assert accepted <= {("event_payload", k) for k in (0x8000000B, 0xA, 0x80000003, 6)} | {
        ("event_type", k["event_type"]) for k in logs.early()
    }


def differing(log, other):
    return {
        (field, event["event_type"])
        for event, changed in zip(log, other, strict=True)
        for field in event
        if event[field] != changed.get(field)
    }


def test_what_replays_is_computed_by_hand_once():
    log = logs.whole()
    value = bytes(48)
    for event in log:
        if event["imr"] == 3:
            value = hashlib.sha384(value + bytes.fromhex(event["digest"])).digest()
    assert value == logs.rtmrs(log)[3]
