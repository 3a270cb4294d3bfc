"""A market of two tokens on a chain: what it would give, and swaps.

    pool = Pool.deploy(chain, account, dollar, ether)
    pool.add(account, {dollar: 200_000_000_000, ether: 100 * 10**18})
    pool.quote(dollar, 50_000_000)
    pool.price(ether, dollar)            dollars for one ether, in base units, before the fee

Trusts: the node that the chain was connected to.  Does not trust: other traders; ``min_out`` bounds
what they can take.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from functools import cached_property
from math import isqrt

from teeproof.chain.account import Account
from teeproof.chain.artifacts import at
from teeproof.chain.client import Chain, Mined
from teeproof.chain.token import Token
from teeproof.core.errors import Usage

__all__ = ["Pool"]

_PATIENCE = 600  # seconds that an order of ours holds


class Pool:
    """A pool at an address; ``deploy`` makes a new one."""

    def __init__(self, chain: Chain, address: str) -> None:
        self.chain, self.contract = chain, at("Pool", address)

    @classmethod
    def deploy(cls, chain: Chain, account: Account, first: Token, second: Token) -> Pool:
        """Deploy an empty pool of two tokens."""
        made = chain.deploy(account, "Pool", first.address, second.address)
        return cls(chain, made.address)

    @property
    def address(self) -> str:
        """Where it is."""
        return self.contract.address

    @cached_property
    def tokens(self) -> tuple[str, str]:
        """The addresses of its two tokens."""
        call = self.chain.call
        return call(self.contract, "token0"), call(self.contract, "token1")

    def reserves(self) -> dict[str, int]:
        """Return what it holds for its providers, by token."""
        call = self.chain.call
        return {token: int(call(self.contract, "reserve_of", token)) for token in self.tokens}

    def price(self, of: str | Token, in_: str | Token) -> Fraction:
        """Return how many base units of one token a base unit of the other costs.

        Before the fee, and for an amount so small that it moves nothing; Usage of an empty pool.
        """
        held = self.reserves()
        if not all(held.values()):
            raise Usage("this pool is empty: add to it first", code="pool_empty")
        return Fraction(held[_address(in_)], held[_address(of)])

    def quote(self, sell: str | Token, amount: int) -> int:
        """Return what a swap would give now, after the fee."""
        return int(self.chain.call(self.contract, "quote", sell, amount))

    def shares_of(self, who: str | Account) -> int:
        """Return a provider's shares."""
        return int(self.chain.call(self.contract, "shares_of", who))

    def total_shares(self) -> int:
        """Return all shares."""
        return int(self.chain.call(self.contract, "total_shares"))

    def add(self, account: Account, amounts: Mapping[Token, int]) -> Mined:
        """Provide both tokens: at most these amounts, for as many shares as they buy now.

        The first to provide gives exactly these amounts and sets the price.
        """
        most = self._in_order(amounts)
        total, held = self.total_shares(), self.reserves()
        shares = isqrt(most[0] * most[1])
        if total:
            pairs = zip(most, self.tokens, strict=True)
            shares = min(amount * total // held[token] for amount, token in pairs)
        for token, amount in amounts.items():
            token.allow(account, spender=self.contract, amount=amount)
        return self.chain.send(account, self.contract, "add", shares, *most, self._soon())

    def remove(self, account: Account, shares: int, *, least: Mapping[Token, int]) -> Mined:
        """Give shares back for their part of both tokens, at least these amounts."""
        amounts = self._in_order(least)
        return self.chain.send(account, self.contract, "remove", shares, *amounts, self._soon())

    def swap(self, account: Account, sell: Token, amount: int, *, min_out: int) -> Mined:
        """Sell a token for the other."""
        sell.allow(account, spender=self.contract, amount=amount)
        return self.chain.send(
            account, self.contract, "swap", sell.address, amount, min_out, self._soon()
        )

    def _in_order(self, amounts: Mapping[Token, int]) -> list[int]:
        by_address = {token.address: amount for token, amount in amounts.items()}
        if set(by_address) != set(self.tokens):
            raise Usage(
                "name an amount of each of the pool's two tokens",
                code="asset_unknown",
                expected=", ".join(self.tokens),
                got=", ".join(by_address)[:100],
            )
        return [by_address[token] for token in self.tokens]

    def _soon(self) -> int:
        return self.chain.block().timestamp + _PATIENCE


def _address(token: str | Token) -> str:
    return token if isinstance(token, str) else token.address
