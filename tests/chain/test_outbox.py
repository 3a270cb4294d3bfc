"""What is sent once, whatever happens: crashes, reorganisations, other senders, nodes that lie."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from teeproof.chain.account import Account
from teeproof.chain.client import Chain, Contract
from teeproof.chain.outbox import Outbox
from teeproof.core.errors import NotAllowed, NotAuthentic, Unavailable, Usage
from tests.chain.nodes import COUNTER, REFUSER, program

ABI = [{"type": "function", "name": "f", "inputs": [], "outputs": []}]


class Code:
    abi = tuple(ABI)

    def __init__(self, code: bytes) -> None:
        self.bytecode = program(code)


@pytest.fixture
def counter(client, node) -> Contract:
    return client.deploy(node.funded, Code(COUNTER))


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "out.sqlite"


@pytest.fixture
def outbox(path, client, account) -> Iterator[Outbox]:
    with Outbox.open(path, chain=client, account=account) as found:
        yield found


def counted(client: Chain, counter: Contract) -> int:
    return int(client.endpoint.ask("eth_getStorageAt", counter.address, "0x0", "latest"), 16)


def mine(client: Chain, count: int = 8) -> None:
    client.endpoint.ask("teeproof_mine", hex(count))


def reorganise(client: Chain, depth: int) -> None:
    client.endpoint.ask("teeproof_reorg", hex(depth))


def test_something_is_done_once_however_often_it_is_sent(outbox, client, counter):
    first = outbox.send("a", counter, "f")
    assert outbox.send("a", counter, "f") == first
    assert counted(client, counter) == 1
    outbox.send("b", counter, "f")
    assert counted(client, counter) == 2


def test_a_key_stands_for_one_thing(outbox, client, counter):
    outbox.send("a", counter, "f")
    for other in ({"value": 1}, {}):
        contract = counter if other else Contract("0x" + "22" * 20, ABI)
        with pytest.raises(Usage) as caught:
            outbox.send("a", contract, "f", **other)
        assert caught.value.code == "key_reused"
    for key in ("", "x" * 201):
        with pytest.raises(Usage):
            outbox.send(key, counter, "f")


def test_what_was_signed_before_a_crash_is_sent_after_it(path, client, account, counter):
    outbox = Outbox.open(path, chain=client, account=account)
    entry = outbox.put("a", counter, "f")
    assert (entry.block, entry.final, entry.lost) == (None, False, False)
    outbox.close()
    assert counted(client, counter) == 0
    with Outbox.open(path, chain=client, account=account) as again:
        assert counted(client, counter) == 1
        assert again.entry("a").tx_hash == entry.tx_hash
        assert again.send("a", counter, "f").tx_hash == entry.tx_hash
    assert counted(client, counter) == 1


def test_several_that_were_signed_before_a_crash_are_sent_in_their_order(
    path, client, account, counter
):
    with Outbox.open(path, chain=client, account=account) as outbox:
        nonces = [outbox.put(key, counter, "f").nonce for key in "abc"]
        assert nonces == [nonces[0], nonces[0] + 1, nonces[0] + 2]
        outbox.send("c", counter, "f")  # which needs the two before it
        assert counted(client, counter) == 3


def test_a_transaction_is_final_once_enough_blocks_lie_above_it(outbox, client, counter):
    outbox.send("a", counter, "f")
    assert not outbox.entry("a").final
    mine(client)
    assert outbox.entry("a").final
    assert outbox.reconcile() == ()
    assert outbox.entry("b") is None


def test_a_reorganisation_that_throws_it_out_lets_it_be_sent_again(outbox, client, counter):
    mined = outbox.send("a", counter, "f")
    reorganise(client, 1)
    assert counted(client, counter) == 0
    (entry,) = outbox.reconcile()
    assert entry.tx_hash == mined.tx_hash
    assert entry.block != mined.block
    assert counted(client, counter) == 1


def test_several_that_a_reorganisation_threw_out_are_all_sent_again(outbox, client, counter):
    for key in "abc":
        outbox.send(key, counter, "f")
    reorganise(client, 2)
    assert counted(client, counter) == 1
    assert outbox.send("c", counter, "f").status == 1
    assert counted(client, counter) == 3


def test_a_raise_of_the_fees_keeps_the_nonce_and_does_the_thing_once(path, outbox, client, counter):
    first = outbox.put("a", counter, "f")
    second = outbox.bump("a")
    assert second.nonce == first.nonce
    assert second.tx_hash != first.tx_hash
    assert outbox.send("a", counter, "f").tx_hash == second.tx_hash
    reorganise(client, 1)
    # Whichever attempt a block takes, it is the one thing; here the first comes back by others.
    attempts = outbox._file.attempts(first.nonce)
    low, high = attempts[0], attempts[1]
    assert high.max_fee >= low.max_fee * 9 // 8
    assert high.max_tip >= low.max_tip * 9 // 8
    client.endpoint.ask("eth_sendRawTransaction", "0x" + low.raw.hex())
    assert outbox.send("a", counter, "f").tx_hash == first.tx_hash
    assert outbox.bump("a").tx_hash == first.tx_hash
    assert counted(client, counter) == 1


def test_a_refusal_that_can_be_seen_beforehand_keeps_nothing(outbox, client, node):
    refuser = client.deploy(node.funded, Code(REFUSER))
    with pytest.raises(NotAllowed) as caught:
        outbox.send("a", refuser, "f")
    assert (caught.value.code, caught.value.got) == ("reverted", "no")
    assert outbox.entry("a") is None


def test_a_refusal_in_its_block_stands_under_its_key(outbox, client, node):
    refuser = client.deploy(node.funded, Code(REFUSER))
    for _ in range(2):
        with pytest.raises(NotAllowed) as caught:
            outbox.send("a", refuser, "f", gas=100_000)
        assert (caught.value.code, caught.value.got) == ("reverted", "no")
    assert outbox.entry("a").status == 0
    assert client.nonce(outbox.address) == 1


def test_another_sender_of_the_account_is_noticed_and_nothing_is_done_twice(
    outbox, client, account, counter
):
    outbox.put("a", counter, "f")
    client.transfer(account, "0x" + "22" * 20, 1)
    assert outbox.entry("a").lost
    with pytest.raises(NotAllowed) as caught:
        outbox.send("a", counter, "f")
    assert caught.value.code == "nonce_taken"
    with pytest.raises(NotAllowed) as caught:
        outbox.renew("a")
    assert caught.value.code == "nonce_open"
    reorganise(client, 1)  # and indeed it may still come to stand
    assert outbox.send("a", counter, "f").status == 1
    assert counted(client, counter) == 1


def test_what_lost_its_nonce_for_good_is_signed_anew_when_asked(outbox, client, account, counter):
    lost = outbox.put("a", counter, "f")
    client.transfer(account, "0x" + "22" * 20, 1)
    mine(client)
    renewed = outbox.renew("a")
    assert renewed.nonce == lost.nonce + 1
    assert outbox.send("a", counter, "f").status == 1
    assert counted(client, counter) == 1
    with pytest.raises(NotAllowed):
        outbox.renew("a")


def test_an_account_without_funds_keeps_what_it_signed_until_it_has_some(path, client, counter):
    poor = Account.new()
    with Outbox.open(path, chain=client, account=poor) as outbox:
        with pytest.raises(NotAllowed) as caught:
            outbox.send("a", counter, "f", gas=100_000)
        assert caught.value.code == "funds_short"
    with pytest.raises(NotAllowed):
        Outbox.open(path, chain=client, account=poor)
    assert counted(client, counter) == 0


def test_an_outbox_is_of_one_account_on_one_chain(path, client, account, tmp_path):
    Outbox.open(path, chain=client, account=account).close()
    with pytest.raises(NotAuthentic) as caught:
        Outbox.open(path, chain=client, account=Account.new())
    assert caught.value.code == "outbox_other"
    Outbox.open(path, chain=client, account=account).close()


def test_host_that_opens_one_outbox_in_two_processes_is_stopped(path, client, account, outbox):
    with pytest.raises(Unavailable) as caught:
        Outbox.open(path, chain=client, account=account)
    assert caught.value.code == "outbox_taken"


def test_host_that_gives_another_file_is_told(path, client, account):
    path.write_bytes(b"no database" * 999)
    with pytest.raises(Unavailable) as caught:
        Outbox.open(path, chain=client, account=account)
    assert caught.value.code == "outbox_unavailable"


def test_node_that_stops_answering_loses_nothing(path, client, account, counter, monkeypatch):
    with Outbox.open(path, chain=client, account=account) as outbox:
        real = client.endpoint._posted

        def dead(body: bytes) -> object:
            if b"sendRaw" in body:
                raise Unavailable("gone", code="node_unreachable")
            return real(body)

        monkeypatch.setattr(client.endpoint, "_posted", dead)
        with pytest.raises(Unavailable):
            outbox.send("a", counter, "f")
        monkeypatch.undo()
    with Outbox.open(path, chain=client, account=account):
        assert counted(client, counter) == 1


def test_node_that_asks_for_a_huge_tip_gets_a_bounded_one(client, monkeypatch):
    real = client.endpoint.ask
    monkeypatch.setattr(
        client.endpoint,
        "ask",
        lambda name, *more: hex(10**18) if "Priority" in name else real(name, *more),
    )
    assert client.fields(0, None, b"", gas=1).max_tip == 100 * 10**9


KEYS = [f"key {number}" for number in range(25)]


def worker(url: str, path: Path, account: Account, counter: Contract) -> None:
    with Chain.connect(url) as chain, Outbox.open(path, chain=chain, account=account) as outbox:
        for key in KEYS:
            outbox.send(key, counter, "f")


def test_host_that_kills_the_sender_again_and_again_finds_each_thing_done_once(
    node, path, client, account, counter
):
    chance = random.Random(7)
    kills = 0
    for round_ in range(100):
        child = os.fork()
        if not child:
            with contextlib.suppress(BaseException):
                worker(node.url, path, account, counter)
                os._exit(0)
            os._exit(9)
        time.sleep(chance.uniform(0.03, 0.15) + 0.03 * round_)  # each begins with what is done
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0
        kills += os.WIFSIGNALED(status)
        if not os.WIFSIGNALED(status):
            break
    assert kills > 2
    with Outbox.open(path, chain=client, account=account) as outbox:
        assert all(outbox.entry(key).status == 1 for key in KEYS)
    assert counted(client, counter) == len(KEYS)
