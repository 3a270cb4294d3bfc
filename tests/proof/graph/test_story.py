"""A story of four identities: who made what of what, and what a bad key has touched."""

from __future__ import annotations

import pytest

from teeproof.core.digests import named
from teeproof.core.errors import Usage
from teeproof.proof.graph import Graph
from teeproof.proof.identity import IdentityRecord
from teeproof.proof.workload import Identity
from tests.proof.graph.stories import Memory, packed, plain_step, story
from tests.proof.people import NOW, attester, digest, step, workload_named


@pytest.fixture(scope="module")
def told():
    return story()


@pytest.fixture(scope="module")
def graph(told):
    return told.graph()


def data(name):
    return bytes.fromhex(digest(name))


def test_every_statement_identity_and_foreign_input_is_a_node(told, graph):
    kinds = [node.kind for node in graph.nodes]
    assert {kind: kinds.count(kind) for kind in set(kinds)} == {
        "statement": 7,
        "identity": 4,
        "data": 1,
    }
    assert graph.node(data("base.safetensors")).name == "base.safetensors"
    assert graph.node(told.answer.id).author == told.gateway.digest


def test_a_source_gives_the_same_graph_as_the_records_in_hand(told, graph):
    source = told.source()
    of = Graph.of(source, roots=[told.action.id])
    assert {n.id: n for n in of.nodes} == {n.id: n for n in graph.nodes}
    assert set(of.edges) == set(graph.edges)
    assert len(source.asked) == len(set(source.asked))


def test_from_a_statement_in_the_middle_nothing_below_it_is_read(told):
    of = Graph.of(told.source(), roots=[told.dataset.id])
    assert told.model.id not in of
    assert len([n for n in of.nodes if n.kind == "statement"]) == 4


def test_an_action_rests_on_everything_before_it(told, graph):
    above = set(graph.ancestors(told.action.id))
    assert above == {n.id for n in graph.nodes} - {told.action.id}
    assert graph.descendants(told.action.id) == ()


def test_a_contribution_is_under_everything_after_it(told, graph):
    assert graph.descendants(told.contributions[1].id) == (
        told.dataset.id,
        told.model.id,
        told.answer.id,
        told.action.id,
    )


def test_edges_say_whether_the_statement_or_only_the_data_is_named(told, graph):
    (model,) = [e for e in graph.above(told.answer.id) if e.relation == "made-of"]
    assert (model.how, model.role, model.above) == ("named", "model", told.model.id)
    (answer,) = [e for e in graph.above(told.action.id) if e.relation == "made-of"]
    assert (answer.how, answer.role, answer.above) == ("digest", "answer", told.answer.id)


def test_a_path_is_found_from_either_end(told, graph):
    down = graph.path(told.contributions[0].id, told.action.id)
    assert down == graph.path(told.action.id, told.contributions[0].id)
    assert [edge.role for edge in down] == ["answer", "model", "dataset", "contribution"]
    assert graph.path(told.contributions[0].id, told.contributions[1].id) is None
    assert graph.path(told.model.id, told.model.id) == ()


def test_lineage_lists_makers_before_what_they_made(told, graph):
    found = graph.lineage(told.model.id)
    assert [c.statement for c in found] == [
        *(c.id for c in told.contributions),
        told.dataset.id,
        None,
        told.model.id,
    ]
    assert [c.identity for c in found] == [told.pool.digest] * 4 + [None, told.trainer.digest]
    assert [o.name for c in found for o in c.outputs][-3:] == [
        "base.safetensors",
        "model.safetensors",
        "loss.json",
    ]
    assert all(c.exact and not c.missing for c in found)


def test_lineage_behind_an_input_that_names_no_statement_is_not_exact(told, graph):
    exact = {c.statement: c.exact for c in graph.lineage(told.action.id)}
    assert exact.pop(told.action.id) is True
    assert not any(exact.values())


@pytest.mark.parametrize("cut", [64, 12])
def test_data_touches_its_users_and_what_they_made(told, graph, cut):
    found = graph.touched(digest("alice.csv")[:cut])
    assert found.key == digest("alice.csv")
    assert found.meanings == ("output",)
    assert found.seeds == (told.contributions[0].id,)
    assert found.nodes == (told.dataset.id, told.model.id, told.answer.id, told.action.id)


def test_an_output_touches_no_user_of_another_output_of_its_maker(told):
    other = step(told.agent, "plot", "plot.png", of=[("loss", "loss.json", told.model)])
    graph = Graph.of_records([*told.records, packed(other)], told.identities)
    assert graph.touched(digest("loss.json")).nodes == (other.id,)
    assert other.id not in graph.touched(digest("model.safetensors")).nodes


def test_an_output_touches_whoever_uses_the_statement_about_it(told):
    about = named(told.contributions[0].id)
    using = plain_step("assemble", "corpus-2")
    predicate = using.predicate.__class__(
        author=told.pool.name,
        step="assemble",
        materials=(
            told.dataset.predicate.materials[0].__class__(
                role="contribution", digest={"sha256": about[7:]}, statement=about
            ),
        ),
    )
    itself = using.of(predicate, subjects=using.subjects)
    graph = Graph.of_records([*told.records, packed(itself)], told.identities)
    assert itself.id in graph.touched(digest("alice.csv")).nodes
    (edge,) = [e for e in graph.above(itself.id) if e.relation == "made-of"]
    assert edge.how == "named"


