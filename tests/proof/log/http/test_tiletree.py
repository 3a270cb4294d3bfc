"""A tree read from tiles is the tree, whatever its size; and no other tree passes for it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from teeproof.core.errors import Malformed, NotAuthentic, Unavailable
from teeproof.proof.log.formats.merkle import EMPTY_ROOT, Tree, leaf_hash
from teeproof.proof.log.formats.tiles import TILE_WIDTH, encode_entries, parse_path
from teeproof.proof.log.http.tiletree import TileTree

MOST = 256 * 256 + 300  # three levels of tiles
ENTRIES = [b"%d" % n for n in range(MOST)]
TREE = Tree(map(leaf_hash, ENTRIES))


def tiles(size: int, asked: list[str] | None = None):
    """Serve the tiles of a tree of one size, and those only."""

    def fetch(path: str) -> bytes:
        if asked is not None:
            asked.append(path)
        kind, level, number, width = parse_path(path)
        start, end = number * TILE_WIDTH, number * TILE_WIDTH + width
        there = size >> (8 * level)
        if end > there or (width < TILE_WIDTH and end != there):
            raise Unavailable("no such tile", code="tile_missing")
        if kind == "entries":
            return encode_entries(ENTRIES[start:end])
        return b"".join(TREE.node(8 * level, index) for index in range(start, end))

    return fetch


def tree(size: int, asked: list[str] | None = None) -> TileTree:
    return TileTree(size, TREE.root(size), tiles(size, asked))


SIZES = [1, 2, 255, 256, 257, 511, 512, 513, 65_535, 65_536, 65_537, 65_792, MOST]


@pytest.mark.parametrize("size", SIZES)
def test_every_kind_of_edge_makes_the_root(size):
    found = tree(size)
    found.check_edge()
    assert found.entry(0) == ENTRIES[0]
    assert found.entry(size - 1) == ENTRIES[size - 1]


@given(st.integers(1, MOST), st.data())
def test_any_node_of_any_size_is_that_of_the_tree(size, data):
    level = data.draw(st.integers(0, size.bit_length() - 1))
    index = data.draw(st.integers(0, (size >> level) - 1))
    assert tree(size).node(level, index) == TREE.node(level, index)


def test_the_empty_tree_has_nothing_and_its_own_root():
    TileTree(0, EMPTY_ROOT, tiles(0)).check_edge()
    with pytest.raises(NotAuthentic):
        TileTree(0, bytes(32), tiles(0)).check_edge()


@pytest.mark.parametrize("size", [1, 256, 300, 65_537])
def test_log_with_another_root_is_caught_before_a_hash_is_used(size):
    found = TileTree(size, TREE.root(size - 1) if size > 1 else bytes(32), tiles(size))
    with pytest.raises(NotAuthentic) as error:
        found.node(0, 0)
    assert error.value.code == "tile_mismatch"


def test_a_tile_is_fetched_once_and_checked_through_those_above():
    asked: list[str] = []
    found = tree(MOST, asked)
    for index in (0, 1, 255):
        found.node(0, index)
    assert sorted(asked) == sorted(
        ["tile/0/000", "tile/1/000", "tile/0/257.p/44", "tile/1/001.p/1", "tile/2/000.p/1"]
    )


@pytest.mark.parametrize(
    "victim", ["tile/0/001", "tile/1/000", "tile/1/001.p/1", "tile/0/257.p/44"]
)
@pytest.mark.parametrize("how", ["bit", "swap", "short", "long", "none"])
def test_network_no_altered_tile_passes(victim, how):
    honest = tiles(MOST)

    def fetch(path: str) -> bytes:
        data = honest(path)
        if path != victim:
            return data
        if how == "bit":
            return bytes([data[0] ^ 1]) + data[1:]
        if how == "swap":
            return data[32:] + data[:32] if len(data) > 32 else bytes(32)
        if how == "short":
            return data[:-32]
        return data[:0] if how == "none" else bytes(32) + data

    found = TileTree(MOST, TREE.root(MOST), fetch)
    with pytest.raises((NotAuthentic, Malformed)) as error:
        found.node(0, 256)
    assert error.value.code in ("tile_mismatch", "tile_malformed")


def test_what_follows_behind_a_full_tile_is_not_read():
    """A full tile stands in for a partial one; what the smaller tree does not cover is cut off."""

    def fetch(path: str) -> bytes:
        if ".p/" in path:
            raise Unavailable("gone", code="tile_missing")
        return tiles(512)(path)

    found = TileTree(300, TREE.root(300), fetch)
    with pytest.raises(Unavailable):
        found.entry(299)  # the partial tile of level 1 has no full one yet

    def nearly(path: str) -> bytes:
        return tiles(300)(path) if path.startswith("tile/1/") else fetch(path)

    found = TileTree(300, TREE.root(300), nearly)
    assert found.bundle(1) == ENTRIES[256:300]
    assert len(found.tile(0, 1)) == 44 * 32


def test_a_server_that_fails_is_not_taken_for_one_without_the_tile():
    def fetch(path: str) -> bytes:
        raise Unavailable("down", code="log_unreachable")

    with pytest.raises(Unavailable) as error:
        TileTree(300, TREE.root(300), fetch).entry(0)
    assert error.value.code == "log_unreachable"
