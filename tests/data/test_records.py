"""A contributed file is good as a whole, or every fault is named with its line."""

from __future__ import annotations

import gzip
import io
import json
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from teeproof.core.errors import Malformed, TooLarge
from teeproof.data.orders import Order
from teeproof.data.records import MAX_LINE, MAX_TEXT, Record, read_records
from teeproof.data.samples import file_of, sample_orders

GOOD = b'{"text": "sell half my ETH below 2,000", "order": {"sell":"ETH","part":0.5,"below":2000}}'


def faults(data: bytes, **bounds) -> list[tuple[int, str]]:
    return [(fault.line, fault.code) for fault in read_records(data, **bounds).faults]


def line(text: str = "sell half my ETH", **order) -> bytes:
    return json.dumps({"text": text, "order": order or {"sell": "ETH", "part": 0.5}}).encode()


def test_a_good_file_is_read_with_or_without_its_last_line_end():
    for data in (GOOD, GOOD + b"\n", GOOD + b"\n" + GOOD):
        contents = read_records(data)
        assert contents.faults == ()
        assert contents.records[0].order.text == '{"sell":"ETH","part":0.5,"below":2000}'
    assert contents.confirmed == len(contents.records) == 2


def test_every_line_that_is_wrong_is_named_and_none_is_dropped():
    data = b"\n".join([GOOD, b"{}", GOOD, b"no json", b"", GOOD])
    found = read_records(data)
    assert [(f.line, f.code) for f in found.faults] == [
        (2, "record_fields"),
        (4, "json_malformed"),
        (5, "json_malformed"),
    ]
    with pytest.raises(Malformed, match=r"line 2: .*line 4: .*line 5: ") as caught:
        found.require()
    assert caught.value.code == "records_refused"


@pytest.mark.parametrize(
    ("given", "code"),
    [
        (b"[]", "record_fields"),
        (b'{"text": "x"}', "record_fields"),
        (GOOD.replace(b'"order"', b'"extra": 1, "order"'), "record_fields"),
        (GOOD.replace(b"{", b'{"text": "y", ', 1), "json_duplicate_key"),
        (line(""), "record_text"),
        (line("x" * (MAX_TEXT + 1)), "record_text"),
        (line("sell half my ETH\tnow"), "record_text"),
        (line("sell half my \u00e9th"), "record_text"),
        (line("   "), "record_text"),
        (json.dumps({"text": 7, "order": {}}).encode(), "record_text"),
        (line(part=0.5), "order_side"),
        (line(sell="ETH", buy="ETH", part=0.5), "order_side"),
        (line(sell="eth", part=0.5), "order_asset"),
        (line(sell="E", part=0.5), "order_asset"),
        (line(sell="ETHEREUM", part=0.5), "order_asset"),
        (line(sell=5, part=0.5), "order_asset"),
        (line(sell="ETH"), "order_part"),
        (line(sell="ETH", part=0), "order_part"),
        (line(sell="ETH", part=1.5), "order_part"),
        (line(sell="ETH", part=True), "order_part"),
        (line(sell="ETH", part="0.5"), "order_part"),
        (line(sell="ETH", part=-0.5), "order_part"),
        (line(sell="ETH", part=0.5, below=1, above=2), "order_condition"),
        (line(sell="ETH", part=0.5, below=0), "order_condition"),
        (line(sell="ETH", part=0.5, below=10**10), "order_condition"),
        (line(sell="ETH", part=0.5, below=10**30), "order_condition"),
        (line(sell="ETH", part=0.5, below=1.123456789), "order_condition"),
        (line(sell="ETH", part=0.5, at=3), "order_fields"),
        (b'{"text": "x", "order": {"sell":"ETH","part":NaN}}', "json_malformed"),
        (b'{"text": "x", "order": {"sell":"ETH","part":1e999}}', "json_malformed"),
    ],
)
def test_what_is_no_record_is_refused_by_its_code(given, code):
    assert faults(given) == [(1, code)]


