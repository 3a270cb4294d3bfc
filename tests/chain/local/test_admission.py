"""Which transactions a chain takes; each refusal leaves everything as it was."""

from __future__ import annotations

import pytest

from teeproof.chain.account import Account, Fields, address_bytes
from teeproof.core.errors import Error
from teeproof.proof.anchor import rlp
from tests.chain.nodes import COUNTER, FEE, NOBODY, Sender, program

CAP = 1 << 24  # EIP-7825


def refused(chain, raw: bytes) -> str:
    before = chain.head()
    with pytest.raises(Error) as caught:
        chain.send(raw)
    assert chain.head() == before
    return caught.value.code


def test_a_transaction_is_taken_and_its_twins_are_refused(chain, sender):
    good = sender.sign(value=1)
    assert refused(chain, good[:-1]) == "transaction_malformed"
    assert refused(chain, good + b"\0") == "transaction_malformed"
    assert refused(chain, b"\2" + good) == "transaction_malformed"
    assert chain.send(good)
    assert refused(chain, good) == "nonce_low"


def test_trader_cannot_replay_a_transaction_of_another_chain(chain, sender):
    assert refused(chain, sender.sign(chain_id=1)) == "transaction_other_chain"


def test_trader_cannot_replay_a_transaction_that_names_no_chain(chain, sender):
    number = rlp.from_uint
    items = [number(0), number(FEE), number(21_000), address_bytes(NOBODY), b"", b""]
    from teeproof.core.digests import keccak256

    signature = sender.account.sign_digest(keccak256(rlp.encode(items)))
    parts = [number(27 + signature[64]), *(signature[at : at + 32] for at in (0, 32))]
    assert refused(chain, rlp.encode(items + parts)) == "transaction_other_chain"


def test_trader_cannot_take_a_nonce_twice_or_leave_a_gap(chain, sender):
    sender.send()
    assert refused(chain, sender.sign(nonce=0, value=5)) == "nonce_low"
    assert refused(chain, sender.sign(nonce=2)) == "nonce_high"
    assert refused(chain, sender.sign(nonce=(1 << 64) - 1)) == "transaction_malformed"
    sender.send()


def test_gas_has_a_least_and_a_most(chain, sender):
    assert refused(chain, sender.sign(gas=20_999)) == "gas_low"
    assert refused(chain, sender.sign(gas=CAP + 1)) == "gas_high"
    sender.send(gas=21_000)
    sender.send(gas=CAP)


def test_much_data_has_the_floor_of_eip_7623(chain, sender):
    data = b"\1" * 1_000
    floor = 21_000 + 40 * 1_000
    assert refused(chain, sender.sign(data=data, gas=floor - 1)) == "gas_low"
    digest = sender.send(data=data, gas=floor)
    assert chain.transaction(digest).gas_used == floor


def test_a_fee_below_the_base_fee_or_the_tip_is_refused(chain, sender):
    assert refused(chain, sender.sign(max_fee=1, max_tip=0)) == "fee_low"
    assert refused(chain, sender.sign(max_fee=FEE, max_tip=FEE + 1)) == "fee_malformed"


def test_trader_cannot_spend_what_the_account_lacks(chain, sender):
    poor = Sender(chain, Account.new())
    assert refused(chain, poor.sign()) == "funds_short"
    # Enough for what the gas costs now, not for what was offered: Ethereum wants the latter.
    sender.send(poor.account.address, value=200_000 * FEE)
    assert refused(chain, poor.sign(value=1)) == "funds_short"
    assert poor.send(value=0)


def test_a_contract_signs_nothing(chain, sender, monkeypatch):
    state = chain.pending()
    state.set_code(address_bytes(sender.account.address), b"\0")
    from teeproof.chain.local.admission import decode, require_admissible

    transaction = decode(sender.sign(), chain_id=chain.chain_id)
    with pytest.raises(Error) as caught:
        require_admissible(transaction, state, base_fee=0)
    assert caught.value.code == "sender_contract"


