"""The demo's money: two test tokens, a market between them, a contract that pays answers' fees.

All of it is worth nothing and made anew for each story. What it shows is that nothing is lost:
``holdings`` counts every unit of every token, before and after.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from teeproof.cli.story.world import World

if TYPE_CHECKING:
    from teeproof.chain.abi import Contract
    from teeproof.chain.client import Chain
    from teeproof.chain.payments import Payments
    from teeproof.chain.pool import Pool
    from teeproof.chain.token import Token

__all__ = ["CENT", "ETHER", "FEE", "Money", "mint_all"]

CENT = 10**4  # of a dollar with 6 decimals
ETHER = 10**18
FEE = 30 * CENT
_GAS = ETHER  # for each account, of the chain's own coin
_RESERVES = 200_000 * 100 * CENT, 105 * ETHER  # a price of about 1,905 dollars


@dataclass(frozen=True, slots=True)
class Money:
    """What was deployed.

    Attributes:
        chain: the connection.
        dollar: a token of 6 decimals.
        ether: a token of 18 decimals.
        pool: the market between them.
        payments: takes fees of answers and pays them out.
        anchors: takes checkpoints of the log.
    """

    chain: Chain
    dollar: Token
    ether: Token
    pool: Pool
    payments: Payments
    anchors: Contract

    def supply(self) -> dict[str, int]:
        """Return how many base units of each token there are."""
        chain = self.chain
        return {
            token.symbol: int(chain.call(token.contract, "totalSupply"))
            for token in (self.dollar, self.ether)
        }


def mint_all(world: World) -> Money:
    """Deploy tokens, market and contracts, and give each person what the story needs."""
    from teeproof.chain.payments import Payments  # noqa: PLC0415  eth_abi
    from teeproof.chain.pool import Pool  # noqa: PLC0415
    from teeproof.chain.token import Token  # noqa: PLC0415

    chain, dev = world.chain(), world.dev()
    dollar = Token.deploy(
        chain, dev, name="Test Dollar", symbol="tUSD", decimals=6, cap=10**9 * 100 * CENT
    )
    ether = Token.deploy(
        chain, dev, name="Test Ether", symbol="tETH", decimals=18, cap=10**6 * ETHER
    )
    pool = Pool.deploy(chain, dev, dollar, ether)
    for token, amount in zip((dollar, ether), _RESERVES, strict=True):
        token.mint(dev, to=dev, amount=amount)
    pool.add(dev, dict(zip((dollar, ether), _RESERVES, strict=True)))
    for name in ("payer", "investor", "sponsor"):
        chain.transfer(dev, world.account(name), _GAS)
    dollar.mint(dev, to=world.account("payer"), amount=10 * FEE)
    payments = Payments.deploy(chain, dev)
    world.contracts["payments"] = payments.address
    return Money(chain, dollar, ether, pool, payments, chain.deploy(dev, "Anchors"))
