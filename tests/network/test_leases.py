"""Orders, leases, heartbeats, ends: what everybody can try, and where the money is afterwards."""

from __future__ import annotations

from datetime import timedelta

import pytest

from teeproof.cloud.owner import OwnerKey
from teeproof.core.errors import Error, Malformed, NotAllowed, NotAuthentic, TooLarge, Unavailable
from teeproof.network.orders import CloseRequest, Need
from teeproof.network.renter_desk import MAX_ORDER
from teeproof.proof.source import read_record
from tests.network.scenes import ANY, GRANT, PAYOUT, Node, Scene

NODE = f"node:{PAYOUT}"


@pytest.fixture
def scene(tmp_path):
    return Scene(tmp_path)


@pytest.fixture
def owner():
    return OwnerKey.new()


def raised(kind: type[Error], call, *arguments, **options) -> Error:
    with pytest.raises(kind) as error:
        call(*arguments, **options)
    assert type(error.value) is kind
    return error.value


def purse(owner):
    return f"renter:{owner.public}"


def test_an_order_gets_the_cheapest_node_and_the_reason_for_each_other_one(scene, owner):
    scene.node("dear", price="30")
    far = scene.node("far", price="5", region="us-east")
    cheap = scene.node("cheap", price="20")
    matched = scene.order(owner, need=Need(tee=("sim",), regions=("eu-west",)))
    assert (matched.node, matched.rate) == (cheap.name, 20)
    assert matched.rejected[0].node == far.name
    assert [one.code for one in matched.rejected] == ["region", "dearer"]
    assert scene.accounts()[purse(owner)] == GRANT - 10_000


def test_what_was_decided_is_said_in_the_log(scene, owner):
    node = scene.node()
    matched = scene.order(owner)
    said = {
        name: read_record(scene.store.statement(bytes.fromhex(name[7:])))
        for name in (matched.match, matched.statement)
    }
    lease = said[matched.statement].statement.predicate
    assert (lease.lease.node, lease.payout) == (node.name, PAYOUT)
    assert said[matched.statement].subjects[0].sha256 == matched.lease
    assert said[matched.match].statement.predicate.match.rejected == matched.rejected
    closed = scene.close(owner, matched.lease).closed
    ended = read_record(scene.store.statement(bytes.fromhex(closed[7:])))
    assert ended.statement.predicate.closing.reason == "renter_closed"


def test_an_order_that_nothing_meets_takes_no_money_and_says_what_came_closest(scene, owner):
    node = scene.node()
    matched = scene.order(owner, need=Need(tee=("sim",), cpus=64))
    assert (matched.lease, matched.node) == (None, None)
    assert [(one.node, one.code, one.wanted) for one in matched.closest] == [
        (node.name, "cpus", "64 cores")
    ]
    assert scene.accounts()[purse(owner)] == GRANT


def test_without_asking_for_it_nobody_gets_a_simulated_machine(scene, owner):
    scene.node()
    matched = scene.order(owner, need=Need())
    assert [one.code for one in matched.closest] == ["tee"]


def test_one_node_is_leased_to_one_renter(scene, owner):
    scene.node()
    scene.order(owner)
    second = scene.order(OwnerKey.new())
    assert [one.code for one in second.rejected] == ["leased"]


def test_a_lease_pays_while_node_and_evidence_are_fresh(scene, owner):
    node = scene.node()
    lease = scene.leased(node, owner)
    node.work(60)
    view = scene.renters.lease(lease)
    assert (view.state, view.seconds, view.earned) == ("running", 60, 600)
    closed = scene.close(owner, lease)
    assert (closed.state, closed.closing.paid, closed.closing.refund) == ("closed", "600", "9400")
    assert scene.accounts()[NODE] == 600
    assert scene.accounts()[purse(owner)] == GRANT - 600


def test_what_a_lease_has_earned_is_computed_when_it_is_read(scene, owner):
    node = scene.node()
    lease = scene.leased(node, owner)
    written = scene.market.number
    for _ in range(10):
        scene.clock.wait(1)
        scene.renters.lease(lease)
    assert scene.market.number == written


