"""Random stories, against the plainest model of them: sets, closed under one step."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from teeproof.core.digests import named, sha256
from teeproof.proof.graph import Graph
from teeproof.proof.graph.layout import text
from teeproof.proof.graph.tree import rows
from tests.proof.graph.stories import Memory, packed, plain_step
from tests.proof.people import digest

AUTHORS = [named(sha256(b"%d" % n)) for n in range(3)]


@st.composite
def histories(draw):
    """Draw statements, each made of some before it: named, by digest, or of foreign data."""
    made = []
    for number in range(draw(st.integers(1, 10))):
        inputs = []
        for before in draw(st.lists(st.integers(0, max(0, number - 1)), max_size=3, unique=True)):
            if before < number and draw(st.booleans()):
                inputs.append(("in", f"out-{before}", made[before].id))
            elif before < number:
                inputs.append(("in", f"out-{before}", None))
            else:
                inputs.append(("in", f"foreign-{before}", None))
        author = draw(st.sampled_from(AUTHORS))
        made.append(plain_step("make", f"out-{number}", of=inputs, author=author))
    return made


def parents(made):
    """Return what each node rests on directly; outputs here have one maker each."""
    maker = {bytes.fromhex(digest(f"out-{n}")): s.id for n, s in enumerate(made)}
    found = {}
    for statement in made:
        inputs = {bytes.fromhex(link.digest[7:]) for link in statement.links}
        found[statement.id] = {maker.get(i, i) for i in inputs} | {statement.author}
        for each in found[statement.id]:
            found.setdefault(each, set())
    return found


def closed(adjacent):
    found = {node: set(following) for node, following in adjacent.items()}
    for _ in found:
        found = {k: v.union(*(found[n] for n in v)) for k, v in found.items()}
    return found


@given(histories())
def test_ancestors_descendants_and_paths_are_those_of_the_closure(made):
    graph = Graph.of_records(map(packed, made))
    direct, above = parents(made), closed(parents(made))
    assert {n.id for n in graph.nodes} == set(above)
    assert graph.cycles() == ()
    for node, expected in above.items():
        assert set(graph.ancestors(node)) == expected
        assert set(graph.descendants(node)) == {n for n, v in above.items() if node in v}
        for other in above:
            path = graph.path(node, other)
            assert (path is not None) == (
                other in expected or node in above[other] or node == other
            )
            for edge in path or ():
                assert edge.above in direct[edge.below]


@given(histories())
def test_what_data_touches_is_what_rests_on_its_users(made):
    graph = Graph.of_records(map(packed, made))
    above = closed(parents(made))
    for number in range(len(made)):
        data = bytes.fromhex(digest(f"out-{number}"))
        users = {s.id for s in made if named(data) in {link.digest for link in s.links}}
        expected = users | {s.id for s in made if above[s.id] & users}
        assert set(graph.touched(data.hex()).nodes) == expected


@given(histories(), st.data())
def test_a_source_and_two_halves_give_the_graph_of_the_whole(made, data):
    records = list(map(packed, made))
    whole = Graph.of_records(records)
    source = Memory(records)
    assert set(Graph.of(source, roots=[s.id for s in made]).edges) == set(whole.edges)
    cut = data.draw(st.integers(0, len(records)))
    halves = Graph.of_records(records[:cut]).merge(Graph.of_records(records[cut:]))
    assert set(halves.edges) == set(whole.edges)
    assert {n.id for n in halves.nodes} == {n.id for n in whole.nodes}


@given(histories(), st.integers(40, 160), st.sampled_from(["up", "down"]))
def test_a_drawing_shows_every_node_under_its_tops_once_and_keeps_its_width(made, width, direction):
    graph = Graph.of_records(map(packed, made))
    tops = graph.tops() if direction == "up" else [n.id for n in graph.nodes if n.kind != "data"]
    drawn = list(rows(graph, tops, direction=direction, room=width))
    whole = [r.id for r in drawn if not {"above", "below"} & set(r.marks) and r.kind == "statement"]
    leaves = {graph.short(s.id) for s in made if not any(
        e.relation == "made-of" for e in (graph.above if direction == "up" else graph.below)(s.id)
    )}  # fmt: skip
    assert {graph.short(s.id) for s in made} <= {r.id for r in drawn}
    assert len([i for i in whole if i not in leaves]) == len(set(whole) - leaves)
    assert all(len(line) <= width for line in text(drawn, width=width).splitlines())


@given(histories())
def test_lineage_is_what_a_statement_was_made_of_makers_first(made):
    graph = Graph.of_records(map(packed, made))
    above = closed(parents(made))
    for statement in made:
        found = graph.lineage(statement.id)
        listed = [c.statement or c.outputs[0].digest for c in found]
        people = {s.author for s in made}
        assert set(listed) == (above[statement.id] | {statement.id}) - people
        for at, each in enumerate(listed):
            assert not above[each] & set(listed[at:])
        assert listed[-1] == statement.id
