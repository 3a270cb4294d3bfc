"""Headers: real ones give their known hashes, and each field has its form."""

from __future__ import annotations

import pytest

from teeproof.core.digests import keccak256
from teeproof.core.errors import Malformed, TooLarge
from teeproof.proof.anchor import header_from_rpc, rlp
from teeproof.proof.anchor.header import MAX_FIELDS, MAX_HEADER_BYTES, MAX_TIME, parse
from tests.proof.anchor import blocks, real


@pytest.mark.parametrize(
    "block", [real.GENESIS, real.PRAGUE, real.HOODI], ids=["genesis", "prague", "hoodi"]
)
def test_a_real_header_gives_its_known_hash_and_fields(block):
    header = parse(header_from_rpc(block))
    assert header.hash.hex() == block["hash"][2:]
    assert header.parent.hex() == block["parentHash"][2:]
    assert header.receipts_root.hex() == block["receiptsRoot"][2:]
    assert header.number == int(block["number"], 16)
    assert header.time == int(block["timestamp"], 16)


def of(fields: list[rlp.Item]) -> bytes:
    return rlp.encode(fields)


FIELDS = blocks.fields(bytes(32))


def changed(place: int, value: rlp.Item) -> bytes:
    return of([*FIELDS[:place], value, *FIELDS[place + 1 :]])


@pytest.mark.parametrize("count", [15, 16, 17, 20, 21, MAX_FIELDS])
def test_fields_that_later_forks_append_are_taken(count):
    raw = of((FIELDS + [b"later"] * 20)[:count])
    assert parse(raw).hash == keccak256(raw)


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(of(FIELDS[:14]), id="too few fields"),
        pytest.param(of((FIELDS + [b""] * 20)[: MAX_FIELDS + 1]), id="too many fields"),
        pytest.param(changed(0, bytes(31)), id="a short parent"),
        pytest.param(changed(2, bytes(32)), id="a long coinbase"),
        pytest.param(changed(5, b""), id="no receipts root"),
        pytest.param(changed(6, bytes(255)), id="a short bloom"),
        pytest.param(changed(14, bytes(7)), id="a short nonce"),
        pytest.param(changed(11, rlp.from_uint(MAX_TIME + 1)), id="the year 10000"),
        pytest.param(changed(11, rlp.from_uint(1_790_000_000_000)), id="milliseconds"),
    ],
)
def test_a_header_of_another_form_is_refused(raw):
    with pytest.raises(Malformed) as caught:
        parse(raw)
    assert caught.value.code == "header_malformed"


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(changed(11, b"\0\1"), id="a time with a leading zero"),
        pytest.param(changed(8, bytes((1,)) * 9), id="a number beyond 2^64"),
        pytest.param(changed(7, b"\0"), id="difficulty written as a zero byte"),
        pytest.param(changed(8, [b"\1"]), id="a list for a number"),
        pytest.param(changed(20, []), id="a list as a later field"),
        pytest.param(of(FIELDS) + b"\0", id="a byte behind"),
        pytest.param(rlp.encode(of(FIELDS)), id="the header as a byte string"),
        pytest.param(b"", id="nothing"),
    ],
)
def test_a_header_that_is_not_canonical_is_refused(raw):
    with pytest.raises(Malformed) as caught:
        parse(raw)
    assert caught.value.code == "rlp_malformed"


def test_a_long_header_is_refused():
    room = MAX_HEADER_BYTES - len(changed(12, bytes(300))) + 300
    assert parse(changed(12, bytes(room)))
    with pytest.raises(TooLarge):
        parse(changed(12, bytes(room + 1)))


def test_the_last_second_of_the_calendar_is_a_time():
    assert parse(changed(11, rlp.from_uint(MAX_TIME))).time == MAX_TIME