def test_node_stops_proving_and_keeps_billing(scene, owner):
    node = scene.node()
    lease = scene.leased(node, owner, deposit="900000")
    node.work(30)
    scene.clock.wait(100)  # silent: neither suspect nor paused time is paid
    assert scene.renters.lease(lease).state == "paused"
    node.beat()  # a heartbeat alone does not end the pause
    node.work(50, every=10)
    assert scene.renters.lease(lease).earned == 300
    assert node.attest().admitted
    node.work(20)
    assert scene.renters.lease(lease).earned == 300 + 200
    assert scene.close(owner, lease).closing.paid == "500"
    scene.accounts()


def test_node_beats_on_while_its_evidence_is_stale(scene, owner):
    node = scene.node()
    lease = scene.leased(node, owner, deposit="900000")
    node.work(scene.terms.attestation + 100, every=10)
    view = scene.renters.lease(lease)
    assert view.state == "paused"
    assert view.seconds == scene.terms.attestation


def test_a_paused_lease_that_stays_so_is_closed_and_refunded_by_itself(scene, owner):
    node = scene.node()
    lease = scene.leased(node, owner)
    node.work(30)
    scene.clock.wait(scene.terms.close_after + 1)
    view = scene.renters.lease(lease)
    assert (view.state, view.closing.reason) == ("closed", "heartbeats_missed")
    assert (view.closing.paid, view.closing.refund) == ("300", "9700")
    assert scene.accounts()[purse(owner)] == GRANT - 300
    assert scene.renters.offers().offers[0].taken == "stale"


def test_a_node_that_never_comes_gets_nothing(scene, owner):
    node = scene.node()
    matched = scene.order(owner)
    scene.clock.wait(scene.terms.accept_within + 1)
    view = scene.renters.lease(matched.lease)
    assert (view.closing.reason, view.closing.refund) == ("node_never_came", "10000")
    assert NODE not in scene.accounts() or scene.accounts()[NODE] == 0
    node.beat()
    assert scene.order(owner).node == node.name


def test_node_replays_a_heartbeat(scene, owner):
    node = scene.node()
    lease = scene.leased(node, owner)
    scene.clock.wait(5)
    node.counter += 1
    data = node.heartbeat()
    scene.nodes.heartbeat(data)
    scene.clock.wait(5)
    error = raised(NotAllowed, scene.nodes.heartbeat, data)
    assert (error.code, error.expected, error.got) == ("counter_not_rising", "more than 2", "2")
    assert scene.renters.lease(lease).seconds == 5


def test_host_replays_a_heartbeat_to_a_market_that_was_restarted(scene, owner):
    node = scene.node()
    scene.leased(node, owner)
    data = node.heartbeat()
    scene.restart()
    assert raised(NotAllowed, scene.nodes.heartbeat, data).code == "counter_not_rising"


@pytest.mark.parametrize("counter", [0, -1, 3])
def test_node_rolls_its_counter_back(scene, owner, counter):
    node = scene.node()
    scene.leased(node, owner)
    node.work(15)
    data = node.heartbeat(counter=counter)
    assert raised(NotAllowed, scene.nodes.heartbeat, data).code == "counter_not_rising"


def test_node_counts_its_heartbeats_for_another_lease(scene, owner):
    one, two = scene.node("one"), scene.node("two")
    first = scene.leased(one, owner)
    scene.leased(two, owner)
    two.lease = first
    assert raised(NotAllowed, two.beat).code == "lease_of_another"
    two.lease = "sha256:" + "0" * 64
    assert raised(NotAllowed, two.beat).code == "lease_of_another"


def test_node_sends_a_heartbeat_in_another_nodes_name(scene):
    victim, thief = scene.node("victim"), scene.node("thief")
    thief.name = victim.name
    assert raised(NotAuthentic, thief.beat).code == "node_signature"


def test_a_heartbeat_under_no_lease_pays_nothing(scene, owner):
    node = scene.node()
    lease = scene.leased(node, owner)
    node.lease = ""
    node.work(10)
    assert scene.renters.lease(lease).seconds == 0


