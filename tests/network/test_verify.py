"""What a stranger checks of the network with nothing but a proof, and what no market can hide."""

from __future__ import annotations

import io
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from teeproof.cloud.owner import OwnerKey
from teeproof.evidence.verdict import Check
from teeproof.network import verify  # noqa: F401  registers the judges
from teeproof.network.admission import Reason
from teeproof.network.leases import digest_of
from teeproof.network.orders import Need
from teeproof.network.statements import (
    AdmissionStatement,
    ClosingStatement,
    LeaseStatement,
    MatchStatement,
    NodeStatement,
    made_of,
    say,
)
from teeproof.proof.file import ProofFile, export
from teeproof.proof.source import read_record
from teeproof.proof.statement import Predicate, Statement
from teeproof.proof.verify import Trust, verify_proof
from tests.network.scenes import Node, Scene, gpus, policy

DOCUMENTS = {
    AdmissionStatement: "decision",
    MatchStatement: "match",
    LeaseStatement: "lease",
    ClosingStatement: "closing",
    NodeStatement: "claim",
}


@pytest.fixture
def scene(tmp_path):
    return Scene(tmp_path)


@pytest.fixture
def owner():
    return OwnerKey.new()


def find(scene: Scene, name: str) -> Statement:
    found = read_record(scene.store.statement(bytes.fromhex(name[7:])) or b"").statement
    assert found is not None
    return found


def verdict(scene: Scene, name: str) -> Any:
    target = io.BytesIO()
    export(scene.store, [bytes.fromhex(name[7:])], target, allow_missing=True)
    with ProofFile.from_bytes(target.getvalue()) as proof:
        now = scene.clock() + timedelta(minutes=1)
        return verify_proof(proof, now=now, trust=Trust(policy=policy()))


def checks(scene: Scene, name: str) -> dict[str, Check]:
    """The checks of one statement, in its own proof."""
    return {check.name: check for check in verdict(scene, name).statement(name).checks}


def codes(scene: Scene, name: str) -> set[str]:
    return {str(c.code) for c in checks(scene, name).values() if c.state == "failed"}


def lie(scene: Scene, name: str, parent: Statement | None = None, **changes: Any) -> str:
    """What a market (or node) would say that changes a document and signs it all the same."""
    said = find(scene, name)
    predicate: Predicate = said.predicate
    field = DOCUMENTS[type(predicate)]
    beside = {key: changes.pop(key) for key in list(changes) if hasattr(predicate, key)}
    document = msgspec.structs.replace(getattr(predicate, field), **changes)
    materials = predicate.materials
    if parent is not None:
        role = materials[-1].role
        materials = (*materials[:-1], made_of(role, parent))
    predicate = msgspec.structs.replace(
        predicate, **{field: document}, materials=materials, **beside
    )
    author = scene.identity
    if isinstance(predicate, NodeStatement):
        raise TypeError("a node lies for itself")
    statement = say(predicate, document, name=said.subjects[0].name or "")
    scene.store.add_statement(author.sign(statement).encode())
    return statement.name


def test_the_end_of_a_lease_proves_everything_that_it_rests_on(scene, owner):
    scene.node("dear", price="30")
    node = scene.node("cheap", price="20")
    lease = scene.leased(node, owner)
    node.work(30)
    closed = scene.close(owner, lease).closed
    found = verdict(scene, closed)
    assert found.ok, found.faults
    kinds = {one.type.split(":")[2]: one for one in found.statements}
    assert set(kinds) == {"lease-closing", "lease", "match", "admission", "node"}
    states = {
        check.name: check.state
        for one in found.statements
        for check in one.checks
        if check.name.split("-")[0] in ("admission", "match", "lease", "closing", "market", "claim")
    }
    assert states == {
        "admission": "passed", "admission-claim": "passed", "admission-moment": "not_checked",
        "match": "passed", "match-offer": "passed", "match-order": "passed",
        "match-owner": "passed",
        "lease": "passed", "lease-payout": "passed", "claim-payout": "passed",
        "closing": "passed", "closing-time": "not_checked", "market": "passed",
    }  # fmt: skip
    assert found.level == "simulated"


