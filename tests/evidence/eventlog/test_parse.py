"""Bytes to events: what is a dstack event log, and what is not."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from teeproof.core.errors import Error, Malformed, TooLarge
from teeproof.evidence.eventlog import app_facts, check_payloads, parse, replay
from teeproof.evidence.eventlog.labels import label
from tests.evidence.eventlog import logs


def changed(**fields):
    log = logs.whole()
    log[-2] |= fields
    return logs.encode(log)


def refused(data):
    with pytest.raises(Malformed) as caught:
        parse(data)
    return caught.value.code


def test_a_log_is_parsed_into_its_events_in_their_order():
    events = parse(logs.encode(logs.whole()))
    assert [e.index for e in events] == list(range(17))
    assert [e.register for e in events[:8]] == ["RTMR0"] * 4 + ["RTMR1"] * 2 + ["RTMR2"] * 2
    assert events[10].name == "compose-hash"
    assert events[10].payload == logs.COMPOSE_HASH


def test_an_empty_list_is_a_log_in_which_nothing_happened():
    assert parse(b"[]") == ()


def test_version_1_may_be_written_out_and_version_2_carries_its_preimage():
    assert parse(changed(version=1))[-2].version == 1
    event = parse(logs.encode([logs.v2("app-id", b"\1")]))[0]
    assert event.claimed_preimage == b'{"name":"app-id","payload":"01","type":134217729}'


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "json_malformed"),
        (b"{}", "event_log_malformed"),
        (b"[1]", "event_log_malformed"),
        (b'[{"imr":0,"imr":0}]', "json_duplicate_key"),
        (changed(imr=4), "event_log_malformed"),
        (changed(imr=-1), "event_log_malformed"),
        (changed(imr=True), "event_log_malformed"),
        (changed(imr=3.0), "event_log_malformed"),
        (changed(event_type=1 << 32), "event_log_malformed"),
        (changed(event=None), "event_log_malformed"),
        (changed(version=3), "event_log_malformed"),
        (changed(version="1"), "event_log_malformed"),
        (changed(surprise=1), "event_log_malformed"),
        (changed(event_payload="7A6673"), "event_hex_malformed"),
        (changed(event_payload="7a 66"), "event_hex_malformed"),
        (changed(event_payload="7a6"), "event_hex_malformed"),
        (changed(event_payload="0x7a"), "event_hex_malformed"),
        (changed(event_payload="\u0661\u0662"), "event_hex_malformed"),
        (changed(digest="00" * 47), "event_digest_malformed"),
        (changed(digest="00" * 49), "event_digest_malformed"),
        (changed(event=""), "event_name_malformed"),
        (changed(event="a\nb"), "event_name_malformed"),
        (changed(event="\u202eapp-id"), "event_name_malformed"),
        (changed(event="n" * 257), "event_name_malformed"),
    ],
)
def test_what_is_not_a_dstack_log_is_refused_with_its_code(data, code):
    assert refused(data) == code


def test_an_event_of_firmware_must_have_its_digest_and_no_version():
    log = logs.whole()
    log[0]["digest"] = ""
    assert refused(logs.encode(log)) == "event_digest_malformed"
    log = logs.whole()
    log[0]["version"] = 2
    assert refused(logs.encode(log)) == "event_log_malformed"


def test_a_runtime_event_may_leave_its_digest_out_because_it_is_computed():
    log = logs.whole()
    for event in log[8:]:
        event["digest"] = ""
    assert replay(parse(logs.encode(log))) == logs.rtmrs(logs.whole())


def test_operator_hides_a_name_behind_a_colon():
    # ("compose-hash", "x:y") and ("compose-hash:x", "y") have one digest in version 1.
    one, other = logs.v1("compose-hash", b"x:y"), logs.v1("compose-hash:x", b"y")
    assert one["digest"] == other["digest"]
    assert parse(logs.encode([one]))[0].name == "compose-hash"
    assert refused(logs.encode([other])) == "event_name_ambiguous"


def test_version_2_has_no_such_ambiguity_and_may_name_events_with_a_colon():
    assert parse(logs.encode([logs.v2("a:b", b"c")]))[0].name == "a:b"


def test_host_sends_100_megabytes_and_is_refused_at_once():
    started = time.process_time()
    with pytest.raises(TooLarge):
        parse(b"[" * 100_000_000)
    assert time.process_time() - started < 1


def test_host_sends_more_events_than_a_log_may_have():
    event = json.dumps(logs.boot(0, 4, b"") | {"digest": "00" * 48}, separators=(",", ":"))
    many = b"[" + b",".join([event.encode()] * 4097) + b"]"
    with pytest.raises(TooLarge) as caught:
        parse(many)
    assert caught.value.code == "event_log_too_long"
    assert len(parse(many.replace(event.encode() + b",", b"", 1))) == 4096


def test_host_nests_json_deeply():
    assert refused(b"[" * 60_000) == "json_too_deep"
    assert refused(b"[" * 500_000) == "json_too_many"


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.just("00" * 48),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=8,
)
FIELDS = ["imr", "event_type", "digest", "event", "event_payload", "version", "preimage"]


@given(st.binary() | st.lists(st.dictionaries(st.sampled_from(FIELDS), VALUES)).map(logs.encode))
def test_arbitrary_input_raises_nothing_but_our_errors(data):
    try:
        events = parse(data)
        label(events)
        replay(events)
        check_payloads(events)
        app_facts(events)
    except Error:
        pass


PLAIN = st.builds(
    lambda name, payload, make, imr: make(name, payload, imr=imr),
    st.text("abcdefgh-", min_size=1, max_size=12),
    st.binary(max_size=40),
    st.sampled_from([logs.v1, logs.v2]),
    st.integers(0, 3),
) | st.builds(
    lambda imr, payload, digest: logs.boot(imr, 0x99, payload, digest=digest),
    st.integers(0, 3),
    st.binary(max_size=20),
    st.binary(min_size=48, max_size=48),
)


@given(st.lists(PLAIN, max_size=12))
def test_replaying_is_the_fold_of_the_digests_from_zero(log):
    events = parse(logs.encode(log))
    assert replay(events) == logs.rtmrs(log)
    check_payloads(events)


@given(st.lists(PLAIN, min_size=1, max_size=6), st.data())
def test_leaving_out_any_event_changes_its_register(log, data):
    gone = data.draw(st.integers(0, len(log) - 1))
    rest = parse(logs.encode(log[:gone] + log[gone + 1 :]))
    assert replay(rest)[log[gone]["imr"]] != logs.rtmrs(log)[log[gone]["imr"]]
