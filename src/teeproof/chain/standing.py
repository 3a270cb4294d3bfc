"""What a node says of a fund, all of it in one block: whose code it is, its agent, its money.

    state = fund_state(chain, "0x…")
    state.code                     "Fund", or None where other code stands there
    state.holdings                 of each asset: how much, and how much may be sold in a day

Other code than ours is asked nothing: what it would answer to our questions means nothing. A
fund has at most eight assets and venues; how long a node is waited for, ``onlooker`` decides.

The code at an address does not say how it came there, so ``making`` looks for that.

Trusts: the node, for what it says of the chain.  Does not trust: the form, size and pace of its
answers, the contracts that are not ours, the names that tokens give themselves.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final

from teeproof.chain.answers import BlockHead
from teeproof.chain.artifacts import at, recognise
from teeproof.chain.client import Chain
from teeproof.chain.making import doubt_of
from teeproof.core.digests import named, sha256
from teeproof.core.errors import Error, Malformed, Unavailable

__all__ = ["NO_CODE", "FundState", "Held", "Place", "fund_state", "place_of",
           "token_names"]  # fmt: skip

NO_CODE: Final = named(sha256(b""))
"""The digest of no code: no contract stands there."""
_MOST_DECIMALS = 77  # 10^77 is below 2^256
_LONGEST_NAME = 32
_MOST = 8  # assets, and venues: Fund.vy


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """An address and what stands there.

    Attributes:
        address: lower case.
        code: which of our contracts; None if other code, or none.
        digest: ``sha256:…`` of the code as it stands there; ``NO_CODE`` where there is none.
        doubt: why it is not shown that its own creation code made it (``making``), and so that
            nobody began it with more than its constructor does; empty where it is shown.
    """

    address: str
    code: str | None
    digest: str
    doubt: str = "how it was made was not looked at"


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """An asset of a fund, in its smallest units.

    Attributes:
        token: where, and which code.
        symbol: what the token calls itself, any text; empty where its code is not ours.
        decimals: how many of its digits are a fraction, as it says; 0 where its code is not ours.
        amount: how much the fund holds.
        per_trade: most that one trade may give away.
        per_day: most that the trades of one day may give away.
    """

    token: Place
    symbol: str
    decimals: int
    amount: int
    per_trade: int
    per_day: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FundState:
    """What one block holds of a fund; what only our own code can be asked is empty elsewhere.

    Attributes:
        chain_id: of the chain.
        block: the block.
        place: where it is, and which code stands there.
        agent: the address whose signature it takes; None where the code is not ours.
        identity: ``sha256:…`` of the identity that it names; None likewise.
        nonce: how many orders it took.
        shares: all of its shares.
        holdings: its assets, in the contract's order.
        venues: where it may trade.
    """

    chain_id: int
    block: BlockHead
    place: Place
    agent: str | None = None
    identity: str | None = None
    nonce: int = 0
    shares: int = 0
    holdings: tuple[Held, ...] = ()
    venues: tuple[Place, ...] = ()

    @property
    def code(self) -> str | None:
        """Which of our contracts stands at its address; None if none of them."""
        return self.place.code


def place_of(chain: Chain, address: str, *, block: int | str = "latest") -> Place:
    """Return what stands at an address."""
    code = chain.code(address, block)
    return Place(address=address, code=recognise(code), digest=named(sha256(code)))


def fund_state(
    chain: Chain,
    address: str,
    *,
    in_time: Callable[[], None] = lambda: None,
    how_made: bool = True,
) -> FundState:
    """Return what the latest block holds of a fund.

    Args:
        chain: the node.
        address: of the fund, lower case.
        in_time: called between questions; raises when it has been long enough.
        how_made: whether to look for the transactions that made it and its tokens, which takes some
            thirty questions for each on a public chain.

    Raises:
        Unavailable: the node does not answer, or replaced the block meanwhile (``chain_moving``).
        Malformed: its answers do not fit the contract.
    """
    head = chain.block()
    place = place_of(chain, address, block=head.number)
    if place.code != "Fund":
        return FundState(chain_id=chain.chain_id, block=head, place=place)

    def ask(function: str, *arguments: Any) -> Any:
        in_time()
        return chain.call(at("Fund", address), function, *arguments, at=head.number)

    def look(one: str) -> Place:
        in_time()
        return place_of(chain, one, block=head.number)

    assets, amounts, venues = ask("assets"), ask("holdings"), ask("venues")
    if len(assets) != len(amounts) or max(len(assets), len(venues)) > _MOST:
        raise Malformed(
            "the node tells of a fund that our contract cannot be", code="node_malformed",
            expected=f"as many amounts as assets, and at most {_MOST} of each kind",
            got=f"{len(assets)} assets, {len(amounts)} amounts, {len(venues)} venues",
        )  # fmt: skip
    held = [
        _held(chain, look(token), amount, per_trade, per_day, block=head.number)
        for (token, per_trade, per_day), amount in zip(assets, amounts, strict=True)
    ]
    state = FundState(
        chain_id=chain.chain_id,
        block=head,
        place=place,
        agent=ask("agent"),
        identity=named(ask("identity")),
        nonce=ask("nonce"),
        shares=ask("total_shares"),
        holdings=tuple(held),
        venues=tuple(look(one) for one in venues),
    )
    if how_made:
        state = _with_doubts(chain, state, in_time)
    if chain.block(head.number).hash != head.hash:
        raise Unavailable("the chain is being reorganised: ask again shortly", code="chain_moving")
    return state


def _with_doubts(chain: Chain, state: FundState, in_time: Callable[[], None]) -> FundState:
    """Return the same, having looked how the fund and its tokens were made.

    A market needs none of this: it is trusted with nothing but what is sold there.
    """

    def looked(one: Place) -> Place:
        if one.code is None:
            return one
        last = state.block.number
        doubt = doubt_of(chain, one.code, one.address, last=last, in_time=in_time)
        return replace(one, doubt=doubt)

    holdings = tuple(replace(one, token=looked(one.token)) for one in state.holdings)
    return replace(state, place=looked(state.place), holdings=holdings)


def token_names(chain: Chain, token: Place, *, block: int | str = "latest") -> tuple[str, int]:
    """Return what a token calls itself, and how many of its digits are a fraction, as it says.

    A token whose code is not ours is not asked: its name is empty, and no digit is a fraction.

    Raises:
        Malformed: our code would not answer so (``node_malformed``).
    """
    if token.code != "TestToken":
        return "", 0
    contract = at("TestToken", token.address)
    try:
        symbol = str(chain.call(contract, "symbol", at=block))[:_LONGEST_NAME]
        decimals = int(chain.call(contract, "decimals", at=block))
    except Error as error:
        raise Malformed(
            f"the token at {token.address} does not answer: {error.detail}",
            code="node_malformed",
        ) from None
    if not 0 <= decimals <= _MOST_DECIMALS:
        raise Malformed(
            "a token has more decimals than an amount has digits", code="node_malformed",
            expected=f"0 to {_MOST_DECIMALS}", got=str(decimals),
        )  # fmt: skip
    return symbol, decimals


def _held(
    chain: Chain, token: Place, amount: int, per_trade: int, per_day: int, *, block: int
) -> Held:
    symbol, decimals = token_names(chain, token, block=block)
    return Held(token=token, symbol=symbol, decimals=decimals, amount=amount,
                per_trade=per_trade, per_day=per_day)  # fmt: skip
