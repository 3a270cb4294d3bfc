"""A chain in a directory: blocks, time, owners, reorganisations, and what others make of it."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
import rlp
from eth.chains.base import MiningChain
from eth.constants import BLANK_ROOT_HASH
from eth.db.atomic import AtomicDB
from eth.vm.chain_context import ChainContext

from teeproof.chain.account import Account, address_bytes
from teeproof.chain.local.blocks import GAS_LIMIT, header_of
from teeproof.chain.local.calls import Call
from teeproof.chain.local.chain import LocalChain
from teeproof.chain.local.creation import CHAIN_ID, FUNDS
from teeproof.chain.local.osaka import OsakaVM
from teeproof.chain.local.views import block_json, receipt_json
from teeproof.core.errors import Error, Malformed, NotAllowed, Unavailable, Usage
from teeproof.proof.anchor import header_from_rpc, receipt_from_rpc, receipts_root
from teeproof.proof.anchor.header import parse as parse_header
from tests.chain.nodes import COUNTER, EATER, FEE, LOOP, NOBODY, START, TIME, funded, program


def count(chain: LocalChain, counter: str) -> int:
    value: int = chain.state(chain.head()).get_storage(address_bytes(counter), 0)
    return value


def test_a_new_chain_has_a_funded_account_whose_key_only_its_owner_reads(tmp_path):
    with LocalChain.open(tmp_path / "c") as chain:
        account = funded(tmp_path / "c")
        address = address_bytes(account.address)
        assert chain.state(chain.head()).get_balance(address) == FUNDS
        assert (chain.chain_id, chain.head().number) == (CHAIN_ID, 0)
    assert stat.S_IMODE((tmp_path / "c" / "funded.key").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "c").stat().st_mode) == 0o700


def test_each_chain_has_a_key_of_its_own(tmp_path):
    for name in "ab":
        LocalChain.open(tmp_path / name).close()
    assert funded(tmp_path / "a").address != funded(tmp_path / "b").address


def test_host_that_lets_others_read_the_key_is_told(tmp_path):
    LocalChain.open(tmp_path / "c").close()
    (tmp_path / "c" / "funded.key").chmod(0o644)
    with pytest.raises(NotAllowed) as caught:
        funded(tmp_path / "c")
    assert caught.value.code == "key_exposed"


def test_one_transaction_is_one_block_and_what_it_did_is_there(chain, sender):
    counter = sender.deploy(COUNTER)
    digest = sender.send(counter)
    found = chain.transaction(digest)
    assert found.block == chain.head().hash
    assert chain.head().number == 2
    assert count(chain, counter) == 1
    (event,) = chain.events(0, 9, [address_bytes(counter)])
    assert event.topics == ((7).to_bytes(32, "big"),)


def test_several_transactions_are_one_block_and_a_bad_one_spoils_no_other(chain, sender):
    counter = sender.deploy(COUNTER)
    raw = [sender.sign(counter, nonce=n) for n in (1, 2, 9, 3)]
    outcomes = chain.send_all(raw)
    assert [isinstance(one, Error) for one in outcomes] == [False, False, True, False]
    assert chain.head().number == 2
    assert len(chain.transactions(chain.head().hash)) == 3
    assert count(chain, counter) == 3


def test_transactions_that_do_not_fit_into_one_block_fill_the_next(chain, sender):
    cap = 1 << 24
    outcomes = chain.send_all([sender.sign(nonce=n, gas=cap) for n in range(4)])
    assert not any(isinstance(one, Error) for one in outcomes)
    # What was used counts, and not what was allowed: all four fit, since each used 21,000.
    assert chain.head().number == 1
    eater = sender.deploy(EATER)
    outcomes = chain.send_all([sender.sign(eater, nonce=n, gas=cap) for n in range(5, 9)])
    assert not any(isinstance(one, Error) for one in outcomes)
    assert [len(chain.transactions(chain.at(n).hash)) for n in (3, 4)] == [3, 1]
    used = [tx.gas_used for tx in chain.transactions(chain.at(3).hash)]
    assert used == [cap] * 3
    assert GAS_LIMIT - cap < sum(used) <= GAS_LIMIT


def test_nothing_admissible_makes_no_block(chain, sender):
    assert isinstance(chain.send_all([sender.sign(nonce=5), b""])[0], NotAllowed)
    assert chain.send_all([]) == []
    assert chain.head().number == 0


def test_blocks_have_the_clocks_time_and_always_a_later_one_than_their_parent(chain, sender, clock):
    assert header_of(chain.head()).timestamp == START
    clock.now += 100
    sender.send()
    assert header_of(chain.head()).timestamp == START + 100
    sender.send()
    assert header_of(chain.head()).timestamp == START + 101
    clock.now = 5  # a host that sets its clock back
    sender.send()
    assert header_of(chain.head()).timestamp == START + 102


def test_a_call_in_the_next_block_sees_its_time_and_one_in_a_block_that_blocks(
    chain, sender, clock
):
    at = address_bytes(sender.deploy(TIME))
    clock.now += 500
    head = header_of(chain.head()).timestamp
    assert int.from_bytes(chain.call(Call(to=at), chain.head()).output, "big") == head
    assert int.from_bytes(chain.call(Call(to=at)).output, "big") == START + 500


def test_a_call_leaves_no_trace(chain, sender):
    counter = sender.deploy(COUNTER)
    before = chain.head()
    for _ in range(3):
        assert chain.call(Call(to=address_bytes(counter))).error is None
    assert chain.head() == before
    assert count(chain, counter) == 0


def test_an_estimate_is_enough_and_little_more(chain, sender):
    counter = sender.deploy(COUNTER)
    call = Call(sender=address_bytes(sender.account.address), to=address_bytes(counter))
    gas = chain.estimate(call)
    digest = sender.send(counter, gas=gas)
    found = chain.transaction(digest)
    assert receipt_json(found, chain.head())["status"] == "0x1"
    assert found.gas_used <= gas <= found.gas_used * 65 // 64


def test_an_estimate_of_what_fails_says_so(chain, sender):
    loop = address_bytes(sender.deploy(LOOP))
    with pytest.raises(NotAllowed) as caught:
        chain.estimate(Call(to=loop, gas=100_000))
    assert caught.value.code == "call_failed"
    with pytest.raises(NotAllowed) as caught:
        chain.estimate(Call(to=loop, value=1))
    assert caught.value.code == "funds_short"


def test_a_chain_is_reopened_as_it_was(tmp_path, clock, chain, sender):
    counter = sender.deploy(COUNTER)
    digest = sender.send(counter)
    before = chain.head(), chain.transaction(digest), chain.events(0, 9)
    chain.close()
    with LocalChain.open(tmp_path / "chain", now=clock) as again:
        assert (again.head(), again.transaction(digest), again.events(0, 9)) == before
        assert count(again, counter) == 1
        assert (again.chain_id, again.finality) == (chain.chain_id, 8)


def test_two_owners_of_one_directory_are_one_too_many(tmp_path, chain):
    with pytest.raises(Unavailable) as caught:
        LocalChain.open(tmp_path / "chain")
    assert caught.value.code == "chain_taken"
    chain.close()
    LocalChain.open(tmp_path / "chain").close()


@pytest.mark.parametrize("other", [{"chain_id": 1}, {"finality": 0}])
def test_a_chain_of_another_kind_than_expected_is_refused(tmp_path, chain, other):
    chain.close()
    with pytest.raises(Usage) as caught:
        LocalChain.open(tmp_path / "chain", **other)
    assert caught.value.code == "chain_other"
    LocalChain.open(tmp_path / "chain", chain_id=CHAIN_ID, finality=8).close()


@pytest.mark.parametrize("other", [{"chain_id": 0}, {"chain_id": 1 << 53}, {"finality": -1}])
def test_a_chain_that_cannot_be_is_not_made(tmp_path, other):
    with pytest.raises(Usage):
        LocalChain.open(tmp_path / "c", **other)
    LocalChain.open(tmp_path / "c").close()


def test_host_that_gives_another_file_as_the_chain_is_told(tmp_path):
    LocalChain.open(tmp_path / "c").close()
    for path in (tmp_path / "c").glob("chain.sqlite*"):
        path.unlink()
    (tmp_path / "c" / "chain.sqlite").write_bytes(b"not a database" * 500)
    with pytest.raises(Unavailable) as caught:
        LocalChain.open(tmp_path / "c")
    assert caught.value.code == "chain_unavailable"


def test_host_that_gives_a_file_where_the_directory_should_be_is_told(tmp_path):
    (tmp_path / "c").write_bytes(b"")
    with pytest.raises(Unavailable):
        LocalChain.open(tmp_path / "c")


def test_host_with_a_full_disk_loses_nothing_and_goes_on_once_there_is_room(chain, sender):
    counter = sender.deploy(COUNTER)
    head = chain.head()
    run = chain._store._db.execute
    (pages,) = run("PRAGMA page_count").fetchone()
    run(f"PRAGMA max_page_count={pages}").fetchall()
    raw = [sender.sign(counter, b"\1" * 9_000, nonce=n, gas=10**6) for n in range(1, 9)]
    with pytest.raises(Unavailable) as caught:
        chain.send_all(raw)
    assert caught.value.code == "chain_unavailable"
    assert (chain.head(), count(chain, counter)) == (head, 0)
    run("PRAGMA max_page_count=1000000").fetchall()
    assert not any(isinstance(one, Error) for one in chain.send_all(raw))
    assert count(chain, counter) == 8


def test_a_reorganisation_replaces_blocks_and_undoes_what_they_did(chain, sender):
    counter = sender.deploy(COUNTER)
    kept = sender.send(counter)
    gone = sender.send(counter)
    old = chain.head()
    new = chain.reorganise(1)
    assert (new.number, count(chain, counter)) == (old.number + 1, 1)
    assert chain.transaction(gone) is None
    assert chain.transaction(kept) is not None
    assert chain.at(old.number).hash != old.hash
    assert not chain.block(old.hash).canonical
    assert len(chain.events(0, 99)) == 1
    assert len(chain.events(0, 0, block=old.hash)) == 1


def test_a_reorganisation_can_take_the_same_transactions_again(chain, sender):
    counter = sender.deploy(COUNTER)
    digests = [sender.send(counter) for _ in range(3)]
    chain.reorganise(3, again=True)
    assert count(chain, counter) == 3
    assert len({chain.transaction(digest).block for digest in digests}) == 1


def test_a_transaction_can_stand_again_after_a_reorganisation(chain, sender):
    raw = sender.sign(value=1)
    first = chain.send(raw)
    chain.reorganise(1)
    assert chain.send(raw) == first
    assert chain.transaction(first).block == chain.head().hash


def test_a_final_block_is_never_replaced(chain, sender, tmp_path):
    for _ in range(10):
        sender.send()
    chain.reorganise(8)
    assert chain.head().number == 11
    with pytest.raises(NotAllowed) as caught:
        chain.reorganise(9)
    assert caught.value.code == "block_final"
    with LocalChain.open(tmp_path / "firm") as firm:
        firm.mine()
        with pytest.raises(NotAllowed):
            firm.reorganise(1)


@pytest.mark.parametrize("depth", [0, -1, 2, 10**9])
def test_a_reorganisation_deeper_than_the_chain_is_refused(chain, depth):
    chain.mine()
    head = chain.head()
    with pytest.raises(Usage):
        chain.reorganise(depth)
    assert chain.head() == head


def test_the_proofs_of_anchors_take_its_blocks_and_receipts(chain, sender):
    counter = sender.deploy(COUNTER)
    chain.send_all([sender.sign(counter, nonce=n) for n in range(1, 4)])
    block = chain.head()
    transactions = chain.transactions(block.hash)
    shown = block_json(block, transactions, full=False)
    assert header_from_rpc(shown) == block.header
    receipts = [receipt_from_rpc(receipt_json(tx, block)) for tx in transactions]
    assert receipts == [tx.receipt for tx in transactions]
    assert receipts_root(receipts) == parse_header(block.header).receipts_root


def test_py_evm_takes_every_block_as_its_own_rules_make_it(chain, sender):
    """Another path to the same roots: the blocks are imported by py-evm's chain."""
    counter = sender.deploy(COUNTER)
    sender.send(NOBODY, value=5)
    chain.send_all([sender.sign(counter, nonce=n, data=b"\1" * 900, gas=90_000) for n in (2, 3)])
    sender.send(None, program(COUNTER)[:5], gas=100_000)
    chain.mine(2)
    vm = ((0, OsakaVM),)
    kind = MiningChain.configure(__name__="Other", vm_configuration=vm, chain_id=chain.chain_id)
    genesis = header_of(chain.at(0))
    db = AtomicDB()
    empty = genesis.copy(state_root=BLANK_ROOT_HASH)
    state = OsakaVM.build_state(db, empty, ChainContext(chain.chain_id))
    state.set_balance(sender_address(sender), FUNDS)
    state.persist()
    assert state.state_root == genesis.state_root
    other = kind.from_genesis_header(db, genesis)
    assert other.get_canonical_head().hash == chain.at(0).hash
    for number in range(1, chain.head().number + 1):
        block = chain.at(number)
        vm_of = other.get_vm_class(header_of(block))
        builder = vm_of.get_transaction_builder()
        transactions = [builder.decode(tx.raw) for tx in chain.transactions(block.hash)]
        made = vm_of.get_block_class()(header_of(block), transactions, [], [])
        other.import_block(made, perform_validation=True)
        assert other.get_canonical_head().hash == block.hash


def sender_address(sender) -> bytes:
    return address_bytes(sender.account.address)


def test_a_header_is_read_as_it_was_written(chain):
    block = chain.head()
    assert rlp.encode(header_of(block)) == block.header


def test_fees_go_to_the_funded_account_and_the_base_fee_falls_in_empty_blocks(chain, sender):
    first = header_of(chain.head()).base_fee_per_gas
    chain.mine()
    second = header_of(chain.head()).base_fee_per_gas
    assert second == first - first // 8
    assert header_of(chain.head()).coinbase == sender_address(sender)
    sender.send(max_fee=FEE)


def test_an_account_hides_its_secret_and_refuses_keys_that_are_none(tmp_path):
    account = Account.new()
    assert account._key.secret.hex() not in repr(account)
    for bad in (bytes(32), b"\xff" * 32, b"\1" * 31):
        with pytest.raises(Malformed):
            Account(bad)
    (tmp_path / "key").write_text("nothing")
    os.chmod(tmp_path / "key", 0o600)
    with pytest.raises(Malformed):
        Account.load(Path(tmp_path / "key"))
