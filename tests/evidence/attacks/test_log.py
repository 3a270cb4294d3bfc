"""Attacks on the event log and the compose file: what a host may write beside a true quote."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from teeproof.core.digests import sha256
from teeproof.evidence.eventlog import verify as verify_log
from teeproof.evidence.policy import Policy, load_policy
from teeproof.evidence.record import Evidence
from teeproof.evidence.simulated import quote as write
from teeproof.evidence.simulated.eventlog import dstack_event, encode
from teeproof.evidence.simulated.guest import DEVELOPMENT_IMAGE, Guest, app_compose
from teeproof.evidence.verify import verify
from tests.evidence.attacks.court import accepted, but, only, real, reference, refused
from tests.evidence.attacks.forge import take_apart
from tests.evidence.scenes import (
    NOW,
    PLATFORM,
    REPORT_DATA,
    collateral,
    failures,
    judge,
    opt_in,
    state,
)

CHECKLIST = {
    29: ("test_host_cannot_show_another_payload_than_was_measured",),
    30: ("test_workload_cannot_measure_a_fact_into_another_register",),
    31: ("test_workload_cannot_measure_a_second_compose_hash_after_its_start",),
    32: ("test_host_cannot_cut_name_and_payload_at_another_colon",),
    33: (
        "test_host_cannot_name_an_event_of_the_firmware",
        "test_host_cannot_name_an_event_of_real_firmware",
    ),
    34: (
        "test_host_cannot_leave_out_or_reorder_events",
        "test_workload_cannot_leave_out_or_reorder_its_facts",
    ),
    35: ("test_operator_cannot_reformat_the_compose_file",),
    36: ("test_operator_cannot_run_what_its_registry_serves_today",),
    37: (
        "test_operator_cannot_run_a_development_image",
        "test_operator_cannot_do_without_a_kms",
    ),
}

GOOD = Guest(mr_config=0)
PAYLOAD = ("event-log-payloads", "event_payload_mismatch")
REPLAY = ("event-log-replay", "rtmr_mismatch")
COMPOSE_HASH = GOOD.compose_hash.hex()


def _pinned(*guests: Guest, **expected: object) -> Policy:
    """Return a policy that knows the guest images, and expects something of what they say."""
    machines = [PLATFORM.machine(guest=guest) for guest in guests or (GOOD,)]
    image = {
        "mrtd": [machines[0].domain.mrtd.hex()],
        "rtmr1": [machine.rtmrs[1].hex() for machine in machines],
        "rtmr2": [machine.rtmrs[2].hex() for machine in machines],
    }
    return opt_in().with_(**image, **expected)


def _wanted() -> Policy:
    return _pinned(compose_hash=[COMPOSE_HASH], event_log=True)


def _made(guest: Guest = GOOD) -> Evidence:
    return PLATFORM.machine(guest=guest).evidence(REPORT_DATA, now=NOW)


def _log(given: Evidence) -> list[dict[str, Any]]:
    assert given.event_log is not None
    value: list[dict[str, Any]] = json.loads(given.event_log)
    return value


def _told(given: Evidence, log: list[dict[str, Any]]) -> Evidence:
    return but(given, event_log=json.dumps(log).encode())


def _index(log: list[dict[str, Any]], name: str) -> int:
    return next(index for index, event in enumerate(log) if event["event"] == name)


def test_a_true_log_is_accepted() -> None:
    verdict = accepted(_made(), policy=_wanted())
    assert verdict.check("compose-hash").state == "passed"
    assert verdict.facts["application"]["compose_hash"] == COMPOSE_HASH


def test_host_cannot_show_another_payload_than_was_measured() -> None:
    refused(state("log-payload-forged"), PAYLOAD)
    refused(state("log-event-renamed"), PAYLOAD)
    bad = _made(Guest(compose=app_compose("another"), mr_config=0))
    log = _log(bad)
    event = log[_index(log, "compose-hash")]
    event["event_payload"] = COMPOSE_HASH
    refused(but(_told(bad, log), compose=GOOD.compose), PAYLOAD, policy=_wanted())
    # With the digest made to fit, the register no longer does.
    del event["digest"]
    refused(but(_told(bad, log), compose=GOOD.compose), REPLAY, policy=_wanted())


def test_workload_cannot_measure_a_fact_into_another_register() -> None:
    given = state("event-in-another-register")
    expected = ("event-log-order", "runtime_event_outside_rtmr3")
    refused(given, expected)
    # The event in the register where facts belong is one, and another application's.
    refused(state("compose-of-another-app"), ("compose", "compose_mismatch"))


def test_workload_cannot_measure_a_second_compose_hash_after_its_start() -> None:
    refused(state("event-twice"), ("event-log-order", "event_after_system_ready"))
    verdict = accepted(state("app-event"), policy=reference())
    assert verdict.facts["application"]["events_of_the_application"] == ["app-started"]


def test_workload_cannot_give_a_fact_twice_before_its_start() -> None:
    events = GOOD.events()
    at = next(i for i, event in enumerate(events) if event.name == "compose-hash")
    doubled = (*events[:at], dstack_event("compose-hash", bytes(32)), *events[at:])
    machine = PLATFORM.machine(guest=GOOD, events=doubled)
    given = machine.evidence(REPORT_DATA, now=NOW)
    refused(given, ("event-log-order", "event_duplicate"))


def test_host_cannot_hide_an_event_under_another_type() -> None:
    bad = Guest(compose=app_compose("another"), mr_config=0, more=(dstack_event("x", b"y"),))
    given = _made(bad)
    log = _log(given)
    log[-1]["event_type"] = 0x80000008
    refused(_told(given, log), ("event-log-order", "event_hidden_in_rtmr3"))
    accepted(given)


def test_host_cannot_cut_name_and_payload_at_another_colon() -> None:
    refused(state("log-event-split-elsewhere"), ("event-log-format", "event_name_ambiguous"))
    given = _made(Guest(mr_config=0, more=(dstack_event("told", b"compose-hash:x"),)))
    accepted(given)
    log = _log(given)
    log[-1] |= {"event": "told:compose-hash", "event_payload": b"x".hex()}
    refused(_told(given, log), ("event-log-format", "event_name_ambiguous"))


def test_host_cannot_name_an_event_of_the_firmware() -> None:
    given = state("log-boot-event-named")
    refused(given, ("compose", "compose_mismatch"))
    mismatch = ("compose-hash", "compose_hash_mismatch")
    refused(but(given, compose=None), mismatch, exit_code=4, policy=_wanted())


@pytest.mark.usefixtures("vectors")
def test_host_cannot_name_an_event_of_real_firmware() -> None:
    record, given = real("dstack-quote-report")
    genuine = load_policy("genuine")
    honest = accepted(given, policy=genuine, now=record.now)
    log = _log(given)
    early = [event for event in log if event["imr"] < 3]
    assert len(early) > 10
    for event in early:
        event["event"] = "compose-hash"
    verdict = accepted(_told(given, log), policy=genuine, now=record.now)
    # The names say something else now, no digest covers them, and nothing follows from them.
    assert verdict.facts == honest.facts
    early[0]["event_type"] = 0x08000001
    forged = verify(_told(given, log), policy=genuine, now=record.now)
    assert failures(forged) == [PAYLOAD]
    assert forged.exit_code == 2


def test_host_cannot_leave_out_or_reorder_events() -> None:
    refused(state("log-event-removed"), REPLAY)
    refused(state("log-events-swapped"), REPLAY)
    given = _made()
    log = _log(given)
    refused(_told(given, log[:-1]), REPLAY)
    refused(_told(given, log[1:]), REPLAY)
    refused(_told(given, [*log, log[-1]]), REPLAY)
    refused(_told(given, []), REPLAY)
    # The order of events in different registers is nobody's: each register has its own.
    by_register = sorted(log, key=lambda event: -event["imr"])
    assert by_register != log
    assert accepted(_told(given, by_register)).facts == accepted(given).facts


def test_workload_cannot_leave_out_or_reorder_its_facts() -> None:
    refused(state("event-missing"), ("event-log-order", "event_missing"))
    refused(state("events-reordered"), ("event-log-order", "event_order_wrong"))


def test_host_cannot_give_the_log_of_another_machine() -> None:
    other = _made(Guest(compose=app_compose("another"), mr_config=0))
    refused(but(_made(), event_log=other.event_log), REPLAY)


def test_host_cannot_do_without_a_log_where_one_is_asked_for() -> None:
    expected = ("event-log", "event_log_missing"), ("compose-hash", "compose_hash_unknown")
    refused(but(_made(), event_log=None), *expected, exit_code=4, policy=_wanted())
    # Nor with the half of one that certificates carry.
    given = _made()
    stripped = [event for event in _log(given) if event["imr"] == 3]
    refused(_told(given, stripped), expected[0], exit_code=4, policy=_wanted())


def test_operator_cannot_reformat_the_compose_file() -> None:
    refused(state("compose-reformatted"), ("compose", "compose_reformatted"))
    given = _made()
    value = json.loads(GOOD.compose)
    other_forms = {
        json.dumps(value).encode(),
        json.dumps(value, indent=1).encode(),
        json.dumps(value, sort_keys=True, indent=4).encode(),
        GOOD.compose + b"\n",
        b" " + GOOD.compose,
    } - {GOOD.compose}
    assert len(other_forms) >= 4
    for form in other_forms:
        assert json.loads(form) == value
        verdict = judge(but(given, compose=form))
        assert verdict.exit_code == 2
        assert only(verdict).name == "compose"
        # The code says so where the other form is a common one.
        assert only(verdict).code in ("compose_mismatch", "compose_reformatted")
        assert only(verdict).got == sha256(form).hex()
    accepted(but(given, compose=GOOD.compose))


def test_operator_cannot_give_the_compose_file_of_another_application() -> None:
    refused(state("compose-of-another-app"), ("compose", "compose_mismatch"))
    expected = (
        ("compose-hash", "compose_hash_mismatch"),
        ("app-id", "app_id_mismatch"),
    )
    refused(state("another-app"), *expected, exit_code=4, policy=reference())
    refused(state("mr-config-of-another-app"), ("mrconfigid", "mrconfigid_mismatch"))


def test_operator_cannot_run_what_its_registry_serves_today() -> None:
    given = state("mutable-image-tag")
    expected = ("compose-images", "image_not_pinned")
    check = only(refused(given, expected, exit_code=4, policy=reference()))
    assert check.got == "simulated.invalid/hello:latest"
    pinned = _pinned(compose_images_pinned=True)
    accepted(state("up-to-date"), policy=pinned)
    missing = ("compose-images", "compose_missing")
    refused(but(given, compose=None), missing, exit_code=4, policy=pinned)


def test_operator_cannot_run_a_development_image() -> None:
    expected = (
        ("rtmr1", "rtmr1_mismatch"),
        ("rtmr2", "rtmr2_mismatch"),
        ("os-image", "os_image_mismatch"),
    )
    given = state("development-image")
    refused(given, *expected, exit_code=4, policy=reference())
    hashes = [Guest().os_image_hash.hex()]
    image = _pinned(os_image_hash=hashes)
    both = _pinned(Guest(), Guest(image=DEVELOPMENT_IMAGE), os_image_hash=hashes)
    refused(given, ("os-image", "os_image_mismatch"), exit_code=4, policy=both)
    accepted(state("up-to-date"), policy=image)


@pytest.mark.parametrize("name", ["key-provider-none", "key-provider-local"])
def test_operator_cannot_do_without_a_kms(name: str) -> None:
    kms = _pinned(key_provider=["kms"])
    expected = ("key-provider", "key_provider_mismatch")
    refused(state(name), expected, exit_code=4, policy=kms)
    accepted(state("up-to-date"), policy=kms)
    # Another KMS is no better than none.
    other = _pinned(key_provider_id=["00" * 91])
    mismatch = ("key-provider-id", "key_provider_id_mismatch")
    refused(state("up-to-date"), mismatch, exit_code=4, policy=other)


def _with_mrconfigid(guest: Guest, mrconfigid: bytes) -> Evidence:
    """Return what a machine hands over whose host fixed any MRCONFIGID it liked."""
    machine = PLATFORM.machine(guest=guest)
    report = write.td_report(
        machine.domain,
        mrconfigid=mrconfigid,
        rtmrs=machine.rtmrs,
        report_data=REPORT_DATA,
        body="1.0",
    )
    parts = take_apart(machine.quote(REPORT_DATA))
    return Evidence(
        quote=parts.resigned(signed=parts.signed[:48] + report).quote(),
        event_log=encode(machine.events),
        collateral=collateral(),
    )


def test_host_cannot_fix_a_configuration_that_the_guest_did_not_run() -> None:
    bad = Guest(compose=app_compose("another"), mr_config=0)
    given = _with_mrconfigid(bad, b"\1" + GOOD.compose_hash + bytes(15))
    refused(given, ("mrconfigid", "mrconfigid_mismatch"))
    true = _with_mrconfigid(bad, b"\1" + bad.compose_hash + bytes(15))
    accepted(true)


def test_host_gains_nothing_by_leaving_out_a_log_that_contradicts_it() -> None:
    # MRCONFIGID is the host's word: it alone establishes no compose hash.
    bad = Guest(compose=app_compose("another"), mr_config=0)
    unknown = ("compose-hash", "compose_hash_unknown")
    policy = _pinned(compose_hash=[COMPOSE_HASH])
    for rest in (bytes(15), b"\xff" * 15):
        given = _with_mrconfigid(bad, b"\1" + GOOD.compose_hash + rest)
        without = but(given, event_log=None)
        refused(without, unknown, exit_code=4, policy=policy)


def test_operator_cannot_write_the_log_of_a_guest_that_nobody_pinned() -> None:
    # Whatever runs in a domain can extend RTMR3 as it likes, and so tell of any application.
    liar = replace(GOOD, image="an operating system of the operator's own")
    given = _made(liar)
    loose = opt_in().with_(compose_hash=[COMPOSE_HASH], event_log=True)
    refused(given, ("guest-image", "guest_image_unpinned"), exit_code=4, policy=loose)
    other = (("rtmr1", "rtmr1_mismatch"), ("rtmr2", "rtmr2_mismatch"))
    refused(given, *other, exit_code=4, policy=_wanted())
    accepted(_made(), policy=_wanted())


def test_host_cannot_use_a_log_that_only_its_digests_support() -> None:
    # What dstack's SDK 0.5.4 accepts: the digests replay, and the payload is a lie.
    bad = _made(Guest(compose=app_compose("another"), mr_config=0))
    log = _log(bad)
    log[_index(log, "compose-hash")]["event_payload"] = COMPOSE_HASH
    body = take_apart(bad.quote).signed[48:]
    registers = tuple(body[328 + 48 * n : 376 + 48 * n] for n in range(4))
    checks, facts = verify_log(json.dumps(log).encode(), rtmrs=registers)  # type: ignore[arg-type]
    assert [check.code for check in checks if check.state == "failed"] == [PAYLOAD[1]]
    assert facts is None


def test_host_cannot_use_that_a_log_was_good_before() -> None:
    """What is remembered of a log is remembered by all of its bytes, and by the registers."""
    given, other = _made(), _made(replace(GOOD, log_version=2))
    log = given.event_log
    assert log is not None
    assert verify(given, now=NOW, policy=_wanted()).ok
    payload = log.index(COMPOSE_HASH.encode())
    changed = log[:payload] + b"00" + log[payload + 2 :]
    assert PAYLOAD in failures(verify(but(given, event_log=changed), now=NOW, policy=_wanted()))
    assert verify(other, now=NOW, policy=opt_in()).ok
    swapped = but(other, event_log=log)
    assert REPLAY in failures(verify(swapped, now=NOW, policy=opt_in()))
    spoilt = but(given, compose=(given.compose or b"") + b" ")
    assert ("compose", "compose_reformatted") in failures(verify(spoilt, now=NOW, policy=_wanted()))
    assert verify(given, now=NOW, policy=_wanted()).ok
