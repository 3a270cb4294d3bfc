"""A token on a chain: balances, allowances, and transfers that strangers carry.

    dollar = Token.deploy(chain, account, name="Test Dollar", symbol="tUSD", decimals=6, cap=10**12)
    dollar.mint(account, to=alice, amount=5_000_000)
    dollar.text(300_000)                             0.30
    dollar.asset                                     eip155:31337/erc20:0x…

Amounts are base units. Any ERC-20 serves, but for ``mint``; ``permit`` needs one with ERC-2612, and
``transfer_signed`` one with EIP-3009.

Sources: ERC-20; ERC-2612; EIP-3009; CAIP-19 (how an asset is named).

Trusts: the node that the chain was connected to.  Does not trust: whoever carries what was signed.
"""

from __future__ import annotations

import re
from functools import cached_property
from typing import Final

from teeproof.chain import typed
from teeproof.chain.account import Account
from teeproof.chain.artifacts import at
from teeproof.chain.client import Chain, Contract, Mined
from teeproof.core.errors import Malformed

__all__ = ["NO_LIMIT", "Token", "asset_of", "parse_asset", "text_of"]

NO_LIMIT: Final = 2**256 - 1
Holder = str | Account | Contract
_ASSET = re.compile(r"eip155:(0|[1-9][0-9]{0,18})/erc20:(0x[0-9a-f]{40})")


def asset_of(chain_id: int, token: str) -> str:
    """Return the name of a token on a chain: ``eip155:<chain>/erc20:<address>``."""
    return f"eip155:{chain_id}/erc20:{token}"


def parse_asset(text: str) -> tuple[int, str]:
    """Return chain id and address of a token's name; Malformed if it is none."""
    found = _ASSET.fullmatch(text)
    if found is None:
        raise Malformed(
            "this names no token",
            code="asset_malformed",
            expected="eip155:<chain id>/erc20:<address in lower case>",
            got=ascii(text[:100])[1:-1],
        )
    return int(found[1]), found[2]


def text_of(amount: int, decimals: int) -> str:
    """Return an amount as people read it, with at least two digits after the point."""
    whole, rest = divmod(amount, 10**decimals)
    digits = f"{rest:0{decimals}d}".rstrip("0").ljust(min(2, decimals), "0")
    return f"{whole:,}.{digits}" if digits else f"{whole:,}"


class Token:
    """A token at an address; ``deploy`` makes a new one of ours."""

    def __init__(self, chain: Chain, address: str) -> None:
        self.chain, self.contract = chain, at("TestToken", address)

    @classmethod
    def deploy(
        cls, chain: Chain, account: Account, *, name: str, symbol: str, decimals: int, cap: int
    ) -> Token:
        """Deploy a test token, worth nothing, which ``account`` mints up to ``cap`` base units.

        Args:
            chain: where.
            account: pays, and is the minter.
            name: at most 32 characters.
            symbol: at most 8 characters.
            decimals: 6 or 18.
            cap: how many base units there will ever be.
        """
        made = chain.deploy(account, "TestToken", name, symbol, decimals, cap)
        return cls(chain, made.address)

    def __repr__(self) -> str:
        """Name the asset."""
        return f"Token({self.asset})"

    @property
    def address(self) -> str:
        """Where it is."""
        return self.contract.address

    @property
    def asset(self) -> str:
        """Its name across chains."""
        return asset_of(self.chain.chain_id, self.address)

    @cached_property
    def name(self) -> str:
        """Its name, which is its EIP-712 domain's too."""
        return str(self.chain.call(self.contract, "name"))

    @cached_property
    def symbol(self) -> str:
        """What markets call it."""
        return str(self.chain.call(self.contract, "symbol"))

    @cached_property
    def decimals(self) -> int:
        """How many digits of an amount stand after the point."""
        return int(self.chain.call(self.contract, "decimals"))

    @property
    def domain(self) -> bytes:
        """Its EIP-712 domain separator, 32 bytes."""
        return typed.domain_separator(
            self.name, chain_id=self.chain.chain_id, contract=self.address
        )

    def text(self, amount: int) -> str:
        """Return an amount as people read it."""
        return text_of(amount, self.decimals)

    def balance_of(self, holder: Holder) -> int:
        """Return what somebody holds."""
        return int(self.chain.call(self.contract, "balanceOf", holder))

    def allowance(self, owner: Holder, spender: Holder) -> int:
        """Return how much of an owner's a spender may move."""
        return int(self.chain.call(self.contract, "allowance", owner, spender))

    def permit_nonce(self, owner: Holder) -> int:
        """Return the nonce of an owner's next permit."""
        return int(self.chain.call(self.contract, "nonces", owner))

    def mint(self, account: Account, *, to: Holder, amount: int) -> Mined:
        """Make new units; for the deployer."""
        return self.chain.send(account, self.contract, "mint", to, amount)

    def transfer(self, account: Account, *, to: Holder, amount: int) -> Mined:
        """Move units of ``account``."""
        return self.chain.send(account, self.contract, "transfer", to, amount)

    def approve(self, account: Account, *, spender: Holder, amount: int) -> Mined:
        """Allow a spender to move units of ``account``, in place of what it was allowed before."""
        return self.chain.send(account, self.contract, "approve", spender, amount)

    def allow(self, account: Account, *, spender: Holder, amount: int) -> None:
        """Allow a spender exactly this, unless it may move as much already."""
        if self.allowance(account, spender) < amount:
            self.approve(account, spender=spender, amount=amount)

    def permit(self, account: Account, permit: typed.Permit, signature: bytes) -> Mined:
        """Carry an owner's signed allowance."""
        values = (permit.owner, permit.spender, permit.value, permit.deadline)
        return self.chain.send(account, self.contract, "permit", *values, *typed.split(signature))

    def transfer_signed(
        self, account: Account, transfer: typed.TransferWithAuthorization, signature: bytes
    ) -> Mined:
        """Carry an owner's signed transfer."""
        return self.chain.send(
            account, self.contract, "transferWithAuthorization",
            *transfer.values, *typed.split(signature),
        )  # fmt: skip