def test_an_identity_touches_what_it_said_and_all_after(told, graph):
    found = graph.touched(told.trainer.digest.hex())
    assert found.meanings == ("identity",)
    assert set(found.nodes) == {told.model.id, told.answer.id, told.action.id}


def test_evidence_measurements_and_platform_touch_what_their_identities_said(told, graph):
    labels = graph.labels(told.trainer.digest)
    for name in ("mrtd", "rtmr0", "rtmr3", "mrconfigid", "compose_hash", "platform"):
        found = graph.touched(labels.values[name])
        assert name in found.meanings
        assert {told.pool.digest, told.agent.digest} <= set(found.seeds)  # one machine, one image
        assert len(found.nodes) == 7
    of_one = graph.touched(labels.evidence)
    assert (of_one.meanings, of_one.seeds) == (("evidence",), (told.trainer.digest,))


def test_what_nothing_rests_on_touches_nothing(told, graph):
    assert graph.touched(digest("transaction")).nodes == ()


def test_what_is_not_here_is_no_key(graph):
    with pytest.raises(Usage) as caught:
        graph.touched("ff" * 32)
    assert caught.value.code == "key_unknown"
    with pytest.raises(Usage):
        graph.node(bytes(32))


def test_tops_are_what_nothing_was_made_of(told, graph):
    assert graph.tops() == (told.action.id,)


def test_two_logs_join_by_digest_and_the_earlier_time_counts(told):
    upper = Graph.of_records(
        told.records[:5], told.identities[:2], blob=told.blobs.get, times=lambda _: 200
    )
    lower = Graph.of_records(told.records[4:], told.identities[2:], times=lambda _: 100)
    assert lower.node(told.dataset.id).state == "missing"
    both = upper.merge(lower)
    assert {n.id for n in both.nodes} == {n.id for n in told.graph().nodes}
    assert both.node(told.contributions[0].id).time == 200
    assert both.node(told.model.id).time == 100
    assert both.labels(told.pool.digest).problem is None
    assert set(lower.merge(upper).edges) == set(both.edges)


def test_a_time_that_nobody_knows_is_none(graph, told):
    assert graph.node(told.model.id).time is None


def test_a_rotation_that_both_say_is_followed():
    old = workload_named("old")
    new = old.rotate(attester(), now=lambda: NOW)
    (rotation,) = old.store.producers(new.name)
    said = step(new, "train", "m")
    records = [old.store.statement(rotation) or b"", packed(said)]
    graph = Graph.of_records(records, [old.record.encode(), new.record.encode()])
    (edge,) = [e for e in graph.edges if e.relation == "follows"]
    assert (edge.below, edge.above, edge.how) == (new.digest, old.digest, "named")
    assert said.id in graph.touched(old.name).nodes
    source = Memory(records, [old.record.encode(), new.record.encode()])
    assert set(Graph.of(source, roots=[said.id]).edges) == set(graph.edges)


def test_impostor_cannot_follow_an_identity_that_does_not_say_so():
    old = workload_named("old")
    new = Identity.boot(attester(), previous=old.digest, now=lambda: NOW)
    said = step(new, "train", "m")
    graph = Graph.of_records([packed(said)], [old.record.encode(), new.record.encode()])
    (edge,) = [e for e in graph.edges if e.relation == "follows"]
    assert (edge.how, edge.holds) == ("one-sided", False)
    assert said.id not in graph.touched(old.name).nodes
    assert graph.ancestors(said.id) == (new.digest,)


def test_impostor_cannot_make_a_stranger_its_follower():
    impostor, stranger = workload_named("impostor"), workload_named("stranger")
    fake = stranger.record.envelope.id
    from teeproof.proof.identity import Rotation
    from teeproof.proof.links import Subject
    from teeproof.proof.statement import Statement

    handed = Statement.of(
        Rotation(author=impostor.name, reason="update"), subjects=(Subject({"sha256": fake.hex()}),)
    )
    people = [impostor.record.encode(), stranger.record.encode()]
    graph = Graph.of_records([packed(handed)], people)
    (edge,) = [e for e in graph.edges if e.relation == "follows"]
    assert (edge.below, edge.holds) == (stranger.digest, False)


def test_an_identity_record_in_hand_is_as_good_as_its_bytes(told):
    parsed = [IdentityRecord.parse(data) for data in told.identities]
    assert Graph.of_records(told.records, parsed).edges == Graph.of_records(
        told.records, told.identities
    ).edges  # fmt: skip


def test_cosigners_stand_beside_the_author(told):
    signed = step(told.pool, "approve", "x", cosigners=(told.agent.name,))
    graph = Graph.of_records([packed(signed)], told.identities)
    assert {(e.relation, e.above) for e in graph.above(signed.id)} == {
        ("said-by", told.pool.digest),
        ("cosigned-by", told.agent.digest),
    }
    assert signed.id in graph.touched(told.agent.name).nodes
