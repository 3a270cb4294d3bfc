"""Drawings: the story as people see it, and names that stay names in every form."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from teeproof.core.digests import named, sha256
from teeproof.core.text import columns
from teeproof.proof.graph import Graph
from teeproof.proof.graph.dot import dot
from teeproof.proof.graph.layout import footnotes, lines, text
from teeproof.proof.graph.shape import shape
from teeproof.proof.graph.tree import NOTES, rows
from tests.proof.graph.stories import packed, plain_step, story
from tests.proof.people import digest

UPWARDS = """\
pay → “transaction”                                <action>  by <agent>
└─ answer ← answer (by digest)                     <answer>  by <gateway>
   └─ model “model.safetensors” ← train            <model>  by <trainer>
      ├─ dataset “corpus” ← assemble               <dataset>  by <pool>
      │  ├─ contribution “alice.csv” ← contribute  <alice>  by <pool>
      │  ├─ contribution “bob.csv” ← contribute    <bob>  by <pool>
      │  └─ contribution “carol.csv” ← contribute  <carol>  by <pool>
      └─ base-model “base.safetensors”             <base>  no maker here
"""
DOWNWARDS = """\
contribute → “bob.csv”                                  <bob>  by <pool>
└─ as contribution: assemble → “corpus”                 <dataset>  by <pool>
   └─ as dataset: train → “model.safetensors” +1        <model>  by <trainer>
      └─ as model: answer → “response” +1               <answer>  by <gateway>
         └─ as answer: pay → “transaction” (by digest)  <action>  by <agent>
