"""The drawing of a graph: nothing overlaps, lines run around boxes, and what is alike is folded."""

from __future__ import annotations

import re
from itertools import pairwise
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from teeproof.explorer.drawn import drawing
from teeproof.explorer.drawn.drawing import draw
from teeproof.explorer.drawn.folding import ALIKE, fold
from teeproof.explorer.drawn.placing import BOX, WIRE, Placed, columns_of, place
from teeproof.proof.graph import Graph
from teeproof.proof.memory import MemorySource
from tests.proof.people import step, workload_named

SVG = "{http://www.w3.org/2000/svg}"
Edges = list[tuple[int, int]]


@st.composite
def histories(draw) -> tuple[int, Edges]:
    """Return boxes and edges as statements make them: to what was there before, or cycles."""
    count = draw(st.integers(1, 40))
    box = st.integers(0, count - 1)
    edges = draw(st.lists(st.tuples(box, box), max_size=80, unique=True))
    if draw(st.booleans()):
        edges = [(left, right) for left, right in edges if left < right]
    return count, [(left, right) for left, right in edges if left != right]


@given(histories())
def test_no_two_things_in_a_column_overlap_and_nothing_is_lost(history):
    count, edges = history
    placed = place(columns_of(count, edges), edges)
    assert placed.columns[:count] == columns_of(count, edges)
    assert len(placed.chains) == len(edges)
    assert min(placed.ys) == 0
    for column in range(placed.width):
        here = sorted((placed.ys[s], s) for s, c in enumerate(placed.columns) if c == column)
        for (upper, a), (lower, b) in pairwise(here):
            assert lower - upper >= (_height(a, count) + _height(b, count)) / 2 - 1  # of rounding


@given(histories())
def test_every_line_leads_from_its_box_to_its_box_one_column_at_a_time(history):
    count, edges = history
    placed = place(columns_of(count, edges), edges)
    for (left, right), chain in zip(edges, placed.chains, strict=True):
        assert chain[0] == left
        steps = [placed.columns[b] - placed.columns[a] for a, b in pairwise(chain)]
        around = 1 < placed.columns[right] - placed.columns[left] <= 13
        assert not around or steps == [1] * len(steps)
        assert _end(placed, chain, count) == right


def test_lines_to_one_box_share_their_way_there():
    apart = [(0, 1), (1, 2), (2, 3), (3, 4), (0, 5), (1, 5), (2, 5), (3, 5), (4, 5)]
    placed = place(columns_of(6, apart), apart)
    assert len(placed.columns) == 6 + 4, "one wire in each column that is passed"


def test_two_chains_side_by_side_do_not_cross():
    edges = [(0, 2), (0, 1), (1, 4), (2, 3), (3, 6), (4, 5), (5, 7), (6, 8)]
    placed = place(columns_of(9, edges), edges)
    assert _crossings(placed) == 0
    assert _crossings(placed._replace(ys=[n * BOX for n in range(9)])) > 0, "unsorted they do"


def test_many_that_are_alike_are_one_box_and_few_are_not():
    for count, boxes in ((ALIKE, ALIKE + 2), (ALIKE + 1, 3)):
        words = ["train", "decide", *["contribute"] * count]
        edges = [(0, 1), *((1, 2 + number) for number in range(count))]
        found = fold(words, columns_of(len(words), edges), edges)
        assert len(found) == boxes
        assert sorted(n for box in found for n in box) == list(range(len(words)))


def test_one_that_stands_otherwise_is_not_folded_with_the_rest():
    words = ["train", *["contribute"] * 20, "consent"]
    edges = [(0, number) for number in range(1, 21)] + [(7, 21)]
    found = fold(words, columns_of(len(words), edges), edges)
    assert [7] in found
    assert [len(box) for box in found] == [1, 19, 1, 1]


@given(histories(), st.lists(st.sampled_from("ab"), min_size=40, max_size=40))
def test_folding_puts_each_in_one_box_and_only_what_has_one_word_together(history, letters):
    count, edges = history
    words = letters[:count]
    columns = columns_of(count, edges)
    found = fold(words, columns, edges)
    assert sorted(n for box in found for n in box) == list(range(count))
    for box in found:
        assert len({(words[n], columns[n]) for n in box}) == 1
        assert len(box) == 1 or len(box) > ALIKE


