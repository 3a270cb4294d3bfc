"""The contracts in use: two tokens, a pool, a fund with an agent, payments; forked for a test."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from teeproof.chain import artifacts, typed
from teeproof.chain.abi import Contract
from teeproof.chain.account import Account
from teeproof.chain.answers import Mined
from teeproof.chain.revert import reason_of
from teeproof.core.errors import NotAllowed
from tests.chain.contracts.evm import Evm

HOSTILE = Path(__file__).parent / "hostile"
ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141  # SEC 2, 2.4.1

DEPLOYER, ALICE, BOB, CAROL, MALLORY, AGENT, OTHER_AGENT = (
    Account(bytes((number,)) * 32) for number in range(1, 8)
)
PEOPLE = (ALICE, BOB, CAROL, MALLORY)
IDENTITY = b"\x1d" * 32

USD = 10**6
ETH = 10**18
PURSE = 10_000 * USD, 100 * ETH  # of each person
POOLED = 200_000 * USD, 100 * ETH
PER_TRADE = 100 * USD, ETH // 10
PER_DAY = 250 * USD, ETH // 4
MOST = 2**256 - 1


@dataclass(frozen=True)
class World:
    """A chain with everything deployed; ``here`` runs on its own fork."""

    evm: Evm
    usd: Contract
    eth: Contract
    pool: Contract
    fund: Contract
    payments: Contract
    anchors: Contract

    def fork(self, **options: Any) -> World:
        return replace(self, evm=self.evm.fork(**options))

    def send(self, account: Account, contract: Contract, name: str, *arguments: Any) -> Mined:
        return self.evm.send(account, contract, name, *arguments)

    def call(self, contract: Contract, name: str, *arguments: Any) -> Any:
        return self.evm.call(contract, name, *arguments)

    def balance(self, token: Contract, holder: Account | Contract) -> int:
        return self.call(token, "balanceOf", holder.address)

    def fund_domain(self, fund: Contract | None = None) -> bytes:
        contract = (fund or self.fund).address
        return typed.domain_separator(
            "teeproof Fund", chain_id=self.evm.chain_id, contract=contract
        )

    def order(self, **changes: Any) -> typed.Trade:
        """A trade that the mandate allows: 50 dollars for ether."""
        usual: dict[str, Any] = {
            "action": b"\xac" * 32, "venue": self.pool.address, "sell": self.usd.address,
            "buy": self.eth.address, "amount": 50 * USD, "min_out": 1,
            "nonce": self.call(self.fund, "nonce"), "deadline": self.evm.now + 60,
        }  # fmt: skip
        return typed.Trade(**(usual | changes))

    def trade(self, order: typed.Trade, *, signer: Account = AGENT, **options: Any) -> Mined:
        """Have a stranger carry an order that the agent signed."""
        fund = options.get("fund", self.fund)
        signature = options.get("signature", sign(signer, self.fund_domain(fund), order))
        return self.send(options.get("by", CAROL), fund, "trade", order.values, signature)

    def new_fund(self, assets: Any, venues: Any, *, agent: str = AGENT.address) -> Contract:
        return self.evm.deploy(DEPLOYER, "Fund", agent, IDENTITY, assets, venues)

    def hostile(self, name: str = "HostileToken") -> Contract:
        """A new contract that means harm; of a token everyone has 10**24, and has allowed all."""
        token = self.evm.deploy(DEPLOYER, hostile_artifact(name))
        if name.endswith("Token"):
            for person in PEOPLE:
                self.send(DEPLOYER, token, "mint", person.address, 10**24)
                self.allow(person, token)
        return token

    def allow(self, person: Account, token: Contract, *others: Contract) -> None:
        for spender in (self.fund, self.pool, self.payments, *others):
            self.send(person, token, "approve", spender.address, MOST)

    def arm(self, attacker: Contract, target: Contract, name: str, *arguments: Any) -> None:
        """Have a hostile contract call a function whenever it is called itself."""
        data = target.interface.call(name, arguments)
        self.send(MALLORY, attacker, "arm", target.address, data)

    def came_back(self, attacker: Contract) -> tuple[int, int, bytes]:
        """How often it called, how often that came through, and what it was last answered."""
        calls, came_through = (self.call(attacker, name) for name in ("calls", "came_through"))
        return calls, came_through, self.call(attacker, "answer")

    def require_open(self, token: Contract) -> None:
        """Check that an armed token's call does something while nobody else is at work."""
        there = self.fork()
        there.send(BOB, token, "transfer", CAROL.address, 1)
        calls, came_through, answer = there.came_back(token)
        assert calls == 1
        assert came_through or reason_of(answer), "it would have been refused in any case"

    def require_closed(self, attacker: Contract) -> None:
        """Check that an attacker called back, and was refused by the lock: it gives no reason."""
        calls, came_through, answer = self.came_back(attacker)
        assert calls > 0
        assert (came_through, answer) == (0, b"")


