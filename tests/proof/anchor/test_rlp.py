"""RLP has one form per value: known answers, and each other form refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from teeproof.core.errors import Malformed, TooLarge
from teeproof.proof.anchor import rlp

LOREM = b"Lorem ipsum dolor sit amet, consectetur adipisicing elit"

# The answers that ethereum/tests names, RLPTests/rlptest.json.
KNOWN = [
    pytest.param(b"", "80", id="empty string"),
    pytest.param(b"\x00", "00", id="zero byte"),
    pytest.param(b"\x7f", "7f", id="last small byte"),
    pytest.param(b"\x80", "8180", id="first byte with a head"),
    pytest.param(b"dog", "83646f67", id="short string"),
    pytest.param(LOREM[:-1], "b7" + LOREM[:-1].hex(), id="55 bytes"),
    pytest.param(LOREM, "b838" + LOREM.hex(), id="56 bytes"),
    pytest.param(bytes(1024), "b90400" + "00" * 1024, id="1024 bytes"),
    pytest.param([], "c0", id="empty list"),
    pytest.param([b"dog", b"god", b"cat"], "cc83646f6783676f6483636174", id="list of strings"),
    pytest.param([b"zw", [b"\4"], b"\1"], "c6827a77c10401", id="list in a list"),
    pytest.param([[[], []], []], "c4c2c0c0c0", id="lists of lists"),
    pytest.param([[], [[]], [[], [[]]]], "c7c0c1c0c3c0c1c0", id="a set of numbers"),
    pytest.param(
        [[b"asdf", b"qwer", b"zxcv"]] * 4,
        "f840" + "cf84617364668471776572847a786376" * 4,
        id="long",
    ),
    pytest.param(
        [[b"asdf", b"qwer", b"zxcv"]] * 32,
        "f90200" + "cf84617364668471776572847a786376" * 32,
        id="longer",
    ),
]

# ethereum/tests, RLPTests/invalidRLPTest.json, and forms of our own.
INVALID = [
    pytest.param("bf0f000000000000021111", id="length beyond 2^59"),
    pytest.param("ff0f000000000000021111", id="list length beyond 2^59"),
    pytest.param("f80180", id="long form of a list of one"),
    pytest.param("f80100", id="long form of a list of one byte"),
    pytest.param("8100", id="zero with a head"),
    pytest.param("8101", id="one with a head"),
    pytest.param("817f", id="127 with a head"),
    pytest.param("b90040" + "01" * 64, id="leading zero in a length"),
    pytest.param("b800", id="long form of nothing"),
    pytest.param("fb00000040" + "01" * 64, id="leading zeros in a list's length"),
    pytest.param("f800", id="long form of an empty list"),
    pytest.param("b81000112233445566778899aabbccddeeff", id="long form of 16 bytes"),
    pytest.param("b801ff", id="long form of one byte"),
    pytest.param("f803112233", id="long form of a short list"),
    pytest.param("", id="nothing"),
    pytest.param("8080", id="two items"),
    pytest.param("c000", id="a byte behind a list"),
    pytest.param("83646f", id="a string cut short"),
    pytest.param("b8", id="no length"),
    pytest.param("b9ff", id="half a length"),
    pytest.param("c283646f67", id="an item that leaves its list"),
    pytest.param("c1b8", id="a length that leaves its list"),
]


@pytest.mark.parametrize(("item", "expected"), KNOWN)
def test_known_answers_hold_in_both_directions(item, expected):
    assert rlp.encode(item).hex() == expected
    assert rlp.decode(bytes.fromhex(expected), limit=2048, what="item") == item


@pytest.mark.parametrize("data", INVALID)
def test_another_form_of_a_value_is_refused(data):
    with pytest.raises(Malformed) as caught:
        rlp.decode(bytes.fromhex(data), limit=2048, what="thing")
    assert caught.value.code == "rlp_malformed"
    assert "thing" in caught.value.detail


@given(
    st.recursive(st.binary(max_size=70), lambda inner: st.lists(inner, max_size=6), max_leaves=30)
)
def test_what_was_written_reads_back(item):
    assert rlp.decode(rlp.encode(item), limit=1 << 16, what="item") == item


def test_lists_nest_so_deep_and_no_deeper():
    deepest = b"\xc0"
    for _ in range(rlp.MAX_DEPTH - 1):
        deepest = bytes((deepest[0] + 1,)) + deepest
    rlp.decode(deepest, limit=100, what="item")
    with pytest.raises(Malformed, match="canonical") as caught:
        rlp.decode(bytes((deepest[0] + 1,)) + deepest, limit=100, what="item")
    assert caught.value.expected == f"at most {rlp.MAX_DEPTH} lists in each other"


def test_a_deep_nest_of_lists_does_not_exhaust_the_stack():
    nest = b"\xc0"
    for _ in range(5000):
        size = rlp.from_uint(len(nest))
        nest = bytes((0xC0 + len(nest),) if len(nest) < 56 else (0xF7 + len(size), *size)) + nest
    with pytest.raises(Malformed) as caught:
        rlp.decode(nest, limit=1 << 17, what="item")
    assert caught.value.expected == f"at most {rlp.MAX_DEPTH} lists in each other"


def test_more_bytes_than_the_limit_are_refused_unread():
    assert rlp.decode(b"\x82ab", limit=3, what="item") == b"ab"
    with pytest.raises(TooLarge):
        rlp.decode(b"\x82ab", limit=2, what="item")


@pytest.mark.parametrize(
    ("number", "text"), [(0, ""), (1, "01"), (1024, "0400"), (1 << 64, "01" + "00" * 8)]
)
def test_numbers_have_no_leading_zeros(number, text):
    assert rlp.from_uint(number).hex() == text
    assert rlp.uint(bytes.fromhex(text), size=9, what="number") == number


@pytest.mark.parametrize("item", [b"\0", b"\0\1", bytes(9), b"\1" * 9, []], ids=repr)
def test_another_form_of_a_number_is_refused(item):
    with pytest.raises(Malformed) as caught:
        rlp.uint(item, size=8, what="number")
    assert caught.value.code == "rlp_malformed"


def test_a_flat_list_has_no_lists_inside():
    assert rlp.strings([b"a", b""], what="list") == [b"a", b""]
    for item in (b"", b"a", [b"a", []]):
        with pytest.raises(Malformed):
            rlp.strings(item, what="list")