@pytest.fixture(scope="module")
def pooled():
    """A sum of 30 contributions."""
    author, source = workload_named("author"), MemorySource()
    source.add_identity(author.record.encode(), author.blobs)
    parts = [step(author, "<b>contribute", f"data-{number}") for number in range(30)]
    for part in parts:
        source.add_statement(author.sign(part).encode())
    root = step(author, "sum", "total", of=[("p", f"data-{n}", p) for n, p in enumerate(parts)])
    source.add_statement(author.sign(root).encode())
    return Graph.of(source, roots=[root.id]), root.id, [part.id for part in parts]


def _href(one: bytes) -> str:
    return f"/p/{one.hex()}"


def test_a_pile_says_of_how_many_it_is_and_leads_to_their_list(pooled):
    graph, root, _ = pooled
    svg = draw(graph, root=root, href=_href, more=lambda word: f"/list?{len(word)}&<")
    tree = ElementTree.fromstring(svg)
    links = {one.get("href"): "".join(one.itertext()) for one in tree.iter(f"{SVG}a")}
    assert set(links) == {_href(root), f"/list?{len('<b>contribute')}&<"}
    assert any("30 × <b>contribute" in text for text in links.values())
    assert "<b>" not in svg
    alone = ElementTree.fromstring(draw(graph, root=root, href=_href))
    assert [one.get("href") for one in alone.iter(f"{SVG}a")] == [_href(root)]


def test_what_was_found_is_drawn_by_itself_and_marked(pooled):
    graph, root, parts = pooled
    svg = draw(graph, root=root, href=_href, found={parts[3]})
    tree = ElementTree.fromstring(svg)
    assert [one.get("href") for one in tree.iter(f"{SVG}a")] == [_href(root), _href(parts[3])]
    assert len(tree.findall(f".//{SVG}rect[@class='box found']")) == 1
    assert "29 × " in svg


def test_what_is_left_out_is_counted_also_in_piles(pooled):
    graph, root, parts = pooled
    assert "statements more" not in draw(graph, root=root, href=_href, most=2)
    assert "and 30 statements more" in draw(graph, root=root, href=_href, most=1)
    assert "and 29 statements more" in draw(graph, root=root, href=_href, most=2, found=parts[:1])


def test_a_line_past_too_many_boxes_rises_so_that_it_is_seen():
    author, source = workload_named("author"), MemorySource()
    source.add_identity(author.record.encode(), author.blobs)
    first = step(author, "first", "data-0")
    chain = [first]
    for number in range(1, 20):
        of = [("x", f"data-{number - 1}", chain[-1])]
        of += [("y", "data-0", first)] if number == 19 else []
        chain.append(step(author, f"step {number}", f"data-{number}", of=of))
    for one in chain:
        source.add_statement(author.sign(one).encode())
    svg = draw(Graph.of(source, roots=[chain[-1].id]), root=chain[-1].id, href=_href)
    ways = re.findall(r'class="edge" d="(.*?)"', svg)
    assert len(ways) == 20
    assert sum("c56 -60" in way for way in ways) == 1


def test_author_names_more_inputs_than_a_page_may_draw(monkeypatch):
    author, source = workload_named("author"), MemorySource()
    source.add_identity(author.record.encode(), author.blobs)
    said = []
    for number in range(60):
        of = [("x", f"data-{before}", said[before]) for before in range(number)]
        said.append(step(author, f"step {number}", f"data-{number}", of=of))
        source.add_statement(author.sign(said[-1]).encode())
    graph = Graph.of(source, roots=[said[-1].id])
    whole = draw(graph, root=said[-1].id, href=_href)
    assert whole.count("<path") == 60 * 8 + 1_000
    assert f"and {60 * 59 // 2 - 1_480} lines more" in whole
    monkeypatch.setattr(drawing, "_LOOKED", 100)
    cut = draw(graph, root=said[-1].id, href=_href)
    assert cut.count("<path") < 100
    assert "and lines of more than 100 inputs" in cut
    assert cut.count("<a ") == 60, "each statement is still there"


def _height(slot: int, count: int) -> int:
    return BOX if slot < count else WIRE


def _end(placed: Placed, chain: list[int], count: int) -> int:
    """Follow a line, and those that it joins, to the box where it ends."""
    onward = {a: b for each in placed.chains for a, b in pairwise(each) if a >= count}
    slot = chain[-1]
    while slot >= count:
        slot = onward[slot]
    return slot


def _crossings(placed: Placed) -> int:
    lines = {(placed.columns[a], placed.ys[a], placed.ys[b])
             for chain in placed.chains for a, b in pairwise(chain)}  # fmt: skip
    return sum(c == d and a < x and b > y for c, a, b in lines for d, x, y in lines)
