"""The layout of a payload follows from its size, and its header gives its key."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from teeproof.core.errors import Malformed, TooLarge
from teeproof.core.sealed.segments import (
    FIRST_PLAIN,
    MAX_PAYLOAD,
    PAYLOAD_HEADER,
    PLAIN,
    SEGMENT,
    TAG,
    Layout,
    PayloadKey,
    payload_size,
)
from tests.core.sealed.scenes import EDGES

SIZES = st.one_of(st.sampled_from(EDGES), st.integers(0, 1 << 50))


@given(SIZES)
def test_a_payload_s_size_tells_its_plaintext_s(size):
    layout = Layout(payload_size(size))
    assert layout.plain == size
    last = layout.at(layout.count - 1)
    assert last.last
    assert last.plain_start + last.plain_length == size
    assert last.start + last.length == layout.payload


@given(SIZES.filter(bool), st.data())
def test_each_byte_lies_in_the_segment_that_is_named(size, data):
    layout = Layout(payload_size(size))
    offset = data.draw(st.integers(0, size - 1))
    extent = layout.at(layout.index_of(offset))
    assert extent.plain_start <= offset < extent.plain_start + extent.plain_length
    assert extent.length == extent.plain_length + TAG
    assert extent.last == (extent.number == layout.count - 1)


def test_segments_follow_each_other_without_a_gap():
    layout = Layout(payload_size(FIRST_PLAIN + 3 * PLAIN + 7))
    extents = [layout.at(number) for number in range(layout.count)]
    assert [e.length for e in extents] == [SEGMENT - PAYLOAD_HEADER, SEGMENT, SEGMENT, SEGMENT, 23]
    for before, after in pairwise(extents):
        assert before.start + before.length == after.start
        assert before.plain_start + before.plain_length == after.plain_start


@pytest.mark.parametrize("size", [0, 39, 40, 55, SEGMENT + 1, SEGMENT + 15, SEGMENT + 16])
def test_a_size_that_ends_within_a_tag_is_no_payload_s(size):
    with pytest.raises(Malformed) as caught:
        Layout(size)
    assert caught.value.code == "payload_truncated"


@pytest.mark.parametrize("size", [56, SEGMENT, SEGMENT + 17])
def test_a_size_at_the_edge_of_those_is_a_payload_s(size):
    assert payload_size(Layout(size).plain) == size


def test_more_segments_than_can_be_numbered_are_refused():
    assert Layout(MAX_PAYLOAD).count == 1 << 32
    most = Layout(MAX_PAYLOAD).plain
    assert payload_size(most) == MAX_PAYLOAD
    for refused in (lambda: Layout(MAX_PAYLOAD + 17), lambda: payload_size(most + 1)):
        with pytest.raises(TooLarge):
            refused()


@pytest.mark.parametrize("header", [b"", b"\x28" + bytes(38), b"\x29" + bytes(39), bytes(40)])
def test_a_payload_header_of_another_length_is_refused(header):
    with pytest.raises(Malformed) as caught:
        PayloadKey(header, data_key=bytes(32), associated_data=b"")
    assert caught.value.code == "payload_header"