"""
EVIL = [
    "x\n✓ verified",
    "\x1b[32mgreen\x1b[0m",
    "\u202egnp.exe",
    '"]; evil [label="',
    "\\",
    "a\\",
    "\\N\\G",
    "<b>&amp;</b>",
    "”  deadbeef  by deadbeef",
    "a" * 100_000,
    "\u0301" * 500,
    "模型" * 60,
    "│  └─ trained",
    "\ud7ff\u2028\u200f",
    "",
]


def told(drawing):
    """The drawing with names in the place of ids."""
    s, graph = story(), story().graph()
    places = {
        "action": s.action.id, "answer": s.answer.id, "model": s.model.id, "dataset": s.dataset.id,
        "alice": s.contributions[0].id, "bob": s.contributions[1].id,
        "carol": s.contributions[2].id, "agent": s.agent.digest, "gateway": s.gateway.digest,
        "trainer": s.trainer.digest, "pool": s.pool.digest,
        "base": bytes.fromhex(digest("base.safetensors")),
    }  # fmt: skip
    for name, node in places.items():
        drawing = drawing.replace(graph.short(node), f"<{name}>")
    return drawing


def test_the_story_is_drawn_up_to_its_contributions():
    s = story()
    assert told(text(list(rows(s.graph(), [s.action.id])), width=100)) == UPWARDS
    assert told(text(list(rows(s.graph(), [s.action.id])), width=1 << 20)) == UPWARDS


def test_the_story_is_drawn_down_to_the_action():
    s = story()
    drawn = list(rows(s.graph(), [s.contributions[1].id], direction="down"))
    assert told(text(drawn, width=100)) == DOWNWARDS


@pytest.mark.parametrize("width", [40, 60, 80, 100, 160])
def test_ids_and_authors_stay_whole_at_any_width(width):
    s, graph = story(), story().graph()
    drawn = text(list(rows(graph, [s.action.id], room=width)), width=width)
    assert all(columns(line) <= width for line in drawn.splitlines())
    assert len(drawn.splitlines()) == len(UPWARDS.splitlines())
    for line in drawn.splitlines()[:-1]:
        assert re.search(r"  [0-9a-f]{8,}  by [0-9a-f]{8,}$", line)


def test_a_node_that_two_lead_to_is_drawn_once_and_then_referred_to():
    base = plain_step("tokenize", "tokens", of=[("text", "text", None)])
    left = plain_step("train", "left", of=[("tokens", "tokens", base.id)])
    right = plain_step("train", "right", of=[("tokens", "tokens", base.id)])
    both = plain_step("merge", "m", of=[("a", "left", left.id), ("b", "right", right.id)])
    graph = Graph.of_records(map(packed, (base, left, right, both)))
    drawn = list(rows(graph, graph.tops()))
    assert [r.marks for r in drawn if r.id == graph.short(base.id)] == [(), ("above",)]
    assert sum("text" in r.title for r in drawn) == 1
    assert dict(footnotes(drawn)) == {"above": NOTES["above"]}


def test_levels_beyond_the_depth_are_said_to_be_left_out():
    s, graph = story(), story().graph()
    drawn = list(rows(graph, [s.action.id], depth=2))
    assert [r.marks for r in drawn] == [(), ("by digest",), ("deeper",)]
    assert [r.marks for r in rows(graph, [s.action.id], depth=0)] == [("deeper",)]


def test_a_time_is_shown_where_it_is_known():
    s = story()
    graph = Graph.of_records(s.records, s.identities, times=lambda _: 1_772_366_400)
    assert "2026-03-01T12:00:00Z" in text(list(rows(graph, graph.tops())), width=100)


def test_cosigners_stand_behind_the_author():
    people = [named(sha256(b"%d" % n)) for n in range(4)]
    made = [plain_step("approve", "x", cosigners=tuple(people[:n])) for n in (1, 4)]
    graph = Graph.of_records(map(packed, made))
    one, four = text(list(rows(graph, graph.tops())), width=100).splitlines()
    assert re.search(r"by [0-9a-f]{8,} \+ [0-9a-f]{8,}$", one)
    assert re.search(r"by [0-9a-f]{8,} \+ [0-9a-f]{8,} \+3$", four)


def hostile(name):
    word = name[:60_000] or "w"
    first = plain_step(word, name[:60_000] or "o")
    return first, plain_step("use", "z", of=[(word[:100], name[:60_000] or "o", first.id)])


def check_tree(name, width):
    first, second = hostile(name)
    graph = Graph.of_records(map(packed, (first, second)))
    for tops, direction in (([second.id], "up"), ([first.id], "down")):
        drawn = list(rows(graph, tops, direction=direction, room=width))
        printed = text(drawn, width=width)
        assert len(printed.splitlines()) == printed.count("\n") == 2
        for line in printed.split("\n"):
            assert line.isprintable()
            assert columns(line) <= width
            assert line == "" or re.search(r"  [0-9a-f]{8,}  by [0-9a-f]{8,}$", line)
        assert printed.count("“") == printed.count("”") or "…" in printed


def check_dot(name):
    graph = Graph.of_records(map(packed, hostile(name)))
    label = r'label="(?:[^"\\\n]|\\\\|\\"|\\n)*"'
    node = rf'  "sha256:[0-9a-f]{{64}}" \[shape=\w+, {label}(, color=\w+)?\];'
    edge = rf'  ("sha256:[0-9a-f]{{64}}") -> \1?.* \[{label}, style=\w+(, color=\w+)?\];'
    opening, *middle, closing = dot(graph, [n.id for n in graph.nodes])
    assert (opening, closing) == ("digraph teeproof {", "}")
    drawn = middle[4:]
    assert len(drawn) == len(graph) + len(graph.edges)
    for line in drawn:
        assert re.fullmatch(node, line) or re.fullmatch(edge, line)
        assert line.isprintable()
        assert not re.search(r"<|>(?! \")|&(?!(amp|lt|gt);)", line.replace(" -> ", " "))
        assert len(line) < 1000


@pytest.mark.parametrize("name", EVIL, ids=range(len(EVIL)))
@pytest.mark.parametrize("width", [40, 100])
def test_author_cannot_break_out_of_a_line(name, width):
    if "\ud7ff" not in name:
        name = name.encode("utf-8", "replace").decode()
    check_tree(name, width)


@pytest.mark.parametrize("name", EVIL, ids=range(len(EVIL)))
def test_author_cannot_break_out_of_a_label(name):
    check_dot(name)


@given(st.text(st.characters(exclude_categories=["Cs"])), st.integers(40, 120))
def test_no_name_breaks_out_of_any_drawing(name, width):
    check_tree(name, width)
    check_dot(name)


def test_json_has_every_node_and_edge_once_and_only_of_the_chosen():
    s, graph = story(), story().graph()
    everything = shape(graph, [n.id for n in graph.nodes], roots=[s.action.id])
    assert json.loads(json.dumps(everything)) == everything
    assert everything["verified"] is False
    assert everything["roots"] == [s.action.name]
    assert len({n["id"] for n in everything["nodes"]}) == len(graph) == len(everything["nodes"])
    assert len(everything["edges"]) == len(graph.edges)
    assert {e["relation"] for e in everything["edges"]} == {"made-of", "said-by"}
    some = shape(graph, [s.model.id, s.dataset.id])
    assert len(some["nodes"]) == 2
    (edge,) = some["edges"]
    assert edge == {
        "from": s.model.name,
        "to": s.dataset.name,
        "relation": "made-of",
        "how": "named",
        "role": "dataset",
        "digest": f"sha256:{digest('corpus')}",
        "name": "corpus",
    }


def test_json_of_an_identity_has_its_labels_and_says_that_they_are_claims():
    s, graph = story(), story().graph()
    (person,) = shape(graph, [s.pool.digest])["nodes"]
    assert person["labels"]["verified"] is False
    assert len(person["labels"]["mrtd"]) == 96


def test_pieces_of_a_line_never_carry_a_style_in_their_text():
    s, graph = story(), story().graph()
    for spans in lines(list(rows(graph, [s.action.id])), width=100):
        for span in spans:
            assert span.text.isprintable()
