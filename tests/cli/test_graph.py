"""``teeproof graph``: what people see of proof files and logs, and what it refuses."""

from __future__ import annotations

import json

import pytest

from teeproof.proof.file import export
from teeproof.proof.log.formats.entry import IDENTITY, RECEIPT, STATEMENT
from teeproof.proof.log.storage.log import Log
from teeproof.proof.source import read_record
from tests.proof.graph.stories import packed, plain_step, story
from tests.proof.people import digest, step


def make_log(directory, records, identities=(), blobs=None):
    with Log.create(directory, origin="log.example/story") as log:
        for data in identities:
            person = story_identity(data)
            log.append(
                kind=IDENTITY, statement_id=person, identity=person, seal=bytes(32), record=data
            )
        for blob in (blobs or {}).values():
            log.put_blob(blob)
        for record in records:
            read = read_record(record)
            kind = STATEMENT if read.receipt is None else RECEIPT
            log.append(
                kind=kind,
                statement_id=read.id,
                identity=read.author or bytes(32),
                seal=read.seal,
                record=record,
            )
        log.publish()
    return directory


def story_identity(data):
    from teeproof.proof.identity import IdentityRecord

    return IdentityRecord.parse(data).digest


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    """A folder with the story in a proof file, in one log, and halved in two logs."""
    folder, told = tmp_path_factory.mktemp("graph"), story()
    export(told.source(), [told.action.id], folder / "action.proof", allow_missing=True)
    make_log(folder / "log", told.records, told.identities, told.blobs)
    make_log(folder / "lower", told.records[:3], told.identities[:1], told.blobs)
    make_log(folder / "upper", told.records[3:], told.identities[1:])
    return folder


@pytest.mark.parametrize("place", ["action.proof", "log"])
def test_a_file_and_a_log_draw_the_same_story(teeproof, places, place):
    answer = teeproof("graph", places / place)
    assert answer.code == 0
    lines = answer.out.splitlines()
    assert lines[0] == f"{place} · 7 statements, 4 identities, 1 input that nobody here made"
    assert lines[1].startswith("NOT VERIFIED: these are claims.")
    assert [line.split("  ")[0] for line in lines[3:6]] == [
        "pay → “transaction”",
        "└─ answer ← answer (by digest)",
        "",
    ]
    assert answer.out.count("contribution “") == 3
    assert "no maker here" in answer.out
    assert answer.out.count("platform ") == 4


def test_a_file_says_how_to_check_it(teeproof, places):
    assert (
        f"teeproof verify {places}/action.proof" in teeproof("graph", places / "action.proof").out
    )
    assert "teeproof verify" not in teeproof("graph", places / "log").out


@pytest.mark.parametrize("columns", [40, 60, 100, 160])
def test_the_screen_keeps_its_width(teeproof, places, monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", str(columns))
    (places / "a.proof").write_bytes((places / "action.proof").read_bytes())
    monkeypatch.chdir(places)
    for more in ([], ["--touched", digest("alice.csv")]):
        out = teeproof("graph", "a.proof", *more).out
        assert all(len(line) <= columns for line in out.splitlines())


def test_an_id_is_drawn_up_and_on_request_down(teeproof, places):
    told = story()
    short = told.dataset.name[7:19]
    up = teeproof("graph", places / "log", short).out
    assert up == teeproof("graph", places / "log", told.dataset.name, "--ancestors").out
    assert "contribute" in up
    assert "train" not in up
    down = teeproof("graph", places / "log", short, "--descendants").out
    assert "as dataset: train" in down
    assert "contribute" not in down


def test_the_depth_bounds_every_form(teeproof, places):
    told = story()
    drawn = teeproof("graph", places / "log", told.action.name, "--depth", 1)
    assert "(deeper)" in drawn.out
    assert "train" not in drawn.out
    twin = teeproof("graph", places / "log", told.action.name, "--depth", 1, "--json").json
    assert {n["id"] for n in twin["nodes"]} == {
        told.action.name,
        told.answer.name,
        told.agent.name,
    }


def test_what_a_machine_touched_is_counted_and_drawn(teeproof, places):
    told = story()
    platform = told.graph().labels(told.pool.digest).values["platform"]
    answer = teeproof("graph", places / "log", "--touched", platform[:12])
    assert "is here as: platform" in answer.out
    assert "Downstream of it: 7 statements." in answer.out
    twin = teeproof("graph", places / "log", "--touched", platform, "--json").json["touched"]
    assert twin["key"] == platform
    assert set(twin["seeds"]) == {
        p.name for p in (told.pool, told.trainer, told.gateway, told.agent)
    }
    assert len(twin["nodes"]) == 7


def test_data_touches_no_other_output_of_its_maker(teeproof, places):
    out = teeproof("graph", places / "log", "--touched", digest("alice.csv")).out
    assert "assemble" in out
    assert "bob.csv" not in out
    nothing = teeproof("graph", places / "log", "--touched", digest("transaction"))
    assert "Downstream of it: 0 statements." in nothing.out
    assert nothing.code == 0


def test_json_has_the_nodes_and_edges_of_the_drawing(teeproof, places):
    told = story()
    twin = teeproof("graph", places / "action.proof", "--json").json
    assert twin["roots"] == [told.action.name]
    assert len(twin["nodes"]) == 12
    assert "touched" not in twin
    ids = {node["id"] for node in twin["nodes"]}
    assert all({edge["from"], edge["to"]} <= ids for edge in twin["edges"])


def test_dot_is_one_digraph(teeproof, places):
    answer = teeproof("graph", places / "log", "--dot")
    assert answer.out.startswith("digraph teeproof {\n")
    assert answer.out.endswith("\n}\n")
    assert answer.out.count("shape=box") == 7


def test_two_logs_are_joined(teeproof, places):
    alone = teeproof("graph", places / "upper").out
    assert alone.count("MISSING") >= 3
    both = teeproof("graph", places / "upper", "--with", places / "lower").out
    assert "(MISSING)" not in both
    assert "contribution “alice.csv” ← contribute" in both


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["ffffffff"], "key_unknown"),
        (["ff"], "key_malformed"),
        (["hello"], "key_malformed"),
        (["--touched", "ffffffff"], "key_unknown"),
        (["--descendants"], "usage"),
        (["abcd", "--ancestors", "--descendants"], "usage"),
        (["abcd", "--touched", "abcd"], "usage"),
        (["--dot", "--json"], "usage"),
        (["--depth", "-1"], "usage"),
    ],
)
def test_what_cannot_be_asked_is_said(teeproof, places, arguments, code):
    plain = teeproof("graph", places / "log", *arguments)
    assert plain.code == 1
    assert plain.out == "" or "--json" in arguments
    twin = teeproof("graph", places / "log", *arguments, "--json").json
    assert twin["error"] == code