@pytest.mark.parametrize("restarted", [False, True])
def test_a_lease_over_a_renewed_admission_and_a_restart_holds_too(scene, owner, restarted):
    node = scene.node()
    scene.clock.wait(20)
    node.attest()
    if restarted:
        scene.restart()
    lease = scene.leased(node, owner)
    scene.restart()
    closed = scene.close(owner, lease).closed
    assert verdict(scene, closed).ok
    assert checks(scene, closed)["market"].state == "passed"


def test_a_markets_keys_are_followed_by_fresh_ones_before_they_expire(scene, owner):
    first = scene.identity
    scene.clock.wait(4 * 86_400)
    scene.renters.view()
    assert scene.market.identity.name == first.name
    scene.clock.wait(86_400)
    scene.renters.view()
    assert scene.market.identity.record.keys.previous == first.name
    node = scene.node()
    closed = scene.close(owner, scene.leased(node, owner)).closed
    assert verdict(scene, closed).ok


def test_a_refusal_is_proved_like_an_admission(scene):
    admission = Node(scene, hardware=gpus()).register()
    found = checks(scene, admission.statement)
    assert found["admission"].state == "passed"
    assert "claims 1 H100 and brings no GPU report" in found["admission"].detail


def test_market_skips_the_cheapest_offer(scene, owner):
    cheap = scene.node("cheap", price="10")
    dear = scene.node("dear", price="20")
    matched = scene.order(owner)
    said = find(scene, matched.match).predicate.match
    assert said.chosen == cheap.name
    forged = msgspec.structs.replace(said.rejected[0], node=cheap.name)
    admission = find(scene, dear_admission(scene, dear))
    name = lie(scene, matched.match, admission, chosen=dear.name, rejected=(forged,))
    assert codes(scene, name) == {"another_offer_first"}
    found = checks(scene, name)["match"]
    assert (found.expected, found.got) == (
        f"{cheap.name} at 10 a second", f"{dear.name} at 20 a second"
    )  # fmt: skip


def dear_admission(scene: Scene, node: Node) -> str:
    return scene.market.state.nodes[node.name].admission


def test_market_rejects_an_offer_for_a_made_up_reason(scene, owner):
    scene.node("cheap", price="10")
    scene.node("dear", price="20")
    matched = scene.order(owner)
    said = find(scene, matched.match).predicate.match
    reason = msgspec.structs.replace(said.rejected[0], code="region", wanted="us-east")
    name = lie(scene, matched.match, rejected=(reason,))
    assert codes(scene, name) == {"reasons_differ"}


def test_market_lists_an_offer_twice_or_out_of_order(scene, owner):
    scene.node("cheap", price="10")
    scene.node("dear", price="20")
    matched = scene.order(owner)
    offers = find(scene, matched.match).predicate.match.offers
    for wrong in (offers[::-1], (offers[0], offers[0], offers[1])):
        assert codes(scene, lie(scene, matched.match, offers=wrong)) == {"offers_out_of_order"}


def test_market_changes_the_chosen_offer(scene, owner):
    scene.node(price="10")
    matched = scene.order(owner)
    (offer,) = find(scene, matched.match).predicate.match.offers
    for changed in ({"price": 9}, {"region": "us-east"}, {"labels": {"disk": "nvme"}}):
        wrong = msgspec.structs.replace(offer, **changed)
        assert codes(scene, lie(scene, matched.match, offers=(wrong,))) == {"match_offer_differs"}


def test_market_makes_up_an_order(scene, owner):
    scene.node()
    matched = scene.order(owner)
    order = find(scene, matched.match).predicate.match.order
    dearer = msgspec.structs.replace(order, deposit="20000")
    assert codes(scene, lie(scene, matched.match, order=dearer)) == {"owner_signature"}
    found = checks(scene, lie(scene, matched.match, order=dearer))
    assert found["match-owner"].code == "owner_signature"
    assert found["match"].state == "passed"  # the other checks are not hidden by that one
    none = checks(scene, lie(scene, matched.match, signature="no hex"))["match-owner"]
    assert none.code == "owner_signature_malformed"
    late = lie(scene, matched.match, at=order.not_after + 1)
    assert codes(scene, late) == {"order_expired"}