@contextmanager
def refused(reason: str) -> Iterator[None]:
    """A contract says no, for exactly this reason; empty where it gives none."""
    with pytest.raises(NotAllowed) as caught:
        yield
    assert (caught.value.code, caught.value.got) == ("reverted", reason)


def functions_of(name: str) -> list[str]:
    """The functions of a contract that read or write its state, by its own interface."""
    return [
        entry["name"]
        for entry in artifacts.load(name).abi
        if entry["type"] == "function" and entry["stateMutability"] != "pure"
    ]


@cache
def hostile_artifact(name: str) -> artifacts.Artifact:
    return artifacts.parse((HOSTILE / f"{name}.json").read_bytes())


@cache
def world() -> World:
    """Alice provides the pool; Alice and Bob hold half of 1,000 dollars and 1 ether each."""
    evm = Evm()
    usd = evm.deploy(DEPLOYER, "TestToken", "Test Dollar", "tUSD", 6, 10**9 * USD)
    eth = evm.deploy(DEPLOYER, "TestToken", "Test Ether", "tETH", 18, 10**9 * ETH)
    pool = evm.deploy(DEPLOYER, "Pool", usd.address, eth.address)
    mandate = [(usd.address, PER_TRADE[0], PER_DAY[0]), (eth.address, PER_TRADE[1], PER_DAY[1])]
    fund = evm.deploy(DEPLOYER, "Fund", AGENT.address, IDENTITY, mandate, [pool.address])
    payments = evm.deploy(DEPLOYER, "Payments")
    anchors = evm.deploy(DEPLOYER, "Anchors")
    made = World(evm, usd, eth, pool, fund, payments, anchors)
    for token, amount in ((usd, PURSE[0]), (eth, PURSE[1])):
        for person in PEOPLE:
            evm.send(DEPLOYER, token, "mint", person.address, amount)
            made.allow(person, token)
    evm.send(DEPLOYER, usd, "mint", ALICE.address, POOLED[0])
    evm.send(DEPLOYER, eth, "mint", ALICE.address, POOLED[1])
    evm.send(ALICE, pool, "add", isqrt(POOLED[0] * POOLED[1]), *POOLED, evm.now)
    for person in (ALICE, BOB):
        evm.send(person, fund, "deposit", 1000, [500 * USD, ETH // 2])
    return made


def isqrt(number: int) -> int:
    from math import isqrt as root

    return root(number)


def sign(account: Account, domain: bytes, message: typed.Typed) -> bytes:
    """Return r, s and v, as ``Keyring.sign_typed`` does."""
    signed = account.sign_digest(typed.digest(domain, message.struct_hash))
    return signed[:64] + bytes((27 + signed[64],))


def high_twin(signature: bytes) -> bytes:
    """The other signature that the curve accepts for the same digest and key."""
    s = ORDER - int.from_bytes(signature[32:64], "big")
    return signature[:32] + s.to_bytes(32, "big") + bytes((27 + 28 - signature[64],))
