"""What ``teeproof network audit`` says of a market: from its log, of a proof, and when it lies."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from teeproof.cloud.owner import OwnerKey
from teeproof.evidence.collect.simulated import opt_in_policy
from teeproof.network.statements import MatchStatement, say
from teeproof.proof.envelope import Envelope, Signature
from teeproof.proof.file import export
from teeproof.proof.log.contents import Contents
from teeproof.proof.log.storage.log import Log
from teeproof.proof.source import read_record
from tests.network.scenes import Node, Scene, gpus, platform

AT = "2026-03-01T12:05:00Z"


def market(folder: Path, *, busy=lambda scene: None) -> Scene:
    """A market in a log, with two nodes, one that is refused, and a lease that ended."""
    (folder / "state").mkdir()
    (folder / "mine.toml").write_text(opt_in_policy(platform()))
    owner = OwnerKey.new()
    with Log.create(folder / "log", origin="log.example/audit") as log:
        scene = Scene(folder / "state", store=Contents(log))  # type: ignore[arg-type]  a store too
        cheap = scene.node("cheap", price="10")
        scene.node("dear", price="20")
        Node(scene, "boaster", hardware=gpus()).register()
        lease = scene.leased(cheap, owner)
        cheap.work(30)
        scene.close(owner, lease)
        busy(scene)
        log.publish()
        scene.ledger.close()
    return scene


@pytest.fixture
def audit(teeproof, tmp_path):
    """Return ``audit(source, *options)``, under the simulator's policy."""

    def run(source: Path, *options: object):
        policy = ("--policy", tmp_path / "mine.toml", "--at", AT)
        return teeproof("network", "audit", source, *policy, *options)

    return run


def test_an_honest_markets_story_holds(audit, tmp_path):
    market(tmp_path)
    answer = audit(tmp_path / "log")
    assert answer.code == 0, answer.err
    assert "market “bazaar”" in answer.out
    assert "2 admissions; reasons to refuse: 1 × gpu_report_missing" in answer.out
    assert "1 written, 1 ended, paid 300 micro-units of test" in answer.out
    assert "its 2 offers are the cheapest that there were" in answer.out
    assert "SIMULATED, AND ALLOWED AS SUCH · every market's story holds" in answer.out


def test_json_has_every_check_and_says_what_was_not_checked(audit, tmp_path):
    market(tmp_path)
    value = audit(tmp_path / "log", "--json").json
    (found,) = value["markets"]
    assert (value["ok"], value["complete"], value["level"]) == (True, True, "simulated")
    assert (found["admitted"], found["leases"], found["paid"]) == (2, 1, {"test": 300})
    states = {(one["check"]["name"], one["check"]["state"]) for one in found["judged"]}
    assert ("admission", "passed") in states
    assert ("closing-time", "not_checked") in states
    assert [check["name"] for check in found["replay"]] == ["numbers", "book"]


def test_market_with_a_favourite_is_found_by_its_own_log(audit, tmp_path):
    """It leaves its cheapest offer out of the book; each statement alone holds."""

    def cheats(scene: Scene) -> None:
        (cheap,) = [one for one in scene.market.book if one.price == 10]
        scene.market.book.remove(cheap.node)
        scene.order(OwnerKey.new())

    market(tmp_path, busy=cheats)
    answer = audit(tmp_path / "log")
    assert answer.code == 2
    assert "NOT AUTHENTIC · a market's story does not hold" in answer.out
    assert "no such offer" in answer.out
    (found,) = audit(tmp_path / "log", "--json").json["markets"]
    assert {one["code"] for one in found["replay"] if one["state"] == "failed"} == {"book_differs"}


def test_a_simulator_that_nobody_opted_in_to_is_not_allowed(teeproof, tmp_path):
    market(tmp_path)
    answer = teeproof("network", "audit", tmp_path / "log", "--at", AT)
    assert answer.code == 4
    assert "SIMULATED, NOT ALLOWED" in answer.out


def test_a_proof_is_audited_as_far_as_it_goes_and_says_so(audit, tmp_path):
    market(tmp_path)
    with Log.open(tmp_path / "log", read_only=True) as log, closing(Contents(log)) as contents:
        matches = [
            one for one in contents.statements()
            if read_record(contents.statement(one) or b"").type == "urn:teeproof:match:v1"
        ]  # fmt: skip
        export(contents, matches, tmp_path / "match.proof")
    answer = audit(tmp_path / "match.proof")
    assert "whether a market left offers out, its log shows" in answer.out
    assert audit(tmp_path / "match.proof", "--json").json["complete"] is False


def test_stranger_writes_a_match_in_the_markets_name(audit, tmp_path):
    """Nobody is shown to have said it: it is left out by name, and fails as a statement."""

    def forges(scene: Scene) -> None:
        log = scene.store.log  # type: ignore[attr-defined]
        with closing(Contents(log)) as contents:
            every = [read_record(contents.statement(one) or b"") for one in contents.statements()]
            (match,) = [one for one in every if one.type == "urn:teeproof:match:v1"]
            said = match.statement.predicate
            words = msgspec.structs.replace(said.match, unlisted=7)
            made = say(
                MatchStatement(author=said.author, materials=said.materials, match=words,
                               terms=said.terms),
                words, name="match",
            )  # fmt: skip
            forged = Envelope(made.payload, (Signature(said.author, bytes(64)),))
            contents.add_statement(forged.encode())

    market(tmp_path, busy=forges)
    answer = audit(tmp_path / "log", "--json")
    assert answer.code == 2
    assert len(answer.json["left_out"]) == 1
    (found,) = answer.json["markets"]
    assert found["ok"] is True
    assert found["matches"] == 1


def test_two_markets_in_one_log_are_two_stories(audit, tmp_path):
    """A second market with other code has numbers of its own."""
    first = market(tmp_path)
    with Log.open(tmp_path / "log") as log:
        (tmp_path / "other").mkdir()
        second = Scene(tmp_path / "other", store=Contents(log), market="other")  # type: ignore[arg-type]
        second.ledger.close()
        from tests.network.scenes import attester

        second.attester = attester("other", second.clock, code="other-market")
        second.start()
        second.node("elsewhere")
        log.publish()
        second.ledger.close()
    value = audit(tmp_path / "log", "--json").json
    assert [one["name"] for one in sorted(value["markets"], key=lambda one: one["name"])] == [
        "bazaar", "other",
    ]  # fmt: skip
    assert value["ok"] is True
    assert first.terms.market == "bazaar"


def test_a_log_without_a_market_and_what_is_no_log_are_told_apart(teeproof, tmp_path):
    with Log.create(tmp_path / "log", origin="log.example/empty") as log:
        from tests.network.scenes import Clock, attester

        person = attester("nobody", Clock())
        from teeproof.proof.workload import Identity

        Identity.boot(person, store=log, now=Clock()).seal("step", outputs={"x": b"x"})
        log.publish()
    empty = teeproof("network", "audit", tmp_path / "log", "--json")
    assert (empty.code, empty.json["error"]) == (3, "market_missing")
    (tmp_path / "nothing").mkdir()
    none = teeproof("network", "audit", tmp_path / "nothing", "--json")
    assert (none.code, none.json["error"]) == (1, "log_missing")