def test_market_admits_what_its_terms_refuse(scene):
    refused = Node(scene, hardware=gpus()).register()
    name = lie(scene, refused.statement, admitted=True, reasons=())
    assert codes(scene, name) == {"admission_differs"}
    found = checks(scene, name)["admission"]
    assert found.expected == "refused, tee=sim, gpu_report_missing"
    assert found.got == "admitted, tee=sim, no reason"


def test_market_gives_a_label_that_the_evidence_does_not(scene):
    admission = Node(scene).register()
    assert codes(scene, lie(scene, admission.statement, tee="cpu")) == {"admission_differs"}
    other = lie(scene, admission.statement, machine="sha256:" + "0" * 64)
    assert codes(scene, other) == {"admission_differs"}


def test_market_refuses_for_a_reason_that_is_none(scene):
    admission = Node(scene).register()
    made_up = (Reason(code="gpu_report_missing", detail="claims 1 H100 and brings no GPU report"),)
    name = lie(scene, admission.statement, admitted=False, reasons=made_up)
    assert codes(scene, name) == {"admission_differs"}


def test_market_decides_about_another_claim_identity_or_challenge(scene):
    admission = Node(scene).register()
    for changed in (
        {"claim": "sha256:" + "0" * 64}, {"identity": "sha256:" + "0" * 64},
        {"challenge": "0" * 64},
    ):  # fmt: skip
        name = lie(scene, admission.statement, **changed)
        assert codes(scene, name) == {"admission_claim_differs"}


@pytest.mark.parametrize(
    "changes",
    [{"rate": "11"}, {"deposit": "9999"}, {"renter": "0" * 64}, {"node": "sha256:" + "1" * 64}],
)
def test_market_writes_another_lease_than_was_matched(scene, owner, changes):
    scene.node()
    matched = scene.order(owner)
    assert codes(scene, lie(scene, matched.statement, **changes)) == {"lease_differs"}


def test_market_has_somebody_else_paid(scene, owner):
    scene.node()
    matched = scene.order(owner)
    other = "0x" + "cd" * 20
    for changes in ({"payout": other},):
        name = lie(scene, matched.statement, **changes)
        assert codes(scene, name) == {"lease_payout_differs"}
    said = find(scene, matched.statement).predicate
    lease = msgspec.structs.replace(said.lease, payout=other)
    both = msgspec.structs.replace(said, lease=lease, payout=other)
    statement = say(both, lease, name="lease")
    scene.store.add_statement(scene.identity.sign(statement).encode())
    assert codes(scene, statement.name) == {"lease_payout_differs"}


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"paid": "301", "refund": "9699"}, "closing_differs"),
        ({"refund": "9701"}, "closing_differs"),
        ({"seconds": 31, "paid": "310", "refund": "9690"}, "closing_too_long"),
        ({"seconds": -1, "paid": "-10", "refund": "10010"}, "closing_too_long"),
        ({"reason": "deposit_spent"}, "closing_differs"),
        ({"lease": "sha256:" + "0" * 64}, "closing_without_lease"),
    ],
)
def test_market_pays_more_or_less_than_was_proved(scene, owner, changes, code):
    node = scene.node()
    lease = scene.leased(node, owner)
    node.work(30)
    closed = scene.close(owner, lease).closed
    assert codes(scene, lie(scene, closed, **changes)) == {code}


def test_a_statement_speaks_of_the_document_in_it_only(scene, owner):
    scene.node()
    matched = scene.order(owner)
    said = find(scene, matched.statement).predicate
    statement = say(said, {"another": "document"}, name="lease")
    scene.store.add_statement(scene.identity.sign(statement).encode())
    assert codes(scene, statement.name) == {"subject_differs"}
    assert digest_of(said.lease) == matched.lease


def test_node_writes_its_own_admission(scene, owner):
    """Another code than the market's says that it was admitted, and is leased by the market."""
    node = scene.node()
    matched = scene.order(owner)
    admission = find(scene, dear_admission(scene, node))
    own = msgspec.structs.replace(admission.predicate, author=node.identity.name)
    forged = say(own, own.decision, name="admission")
    scene.store.add_statement(node.identity.sign(forged).encode())
    offers = find(scene, matched.match).predicate.match.offers
    offer = msgspec.structs.replace(offers[0], admission=forged.name)
    name = lie(scene, matched.match, forged, offers=(offer,))
    assert codes(scene, name) == {"market_differs"}