def test_node_raises_its_price_after_the_match(scene, owner):
    node = scene.node("one", price="10")
    lease = scene.leased(node, owner, deposit="900000")
    node.work(10)
    # It comes back with another price: while it gives signs of life it cannot,
    dearer = Node(scene, "one", price="99")
    assert not dearer.register().admitted
    assert raised(NotAllowed, node_with(node, price="99").attest).code == "claim_changed"
    # and once it is silent, it has left the lease, which was paid at the old price.
    scene.clock.wait(scene.terms.pause_after + 1)
    assert dearer.register().admitted
    closing = scene.renters.lease(lease).closing
    assert (closing.reason, closing.paid) == ("node_replaced", "100")
    assert scene.order(owner).rate == 99
    scene.accounts()


def node_with(node, **changes):
    other = Node(node.scene, "one", **changes)
    other.identity, other.name, other.attester = node.identity, node.name, node.attester
    return other


def test_renter_overspends_the_deposit(scene, owner):
    node = scene.node(price="100")
    lease = scene.leased(node, owner, deposit="1000")
    node.work(5)
    node.work(20)
    view = scene.renters.lease(lease)
    assert (view.state, view.closing.reason) == ("closed", "deposit_spent")
    assert (view.closing.paid, view.closing.refund) == ("1000", "0")
    assert node.beat().lease == ""  # by which the node learns that it is over
    assert scene.accounts()[NODE] == 1000


def test_renter_overspends_the_balance(scene, owner):
    scene.node("one")
    scene.node("two")
    scene.order(owner, deposit=str(GRANT - 100))
    error = raised(NotAllowed, scene.order, owner, deposit="2000")
    assert (error.code, error.got) == ("balance_short", "100")
    assert raised(NotAllowed, scene.order, OwnerKey.new(), deposit=str(GRANT + 1))
    scene.accounts()


def test_renter_closes_and_reclaims_what_was_earned(scene, owner):
    node = scene.node()
    lease = scene.leased(node, owner)
    node.work(50)
    scene.clock.wait(4)  # since the last heartbeat; it is running, so these are paid too
    first = scene.close(owner, lease)
    assert (first.closing.paid, first.closing.refund) == ("540", "9460")
    again = scene.close(owner, lease)
    assert again == first
    assert scene.accounts()[purse(owner)] == GRANT - 540
    assert scene.accounts()[NODE] == 540


def test_renter_closes_another_renters_lease(scene, owner):
    lease = scene.leased(scene.node(), owner)
    assert raised(NotAuthentic, scene.close, OwnerKey.new(), lease).code == "owner_signature"
    assert scene.renters.lease(lease).closing is None


def test_a_node_ends_its_lease_and_is_paid_until_then(scene, owner):
    node = scene.node()
    lease = scene.leased(node, owner)
    node.work(10)
    scene.clock.wait(3)
    closed = node.leave()
    view = scene.renters.lease(lease)
    assert (view.closed, view.closing.reason, view.closing.paid) == (closed, "node_closed", "130")
    assert node.leave() == closed
    assert scene.renters.offers().offers[0].taken == ""


def test_node_ends_another_nodes_lease(scene, owner):
    lease = scene.leased(scene.node("one"), owner)
    thief = scene.node("two")
    thief.lease = lease
    assert raised(NotAllowed, thief.leave).code == "lease_of_another"


def test_host_turns_the_clock_back(scene, owner):
    node = scene.node()
    lease = scene.leased(node, owner)
    node.work(30)
    before = scene.renters.lease(lease)
    scene.clock.time -= timedelta(hours=2)
    node.beat()
    view = scene.renters.lease(lease)
    assert (view.time, view.seconds) == (before.time, 30)
    scene.clock.wait(60)
    node.beat()
    assert scene.renters.lease(lease).seconds == 30
    scene.restart()
    assert scene.renters.view().time == before.time  # also over a restart
    assert raised(NotAllowed, scene.order, owner, not_after=before.time - 1).code == "order_expired"


def test_host_turns_the_clock_ahead_and_nobody_earns_by_it(scene, owner):
    node = scene.node()
    lease = scene.leased(node, owner)
    node.work(30)
    scene.clock.wait(10_000)
    node_view = scene.renters.lease(lease)
    assert (node_view.closing.reason, node_view.closing.paid) == ("heartbeats_missed", "300")


def test_an_order_sent_again_gets_the_answer_that_it_got(scene, owner):
    scene.node("one")
    scene.node("two")
    data = scene.signed(owner).encode()
    first = scene.renters.order(data)
    written = scene.market.number
    assert scene.renters.order(data) == first
    scene.restart()
    assert scene.renters.order(data) == first
    assert scene.market.number == written
    assert scene.accounts()[purse(owner)] == GRANT - 10_000


