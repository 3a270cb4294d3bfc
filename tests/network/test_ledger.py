"""What is on disk holds: after a crash, in the right order, and only as this market wrote it."""

from __future__ import annotations

import sqlite3

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule

from teeproof.cloud.owner import OwnerKey
from teeproof.core.errors import NotAllowed, NotAuthentic, Unavailable
from teeproof.network import market as market_module
from teeproof.network.ledger import Ledger
from teeproof.proof.memory import MemorySource
from tests.network.scenes import Node, Scene

KEY = b"\1" * 32


def opened(path, key=KEY):
    ledger = Ledger.open(path, key=key)
    whole = ledger.whole()
    return ledger, whole, list(ledger.changes())


def filled(path, count=4):
    ledger, _, _ = opened(path)
    for number in range(count):
        ledger.append(b"change %d" % number, statements=[b"said %d" % number])
    ledger.append(b"last", answer=(b"n" * 32, b"the answer"))
    ledger.close()


def edit(path, *statements):
    with sqlite3.connect(path) as sql:
        for statement in statements:
            sql.execute(statement)
    sql.close()


def tampered(path, key=KEY):
    with pytest.raises(NotAuthentic) as error:
        opened(path, key)
    assert error.value.code == "ledger_tampered"


def test_changes_come_back_in_order(tmp_path):
    filled(tmp_path / "a")
    ledger, whole, changes = opened(tmp_path / "a")
    assert whole is None
    assert changes == [b"change 0", b"change 1", b"change 2", b"change 3", b"last"]
    assert ledger.number == 5
    assert ledger.answer(b"n" * 32) == b"the answer"
    assert ledger.answer(b"m" * 32) is None
    ledger.close()


def test_statements_wait_until_the_log_has_taken_them(tmp_path):
    filled(tmp_path / "a", 2)
    ledger, _, _ = opened(tmp_path / "a")
    (first, body), (_, second) = ledger.unsent()
    assert (body, second) == (b"said 0", b"said 1")
    ledger.sent(first)
    ledger.close()
    ledger, _, _ = opened(tmp_path / "a")
    assert [body for _, body in ledger.unsent()] == [b"said 1"]
    ledger.close()


def test_a_state_written_whole_replaces_the_changes_before_it(tmp_path):
    filled(tmp_path / "a")
    ledger, _, _ = opened(tmp_path / "a")
    ledger.write_whole(b"all of it")
    ledger.append(b"more")
    ledger.close()
    ledger, whole, changes = opened(tmp_path / "a")
    assert (whole, changes, ledger.number) == (b"all of it", [b"more"], 6)
    ledger.close()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE change SET body = X'00' WHERE number = 3",
        "UPDATE change SET code = X'00' WHERE number = 3",
        "DELETE FROM change WHERE number = 3",
        "DELETE FROM change WHERE number = 1",
        "INSERT INTO change SELECT 6, code, body FROM change WHERE number = 5",
        "UPDATE change SET body = CAST(body AS TEXT)",
        "INSERT INTO whole VALUES (1, 'five', X'00', X'00', 'text')",
        "INSERT INTO whole SELECT 1, 5, code, code, X'00' FROM change WHERE number = 5",
    ],
)
def test_host_edits_the_ledger(tmp_path, statement):
    filled(tmp_path / "a")
    edit(tmp_path / "a", statement)
    tampered(tmp_path / "a")


def test_host_puts_an_older_ledger_back_which_only_the_log_can_tell(tmp_path):
    """The file alone cannot know; what the market says then repeats numbers: see ``audit``."""
    filled(tmp_path / "a")
    edit(tmp_path / "a", "DELETE FROM change WHERE number > 3")
    ledger, _, changes = opened(tmp_path / "a")
    assert (len(changes), ledger.number) == (3, 3)
    ledger.close()


def test_host_swaps_two_changes(tmp_path):
    filled(tmp_path / "a")
    edit(
        tmp_path / "a",
        "UPDATE change SET number = 99 WHERE number = 2",
        "UPDATE change SET number = 2 WHERE number = 3",
        "UPDATE change SET number = 3 WHERE number = 99",
    )
    tampered(tmp_path / "a")


def test_host_edits_an_answer(tmp_path):
    filled(tmp_path / "a")
    edit(tmp_path / "a", "UPDATE answer SET body = X'00'")
    ledger, _, _ = opened(tmp_path / "a")
    with pytest.raises(NotAuthentic):
        ledger.answer(b"n" * 32)
    ledger.close()


def test_another_code_cannot_take_over_the_ledger(tmp_path):
    filled(tmp_path / "a")
    tampered(tmp_path / "a", b"\2" * 32)


def test_two_processes_do_not_share_a_ledger(tmp_path):
    first = Ledger.open(tmp_path / "a", key=KEY)
    first.append(b"mine")
    with pytest.raises(Unavailable) as error:
        Ledger.open(tmp_path / "a", key=KEY)
    assert error.value.code == "ledger_unavailable"
    first.close()


def test_a_file_that_is_no_ledger_is_said_to_be_none(tmp_path):
    (tmp_path / "a").write_bytes(b"no database at all, though long enough to be one" * 40)
    with pytest.raises(Unavailable):
        Ledger.open(tmp_path / "a", key=KEY)
    with pytest.raises(Unavailable):
        Ledger.open(tmp_path / "nowhere" / "a", key=KEY)


