"""dstack's versioned attestation: SCALE and MessagePack, read strictly."""

from __future__ import annotations

import msgspec
import pytest

from teeproof.core.errors import Malformed, TooLarge
from teeproof.evidence.eventlog import parse
from teeproof.evidence.eventlog.attestation import parse_attestation
from tests.evidence.eventlog import logs

CONFIG = '{"vm_config":"{\\"mr_config\\":\\"doc\\"}"}'


def compact(size):
    if size < 64:
        return bytes([size << 2])
    return ((size << 2) | (1 if size < 1 << 14 else 2)).to_bytes(
        2 if size < 1 << 14 else 4, "little"
    )


def octets(data):
    return compact(len(data)) + data


def scale(log, *, quote=b"QUOTE", config=CONFIG, kind=0):
    events = b"".join(
        e["imr"].to_bytes(4, "little")
        + e["event_type"].to_bytes(4, "little")
        + octets(bytes.fromhex(e["digest"]))
        + octets(e["event"].encode())
        + octets(bytes.fromhex(e["event_payload"]))
        for e in log
    )
    runtime = compact(1) + octets(b"name") + octets(b"payload")
    head = bytes([0, kind]) + octets(quote) + compact(len(log)) + events
    return head + runtime + bytes(64) + octets(config.encode())


def pack(log, *, version=1, stack_kind="dstack", stack=None, **platform):
    data = [
        e
        | {"digest": bytes.fromhex(e["digest"]), "event_payload": bytes.fromhex(e["event_payload"])}
        for e in log
    ]
    body = {"quote": list(b"QUOTE"), "event_log": data}
    return msgspec.msgpack.encode(
        {
            "version": version,
            "platform": {"kind": "tdx", "data": body} | platform,
            "stack": {
                "kind": stack_kind,
                "data": {"report_data": [0] * 64, "runtime_events": [], "config": CONFIG}
                | (stack or {}),
            },
        }
    )


@pytest.mark.parametrize(("encode", "make"), [(scale, logs.v1), (pack, logs.v1), (pack, logs.v2)])
def test_both_versions_give_the_quote_the_log_and_the_configuration(encode, make):
    log = logs.whole(make)
    found = parse_attestation(encode(log))
    assert found.quote == b"QUOTE"
    assert parse(found.event_log) == parse(logs.encode(log))
    assert (found.report_data, found.mr_config) == (bytes(64), b"doc")


def test_a_pod_s_attestation_says_what_its_report_data_is_of():
    found = parse_attestation(
        pack([], stack_kind="dstack-pod", stack={"report_data_payload": "{}"})
    )
    assert found.quote == b"QUOTE"


def test_a_configuration_without_a_document_has_none():
    for config in ("", "{}", "[]", "7", '{"mr_config":7}', "{"):
        assert parse_attestation(scale([], config=config)).mr_config is None


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0",
        scale([]) + b"\0",
        scale([])[:-1],
        scale([], kind=1),
        b"\0\0\xff",
        b"\0\0\xfe\xff\xff\xff",
        scale([]).replace(octets(b"QUOTE"), b"\x15\0QUOTE"),
        scale([]).replace(octets(b"QUOTE"), b"\x16\0\0\0QUOTE"),
        b"\x80",
        pack([]) + b"\0",
        pack([])[:-1],
        pack([], kind="nitro-enclave"),
        pack([], data={"quote": [256], "event_log": []}),
        pack([], data={"quote": "text", "event_log": []}),
        pack([], more=1),
        pack([], stack={"report_data": [0] * 63}),
        pack([], stack={"report_data": [0] * 65}),
        pack([], stack={"report_data_payload": "a pod's"}),
        pack([], stack={"runtime_events": None}),
        pack([], stack={"unheard": 1}),
        pack([], stack_kind="dstack-pod"),
        pack([], stack_kind="another"),
        pack([], version=2),
        pack([], version=True),
        b"\x91" * 100_000,
        b"\xdf\xff\xff\xff\xff",
    ],
)
def test_host_sends_what_is_no_attestation_of_a_tdx_guest(data):
    with pytest.raises(Malformed) as caught:
        parse_attestation(data)
    assert caught.value.code == "attestation_malformed"


def test_host_encodes_the_same_map_in_another_form():
    data = pack([])
    assert data[0] == 0x83
    with pytest.raises(Malformed, match="another form"):
        parse_attestation(b"\xde\x00\x03" + data[1:])


def test_host_announces_more_than_an_attestation_may_hold():
    with pytest.raises(TooLarge):
        parse_attestation(b"\0" * 3_000_000)
    with pytest.raises(TooLarge):
        parse_attestation(b"\0\0" + octets(b"QUOTE") + compact(5000))
    with pytest.raises(TooLarge):
        parse_attestation(pack([], stack={"runtime_events": [0] * 5000}))
