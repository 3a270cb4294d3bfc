"""What strangers may write into statements, and what a source may lie about."""

from __future__ import annotations

import msgspec
import pytest

from teeproof.core.digests import named, sha256
from teeproof.core.errors import TooLarge
from teeproof.proof.graph import Graph, collect, link
from teeproof.proof.graph.layout import text
from teeproof.proof.graph.model import MAX_NAME, Input, Said
from teeproof.proof.graph.read import identified, said
from teeproof.proof.graph.shape import shape
from teeproof.proof.graph.tree import rows
from tests.proof.graph.stories import Memory, packed, plain_step, receipt, story
from tests.proof.people import digest, workload_named


def data(name):
    return bytes.fromhex(digest(name))


def of(*statements, **more):
    return Graph.of_records(map(packed, statements), **more)


def made_of(graph, statement):
    return [e for e in graph.above(statement.id) if e.relation == "made-of"]


def drawn(graph, width=100, **more):
    return text(list(rows(graph, graph.tops(), **more)), width=width)


def test_author_cannot_claim_a_parent_that_did_not_make_the_data():
    honest = plain_step("train", "model")
    thief = plain_step("answer", "text", of=[("model", "other-model", honest.id)])
    graph = of(honest, thief)
    denied, other = made_of(graph, thief)
    assert (denied.how, denied.above, denied.holds) == ("denied", honest.id, False)
    assert (other.how, other.above) == ("named", data("other-model"))
    assert honest.id not in graph.ancestors(thief.id)
    assert graph.descendants(honest.id) == ()
    assert honest.id not in [c.statement for c in graph.lineage(thief.id)]
    assert "(DENIED)" in drawn(graph)


def test_a_parent_that_denies_leaves_the_data_with_its_maker():
    maker, named_one = plain_step("train", "model"), plain_step("train", "another")
    user = plain_step("answer", "text", of=[("model", "model", named_one.id)])
    denied, real = made_of(of(maker, named_one, user), user)
    assert (denied.how, real.how, real.above) == ("denied", "digest", maker.id)
    source = Memory(map(packed, (maker, named_one, user)))
    assert maker.id in Graph.of(source, roots=[user.id])


def test_a_parent_that_is_not_here_is_a_node_that_says_so():
    user = plain_step("answer", "text", of=[("model", "model", sha256(b"elsewhere"))])
    graph = of(user)
    (edge,) = made_of(graph, user)
    assert edge.how == "missing"
    assert graph.node(edge.above).state == "missing"
    (missing, itself) = graph.lineage(user.id)
    assert (missing.missing, missing.exact, itself.missing) == (True, True, False)
    assert "(MISSING)" in drawn(graph)
    maker = plain_step("train", "model")
    both = of(user, maker)
    assert [e.how for e in made_of(both, user)] == ["missing", "digest"]


def test_author_cannot_become_the_maker_of_what_another_made():
    real, thief = plain_step("train", "model"), plain_step("steal", "model")
    user = plain_step("answer", "text", of=[("model", "model", None)])
    graph = of(real, thief, user)
    (edge,) = made_of(graph, user)
    between = graph.node(edge.above)
    assert (between.kind, between.id) == ("data", data("model"))
    assert {(e.relation, e.how, e.above) for e in graph.above(between.id)} == {
        ("made-by", "several", real.id),
        ("made-by", "several", thief.id),
    }
    assert not any(c.exact for c in graph.lineage(user.id) if c.statement != user.id)
    assert "by any of 2" in drawn(graph)
    assert graph.touched(digest("model")).nodes == (user.id,)
    certain = plain_step("answer", "text-2", of=[("model", "model", real.id)])
    assert thief.id not in of(real, thief, certain).ancestors(certain.id)


def test_author_cannot_be_paid_for_data_that_it_only_speaks_of():
    real = plain_step("train", "model")
    echo = plain_step("praise", "model", of=[("model", "model", real.id)])
    user = plain_step("answer", "text", of=[("model", "model", None)])
    graph = of(real, echo, user)
    (edge,) = made_of(graph, user)
    assert (edge.how, edge.above) == ("digest", real.id)
    assert echo.id not in graph.ancestors(user.id)
    itself = plain_step("praise", "model", of=[("model", "model", None)])
    assert of(itself).cycles() == ()


def test_authors_who_claim_to_rest_on_each_other_are_a_cycle_and_drawn():
    a = plain_step("a", "x", of=[("in", "y", None)])
    b = plain_step("b", "y", of=[("in", "x", None)])
    user = plain_step("use", "z", of=[("in", "x", None)])
    graph = of(a, b, user)
    (cycle,) = graph.cycles()
    assert set(cycle) == {a.id, b.id}
    assert "(CYCLE)" in drawn(graph)
    alone = of(a, b)
    assert drawn(alone).count("CYCLE") == 3  # two nodes, and the first again
    assert {c.statement for c in alone.lineage(a.id)} == {a.id, b.id}
    assert set(alone.touched(digest("x")).nodes) == {a.id, b.id}
    assert alone.ancestors(a.id)
    assert [set(c) for c in shape(alone, [n.id for n in alone.nodes])["cycles"]] == [
        {named(a.id), named(b.id)}
    ]


