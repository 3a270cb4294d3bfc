"""A fund that an agent trades and cannot take from: deposits, signed trades, withdrawals.

    fund = Fund.deploy(chain, account, agent=address, identity=digest, venues=[pool.address],
                       assets=[Asset(dollar.address, per_trade=…, per_day=…), …])
    fund.deposit(alice, shares=1000, most={dollar.address: 500_000_000, …})
    order = fund.order(action=digest, venue=pool.address, sell=…, buy=…, amount=…, min_out=…)
    fund.trade(anybody, order, keyring.sign_typed(fund.domain, order.struct_hash))
    fund.find(digest)                     the trade of that action, if it was done

Whoever sends a trade needs nothing but gas: the agent's signature and the fund's mandate decide.

Trusts: the node that the chain was connected to.  Does not trust: whoever carries an order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from teeproof.chain import typed
from teeproof.chain.account import Account
from teeproof.chain.artifacts import at
from teeproof.chain.client import Chain, Event, Mined
from teeproof.chain.token import Token
from teeproof.core.errors import Usage

__all__ = ["DOMAIN", "Asset", "Fund", "Traded"]

DOMAIN = "teeproof Fund"  # name of the EIP-712 domain
_PATIENCE = 600  # seconds that an order holds unless its maker says otherwise


@dataclass(frozen=True, slots=True)
class Asset:
    """What a fund may hold, and how much of it may be sold, in its own base units.

    Attributes:
        token: its address.
        per_trade: at most in one trade; 0 forbids to sell it.
        per_day: at most on one day of UTC, by the block's clock.
    """

    token: str
    per_trade: int
    per_day: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Traded:
    """A trade that was done, as the fund's event tells it.

    Attributes:
        action: digest of the agent's record of why, 32 bytes.
        venue: where.
        sell: what was sold.
        buy: what was bought.
        amount: how much was sold.
        received: how much was bought.
        nonce: the order's.
        tx_hash: the transaction, as text.
        block: its block's height.
    """

    action: bytes
    venue: str
    sell: str
    buy: str
    amount: int
    received: int
    nonce: int
    tx_hash: str
    block: int

    @classmethod
    def of(cls, event: Event) -> Traded:
        """Return the trade that a ``Traded`` event tells of."""
        return cls(**event.values, tx_hash=event.tx_hash, block=event.block)


class Fund:
    """A fund at an address; ``deploy`` makes a new one."""

    def __init__(self, chain: Chain, address: str) -> None:
        self.chain, self.contract = chain, at("Fund", address)

    @classmethod
    def deploy(
        cls,
        chain: Chain,
        account: Account,
        *,
        agent: str,
        identity: bytes,
        assets: Sequence[Asset],
        venues: Sequence[str],
    ) -> Fund:
        """Deploy an empty fund, whose mandate nobody can change.

        Args:
            chain: where.
            account: pays; it has no power over the fund.
            agent: address of the agent's ``chain`` key.
            identity: digest of the identity that holds it, 32 bytes.
            assets: 1 to 8.
            venues: addresses of at most 8 pools.
        """
        mandate = [(asset.token, asset.per_trade, asset.per_day) for asset in assets]
        made = chain.deploy(account, "Fund", agent, identity, mandate, list(venues))
        return cls(chain, made.address)

    @property
    def address(self) -> str:
        """Where it is."""
        return self.contract.address

    @property
    def domain(self) -> bytes:
        """Its EIP-712 domain separator, 32 bytes: what the agent signs under."""
        return typed.domain_separator(DOMAIN, chain_id=self.chain.chain_id, contract=self.address)

    @cached_property
    def assets(self) -> tuple[Asset, ...]:
        """The mandate's assets, in the contract's order."""
        return tuple(Asset(*each) for each in self.chain.call(self.contract, "assets"))

    @cached_property
    def venues(self) -> tuple[str, ...]:
        """The mandate's venues."""
        return tuple(self.chain.call(self.contract, "venues"))

    def agent(self) -> str:
        """Return the address whose signature a trade needs."""
        return str(self.chain.call(self.contract, "agent"))

    def identity(self) -> bytes:
        """Return the digest of the identity that holds the agent's key, 32 bytes."""
        return bytes(self.chain.call(self.contract, "identity"))

    def nonce(self) -> int:
        """Return what the agent's next order must carry."""
        return int(self.chain.call(self.contract, "nonce"))

    def holdings(self) -> dict[str, int]:
        """Return what the fund holds, by token."""
        return self._by_token(self.chain.call(self.contract, "holdings"))

    def worth_of(self, shares: int) -> dict[str, int]:
        """Return what a withdrawal of some shares gets now, by token."""
        return self._by_token(self.chain.call(self.contract, "worth_of", shares))

    def price_of(self, shares: int) -> dict[str, int]:
        """Return what a deposit for some shares gives now, by token; not of an empty fund."""
        return self._by_token(self.chain.call(self.contract, "price_of", shares))

    def shares_of(self, who: str | Account) -> int:
        """Return a depositor's shares."""
        return int(self.chain.call(self.contract, "shares_of", who))

    def total_shares(self) -> int:
        """Return all shares."""
        return int(self.chain.call(self.contract, "total_shares"))

    def left_today(self, token: str) -> int:
        """Return how much of an asset may still be sold today."""
        return int(self.chain.call(self.contract, "left_today", token))

    def deposit(self, account: Account, *, shares: int, most: Mapping[str, int]) -> Mined:
        """Put assets in, at most these amounts by token; the first deposit gives exactly them.

        The fund is allowed to take exactly what it may take, where it is not yet.
        """
        known = {asset.token for asset in self.assets}
        if unknown := set(most) - known:
            raise Usage(
                "the fund does not hold this asset: leave it out",
                code="asset_unknown",
                expected=", ".join(sorted(known)),
                got=ascii(min(unknown)[:60])[1:-1],
            )
        for token, amount in most.items():
            Token(self.chain, token).allow(account, spender=self.contract, amount=amount)
        amounts = [most.get(asset.token, 0) for asset in self.assets]
        return self.chain.send(account, self.contract, "deposit", shares, amounts)

    def withdraw(self, account: Account, *, shares: int) -> Mined:
        """Give shares back for their part of every asset."""
        return self.chain.send(account, self.contract, "withdraw", shares)

    def withdraw_without(self, account: Account, *, shares: int, tokens: Sequence[str]) -> Mined:
        """Give shares back and leave some assets behind: the way out if one refuses to be moved."""
        return self.chain.send(account, self.contract, "withdraw_without", shares, list(tokens))

    def order(
        self,
        *,
        action: bytes,
        venue: str,
        sell: str,
        buy: str,
        amount: int,
        min_out: int,
        deadline: int | None = None,
    ) -> typed.Trade:
        """Return an order for the agent to sign, with the fund's next nonce.

        Args:
            action: digest of the agent's record of why, 32 bytes; each is done once.
            venue: where.
            sell: token that is sold.
            buy: token that is bought.
            amount: how much is sold.
            min_out: how much is bought at least; not 0.
            deadline: seconds since 1970; ten minutes after the latest block if not given.
        """
        if deadline is None:
            deadline = self.chain.block().timestamp + _PATIENCE
        return typed.Trade(
            action=action, venue=venue, sell=sell, buy=buy, amount=amount, min_out=min_out,
            nonce=self.nonce(), deadline=deadline,
        )  # fmt: skip

    def trade(self, account: Account, order: typed.Trade, signature: bytes) -> Traded:
        """Carry a trade that the agent signed; NotAllowed with the contract's reason if refused."""
        mined = self.chain.send(account, self.contract, "trade", order.values, signature)
        (event,) = (event for event in mined.events if event.name == "Traded")
        return Traded.of(event)

    def find(self, action: bytes) -> Traded | None:
        """Return the trade of an action, if it was done: what a restarted agent asks."""
        block = int(self.chain.call(self.contract, "block_of", action))
        if block == 0:
            return None
        (event,) = self.chain.events(self.contract, "Traded", first=block, action=action)
        return Traded.of(event)

    def rotate(self, account: Account, order: typed.Rotate, signature: bytes) -> Mined:
        """Carry the agent's word that another key, or identity, orders from now on."""
        return self.chain.send(
            account, self.contract, "rotate", order.next, order.identity, signature
        )

    def _by_token(self, amounts: Sequence[int]) -> dict[str, int]:
        return {asset.token: amount for asset, amount in zip(self.assets, amounts, strict=True)}