def test_an_order_that_nothing_met_stays_unmet_when_it_is_sent_again(scene, owner):
    data = scene.signed(owner).encode()
    first = scene.renters.order(data)
    scene.node()
    assert scene.renters.order(data) == first
    assert first.lease is None


def test_renter_sends_another_order_under_the_same_id(scene, owner):
    scene.node()
    order = scene.asked(owner)
    scene.renters.order(owner.sign(order).encode())
    other = scene.asked(owner, id=order.id, deposit="1")
    assert (
        raised(NotAllowed, scene.renters.order, owner.sign(other).encode()).code == "order_id_taken"
    )
    stranger = OwnerKey.new()
    scene.order(stranger, id=order.id)  # of another renter it is another order


def test_renter_signs_for_another_renter(scene, owner):
    scene.node()
    order = scene.asked(owner)
    forged = OwnerKey.new().sign(order)
    assert raised(NotAuthentic, scene.renters.order, forged.encode()).code == "owner_signature"


def test_host_replays_an_order_at_a_market_with_other_terms(scene, owner, tmp_path):
    scene.node()
    (tmp_path / "other").mkdir()
    other = Scene(tmp_path / "other", market="elsewhere")
    data = scene.signed(owner).encode()
    assert raised(NotAllowed, other.renters.order, data).code == "order_for_another_market"


def test_an_order_that_expired_is_not_matched(scene, owner):
    scene.node()
    data = scene.signed(owner).encode()
    scene.clock.wait(601)
    assert raised(NotAllowed, scene.renters.order, data).code == "order_expired"
    assert purse(owner) not in scene.accounts()


@pytest.mark.parametrize("data", [b"", b"{}", b"null", b"\xff" * 10, b'{"payload":"e30="}'])
def test_what_is_no_order_heartbeat_or_closing_is_malformed(scene, data):
    for call in (
        scene.renters.order, scene.renters.close, scene.nodes.heartbeat, scene.nodes.close,
    ):  # fmt: skip
        raised(Malformed, call, data)


def test_what_is_too_large_is_not_read(scene):
    for call in (scene.renters.order, scene.nodes.heartbeat):
        raised(TooLarge, call, b" " * (4 * MAX_ORDER))


def test_a_closing_is_no_order_and_an_order_no_heartbeat(scene, owner):
    closing = owner.sign(CloseRequest(lease="sha256:" + "0" * 64)).encode()
    raised(Malformed, scene.renters.order, closing)
    assert raised(Malformed, scene.nodes.heartbeat, closing).code == "payload_type_wrong"
    assert raised(Unavailable, scene.renters.close, closing).code == "lease_unknown"


def test_a_lease_that_nobody_made_is_unknown(scene):
    assert raised(Unavailable, scene.renters.lease, "sha256:" + "0" * 64).code == "lease_unknown"
    raised(Malformed, scene.renters.lease, "sha256:../../etc")


def test_a_balance_shows_what_is_free_and_what_is_held(scene, owner):
    scene.node()
    assert scene.renters.balance(owner.public).balance == GRANT
    scene.order(owner)
    found = scene.renters.balance(owner.public)
    assert (found.balance, found.held) == (GRANT - 10_000, 10_000)
    raised(Malformed, scene.renters.balance, "somebody")


def test_a_market_without_test_units_gives_none(tmp_path, owner):
    scene = Scene(tmp_path, grant=None)
    scene.node()
    assert raised(NotAllowed, scene.order, owner).got == "0"


def test_leases_go_on_over_a_restart_of_the_market(scene, owner):
    node = scene.node()
    lease = scene.leased(node, owner)
    node.work(10)
    scene.restart()
    node.work(10)
    assert scene.renters.lease(lease).seconds == 20
    scene.restart()
    scene.clock.wait(scene.terms.close_after + 1)
    assert scene.renters.lease(lease).closing.reason == "heartbeats_missed"
    assert scene.accounts()[purse(owner)] == GRANT - 200


def test_an_order_needs_only_what_it_names(scene, owner):
    node = scene.node()
    assert scene.order(owner, need=ANY).node == node.name
