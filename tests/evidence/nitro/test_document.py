"""The form of a document: what AWS describes is read, and each rule is broken by a document."""

from __future__ import annotations

from typing import Any

import pytest

from teeproof.core.errors import Malformed, TooLarge
from teeproof.evidence.nitro.document import MAX_DOCUMENT_BYTES, parse
from teeproof.evidence.simulated.cose import cbor, sign1
from teeproof.evidence.simulated.nitro import Enclave
from tests.evidence.nitro.scenes import AWS, NOW, T, made
from tests.evidence.test_cose import KEY

ZERO = bytes(48)
PCRS = {0: ZERO, 31: bytes(64), 4: bytes(32)}


def but(**changes: Any) -> bytes:
    return AWS.document(Enclave(), now=NOW, **changes)


def payload(**changes: Any) -> dict[Any, Any]:
    fields = {"module_id": "m", "digest": "SHA384", "timestamp": 1, "pcrs": {0: ZERO}}
    return fields | {"certificate": b"c", "cabundle": [b"r"]} | changes


def test_a_document_is_read_field_by_field():
    enclave = Enclave(public_key=b"key", user_data=b"data", nonce=b"")
    document = parse(made(enclave))
    assert document.module_id == enclave.module_id
    assert document.digest == "SHA384"
    assert (document.timestamp, document.seconds) == (T * 1000, T)
    assert dict(document.pcrs) == dict(enclave.pcrs)
    assert len(document.cabundle) == 4
    assert document.cabundle[0] == AWS.root_der
    assert (document.public_key, document.user_data, document.nonce) == (b"key", b"data", b"")


def test_an_optional_field_may_be_null_as_the_hypervisor_writes_it_or_absent():
    absent = parse(sign1(KEY, cbor(payload())))
    null = parse(sign1(KEY, cbor(payload(public_key=None, user_data=None, nonce=None))))
    for document in (absent, null, parse(made())):
        assert (document.public_key, document.user_data, document.nonce) == (None, None, None)


def test_the_outermost_map_is_read_in_either_form():
    closed, opened = (parse(sign1(KEY, cbor(payload(), indefinite=open_))) for open_ in (0, 1))
    assert dict(closed.pcrs) == dict(opened.pcrs)


@pytest.mark.parametrize(
    "change",
    [
        {"module_id": "m" * 256},
        {"timestamp": 253_402_300_799_999},
        {"pcrs": PCRS},
        {"pcrs": dict.fromkeys(range(32), ZERO)},
        {"certificate": bytes(1024)},
        {"cabundle": [bytes(1024)] * 8},
        {"public_key": bytes(1024)},
        {"user_data": b""},
        {"user_data": bytes(1024)},
        {"nonce": bytes(1024)},
    ],
    ids=str,
)
def test_what_just_fits_is_read(change):
    assert parse(sign1(KEY, cbor(payload(**change))))


@pytest.mark.parametrize(
    "change",
    [
        {"module_id": ""},
        {"module_id": "m" * 257},
        {"module_id": b"m"},
        {"digest": "SHA512"},
        {"digest": None},
        {"timestamp": 0},
        {"timestamp": -1},
        {"timestamp": True},
        {"timestamp": "1"},
        {"timestamp": 253_402_300_800_000},
        {"pcrs": {}},
        {"pcrs": {1: ZERO}},
        {"pcrs": {0: ZERO, 32: ZERO}},
        {"pcrs": {0: ZERO, -1: ZERO}},
        {"pcrs": {0: ZERO, "1": ZERO}},
        {"pcrs": {0: bytes(47)}},
        {"pcrs": {0: "0" * 48}},
        {"pcrs": [ZERO]},
        {"certificate": b""},
        {"certificate": bytes(1025)},
        {"certificate": None},
        {"cabundle": []},
        {"cabundle": [b""]},
        {"cabundle": [bytes(1025)]},
        {"cabundle": [b"r"] * 9},
        {"cabundle": b"r"},
        {"public_key": b""},
        {"public_key": bytes(1025)},
        {"user_data": bytes(1025)},
        {"user_data": "text"},
        {"nonce": bytes(1025)},
        {"nonce": 7},
        {"extra": 1},
        {7: 1},
    ],
    ids=str,
)
def test_a_field_outside_its_rule_is_refused(change):
    with pytest.raises(Malformed) as refusal:
        parse(sign1(KEY, cbor(payload() | change)))
    assert refusal.value.code == "nitro_malformed"


@pytest.mark.parametrize("name", sorted(payload()))
def test_a_missing_field_is_refused_by_its_name(name):
    fields = payload()
    del fields[name]
    with pytest.raises(Malformed, match=name):
        parse(sign1(KEY, cbor(fields)))


def test_host_writes_a_field_twice_and_is_refused():
    twice = cbor(payload(), indefinite=True)[:-1] + cbor("nonce") + cbor(b"mine")
    twice += cbor("nonce") + cbor(b"yours") + b"\xff"
    with pytest.raises(Malformed, match="twice"):
        parse(sign1(KEY, twice))
    register = cbor(payload()).replace(cbor({0: ZERO}), b"\xa2" + 2 * (b"\0" + cbor(ZERO)))
    with pytest.raises(Malformed, match="twice"):
        parse(sign1(KEY, register))


def test_host_puts_something_into_the_unsigned_header_and_is_refused():
    with pytest.raises(Malformed, match="unprotected"):
        parse(sign1(KEY, cbor(payload()), unprotected={4: b"key"}))


def test_another_algorithm_is_refused():
    short = cbor([cbor({1: -7}), {}, cbor(payload()), bytes(64)])
    with pytest.raises(Malformed, match="ES384"):
        parse(short)


def test_host_sends_too_much_and_nothing_of_it_is_read():
    with pytest.raises(TooLarge):
        parse(bytes(MAX_DOCUMENT_BYTES + 1))
    with pytest.raises(TooLarge):
        parse(sign1(KEY, bytes(16385)))


def test_what_is_no_map_is_refused():
    with pytest.raises(Malformed, match="a map"):
        parse(sign1(KEY, cbor([1, 2])))


def test_the_simulators_changes_are_those_of_a_forger_who_has_the_key():
    assert parse(but(user_data=b"forged")).user_data == b"forged"
