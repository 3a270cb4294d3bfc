from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from teeproof.core.errors import Malformed, TooLarge, Usage
from teeproof.proof import canonical

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def decode(data: bytes) -> Any:
    return canonical.decode(data, limit=1 << 16, what="document")


@given(PLAIN)
def test_what_is_encoded_decodes_to_the_same_value_and_is_json(value: Any) -> None:
    data = canonical.encode(value)
    assert decode(data) == value
    assert json.loads(data) == value


@given(st.dictionaries(st.text(st.characters(max_codepoint=126)), st.integers(0, 9)))
def test_for_ascii_keys_it_is_what_rfc_8785_writes(value: dict[str, int]) -> None:
    # RFC 8785 3.2.3 sorts by UTF-16 code units, which for ASCII is what sort_keys does.
    expected = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert canonical.encode(value) == expected.encode()


@pytest.mark.parametrize(
    "data",
    [
        b'{"b":1,"a":2}',
        b'{"a":1, "b":2}',
        b'{"a":1,"a":1}',
        b'{"a":"\\u0041"}',
        b'{"a":1}\n',
        b' {"a":1}',
        b'{"a":-0}',
        b'{"a":"\\/"}',
    ],
    ids=["order", "space", "twice", "escape", "newline", "indent", "minus-zero", "slash"],
)
def test_prover_writes_the_same_document_in_another_way(data: bytes) -> None:
    with pytest.raises(Malformed) as refused:
        decode(data)
    assert refused.value.code == "not_canonical"


@pytest.mark.parametrize(
    "data",
    [b"", b"{", b"nul", b'"\xff"', b'"\\ud800"', b"1.5", b"1e3", b"9007199254740992", b"NaN"],
)
def test_what_is_no_such_json_is_refused(data: bytes) -> None:
    with pytest.raises(Malformed) as refused:
        decode(data)
    assert refused.value.code == "document_malformed"


@pytest.mark.parametrize("depth", [63, 64])
def test_depth_is_bounded(depth: int) -> None:
    data = b"[" * depth + b"0" + b"]" * depth
    if depth == 63:
        assert decode(data)
    else:
        with pytest.raises(Malformed):
            decode(data)


def test_prover_nests_so_deeply_that_a_parser_would_fall() -> None:
    with pytest.raises(Malformed):
        canonical.decode(b"[" * 100_000 + b"]" * 100_000, limit=1 << 20, what="document")


def test_too_much_is_refused_before_it_is_read() -> None:
    with pytest.raises(TooLarge):
        canonical.decode(b"[" * 100, limit=99, what="document")


@pytest.mark.parametrize("value", [1.5, 2**53, "\ud800", object(), {1.5: 2}, [float("nan")]])
def test_what_has_no_canonical_form_is_not_written(value: object) -> None:
    with pytest.raises(Usage) as refused:
        canonical.encode(value)
    assert refused.value.code == "not_canonical_value"


@pytest.mark.parametrize("sign", [1, -1])
def test_the_last_integer_that_every_reader_holds_is_the_last(sign: int) -> None:
    last = 2**53 - 1
    assert decode(canonical.encode(sign * last)) == sign * last
    with pytest.raises(Usage):
        canonical.encode(sign * (last + 1))
    with pytest.raises(Malformed):
        decode(b"%d" % (sign * (last + 1)))


@pytest.mark.parametrize("wrap", [tuple, list, frozenset], ids=lambda kind: kind.__name__)
def test_a_number_that_is_none_is_not_written_as_null_wherever_it_stands(wrap: Any) -> None:
    for number in (float("nan"), float("inf"), 0.5):
        for value in (wrap([number]), {"a": wrap([1, number])}, wrap([wrap([number])])):
            with pytest.raises(Usage):
                canonical.encode(value)


@pytest.mark.parametrize(
    ("one", "other"),
    [("\u00e9", "e\u0301"), ("\u212b", "\u00c5"), ("a", "\uff41"), ("", "\ufeff")],
)
def test_prover_names_two_things_alike(one: str, other: str) -> None:
    """Nothing is normalised: names that look alike stay two names, in two documents."""
    assert canonical.encode({one: 1}) != canonical.encode({other: 1})
    both = canonical.encode({one: 1, other: 2})
    assert len(decode(both)) == 2


def test_keys_beyond_ascii_are_sorted_by_code_point() -> None:
    """RFC 8785 would sort by UTF-16 code units, which puts U+1F600 before U+FB33."""
    assert list(decode(canonical.encode({"\U0001f600": 1, "\ufb33": 2}))) == [
        "\ufb33",
        "\U0001f600",
    ]
    with pytest.raises(Malformed):
        decode('{"\U0001f600":1,"\ufb33":2}'.encode())


def test_prover_sends_a_number_of_many_digits() -> None:
    for digits in (b"9" * 400, b"9" * 5000, b"-" + b"9" * 60_000, b"1e999", b"1E5", b"01", b"+1"):
        with pytest.raises(Malformed):
            decode(digits)
