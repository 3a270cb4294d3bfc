"""Receipts of every type are read, and each other form is refused with a code."""

from __future__ import annotations

import pytest

from teeproof.core.errors import Malformed, TooLarge
from teeproof.proof.anchor import rlp
from teeproof.proof.anchor.receipt import MAX_RECEIPT_BYTES, Log, parse
from tests.proof.anchor.blocks import CONTRACT, event, receipt

PARTS = [b"\1", b"\x52\x08", bytes(256), [event()]]
ADDRESS, TOPICS, DATA = event()


def with_part(place: int, value: rlp.Item) -> bytes:
    return rlp.encode([*PARTS[:place], value, *PARTS[place + 1 :]])


@pytest.mark.parametrize("kind", [0, 1, 2, 3, 4])
def test_every_known_type_is_read_alike(kind):
    found = parse(receipt(event(), [CONTRACT, [], b"x"], kind=kind))
    assert (found.kind, found.succeeded) == (kind, True)
    assert found.logs == (Log(ADDRESS, tuple(TOPICS), DATA), Log(CONTRACT, (), b"x"))


def test_an_event_has_up_to_four_topics():
    topics = [bytes((n,)) * 32 for n in range(4)]
    for count in range(5):
        (log,) = parse(receipt([CONTRACT, topics[:count], b""])).logs
        assert log.topics == tuple(topics[:count])


def test_a_failed_transaction_says_so():
    assert not parse(receipt(status=b"")).succeeded
    assert parse(receipt()).succeeded


@pytest.mark.parametrize("first", ["", "00", "05", "7e", "7f", "80", "bf"])
def test_an_unknown_type_is_refused(first):
    with pytest.raises(Malformed) as caught:
        parse(bytes.fromhex(first) + (rlp.encode(PARTS) if first else b""))
    assert caught.value.code == "receipt_type"


def test_a_receipt_from_before_2017_does_not_tell_success():
    with pytest.raises(Malformed) as caught:
        parse(with_part(0, bytes(32)))
    assert caught.value.code == "receipt_without_status"


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(rlp.encode(PARTS[:3]), id="three parts"),
        pytest.param(rlp.encode([*PARTS, b""]), id="five parts"),
        pytest.param(b"\2" + rlp.encode(b"text"), id="a byte string behind a type"),
        pytest.param(b"\xc0", id="an empty list"),
        pytest.param(b"\2\x84\1\1\1\1", id="four bytes for four parts"),
        pytest.param(with_part(0, [b""] * 32), id="a list of 32 as status"),
        pytest.param(with_part(2, [b""] * 256), id="a list of 256 as bloom"),
        pytest.param(with_part(3, [b"abc"]), id="a log of three bytes"),
        pytest.param(with_part(3, [[[b""] * 20, TOPICS, DATA]]), id="a list of 20 as address"),
        pytest.param(with_part(0, b"\0"), id="a failure written as a zero byte"),
        pytest.param(with_part(0, b"\2"), id="a status of 2"),
        pytest.param(with_part(0, []), id="a list as status"),
        pytest.param(with_part(2, bytes(255)), id="a short bloom"),
        pytest.param(with_part(2, []), id="a list as bloom"),
        pytest.param(with_part(3, b"logs"), id="logs that are text"),
        pytest.param(with_part(3, [b"log"]), id="a log that is text"),
        pytest.param(with_part(3, [[ADDRESS, TOPICS]]), id="a log of two parts"),
        pytest.param(with_part(3, [[ADDRESS, TOPICS, DATA, b""]]), id="a log of four parts"),
        pytest.param(with_part(3, [[ADDRESS[1:], TOPICS, DATA]]), id="a short address"),
        pytest.param(with_part(3, [[[], TOPICS, DATA]]), id="a list as address"),
        pytest.param(with_part(3, [[ADDRESS, [bytes(32)] * 5, DATA]]), id="five topics"),
        pytest.param(with_part(3, [[ADDRESS, [bytes(31)], DATA]]), id="a short topic"),
        pytest.param(with_part(3, [[ADDRESS, TOPICS, [DATA]]]), id="a list as data"),
    ],
)
def test_a_receipt_of_another_form_is_refused(raw):
    with pytest.raises(Malformed) as caught:
        parse(raw)
    assert caught.value.code == "receipt_malformed"


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(with_part(1, b"\0"), id="gas with a leading zero"),
        pytest.param(with_part(1, b"\1" * 9), id="gas beyond 2^64"),
        pytest.param(with_part(3, [[ADDRESS, b"topics", DATA]]), id="topics that are text"),
        pytest.param(with_part(3, [[ADDRESS, [[bytes(32)]], DATA]]), id="a list as topic"),
        pytest.param(rlp.encode(PARTS) + b"\0", id="a byte behind"),
        pytest.param(b"\1", id="a type and nothing"),
    ],
)
def test_a_receipt_that_is_not_canonical_is_refused(raw):
    with pytest.raises(Malformed) as caught:
        parse(raw)
    assert caught.value.code == "rlp_malformed"


def test_a_long_receipt_is_refused():
    with pytest.raises(TooLarge):
        parse(receipt([CONTRACT, [], bytes(MAX_RECEIPT_BYTES)]))
