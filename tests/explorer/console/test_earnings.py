"""What the console says that answers earned: by a real chain, on which anybody may pay anything."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from teeproof.chain import merkle
from teeproof.chain.account import Account
from teeproof.chain.client import Chain
from teeproof.chain.local.process import ChainProcess
from teeproof.chain.payments import Payments
from teeproof.chain.token import Token
from teeproof.cli.console import earnings
from teeproof.cli.console.earnings import earned
from teeproof.core.digests import named
from teeproof.explorer.console.port import Earned
from teeproof.inference.fees import Split, split
from teeproof.proof import canonical
from teeproof.proof.log.contents import Contents
from teeproof.proof.log.storage.log import Log
from teeproof.proof.workload import Identity
from tests.explorer.made import Recording
from tests.inference.lineages import Story, address
from tests.proof.people import NOW, attester

ANNE = address(1)
UNIT = 10**18


@dataclass
class Market:
    """A chain with a dollar, somebody's coin of the same name, and an answer that costs a fee."""

    chain: Chain
    honest: Account
    stranger: Account
    usd: Token
    coin: Token
    payments: Payments
    log: Path
    due: Split

    def pay(self, who: Account, token: Token, *, amount: int, root: bytes) -> None:
        token.allow(who, spender=self.payments.contract, amount=amount)
        self.payments.pay(who, answer=self.due.answer, token=token, amount=amount, root=root)

    def claim(self) -> None:
        """Have Anne's part of what the honest payer paid given to her."""
        due = self.due
        self.payments.claim(
            self.stranger, payer=self.honest, answer=due.answer, token=self.usd, payee=ANNE,
            amount=due.parts[ANNE], proof=due.proof(ANNE),
        )  # fmt: skip

    def told(self, **more: object) -> tuple[Earned, ...]:
        return earned(
            self.chain, self.log, payments=self.payments.address, account=ANNE,
            answers=[named(self.due.answer)], others={}, **more,
        ).parts  # fmt: skip


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    with ChainProcess.start(tmp_path_factory.mktemp("chain"), finality=8) as process:
        yield process


@pytest.fixture
def market(node, tmp_path):
    with Chain.connect(node.url) as chain:
        stranger, funder = Account.new(), node.funded
        chain.transfer(funder, stranger, UNIT)
        usd, coin = (
            Token.deploy(chain, who, name="Test Dollar", symbol="tUSD", decimals=6, cap=10**15)
            for who in (funder, stranger)
        )
        usd.mint(funder, to=funder, amount=10**9)
        usd.mint(funder, to=stranger, amount=10**9)
        coin.mint(stranger, to=stranger, amount=10**15)
        story = Story()
        kept = story.source = Recording()
        story.receipt(
            story.lease(), story.training(story.dataset((ANNE, 3), (address(2), 1))),
            asset=usd.asset,
        )  # fmt: skip
        (body,) = (json.loads(data) for data, _ in kept.calls[-1:])
        with Log.create(tmp_path / "log", origin="log.example/earned") as log:
            server = Identity.boot(attester(), roles=["receipt"], store=log, now=lambda: NOW)
            body["workload_keyset_digest"] = server.record.keyset_digest
            answer = kept.add_statement(canonical.encode(body))
            contents = Contents(log)
            for data, _ in (*kept.calls[:-2], kept.calls[-1]):
                contents.add_statement(data)
            log.publish()
            contents.close()
        yield Market(
            chain, funder, stranger, usd, coin, Payments.deploy(chain, funder), tmp_path / "log",
            split(answer, kept),
        )  # fmt: skip


def test_a_fee_that_was_paid_waits_and_then_is_earned(market):
    due = market.due
    market.pay(market.honest, market.usd, amount=due.paid, root=due.root)
    (waits,) = market.told()
    assert (waits.amount, waits.claimed, waits.doubt) == (due.parts[ANNE], False, "")
    market.claim()
    (got,) = market.told()
    assert (got.amount, got.claimed, got.doubt) == (due.parts[ANNE], True, "")


def test_stranger_pays_in_a_coin_that_he_calls_a_dollar(market):
    """Neither what waits nor what somebody claimed of it is told as earned."""
    due = market.due
    leaf = merkle.leaf_of(due.answer, ANNE, 10**14)
    market.pay(market.stranger, market.coin, amount=10**14, root=leaf)
    assert market.told() == ()
    market.payments.claim(
        market.stranger, payer=market.stranger, answer=due.answer, token=market.coin, payee=ANNE,
        amount=10**14, proof=(),
    )  # fmt: skip
    assert market.told() == ()


@pytest.mark.parametrize("what", ["less", "divided in another way"])
def test_payer_pays_something_else_than_the_answer_asks_for(market, what):
    due, less = market.due, what == "less"
    root = due.root if less else bytes(31) + b"\1"
    market.pay(market.stranger, market.usd, amount=due.paid - less, root=root)
    assert market.told() == ()


def test_stranger_pays_so_often_that_what_was_earned_is_pushed_out(market, monkeypatch):
    monkeypatch.setattr(earnings, "MOST", 1)
    due = market.due
    market.pay(market.honest, market.usd, amount=due.paid, root=due.root)
    market.claim()
    market.pay(market.stranger, market.usd, amount=1, root=due.root)
    market.pay(market.stranger, market.coin, amount=1, root=due.root)
    assert [(one.amount, one.claimed) for one in market.told()] == [(due.parts[ANNE], True)]


def test_stranger_pays_for_other_answers_and_nobody_reads_it(market, monkeypatch):
    """Of what is paid for one's own answers the latest is read; that there was more is told."""
    due, asked = market.due, []
    market.pay(market.honest, market.usd, amount=due.paid, root=due.root)
    market.coin.allow(market.stranger, spender=market.payments.contract, amount=10)
    for number in range(5):
        market.payments.pay(
            market.stranger, answer=bytes([number]) * 32, token=market.coin, amount=1, root=due.root
        )
    whole = market.chain.endpoint.ask

    def ask(method, *parameters):
        asked.append((method, whole(method, *parameters)))
        return asked[-1][1]

    monkeypatch.setattr(market.chain.endpoint, "ask", ask)
    (waits,) = market.told()
    assert waits.amount == due.parts[ANNE]
    assert [len(logs) for method, logs in asked if method == "eth_getLogs"] == [0, 1]
    monkeypatch.setattr(earnings, "_LOOKS", 1)
    assert earned(
        market.chain, market.log, payments=market.payments.address, account=ANNE,
        answers=[named(due.answer)], others={},
    ).more  # fmt: skip