def test_what_cannot_be_written_is_not_half_written(tmp_path):
    ledger = Ledger.open(tmp_path / "a", key=KEY)
    ledger.append(b"one", answer=(b"n" * 32, b"x"))
    with pytest.raises(Unavailable):
        ledger.append(b"two", statements=[b"said"], answer=(b"n" * 32, b"y"))
    assert (ledger.number, ledger.unsent()) == (1, [])
    ledger.append(b"two")
    ledger.close()
    assert opened(tmp_path / "a")[2] == [b"one", b"two"]


def test_host_gives_itself_money_in_the_file(tmp_path):
    scene = Scene(tmp_path)
    scene.node()
    owner = OwnerKey.new()
    scene.order(owner)
    scene.ledger.close()
    edit(
        tmp_path / "market.sqlite",
        "UPDATE change SET body = replace(CAST(body AS TEXT), '1000000', '9000000')",
    )
    with pytest.raises(NotAuthentic):
        scene.start()


def test_a_market_that_was_written_whole_knows_all_that_it_knew(tmp_path, monkeypatch):
    monkeypatch.setattr(market_module, "KEPT_CHANGES", 3)
    scene = Scene(tmp_path)
    node, owner = scene.node(), OwnerKey.new()
    data = scene.signed(owner).encode()
    matched = scene.renters.order(data)
    node.lease = matched.lease
    node.beat()
    node.work(20)
    before = scene.market.state
    scene.restart()  # reads the changes, and writes the state whole
    assert scene.market.state == before
    scene.restart()  # reads the state that was written whole
    assert scene.market.state == before
    assert scene.renters.order(data) == matched
    node.work(10)
    assert scene.renters.lease(matched.lease).seconds == 30


class Balking(MemorySource):
    """A log that takes nothing while it is told not to."""

    down = False

    def add_statement(self, data):
        if self.down:
            raise Unavailable("the log is down", code="log_unreachable")
        return super().add_statement(data)


def test_an_order_holds_while_the_log_is_down_and_is_said_once_it_is_back(tmp_path):
    store = Balking()
    scene = Scene(tmp_path, store=store)
    scene.node()
    data = scene.signed(OwnerKey.new()).encode()
    store.down = True
    with pytest.raises(Unavailable):
        scene.renters.order(data)
    assert len(scene.ledger.unsent()) == 2
    store.down = False
    matched = scene.renters.order(data)
    assert scene.ledger.unsent() == []
    assert store.statement(bytes.fromhex(matched.statement[7:]))


class Economy(RuleBasedStateMachine):
    """Anyone does anything, and the host restarts and turns clocks: no unit is made or lost."""

    leases = Bundle("leases")

    def __init__(self):
        super().__init__()
        import tempfile
        from pathlib import Path

        self.folder = tempfile.TemporaryDirectory()
        self.scene = Scene(Path(self.folder.name), window=15, accept_within=30, grant="5000")
        self.owners = [OwnerKey(bytes([n]) * 32) for n in (1, 2)]
        self.nodes: list[Node] = []
        self.paid: dict[str, int] = {}

    @initialize()
    def two_nodes(self):
        self.nodes = [
            self.scene.node(name, price=price) for name, price in (("a", "7"), ("b", "9"))
        ]

    @rule(target=leases, who=st.integers(0, 1), deposit=st.integers(1, 6000))
    def order(self, who, deposit):
        owner = self.owners[who]
        try:
            matched = self.scene.order(owner, deposit=str(deposit))
        except NotAllowed as error:
            if error.code != "balance_short":
                raise
            return None
        if matched.lease is None:
            return None
        node = next(node for node in self.nodes if node.name == matched.node)
        node.lease = matched.lease
        return owner, matched.lease

    @rule(who=st.integers(0, 1))
    def beat(self, who):
        self.nodes[who].beat()

    @rule(who=st.integers(0, 1), back=st.integers(0, 3))
    def replay(self, who, back):
        node = self.nodes[who]
        with pytest.raises(NotAllowed):
            self.scene.nodes.heartbeat(node.heartbeat(counter=node.counter - back))

    @rule(who=st.integers(0, 1))
    def attest(self, who):
        assert self.nodes[who].attest().admitted

    @rule(lease=leases)
    def close(self, lease):
        if lease is not None:
            self.scene.close(*lease)

    @rule(who=st.integers(0, 1))
    def leave(self, who):
        if self.nodes[who].lease:
            self.nodes[who].leave()

    @rule(seconds=st.sampled_from([1, 3, 10, 16, 40, 70, 400, -50]))
    def wait(self, seconds):
        self.scene.clock.wait(seconds)

    @rule()
    def restart(self):
        self.scene.restart()

    @invariant()
    def money_is_conserved(self):
        accounts = self.scene.accounts()
        renters = [name for name in accounts if name.startswith("renter:")]
        assert -accounts.get("issued", 0) == 5000 * len(renters)

    @invariant()
    def each_lease_pays_no_more_than_it_may(self):
        for name, running in self.scene.market.state.leases.items():
            view = self.scene.renters.lease(name)
            assert view.earned + view.rest == running.lease.amount
            assert 0 <= view.earned <= running.lease.price * view.seconds
            assert view.earned >= self.paid.get(name, 0)  # what was earned is never taken back
            assert view.seconds <= view.time - running.lease.opened
            self.paid[name] = view.earned

    @invariant()
    def books_agree(self):
        free = {offer.node for offer in self.scene.market.book if not offer.taken}
        leased = {r.lease.node for r in self.scene.market.state.leases.values() if not r.closing}
        assert not free & leased
        assert len(leased) == sum(
            r.closing is None for r in self.scene.market.state.leases.values()
        )

    def teardown(self):
        self.scene.ledger.close()
        self.folder.cleanup()


TestEconomy = Economy.TestCase
TestEconomy.settings = settings(max_examples=25, stateful_step_count=25)
