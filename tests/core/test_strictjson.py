"""JSON from strangers: one reading only, and bounded before it is read."""

from __future__ import annotations

import json
import math
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from teeproof.core.errors import Malformed, TooLarge
from teeproof.core.strictjson import MAX_CONTAINERS, MAX_DEPTH, dumps, loads

LIMIT = 1 << 20
SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
)
TEXT = st.text(st.characters(exclude_categories=["Cs"]))
VALUES = st.recursive(
    SCALARS | TEXT, lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner), max_leaves=20
)


def refused(data, code, limit=LIMIT):
    with pytest.raises(Malformed) as refusal:
        loads(data, limit=limit, what="test document")
    assert refusal.value.code == code
    assert "the test document" in refusal.value.detail
    return refusal.value


@given(VALUES)
def test_what_is_written_reads_back(value):
    assert loads(dumps(value).encode(), limit=LIMIT) == value
    assert loads(dumps(value, pretty=True), limit=LIMIT) == value


def test_compact_json_is_sorted_and_unicode():
    assert dumps({"b": [1, None], "a": "ü"}) == '{"a":"ü","b":[1,null]}'
    assert dumps({"b": 1, "a": 2}, pretty=True) == '{\n  "b": 1,\n  "a": 2\n}'


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_not_json_is_never_written(value):
    with pytest.raises(ValueError, match="not JSON compliant"):
        dumps({"a": value})


@pytest.mark.parametrize(
    "text",
    ['{"a":1,"a":1}', '{"a":1,"b":2,"a":3}', '[{"x":{"k":0,"\\u006b":1}}]', '{"":1,"":2}'],
)
def test_a_key_given_twice_is_refused(text):
    error = refused(text, "json_duplicate_key")
    assert "given twice" in error.detail


@pytest.mark.parametrize("part", ["[]", "{}", '"["'])
def test_host_cannot_fill_the_memory_with_empty_lists(part):
    def listed(count):
        return "[" + ",".join([part] * count) + "]"

    assert len(loads(listed(MAX_CONTAINERS - 1), limit=LIMIT)) == MAX_CONTAINERS - 1
    error = refused(listed(MAX_CONTAINERS), "json_too_many")
    assert error.got == f"{MAX_CONTAINERS + 1} opening brackets"


def test_the_repeated_key_is_named():
    assert refused('{"a":1,"b":2,"b":3}', "json_duplicate_key").got == "b"


def test_one_key_in_two_objects_is_accepted():
    assert loads('[{"a":1},{"a":2}]', limit=LIMIT) == [{"a": 1}, {"a": 2}]


def test_a_repeated_key_that_is_no_text_is_still_named_in_text():
    error = refused(r'{"\ud800":1,"\ud800":2}', "json_duplicate_key")
    assert error.got == r"\ud800"
    assert json.dumps(error.to_json(), ensure_ascii=False).encode()


class Counted(str):
    """A key that counts how often it is compared, to see work that grows with the square."""

    comparisons = 0
    __hash__ = str.__hash__

    def __eq__(self, other: object) -> bool:
        Counted.comparisons += 1
        return str.__eq__(self, other) is True


def test_a_repeated_key_among_many_is_found_without_comparing_all_pairs():
    from teeproof.core.strictjson import _object

    pairs = [(Counted(i), 0) for i in range(5000)] + [(Counted("4999"), 1)]
    Counted.comparisons = 0
    with pytest.raises(Malformed):
        _object(pairs)
    assert Counted.comparisons < 20 * len(pairs)


def nested(levels: int, open_: str = "[", close: str = "]", core: str = "") -> str:
    return open_ * levels + core + close * levels


