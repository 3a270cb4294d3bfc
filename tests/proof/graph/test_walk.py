"""Walks over any shape: against the plainest way to say the same, and far beyond recursion."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from teeproof.proof.graph import walk

DEEP = 50_000


@st.composite
def shapes(draw):
    """Draw any directed graph, loops and twin edges among them."""
    size = draw(st.integers(1, 12))
    node = st.integers(0, size - 1)
    return [draw(st.lists(node, max_size=4)) for _ in range(size)]


def closure(adjacent):
    """Return what each node reaches in one step or more, the plainest way."""
    found = [set(nodes) for nodes in adjacent]
    for _ in adjacent:
        found = [nodes.union(*(found[n] for n in nodes)) for nodes in found]
    return found


@given(shapes())
def test_reach_finds_what_the_closure_holds(adjacent):
    for start, found in enumerate(closure(adjacent)):
        reached = walk.reach([start], adjacent)
        assert set(reached) == found | {start}
        assert len(reached) == len(set(reached))
        assert reached[0] == start


@given(shapes(), st.integers(0, 5))
def test_near_finds_what_so_many_steps_reach(adjacent, depth):
    found = {0}
    for _ in range(depth):
        found |= {following for node in found for following in adjacent[node]}
    assert set(walk.near([0], adjacent, depth)) == found


@given(shapes())
def test_a_shortest_path_is_a_path_and_no_longer_than_the_steps_to_it(adjacent):
    for goal in range(len(adjacent)):
        path = walk.shortest(0, goal, adjacent)
        if path is None:
            assert goal not in walk.reach([0], adjacent)
            continue
        assert (path[0], path[-1]) == (0, goal)
        assert all(b in adjacent[a] for a, b in pairwise(path))
        before = walk.near([0], adjacent, len(path) - 2) if len(path) > 1 else []
        assert goal not in before


@given(shapes())
def test_components_are_the_nodes_that_reach_themselves(adjacent):
    above = closure(adjacent)
    groups = walk.components(adjacent)
    members = [node for group in groups for node in group]
    assert sorted(members) == [n for n in range(len(adjacent)) if n in above[n]]
    for group in groups:
        for node in group:
            assert {n for n in above[node] if node in above[n]} == set(group)


@given(shapes())
def test_postorder_puts_each_node_after_what_it_leads_to_unless_they_are_in_a_cycle(adjacent):
    order = walk.postorder(range(len(adjacent)), adjacent)
    above = closure(adjacent)
    place = {node: at for at, node in enumerate(order)}
    assert sorted(order) == list(range(len(adjacent)))
    for node, following in enumerate(adjacent):
        for each in following:
            assert place[each] < place[node] or node in above[each]


def test_a_chain_of_fifty_thousand_is_walked():
    chain = [[n + 1] for n in range(DEEP)] + [[]]
    assert len(walk.reach([0], chain)) == DEEP + 1
    assert walk.postorder([0], chain)[-1] == 0
    assert walk.components(chain) == []
    assert len(walk.shortest(0, DEEP, chain)) == DEEP + 1
    assert len(walk.near([0], chain, DEEP)) == DEEP + 1


def test_a_circle_of_fifty_thousand_is_one_component():
    circle = [[(n + 1) % DEEP] for n in range(DEEP)]
    (group,) = walk.components(circle)
    assert len(group) == DEEP
