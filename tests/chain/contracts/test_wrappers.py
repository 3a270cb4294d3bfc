"""The whole story through the typed wrappers, on a real node: a process, JSON-RPC, SQLite."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from teeproof.chain import merkle, typed
from teeproof.chain.account import Account
from teeproof.chain.client import Chain
from teeproof.chain.fund import Asset, Fund
from teeproof.chain.payments import Payments, nonce_of
from teeproof.chain.pool import Pool
from teeproof.chain.token import Token, asset_of, parse_asset, text_of
from teeproof.core.digests import sha256
from teeproof.core.errors import Malformed, NotAllowed, Usage
from tests.chain.contracts.world import ETH, IDENTITY, USD, sign

AGENT, PAYER, STRANGER = (Account(bytes((number,)) * 32) for number in (0x21, 0x22, 0x23))
PAYEES = [Account(bytes((number,)) * 32).address for number in range(0x31, 0x35)]


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A node with tokens, a pool, a fund and payments; its funded account has deployed them."""
    folder = tmp_path_factory.mktemp("chain")
    command = [sys.executable, "-m", "teeproof.chain.local.serve", str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            told = json.loads(process.stdout.readline())
            funder = Account.load(Path(folder) / "funded.key")
            with Chain.connect(told["url"]) as chain:
                yield deployed(chain, funder)
        finally:
            process.terminate()


def deployed(chain: Chain, funder: Account) -> Any:
    usd, eth = (
        Token.deploy(chain, funder, name=name, symbol=symbol, decimals=decimals, cap=10**30)
        for name, symbol, decimals in (("Test Dollar", "tUSD", 6), ("Test Ether", "tETH", 18))
    )
    usd.mint(funder, to=funder, amount=10**6 * USD)
    eth.mint(funder, to=funder, amount=10**3 * ETH)
    pool = Pool.deploy(chain, funder, usd, eth)
    pool.add(funder, {usd: 200_000 * USD, eth: 100 * ETH})
    assets = [Asset(usd.address, 100 * USD, 250 * USD), Asset(eth.address, ETH // 10, ETH // 4)]
    fund = Fund.deploy(
        chain, funder, agent=AGENT.address, identity=IDENTITY, assets=assets,
        venues=[pool.address],
    )  # fmt: skip
    fund.deposit(funder, shares=1000, most={usd.address: 1000 * USD, eth.address: ETH})
    payments = Payments.deploy(chain, funder)
    return SimpleNamespace(
        chain=chain, funder=funder, usd=usd, eth=eth, pool=pool, fund=fund, payments=payments
    )


def test_an_agent_trades_and_is_found_again_by_its_action(node):
    fund, action = node.fund, sha256(b"the first intent")
    before = fund.holdings()
    quoted = node.pool.quote(node.usd, 50 * USD)
    order = fund.order(
        action=action, venue=node.pool.address, sell=node.usd.address, buy=node.eth.address,
        amount=50 * USD, min_out=quoted,
    )  # fmt: skip
    assert fund.find(action) is None
    traded = fund.trade(node.funder, order, sign(AGENT, fund.domain, order))
    assert (traded.amount, traded.received, traded.nonce) == (50 * USD, quoted, order.nonce)
    assert fund.find(action) == traded
    assert fund.holdings() == {
        node.usd.address: before[node.usd.address] - 50 * USD,
        node.eth.address: before[node.eth.address] + quoted,
    }
    assert fund.left_today(node.usd.address) == 200 * USD
    with pytest.raises(NotAllowed) as refused:
        fund.trade(node.funder, order, sign(AGENT, fund.domain, order))
    assert (refused.value.code, refused.value.got) == ("reverted", "Fund: not the next nonce")


def test_a_fund_says_its_mandate_its_agent_and_what_shares_are_worth(node):
    fund = node.fund
    assert [asset.per_day for asset in fund.assets] == [250 * USD, ETH // 4]
    assert fund.venues == (node.pool.address,)
    assert (fund.agent(), fund.identity()) == (AGENT.address, IDENTITY)
    assert fund.worth_of(1000) == fund.holdings() == fund.price_of(1000)
    most = fund.price_of(1)
    fund.deposit(node.funder, shares=1, most=most)
    assert fund.shares_of(node.funder) == fund.total_shares() == 1001
    fund.withdraw(node.funder, shares=1)
    fund.withdraw_without(node.funder, shares=1, tokens=[node.eth.address])
    assert fund.total_shares() == 999
    with pytest.raises(Usage) as refused:
        fund.deposit(node.funder, shares=1, most={node.usd.address.upper(): 1})
    assert refused.value.code == "asset_unknown"


def test_an_agent_hands_over_to_another_key_and_back(node):
    fund = node.fund
    for old, new in ((AGENT, STRANGER), (STRANGER, AGENT)):
        rotate = typed.Rotate(next=new.address, identity=IDENTITY, nonce=fund.nonce())
        fund.rotate(node.funder, rotate, sign(old, fund.domain, rotate))
        assert fund.agent() == new.address


def test_a_fee_is_paid_and_each_payee_gets_its_part(node):
    usd, payments, answer = node.usd, node.payments, sha256(b"an answer")
    parts = list(zip(PAYEES, (120_000, 90_000, 60_000, 30_000), strict=True))
    leaves = {payee: merkle.leaf_of(answer, payee, amount) for payee, amount in parts}
    tree = merkle.Tree(tuple(leaves.values()))
    assert payments.payment_of(node.funder, answer, usd) is None
    payments.pay(node.funder, answer=answer, token=usd, amount=300_000, root=tree.root)
    for payee, amount in parts:
        before = usd.balance_of(payee)
        claim = {
            "payer": node.funder, "answer": answer, "token": usd, "payee": payee, "amount": amount,
        }  # fmt: skip
        assert not payments.is_claimed(**claim)
        payments.claim(node.funder, **claim, proof=tree.proof(leaves[payee]))
        assert payments.is_claimed(**claim)
        assert usd.balance_of(payee) == before + amount
    paid = payments.payment_of(node.funder, answer, usd)
    assert (paid.token, paid.amount, paid.root, paid.left) == (usd.address, 300_000, tree.root, 0)


def test_a_payer_without_gas_signs_and_somebody_carries(node):
    usd, payments, answer = node.usd, node.payments, sha256(b"another answer")
    usd.mint(node.funder, to=PAYER, amount=300_000)
    root = merkle.Tree((merkle.leaf_of(answer, PAYEES[0], 300_000),)).root
    until = node.chain.block().timestamp + 3600
    order = payments.authorization(
        PAYER.address, answer=answer, amount=300_000, root=root, until=until
    )
    signature = sign(PAYER, usd.domain, order)
    payments.pay_signed(node.funder, order, signature, answer=answer, token=usd, root=root)
    assert payments.payment_of(PAYER, answer, usd).left == 300_000
    assert usd.balance_of(PAYER) == 0
    assert order.nonce == node.chain.call(payments.contract, "nonce_of", answer, root)
    assert nonce_of(answer, root) == order.nonce


def test_a_holder_without_gas_signs_an_allowance_and_a_transfer(node):
    usd, until = node.usd, node.chain.block().timestamp + 3600
    usd.mint(node.funder, to=PAYER, amount=30)
    permit = typed.Permit(
        owner=PAYER.address, spender=STRANGER.address, value=10,
        nonce=usd.permit_nonce(PAYER), deadline=until,
    )  # fmt: skip
    usd.permit(node.funder, permit, sign(PAYER, usd.domain, permit))
    assert usd.allowance(PAYER, STRANGER) == 10
    transfer = typed.TransferWithAuthorization(
        owner=PAYER.address, to=STRANGER.address, value=20, valid_after=0, valid_before=until,
        nonce=sha256(b"once"),
    )  # fmt: skip
    usd.transfer_signed(node.funder, transfer, sign(PAYER, usd.domain, transfer))
    assert (usd.balance_of(PAYER), usd.balance_of(STRANGER)) == (10, 20)


def test_a_pool_tells_its_price_and_takes_and_gives_back(node):
    pool, usd, eth = node.pool, node.usd, node.eth
    held = pool.reserves()
    assert pool.price(eth, usd) == Fraction(held[usd.address], held[eth.address])
    assert pool.price(eth, usd) * pool.price(usd, eth) == 1
    out = pool.quote(eth, ETH)
    before = usd.balance_of(node.funder)
    pool.swap(node.funder, eth, ETH, min_out=out)
    assert usd.balance_of(node.funder) == before + out
    shares = pool.shares_of(node.funder)
    pool.add(node.funder, {usd: 1000 * USD, eth: ETH})
    more = pool.shares_of(node.funder) - shares
    assert more > 0
    pool.remove(node.funder, more, least={usd: 1, eth: 1})
    assert pool.total_shares() == shares
    with pytest.raises(Usage) as refused:
        pool.remove(node.funder, 1, least={usd: 1})
    assert refused.value.code == "asset_unknown"


def test_amounts_read_as_people_write_them():
    assert text_of(300_000, 6) == "0.30"
    assert text_of(1_234_567_890_000, 6) == "1,234,567.89"
    assert text_of(1, 18) == "0.000000000000000001"
    assert text_of(5, 0) == "5"


def test_an_asset_has_one_name():
    token = "0x" + "ab" * 20
    assert parse_asset(asset_of(31_337, token)) == (31_337, token)
    for wrong in (
        "", "eip155:1", f"eip155:01/erc20:{token}", f"eip155:1/erc20:{token.upper()}",
        f"eip155:1/erc721:{token}", f"eip155:1/erc20:{token}\n",
    ):  # fmt: skip
        with pytest.raises(Malformed) as refused:
            parse_asset(wrong)
        assert refused.value.code == "asset_malformed"