def test_code_that_deploys_has_a_bound(chain, sender):
    most = 49_152  # EIP-3860
    assert refused(chain, sender.sign(None, bytes(most + 1), gas=CAP)) == "initcode_large"
    assert sender.send(None, bytes(most), gas=CAP)


def test_large_and_blob_transactions_are_refused_before_they_are_read(chain, sender):
    assert refused(chain, sender.sign(data=bytes(128 * 1024))) == "too_large"
    assert refused(chain, b"\3" + sender.sign()[1:]) == "transaction_blob"


def test_trader_cannot_pass_a_signature_with_a_high_s(chain, sender):
    from teeproof.chain.account import ORDER

    good = sender.sign()
    *items, parity, r, s = rlp.decode(good[1:], limit=10_000, what="transaction")
    twin = rlp.from_uint(ORDER - int.from_bytes(s, "big"))
    other = b"" if parity else b"\1"
    assert refused(chain, b"\2" + rlp.encode([*items, other, r, twin])) == "transaction_malformed"


def test_numbers_with_leading_zeros_are_not_taken_as_the_same_transaction(chain, sender):
    *items, parity, r, s = rlp.decode(sender.sign()[1:], limit=10_000, what="transaction")
    padded = [*items[:4], b"\0" + items[4], *items[5:], parity, r, s]
    assert refused(chain, b"\2" + rlp.encode(padded)) == "transaction_malformed"


def test_older_types_of_transactions_are_taken(chain, sender):
    from eth_account import Account as Theirs

    theirs = Theirs.from_key(sender.account._key.secret)
    common = {"to": NOBODY, "value": 1, "gas": 30_000, "gasPrice": FEE, "chainId": chain.chain_id}
    for nonce, kind in enumerate([{}, {"type": 1, "accessList": []}]):
        signed = theirs.sign_transaction({**common, **kind, "nonce": nonce})
        assert chain.send(bytes(signed.raw_transaction)) == bytes(signed.hash)


def test_an_account_can_lend_itself_code_by_eip_7702(chain, sender):
    from eth_account import Account as Theirs

    counter = sender.deploy(COUNTER)
    theirs = Theirs.from_key(sender.account._key.secret)
    lent = theirs.sign_authorization(
        {"chainId": chain.chain_id, "address": counter, "nonce": sender.nonce + 1}
    )
    signed = theirs.sign_transaction(
        {
            "to": theirs.address, "value": 0, "gas": 200_000, "maxFeePerGas": FEE,
            "maxPriorityFeePerGas": 1, "chainId": chain.chain_id, "nonce": sender.nonce,
            "authorizationList": [lent],
        }
    )  # fmt: skip
    chain.send(bytes(signed.raw_transaction))
    state = chain.state(chain.head())
    assert state.get_storage(address_bytes(sender.account.address), 0) == 1
    sender.send()  # and it may still sign


def test_our_signatures_are_those_of_eth_account(chain, sender):
    from eth_account import Account as Theirs

    fields = Fields(chain.chain_id, 7, NOBODY, b"\1\2", 5, 50_000, FEE, 3)
    mine = sender.account.sign(fields)
    theirs = Theirs.from_key(sender.account._key.secret).sign_transaction(
        {
            "chainId": chain.chain_id, "nonce": 7, "to": NOBODY, "data": "0x0102", "value": 5,
            "gas": 50_000, "maxFeePerGas": FEE, "maxPriorityFeePerGas": 3,
        }
    )  # fmt: skip
    assert (mine.raw, mine.hash) == (bytes(theirs.raw_transaction), bytes(theirs.hash))


def test_a_failed_transaction_is_kept_as_failed_and_pays(chain, sender):
    before = chain.state(chain.head()).get_balance(address_bytes(sender.account.address))
    digest = sender.send(None, program(COUNTER)[:-3], gas=60_000)
    found = chain.transaction(digest)
    assert found.gas_used == 60_000 or found.created
    after = chain.state(chain.head()).get_balance(address_bytes(sender.account.address))
    assert after < before