@pytest.mark.parametrize(
    ("open_", "close", "core"), [("[", "]", ""), ('{"a":', "}", "1"), ('[{"a":', "}]", "1")]
)
def test_nesting_is_accepted_to_the_last_level_and_refused_one_deeper(open_, close, core):
    per = len(open_.replace('"a":', ""))
    deepest = nested(MAX_DEPTH // per, open_, close, core)
    assert loads(deepest, limit=LIMIT) == json.loads(deepest)
    refused(f"[{deepest}]", "json_too_deep")


def test_deep_nesting_in_a_later_sibling_is_refused():
    refused(f'{{"a":[1],"b":{nested(MAX_DEPTH)}}}', "json_too_deep")


@pytest.mark.parametrize(("open_", "close"), [("[", "]"), ("[", ""), ('{"a":', "")])
def test_a_tower_of_brackets_is_refused_and_not_a_crash(open_, close):
    refused(nested(MAX_CONTAINERS, open_, close, ""), "json_too_deep")
    refused(nested(MAX_CONTAINERS + 1, open_, close, ""), "json_too_many")


@pytest.fixture
def raised_limit():
    """What importing an EVM does to the whole process."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(100_000)
    yield
    sys.setrecursionlimit(before)


@pytest.mark.usefixtures("raised_limit")
@pytest.mark.parametrize(("open_", "close"), [("[", "]"), ("[", ""), ('{"a":', "}")])
def test_a_tower_is_no_crash_where_a_library_raised_the_recursion_limit(open_, close):
    refused(nested(MAX_CONTAINERS, open_, close, ""), "json_too_deep")
    for text in (["[" * 1000, {"{" * 1000: "\\" * 9}], ['"[' * 1000] * 30, [[[1]]] * 999):
        assert loads(dumps(text), limit=LIMIT) == text
    deepest = nested(MAX_DEPTH, "[", "]", "")
    assert loads(deepest, limit=LIMIT) == json.loads(deepest)
    refused(f"[{deepest}]", "json_too_deep")
    refused("[" * 65 + '"' + '\\"' * 9999, "json_too_deep")


def test_brackets_inside_text_are_no_nesting():
    text = dumps(["[" * 1000, {"{" * 1000: 1}])
    assert loads(text, limit=LIMIT) == json.loads(text)


@pytest.mark.parametrize(
    "text", ["NaN", "[Infinity]", '{"a":-Infinity}', "1e999", "[-1e999]", "1" * 400 + ".0"]
)
def test_a_number_that_json_does_not_have_or_no_float_holds_is_refused(text):
    refused(text, "json_malformed")


@pytest.mark.parametrize("text", ["1e308", "-1.5", "0", "123456789012345678901234567890"])
def test_a_number_that_can_be_held_is_accepted(text):
    assert loads(text, limit=LIMIT) == json.loads(text)


def test_an_integer_of_a_million_digits_is_refused_before_it_is_computed():
    assert "integer" in (refused("9" * 1_000_000, "json_malformed").got or "")


@pytest.mark.parametrize(
    "text",
    [
        r'"\ud800"',
        r'["\udfff"]',
        r'{"\ud800":1}',
        r'"\udc00\ud800"',
        '"\ud800"',
        r'{"a":["\ud83d"]}',
    ],
)
def test_a_lone_surrogate_is_refused(text):
    refused(text, "json_malformed")


def test_a_pair_of_surrogates_is_the_character_that_it_spells():
    assert loads(rb'"\ud83d\ude00"', limit=LIMIT) == "\U0001f600"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b" ",
        b"{",
        b"[1,]",
        b"{'a':1}",
        b"[1] 2",
        b"[1]\x00",
        b"// c\n1",
        b"01",
        b"+1",
        b".5",
        b"0x10",
        b'"\n"',
        b"\xff\xfe1\x00",
        b'"\xc3\x28"',
        b'"\xed\xa0\x80"',
        b"\xef\xbb\xbf1",
    ],
)
def test_what_is_not_json_in_utf8_is_refused(data):
    refused(data, "json_malformed")


def test_the_size_limit_counts_bytes_and_is_exact():
    text = '"ääää"'
    assert loads(text, limit=10) == "ääää"
    assert loads(text.encode(), limit=10) == "ääää"
    for data in (text, text.encode()):
        with pytest.raises(TooLarge) as refusal:
            loads(data, limit=9, what="test document")
        assert (refusal.value.expected, refusal.value.got) == ("at most 9 bytes", "10 bytes")


class Untouchable(bytes):
    """Bytes whose content nobody may look at."""

    def decode(self, *_: object, **__: object) -> str:
        raise AssertionError("an oversized document was decoded")


def test_an_oversized_document_is_refused_before_it_is_decoded():
    with pytest.raises(TooLarge):
        loads(Untouchable(b"[" * 101), limit=100)
    with pytest.raises(AssertionError, match="was decoded"):
        loads(Untouchable(b"[" * 100), limit=100)


@given(st.binary(max_size=200))
def test_any_bytes_are_read_as_the_standard_library_does_or_refused(data):
    try:
        value = loads(data, limit=LIMIT)
    except Malformed:
        return
    assert value == json.loads(data)
