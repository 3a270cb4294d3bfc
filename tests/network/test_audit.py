"""A market replayed from its log: an offer that it left out, or a ledger put back, is found."""

from __future__ import annotations

import shutil

import msgspec
import pytest

from teeproof.cloud.owner import OwnerKey
from teeproof.network.audit import audit
from teeproof.network.matching import MAX_LISTED
from teeproof.network.statements import MatchStatement, say
from teeproof.proof.source import read_record
from teeproof.proof.statement import Statement
from tests.network.scenes import Node, Scene


@pytest.fixture
def scene(tmp_path):
    return Scene(tmp_path)


def told(scene):
    kept = scene.store._statements.values()
    return [read_record(data) for held in kept for data in held.values()]


def failures(reads):
    return {check.code for check in audit(reads) if check.state == "failed"}


def busy(scene):
    """A market in which a good deal has happened."""
    owner = OwnerKey.new()
    one = scene.node("one", price="10")
    scene.node("two", price="20")
    lease = scene.leased(one, owner)
    scene.order(OwnerKey.new())  # two
    one.work(10)
    scene.close(owner, lease)
    Node(scene, "three", machine="one").register()  # refused: the machine is listed
    one.attest()
    scene.order(owner)  # one again, under its renewed admission
    scene.clock.wait(scene.terms.close_after + 1)  # all go silent, all leases end
    scene.order(owner)  # nobody is there
    assert Node(scene, "one", price="5").register().admitted  # in its own place
    scene.order(owner)
    return owner


def test_an_honest_market_replays_to_the_same_books(scene):
    busy(scene)
    found = audit(told(scene))
    assert failures(told(scene)) == set()
    assert [check.name for check in found] == ["numbers", "book", "book", "book", "book", "book"]


def test_the_order_in_which_statements_are_found_does_not_matter(scene):
    busy(scene)
    assert audit(told(scene)[::-1]) == audit(told(scene))


def test_market_leaves_the_cheapest_offer_out_of_its_book(scene):
    cheap = scene.node("cheap", price="10")
    scene.node("dear", price="20")
    scene.market.book.remove(cheap.name)  # what a market with a favourite would do
    scene.order(OwnerKey.new())
    (check,) = [c for c in audit(told(scene)) if c.state == "failed"]
    assert check.code == "book_differs"
    assert cheap.name in check.detail
    assert check.got == "no such offer"


def test_market_calls_a_free_node_leased(scene):
    cheap = scene.node("cheap", price="10")
    scene.node("dear", price="20")
    scene.market.book.mark(cheap.name, "leased")
    scene.order(OwnerKey.new())
    assert failures(told(scene)) == {"book_differs"}


def test_market_counts_fewer_offers_than_there_were(scene, monkeypatch):
    for number in range(3):
        scene.node(f"n{number}")
    scene.order(OwnerKey.new())
    reads = told(scene)
    (match,) = [read for read in reads if read.type == "urn:teeproof:match:v1"]
    said = match.statement.predicate
    wrong = msgspec.structs.replace(said.match, unlisted=7)
    forged = _forged(said, wrong)
    assert failures([*[r for r in reads if r is not match], forged]) == {"book_differs"}


def _forged(said: MatchStatement, match) -> object:
    statement: Statement = say(msgspec.structs.replace(said, match=match), match, name="match")
    from teeproof.proof.envelope import Envelope, Signature

    return read_record(Envelope(statement.payload, (Signature("", bytes(64)),)).encode())


def test_host_puts_an_older_ledger_back(scene, tmp_path):
    scene.node("one")
    scene.ledger.close()
    shutil.copy(tmp_path / "market.sqlite", tmp_path / "older")
    scene.start()
    scene.node("two")
    scene.ledger.close()
    shutil.copy(tmp_path / "older", tmp_path / "market.sqlite")
    scene.start()
    scene.node("three")
    assert "number_used_twice" in failures(told(scene))


def test_market_closes_a_lease_twice(scene):
    owner = OwnerKey.new()
    lease = scene.leased(scene.node(), owner)
    scene.close(owner, lease)
    running = scene.market.state.leases[lease]
    accounts = scene.market.state.accounts
    accounts[f"escrow:{lease}"] = running.lease.amount
    scene.market.end(running, "renter_closed", scene.market.time(), running.meter)
    scene.market.send()
    assert failures(told(scene)) == {"closed_twice"}


def test_market_writes_a_lease_without_a_match(scene):
    scene.order(OwnerKey.new())
    scene.node()
    scene.order(OwnerKey.new())
    reads = [read for read in told(scene) if "match" not in read.type]
    assert failures(reads) == {"lease_without_match"}


def test_a_long_book_is_replayed_too(scene):
    scene.node("first", price="1")
    for number in range(MAX_LISTED + 5):
        scene.node(f"n{number}", price=str(100 + number))
    matched = scene.order(OwnerKey.new())
    assert matched.unlisted == 6
    assert failures(told(scene)) == set()


def test_market_admits_one_gpu_in_two_nodes(scene):
    """It looks away when the second proves itself anew; its own statements show it."""
    from tests.network.test_nodes import gpu_node

    one, two = gpu_node(scene, "one", 0), gpu_node(scene, "two", 1)
    assert one.register().admitted
    assert two.register().admitted
    assert failures(told(scene)) == set()
    two.attester.numbers = (0,)
    scene.market.state.gpus.clear()
    assert two.attest().admitted
    (check,) = [one for one in audit(told(scene)) if one.state == "failed"]
    assert check.code == "gpu_listed_twice"
    assert one.name in check.detail