def test_an_ambiguous_id_lists_the_candidates(teeproof, tmp_path):
    number, seen = 0, {}
    while True:  # two ids that begin with the same four digits
        statement = plain_step("try", f"{number}")
        other = seen.setdefault(statement.id[:2], statement)
        if other is not statement:
            break
        number += 1
    log = make_log(tmp_path / "log", [packed(statement), packed(other)])
    twin = teeproof("graph", log, statement.id.hex()[:4], "--json").json
    assert twin["error"] == "key_ambiguous"
    assert statement.id.hex()[:20] in twin["expected"]
    assert other.id.hex()[:20] in twin["expected"]


def test_what_is_no_proof_and_no_log_is_refused(teeproof, tmp_path):
    (tmp_path / "junk.proof").write_bytes(b"PK\x03\x04junk")
    assert teeproof("graph", tmp_path / "junk.proof").code == 2
    assert teeproof("graph", tmp_path / "nothing.proof").code == 3
    assert teeproof("graph", tmp_path).code == 3


def test_author_cannot_write_on_the_screen(teeproof, tmp_path):
    evil = "x\n\x1b[31mVERIFIED\u202e"
    first = plain_step(evil, evil)
    second = plain_step("use", "z", of=[(evil, evil, first.id)])
    log = make_log(tmp_path / "log", map(packed, (first, second)))
    for more in ([], ["--dot"], [second.name, "--descendants"]):
        out = teeproof("graph", log, *more).out
        assert out.replace("\n", "").isprintable()
        assert not any(line.startswith("VERIFIED") for line in out.splitlines())
    twin = teeproof("graph", log, "--json")
    assert twin.out.replace("\n", "").isprintable()
    names = {o["name"] for node in twin.json["nodes"] for o in node.get("outputs", ())}
    assert evil in names
    assert json.dumps(evil)[1:-1] in twin.out


def test_colour_is_written_only_where_it_is_wanted(teeproof, places):
    assert "\x1b[" not in teeproof("graph", places / "log").out
    assert "\x1b[1m" in teeproof("graph", places / "log", "--color", "always").out


def test_a_log_with_a_record_that_is_none_says_so(teeproof, tmp_path):
    told = story()
    user = step(told.pool, "use", "z", of=[("in", "alice.csv", told.contributions[0])])
    with Log.create(tmp_path / "log", origin="log.example/story") as log:
        log.append(
            kind=STATEMENT,
            statement_id=told.contributions[0].id,
            identity=bytes(32),
            seal=bytes(32),
            record=b"{}",
        )
        log.append(
            kind=STATEMENT,
            statement_id=user.id,
            identity=bytes(32),
            seal=bytes(32),
            record=packed(user),
        )
        log.append(
            kind=IDENTITY,
            statement_id=told.pool.digest,
            identity=bytes(32),
            seal=bytes(32),
            record=b"{}",
        )
        log.publish()
    out = teeproof("graph", tmp_path / "log").out
    assert "(UNREADABLE)" in out
    assert "its record is unreadable" in out
