"""The little DER that we read ourselves: strict, bounded, its writer the inverse of its reader."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from teeproof.evidence import der

_tags = st.integers(0, 255)


@given(st.lists(st.tuples(_tags, st.binary(max_size=300)), max_size=6))
def test_what_is_encoded_is_read_back(parts: list[tuple[int, bytes]]) -> None:
    assert der.elements(b"".join(der.encode(tag, value) for tag, value in parts)) == parts


@pytest.mark.parametrize("size", [0, 1, 127, 128, 255, 256, 65535, 65536, 1 << 20])
def test_a_length_of_any_size_is_read_in_its_shortest_form(size: int) -> None:
    value = bytes(size)
    assert der.only(der.encode(der.OCTETS, value), der.OCTETS) == value


@pytest.mark.parametrize(
    "data",
    [
        b"\x04\x81\x7f" + bytes(127),  # fits one byte
        b"\x04\x82\x00\x80" + bytes(128),  # leading zero
        b"\x04\x83\x00\xff\xff" + bytes(65535),
        b"\x04\x80\x00\x00",  # indefinite length: BER, not DER
        b"\x04\xff" + bytes(200),  # 127 bytes of length
        b"\x04\x84\x00\x00\x00\x01\x00",  # four bytes of length: more than any certificate has
    ],
    ids=lambda data: data[:5].hex(),
)
def test_a_length_that_is_not_minimal_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="non-minimal"):
        der.elements(data)


@given(st.tuples(_tags, st.binary(max_size=300)), st.data())
def test_a_truncated_element_is_refused(part: tuple[int, bytes], data: st.DataObject) -> None:
    whole = der.encode(*part)
    cut = data.draw(st.integers(1, len(whole) - 1))
    with pytest.raises(ValueError, match=r"truncated|past the end|non-minimal"):
        der.elements(whole[:cut])


@given(st.binary(max_size=64))
def test_whatever_the_bytes_are_nothing_but_a_value_error_comes(data: bytes) -> None:
    try:
        found = der.elements(data)
    except ValueError:
        return
    assert b"".join(der.encode(tag, value) for tag, value in found) == data


def test_only_takes_one_element_of_the_tag_that_was_asked_for() -> None:
    one = der.encode(der.INTEGER, b"\x05")
    assert der.only(one, der.INTEGER) == b"\x05"
    for data, tag in ((one, der.OCTETS), (one + one, der.INTEGER), (b"", der.INTEGER)):
        with pytest.raises(ValueError, match="expected one DER element"):
            der.only(data, tag)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2.5.4.3", "550403"),
        ("1.2.840.10045.4.3.2", "2a8648ce3d040302"),
        ("1.2.840.113741.1.13.1", "2a864886f84d010d01"),
        ("1.3.6.1.4.1.32473.84.69.69", "2b0601040181fd595445" + "45"),
    ],
)
def test_object_identifiers_are_written_as_x690_says(text: str, expected: str) -> None:
    assert der.encode_oid(text).hex() == expected
