"""The client against a real chain: contracts, accounts, events, and why something was refused."""

from __future__ import annotations

import threading

import pytest

from teeproof.chain.account import Account
from teeproof.chain.client import Chain, Contract
from teeproof.core.errors import Malformed, NotAllowed, NotAuthentic, Unavailable, Usage
from tests.chain.nodes import NOBODY, REFUSER, program

UNIT = 10**18


@pytest.fixture
def token(client, account) -> Contract:
    return client.deploy(account, "TestToken", "Test", "TST", 6, 10**12)


class Raw:
    """An artifact of a few bytes."""

    abi = ({"type": "function", "name": "f", "inputs": [], "outputs": []},)

    def __init__(self, code: bytes) -> None:
        self.bytecode = program(code)


def test_a_contract_is_deployed_called_and_sent_to(client, account, token):
    assert client.code(token)
    assert client.call(token, "name") == "Test"
    mined = client.send(account, token, "mint", account, 500)
    assert (mined.status, mined.block) == (1, client.block().number)
    assert client.call(token, "balanceOf", account) == 500
    assert client.receipt(mined.tx_hash) == mined.receipt


def test_what_was_before_a_block_can_be_asked(client, account, token):
    before = client.block().number
    client.send(account, token, "mint", account, 500)
    assert client.call(token, "balanceOf", account, at=before) == 0
    assert client.nonce(account, before) == client.nonce(account) - 1


def test_events_come_with_a_transaction_and_from_the_past(client, account, token):
    mined = client.send(account, token, "mint", account, 500)
    (event,) = mined.events
    assert (event.name, event["value"], event["receiver"]) == ("Transfer", 500, account.address)
    assert event["sender"] == "0x" + "00" * 20
    client.send(account, token, "transfer", NOBODY, 3)
    assert client.events(token, "Transfer")[0] == event
    (found,) = client.events(token, "Transfer", receiver=NOBODY)
    assert found["value"] == 3
    assert client.events(token, "Transfer", receiver=Account.new()) == []
    assert client.events(token, "Transfer", first=mined.block + 1) == [found]
    assert mined.of(Contract(NOBODY, token.interface)) == ()


def test_a_refusal_is_known_before_anything_is_sent_with_its_reason(client, account, token):
    before = client.nonce(account)
    with pytest.raises(NotAllowed) as caught:
        client.send(account, token, "transfer", NOBODY, 1)
    assert caught.value.code == "reverted"
    assert caught.value.got == "TestToken: not enough"
    assert client.nonce(account) == before
    with pytest.raises(NotAllowed) as caught:
        client.call(token, "transfer", NOBODY, 1, sender=account)
    assert caught.value.got == "TestToken: not enough"


def test_a_refusal_inside_a_block_is_told_with_its_reason_too(client, account, token):
    before = client.nonce(account)
    with pytest.raises(NotAllowed) as caught:
        client.send(account, token, "transfer", NOBODY, 1, gas=100_000)
    assert (caught.value.code, caught.value.got) == ("reverted", "TestToken: not enough")
    assert client.nonce(account) == before + 1


def test_too_little_gas_fails_in_its_block_and_is_told(client, account, token):
    with pytest.raises(NotAllowed) as caught:
        client.send(account, token, "mint", account, 5, gas=25_000)
    assert caught.value.code == "reverted"
    assert client.call(token, "balanceOf", account) == 0


def test_a_contract_that_says_error_is_quoted(client, account):
    refuser = client.deploy(account, Raw(REFUSER))
    with pytest.raises(NotAllowed) as caught:
        client.send(account, refuser, "f")
    assert caught.value.got == "no"


def test_trader_without_funds_is_told_and_nothing_happens(client, token):
    poor = Account.new()
    with pytest.raises(NotAllowed) as caught:
        client.send(poor, token, "transfer", NOBODY, 0)
    assert caught.value.code == "funds_short"
    with pytest.raises(NotAllowed) as caught:
        client.transfer(poor, NOBODY, 1)
    assert caught.value.code == "funds_short"


def test_units_are_moved(client, account):
    other = Account.new()
    client.transfer(account, other, 5)
    assert client.balance(other) == 5
    assert client.balance(other, client.block().number - 1) == 0


def test_two_senders_of_one_account_get_different_nonces(node, account):
    other, done = Account.new(), []

    def pay() -> None:
        with Chain.connect(node.url) as mine:
            done.extend(mine.transfer(account, other, 1).tx_hash for _ in range(6))

    threads = [threading.Thread(target=pay) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(done)) == 18
    with Chain.connect(node.url) as mine:
        assert mine.balance(other) == 18


def test_a_chain_of_another_id_than_expected_is_refused(node):
    Chain.connect(node.url, expected_chain_id=node.chain_id).close()
    with pytest.raises(NotAuthentic) as caught:
        Chain.connect(node.url, expected_chain_id=1)
    assert caught.value.code == "chain_other"


def test_a_block_is_found_by_tag_height_and_hash(client):
    head = client.block()
    assert client.block(head.number) == client.block(head.hash) == head
    assert client.block("earliest").number == 0
    with pytest.raises(Unavailable) as caught:
        client.block(head.number + 10)
    assert caught.value.code == "block_unknown"


def test_a_transaction_that_no_block_takes_is_waited_for_in_vain(client):
    with pytest.raises(Unavailable) as caught:
        client.wait("0x" + "11" * 32, patience=0.05)
    assert caught.value.code == "not_mined"


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("nothing", []),
        ("transfer", [NOBODY]),
        ("transfer", [NOBODY, -1]),
        ("transfer", [NOBODY, 1 << 256]),
        ("transfer", [NOBODY, "5"]),
        ("transfer", ["0x11", 1]),
        ("transfer", [None, 1]),
    ],
)
def test_arguments_that_do_not_fit_are_refused_before_anything_is_asked(
    client, account, token, name, arguments
):
    with pytest.raises(Usage):
        client.send(account, token, name, *arguments)


def test_unknown_events_and_parameters_are_refused(client, token):
    with pytest.raises(Usage):
        client.events(token, "Nothing")
    with pytest.raises(Usage):
        client.events(token, "Transfer", value=5)


def test_an_address_without_a_contract_answers_nothing_that_fits(client, token):
    with pytest.raises(Malformed) as caught:
        client.call(Contract(NOBODY, token.interface), "name")
    assert caught.value.code == "abi_malformed"


@pytest.mark.parametrize("address", ["", "0x", NOBODY[:-1], NOBODY + "0", NOBODY[:-1] + "g", "11"])
def test_a_contract_has_an_address(address, token):
    with pytest.raises(Malformed):
        Contract(address, token.interface)
    assert Contract(NOBODY.upper().replace("X", "x"), token.interface).address == NOBODY


def test_a_reorganisation_undoes_what_a_client_has_seen(client, account, token):
    mined = client.send(account, token, "mint", account, 5)
    client.endpoint.ask("teeproof_reorg", "0x1")
    assert client.receipt(mined.tx_hash) is None
    assert client.call(token, "balanceOf", account) == 0
    assert client.events(token, "Transfer") == []
    client.send(account, token, "mint", account, 7)
    assert client.call(token, "balanceOf", account) == 7
