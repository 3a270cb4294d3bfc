"""The reader of CBOR: one reading of the bytes, or none, and nothing is made before it is there."""

from __future__ import annotations

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from teeproof.core.errors import Malformed, TooLarge
from teeproof.evidence import cbor
from teeproof.evidence.cbor import Tagged, loads
from teeproof.evidence.simulated import cose as writer

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(1 << 64), (1 << 64) - 1)
    | st.binary(max_size=300)
    | st.text(max_size=40),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.integers(-9, 1 << 20) | st.text(max_size=9), inner, max_size=4)
    ),
    max_leaves=12,
).filter(lambda value: _depth(value) <= cbor.MAX_DEPTH)


def _depth(value: object) -> int:
    inner = value if isinstance(value, list) else []
    inner = [*value.values()] if isinstance(value, dict) else inner
    return 1 + max(map(_depth, inner)) if inner else 0


def read(text: str, **options: object) -> object:
    return loads(bytes.fromhex(text), **({"limit": 1 << 16, "what": "thing"} | options))


@given(VALUES)
def test_what_is_written_is_read_back_and_every_shorter_piece_is_refused(value):
    data = writer.cbor(value)
    assert loads(data, limit=1 << 16, what="thing") == value
    for end in {0, len(data) // 2, len(data) - 1}:
        with pytest.raises(Malformed):
            loads(data[:end], limit=1 << 16, what="thing")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        # RFC 8949, appendix A
        ("00", 0),
        ("17", 23),
        ("1818", 24),
        ("1903e8", 1000),
        ("1bffffffffffffffff", 18446744073709551615),
        ("3bffffffffffffffff", -18446744073709551616),
        ("3863", -100),
        ("f4", False),
        ("f5", True),
        ("f6", None),
        ("4401020304", b"\1\2\3\4"),
        ("62c3bc", "ü"),
        ("8301820203820405", [1, [2, 3], [4, 5]]),
        ("a26161016162820203", {"a": 1, "b": [2, 3]}),
    ],
)
def test_the_examples_of_the_standard_are_read(text, value):
    found = read(text)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "a value is announced, and nothing is left"),
        ("0000", "1 bytes behind the end"),
        ("a201010102", "the key 1 twice"),
        ("a2616101616102", "the key a twice"),
        ("a1f401", "neither text nor integer"),
        ("a1410101", "neither text nor integer"),
        ("a1f601", "neither text nor integer"),
        ("a1800000", "neither text nor integer"),
        ("1817", "more bytes than it needs"),
        ("1900ff", "more bytes than it needs"),
        ("1a0000ffff", "more bytes than it needs"),
        ("1b00000000ffffffff", "more bytes than it needs"),
        ("580101", "more bytes than it needs"),
        ("5f4101ff", "an indefinite length"),
        ("7f6161ff", "an indefinite length"),
        ("9f01ff", "an indefinite length"),
        ("bf0101ff", "an indefinite length"),
        ("ff", "a float, or a simple value"),
        ("1f", "an indefinite length"),
        ("df00", "an indefinite length"),
        ("1c", "reserved"),
        ("3d", "reserved"),
        ("f7", "a float, or a simple value"),
        ("f0", "a float, or a simple value"),
        ("f820", "a float, or a simple value"),
        ("f93c00", "a float, or a simple value"),
        ("fb3ff199999999999a", "a float, or a simple value"),
        ("c11a514b67b0", "an unexpected tag 1"),
        ("62c328", "not UTF-8"),
        ("62eda0", "not UTF-8"),
        ("5b7fffffffffffffff", "bytes are announced"),
        ("7bffffffffffffffff", "bytes are announced"),
        ("9bffffffffffffffff", "entries are announced"),
        ("bbffffffffffffffff", "entries are announced"),
        ("9a00010000", "entries are announced"),
        ("a2" + "0101", "entries are announced"),
    ],
)
def test_what_could_be_read_in_two_ways_or_is_not_there_is_refused(text, why):
    with pytest.raises(Malformed, match=why):
        read(text)


def test_a_number_may_be_wider_where_the_caller_says_so_and_a_key_still_comes_once():
    assert read("a11800190001", shortest=False) == {0: 1}
    with pytest.raises(Malformed, match="twice"):
        read("a2010118010102", shortest=False)
    with pytest.raises(Malformed, match="twice"):
        read("a20101180102", shortest=False)


def test_the_outermost_map_alone_may_be_open_where_the_caller_says_so():
    assert read("bf0101ff", open_map=True) == {1: 1}
    assert read("bfff", open_map=True) == {}
    assert read("a10101", open_map=True) == {1: 1}
    for text in (
        "bf01bf0101ffff",
        "bf019f01ffff",
        "9f01ff",
        "bf01ff",
        "bf0101",
        "bf",
        "bf0101ff00",
    ):
        with pytest.raises(Malformed):
            read(text, open_map=True)
    with pytest.raises(Malformed, match="twice"):
        read("bf01010102ff", open_map=True)


def test_a_tag_is_read_where_the_caller_names_it():
    assert read("d20a", tags=(18,)) == Tagged(18, 10)
    with pytest.raises(Malformed, match="tag 18"):
        read("d2d30a", tags=(19,))


def test_depth_and_number_of_values_are_bounded():
    at_most = "81" * cbor.MAX_DEPTH + "00"
    assert read(at_most)
    with pytest.raises(Malformed, match="deep"):
        read("81" + at_most)
    with pytest.raises(Malformed, match="deep"):
        read("81" * 60_000 + "00")
    with pytest.raises(Malformed, match="deep"):
        read("d2" * 60_000 + "00", tags=(18,))
    loads(writer.cbor([0] * (cbor.MAX_ITEMS - 1)), limit=1 << 16, what="thing")
    with pytest.raises(Malformed, match="values"):
        loads(writer.cbor([0] * cbor.MAX_ITEMS), limit=1 << 16, what="thing")
    with pytest.raises(Malformed, match="values"):
        loads(b"\xbf" + b"".join(writer.cbor(i) * 2 for i in range(3000)) + b"\xff",
              limit=1 << 16, what="thing", open_map=True)  # fmt: skip


def test_a_size_is_refused_before_anything_is_read():
    with pytest.raises(TooLarge):
        read("83000000", limit=3)
    tracemalloc.start()
    for text in ("5b0000000140000000", "9b0000000140000000", "bb0000000140000000"):
        with pytest.raises(Malformed, match="announced"):
            read(text)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1 << 20


@pytest.mark.parametrize("size", [0, 23, 24, 255, 256, 65535, 65536])
def test_byte_strings_are_written_as_the_other_writer_writes_them(size):
    assert cbor.octets(bytes(size)) == writer.cbor(bytes(size))