def test_what_only_the_market_knew_is_not_checked_and_says_so(scene, owner):
    scene.node("one")
    scene.node("two")
    scene.order(owner)
    matched = scene.order(OwnerKey.new())
    found = checks(scene, matched.match)
    assert found["match"].state == "passed"
    assert found["match-availability"].state == "not_checked"


def closed_lease(scene: Scene, owner: OwnerKey) -> tuple[str, dict[str, str]]:
    """A lease that ended, and the ids of all that it rests on, by kind."""
    node = scene.node()
    lease = scene.leased(node, owner)
    node.work(30)
    closed = scene.close(owner, lease).closed
    return closed, {one.type.split(":")[2]: one.id for one in verdict(scene, closed).statements}


def hide(monkeypatch: pytest.MonkeyPatch, scene: Scene, name: str) -> None:
    """Whoever writes a file can leave out of it what he likes."""
    gone, there = bytes.fromhex(name[7:]), scene.store.statement
    monkeypatch.setattr(scene.store, "statement", lambda one: None if one == gone else there(one))


OPENED = {  # by what is left out: the checks that are open then, each with its kind
    "lease": {("lease-closing", "closing")},
    "match": {("lease", "lease")},
    "admission": {("match", "match-offer"), ("lease", "lease")},
    "node": {("admission", "admission"), ("match", "match-offer"), ("lease", "lease")},
}


@pytest.mark.parametrize("gone", OPENED)
def test_market_leaves_a_statement_out_of_the_file(scene, owner, monkeypatch, gone):
    closed, names = closed_lease(scene, owner)
    hide(monkeypatch, scene, names[gone])
    found = verdict(scene, closed)
    assert {(f.check.name, f.check.code) for f in found.faults} == {("inputs", "parent_missing")}
    assert found.exit_code == 3
    open_ = {
        (one.type.split(":")[2], check.name)
        for one in found.statements
        for check in one.checks
        if check.state == "not_checked" and "not in this proof" in check.detail
    }
    assert open_ == OPENED[gone]


@pytest.mark.parametrize(
    ("kind", "gone", "changes"),
    [
        ("lease-closing", "lease", {"paid": "9999", "refund": "1"}),
        ("lease", "match", {"rate": "99"}),
        ("match", "admission", {"sequence": 99}),
        ("admission", "node", {"tee": "cpu"}),
    ],
)
def test_market_lies_and_leaves_out_what_convicts_it(
    scene, owner, monkeypatch, kind, gone, changes
):
    _, names = closed_lease(scene, owner)
    forged = lie(scene, names[kind], **changes)
    hide(monkeypatch, scene, names[gone])
    found = verdict(scene, forged)
    assert not found.ok
    assert {fault.check.code for fault in found.faults} == {"parent_missing"}


@pytest.mark.parametrize(
    ("kind", "check", "code"),
    [
        ("lease-closing", "closing", "closing_without_lease"),
        ("lease", "lease", "lease_without_match"),
        ("match", "match-offer", "offer_without_admission"),
        ("admission", "admission", "admission_without_claim"),
    ],
)
def test_market_names_nothing_that_its_word_was_made_of(scene, owner, kind, check, code):
    """Its word alone would be good, if what convicts it need not even be named."""
    _, names = closed_lease(scene, owner)
    said = find(scene, names[kind])
    *rest, material = said.predicate.materials
    other = find(scene, names["node"])  # of another kind, but for an admission
    ways = [(), (msgspec.structs.replace(material, statement=None),)]
    ways += [(made_of(material.role, other),)] if kind != "admission" else []
    for materials in ways:
        predicate = msgspec.structs.replace(said.predicate, materials=(*rest, *materials))
        document = getattr(predicate, DOCUMENTS[type(predicate)])
        statement = say(predicate, document, name="document")
        scene.store.add_statement(scene.identity.sign(statement).encode())
        assert checks(scene, statement.name)[check].code == code
        assert not verdict(scene, statement.name).ok


def test_an_order_that_nothing_met_is_proved_too(scene, owner):
    scene.node()
    matched = scene.order(owner, need=Need(tee=("sim",), cpus=64))
    found = checks(scene, matched.match)
    assert found["match"].state == "passed"
    assert "no offer meets the order" in found["match"].detail