def test_contributor_sends_a_compressed_file():
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as bomb:
        bomb.writestr("orders.jsonl", b"0" * (1 << 22))
    for data in (target.getvalue(), gzip.compress(b"0" * (1 << 22))):
        assert faults(data) == [(0, "file_compressed")]


def test_contributor_sends_deep_json():
    deep = b'{"text": "x", "order": ' + b"[" * 400 + b"]" * 400 + b"}"
    assert faults(GOOD + b"\n" + deep) == [(2, "json_too_deep")]
    assert faults(b"[" * MAX_LINE) == [(1, "json_too_deep")]


def test_contributor_sends_a_huge_line():
    assert faults(GOOD + b" " * MAX_LINE) == [(1, "line_long")]
    assert faults(b"x" * (1 << 21)) == [(1, "line_long")]


@pytest.mark.parametrize("bad", [b"\x00", b"\xff\xfe", b"\xed\xa0\x80", "\u2028".encode()])
def test_contributor_sends_bytes_that_are_no_plain_text(bad):
    assert len(faults(GOOD.replace(b"half", b"half" + bad))) == 1
    assert len(faults(bad)) == 1


def test_contributor_sends_too_much():
    with pytest.raises(TooLarge) as caught:
        read_records(GOOD, max_bytes=len(GOOD) - 1)
    assert caught.value.code == "file_too_large"
    with pytest.raises(TooLarge) as caught:
        read_records(b"\n" * 3, max_records=2)
    assert caught.value.code == "records_too_many"
    assert faults(GOOD, min_records=2) == [(0, "records_too_few")]
    assert faults(b"", min_records=1) == [(0, "records_too_few")]
    with pytest.raises(Malformed) as refused:
        read_records(GOOD, min_records=2).require()
    assert refused.value.detail.startswith("a file has at least 2 records")  # of no line
    assert refused.value.got == "1 fault"


def test_a_fault_repeats_nothing_of_the_line():
    secret = "my wallet word is rosebud"
    data = "\n".join(
        [
            json.dumps({"text": secret, "order": {"sell": "rosebud", "part": 1}}),
            json.dumps({"text": secret, "order": {"rosebud": 1, "sell": "ETH", "part": 1}}),
            json.dumps({"text": "sell BTC", "order": {"sell": "ROSE", "part": 1}}),
            f'{{"{secret}": 1, "{secret}": 2}}',
            secret,
        ]
    ).encode()
    contents = read_records(data)
    assert len(contents.faults) == 5
    assert not any("rose" in fault.detail.lower() for fault in contents.faults)
    with pytest.raises(Malformed) as caught:
        contents.require()
    assert "rose" not in str(caught.value.to_json()).lower()


def test_one_order_has_one_text_however_it_was_written():
    texts = [
        b'{"part":0.50,"sell":"ETH","below":2000.0}',
        b'{"below":2e3,"sell":"ETH","part":5e-1}',
    ]
    found = {read_records(b'{"text":"go","order":%b}' % text).records[0].encode() for text in texts}
    assert found == {b'{"order":{"sell":"ETH","part":0.5,"below":2000},"text":"go"}'}


@given(st.integers(0, 2**32))
def test_what_is_written_reads_back(seed):
    records = sample_orders(3, seed=seed)
    assert read_records(file_of(records)).records == records
    assert all(json.loads(record.order.text) for record in records)


@given(st.floats(0.0001, 1), st.sampled_from(["below", "above", None]), st.integers(1, 10**9))
def test_the_canonical_text_is_json_with_the_same_numbers(part, word, price):
    part = round(part, 6)
    if part < 0.0001:
        return
    value = {"buy": "BTC", "part": part} | ({word: price} if word else {})
    order = Order.of(value)
    assert json.loads(order.text) == value
    assert "e" not in order.text.replace('"below"', "").replace('"above"', "").lower()
    assert Record("x", order).encode().startswith(b'{"order":{"buy":"BTC","part":')