def test_authors_cannot_make_the_graph_grow_with_the_square_of_what_they_wrote():
    makers = [plain_step("make", "popular", f"own-{n}") for n in range(300)]
    users = [plain_step("use", f"out-{n}", of=[("in", "popular", None)]) for n in range(300)]
    graph = of(*makers, *users)
    assert len(graph.edges) == 300 + 300 + 600  # made-by, made-of, said-by
    assert len(graph.touched(digest("popular")).nodes) == 300


def test_holders_of_one_keyset_are_all_told_apart_from_the_author():
    first, second = workload_named("one", "receipt"), workload_named("two", "receipt")
    answer = receipt(
        first.record.keyset_digest, model="model", made_by=None, answer="text"
    )  # fmt: skip
    read = Graph.of_records([answer.encode()], [first.record, second.record])
    assert read.node(answer.id).author == first.digest
    one, other = identified(first.record), identified(second.record)
    twin = msgspec.structs.replace(other, keyset=one.keyset)  # as if its record said so
    graph = Graph({answer.id: said(answer.encode())}, {one.digest: one, twin.digest: twin})
    assert graph.node(answer.id).author is None
    assert answer.id in graph.touched(one.digest.hex()).nodes
    assert answer.id in graph.touched(twin.digest.hex()).nodes
    assert [c.identity for c in graph.lineage(answer.id)] == [None, None]
    assert "of 2 identities" in text(list(rows(graph, [one.digest], direction="down")), width=80)


def test_a_receipt_of_an_unknown_keyset_has_no_author():
    answer = receipt(f"sha256:{'0' * 64}", model="model", made_by=None, answer="text")
    graph = Graph.of_records([answer.encode()])
    assert graph.node(answer.id).author is None
    assert "by keys unknown here" in drawn(graph)


class Liar(Memory):
    """Gives one statement for another, an identity for another, and junk."""

    def __init__(self, told):
        super().__init__(told.records, told.identities, told.blobs)
        self.records[told.model.id] = self.records[told.dataset.id]
        self.records[told.dataset.id] = b"{}"
        self.identities[told.agent.digest] = told.pool.record.encode()
        self.identities[told.gateway.digest] = b"junk"

    def identity_of_keyset(self, keyset_digest):
        return story().gateway.digest


def test_source_that_gives_one_record_for_another_is_marked_and_not_believed():
    told = story()
    graph = Graph.of(Liar(told), roots=[told.action.id])
    states = {n.id: n.state for n in graph.nodes}
    assert states[told.model.id] == "unreadable"
    assert states[told.agent.digest] == "unreadable"
    assert states[told.gateway.digest] == "unreadable"
    assert told.dataset.id not in graph
    assert "(UNREADABLE)" in drawn(graph)
    healed = graph.merge(told.graph())
    assert {n.state for n in healed.nodes} == {"here"}


def test_source_without_the_root_gives_an_empty_graph():
    graph = Graph.of(Memory(), roots=[sha256(b"nothing")])
    assert (len(graph), graph.tops(), drawn(graph)) == (0, (), "")


class Endless(Memory):
    """Has a further maker of everything, for ever."""

    def producers(self, name):
        for number in range(10**9):
            made = plain_step("make", f"{name}-{number}", of=[("in", f"{name}+{number}", None)])
            self.records[made.id] = packed(made)
            yield made.id


def test_source_without_end_is_refused(monkeypatch):
    monkeypatch.setattr(collect, "MAX_NODES", 1000)
    first = plain_step("make", "x", of=[("in", "y", None)])
    with pytest.raises(TooLarge):
        Graph.of(Endless([packed(first)]), roots=[first.id])


def test_more_nodes_than_a_graph_holds_are_refused(monkeypatch):
    monkeypatch.setattr(link, "MAX_NODES", 3)
    with pytest.raises(TooLarge):
        of(plain_step("a", "x", of=[("in", f"{n}", None) for n in range(3)]))


def test_a_name_of_any_length_is_kept_short():
    long = "n" * 40_000
    graph = of(plain_step(long, long, of=[(long, "x" + long, None)]))
    kept = [graph.nodes[0].word, graph.nodes[0].outputs[0].name, graph.edges[0].role]
    assert [len(text) for text in kept] == [MAX_NAME] * 3
    assert len(graph.edges[0].name) == MAX_NAME


def test_a_chain_of_fifty_thousand_is_built_walked_and_drawn():
    said, parent = {}, None
    for number in range(50_000):
        given = () if parent is None else (Input("in", parent, parent),)
        parent = sha256(b"%d" % number)
        said[parent] = Said(id=parent, type="t", word="step", author=bytes(32), inputs=given)
    graph = Graph(said, {})
    assert len(graph.ancestors(parent)) == 50_000
    assert len(graph.lineage(parent)) == 50_000
    assert graph.cycles() == ()
    found = list(rows(graph, [parent], limit=100_000))
    assert len({row.id for row in found}) == 50_000
    assert max(len(line) for line in text(found[:5000], width=80).splitlines()) <= 80


def test_a_statement_of_ten_thousand_users_is_built_walked_and_drawn_in_part():
    root = plain_step("train", "model")
    users = [plain_step("use", f"{n}", of=[("model", "model", root.id)]) for n in range(10_000)]
    graph = of(root, *users)
    assert len(graph.descendants(root.id)) == 10_000
    found = list(rows(graph, [root.id], direction="down"))
    assert len(found) == 5001
    assert "there is more" in found[-1].title
