"""Tile paths and bundles: one spelling each, and nothing outside the log's directory."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from teeproof.core.errors import Malformed, TooLarge, Usage
from teeproof.proof.log.formats.tiles import (
    TILE_WIDTH,
    decode_entries,
    encode_entries,
    entries_path,
    parse_path,
    tile_path,
)

# c2sp.org/tlog-tiles, "Merkle Tree": index 1234067 is x001/x234/067
KNOWN = [
    (("tile", 0, 0, 256), "tile/0/000"),
    (("tile", 0, 1234067, 256), "tile/0/x001/x234/067"),
    (("tile", 1, 999, 256), "tile/1/999"),
    (("tile", 2, 1000, 17), "tile/2/x001/000.p/17"),
    (("tile", 63, 0, 1), "tile/63/000.p/1"),
    (("entries", 0, 273, 112), "tile/entries/273.p/112"),
    (("entries", 0, 5, 256), "tile/entries/005"),
]


@pytest.mark.parametrize(("place", "path"), KNOWN)
def test_a_place_has_the_path_of_the_specification(place, path):
    kind, level, index, width = place
    made = tile_path(level, index, width) if kind == "tile" else entries_path(index, width)
    assert made == path
    assert parse_path(path) == place


@given(st.integers(0, 63), st.integers(0, (1 << 63) - 1), st.integers(1, 256))
def test_every_place_reads_back(level, index, width):
    assert parse_path(tile_path(level, index, width)) == ("tile", level, index, width)
    assert parse_path(entries_path(index, width)) == ("entries", 0, index, width)


@pytest.mark.parametrize(
    "path",
    [
        "",
        "checkpoint",
        "/tile/0/000",
        "tile/0/000/",
        "tile/0/00",
        "tile/0/0000",
        "tile/0/1000",
        "tile/0/x000/001",
        "tile/0/x1/001",
        "tile/0/X001/001",
        "tile/0/x001/x002",
        "tile/0/001/002",
        "tile/00/000",
        "tile/64/000",
        "tile/-1/000",
        "tile/100/000",
        "tile/entry/000",
        "tile/data/000",
        "tile/0/000.p/0",
        "tile/0/000.p/256",
        "tile/0/000.p/01",
        "tile/0/000.p/",
        "tile/0/000.p",
        "tile/0/000.p/1/",
        "tile/0/000\n",
        "tile/0/../000",
        "tile/entries/../../etc/passwd",
        "tile/0/٠٠٠",
        "tile/0/x009/x223/x372/x036/x854/x775/808",
        "tile/0/" + "x001/" * 1000 + "000",
    ],
)
def test_network_a_path_of_another_spelling_is_refused(path):
    with pytest.raises(Malformed) as caught:
        parse_path(path)
    assert caught.value.code == "tile_path_malformed"


@pytest.mark.parametrize(
    ("level", "index", "width"),
    [(-1, 0, 1), (64, 0, 1), (0, -1, 1), (0, 1 << 63, 1), (0, 0, 0), (0, 0, 257)],
)
def test_a_place_that_cannot_be_has_no_path(level, index, width):
    with pytest.raises(Usage):
        tile_path(level, index, width)


def test_a_bundle_has_lengths_in_two_bytes():
    assert encode_entries([b"ab", b"", b"c" * 258]) == b"\0\2ab\0\0\1\2" + b"c" * 258
    assert decode_entries(b"\0\2ab\0\0\1\2" + b"c" * 258) == [b"ab", b"", b"c" * 258]
    assert decode_entries(b"") == []


@given(st.lists(st.binary(max_size=300), max_size=20))
def test_a_bundle_reads_back(entries):
    assert decode_entries(encode_entries(entries)) == entries


def test_log_a_bundle_that_is_cut_short_is_refused_at_every_byte():
    data = encode_entries([b"ab", b"cdefg", b"h"])
    whole = {0, 4, 11, 14}
    for end in range(len(data) + 1):
        if end in whole:
            decode_entries(data[:end])
        else:
            with pytest.raises(Malformed) as caught:
                decode_entries(data[:end])
            assert caught.value.code == "entries_malformed"


def test_log_a_bundle_of_more_entries_than_a_tile_is_refused():
    full = [b""] * TILE_WIDTH
    assert decode_entries(encode_entries(full)) == full
    with pytest.raises(TooLarge):
        decode_entries(bytes(2 * TILE_WIDTH + 2))
    with pytest.raises(Usage):
        encode_entries([*full, b""])


def test_the_longest_entry_has_65535_bytes():
    assert decode_entries(encode_entries([bytes(65535)])) == [bytes(65535)]
    with pytest.raises(Usage):
        encode_entries([bytes(65536)])
