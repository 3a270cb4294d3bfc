"""Who can drain an agent's money: what the fund's code on the chain lets whom do.

Only code that is ours, byte by byte, and that its own creation code put there, is spoken for: other
creation code leaves the same program with allowances or shares that ours would not give. ``Fund``
pays depositors their own part and trades what its agent signs, within limits that were fixed when
it was made. What is left is a bad trade: the contract knows limits and markets, and no price. So
whoever has the agent's key can lose, in a day, as much of each asset as the fund lets it sell in
one; a market that is not ours, or a token, may do more.

Trusts: the node, for the fund's state; the shipped artifacts.  Does not trust: the agent.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from teeproof.agents.known import Known
from teeproof.agents.mandate import Asset, Mandate
from teeproof.agents.powers.power import Power, Reason, unknown
from teeproof.chain.local.creation import CHAIN_ID
from teeproof.chain.standing import NO_CODE, FundState, Held
from teeproof.chain.token import text_of
from teeproof.core.text import cut

__all__ = ["amount_text", "money"]

_MONEY = "drain its money"
_HOW = "connect to a node of its chain (--chain URL): the fund's code and state stand there."


def money(known: Known) -> Power:
    """Who can drain its money: nobody, but for bad trades by whoever has its key."""
    fund, mandate = known.fund, known.mandate
    if fund is None:
        return _unknown(f"Not checked: {known.unasked or 'no chain was asked'}", check=_HOW)
    if fund.chain_id != mandate.chain_id:
        return _unknown(
            "Not checked: the node is of another chain",
            check=f"the mandate is of chain {mandate.chain_id}, the node of {fund.chain_id}:"
            " connect to a node of the mandate's.",
        )  # fmt: skip
    if fund.code != "Fund":
        return _other_code(fund)
    if fund.agent != known.address:
        return Power(
            name="money", question=_MONEY, state="somebody",
            who="Another key than this agent's, by bad trades",
            reasons=(Reason(text=f"the fund listens to {fund.agent}, and this agent signs as"
                                 f" {known.address}", kind="chain", ref=fund.place.address),),
        )  # fmt: skip
    strange = next((one for one in fund.venues if one.code != "Pool"), None)
    if strange is not None:
        return Power(
            name="money", question=_MONEY, state="somebody",
            who=f"Whoever governs the market {strange.address}, by what it pays",
            reasons=(Reason(text=f"its code is not one that is known here ({strange.digest})",
                            kind="chain", ref=strange.address), *_limits(fund, mandate)),
        )  # fmt: skip
    return _on_this_chain(fund, _of_ours(fund, mandate))


def _on_this_chain(fund: FundState, real: Power) -> Power:
    """Return the answer as it stands for the chain: one party alone makes an embedded one's blocks.

    Its id is what every chain of ``chain.local`` has; a node that hides it is believed otherwise.
    """
    if fund.chain_id != CHAIN_ID:
        asked = (
            f"who makes the blocks of chain {fund.chain_id}: whoever does alone can undo them. Ask"
            " a node of your own, and make sure that it is the public chain that you mean."
        )
        return real if real.check else replace(real, check=asked)
    reason = Reason(
        text=f"chain {fund.chain_id} is an embedded one, for rehearsals: whoever runs it can undo"
        " and rewrite its blocks",
        kind="chain", ref=fund.place.address,
    )  # fmt: skip
    found = replace(real, state="simulated", who="Whoever runs its embedded chain",
                    if_real=real.who)  # fmt: skip
    return found.because(reason)


def _unknown(who: str, *, check: str) -> Power:
    return unknown("money", _MONEY, who, check=check)


def _other_code(fund: FundState) -> Power:
    nothing = fund.place.digest == NO_CODE
    what = "no contract stands" if nothing else "code that is not known here stands"
    return _unknown(
        f"Not known: {what} at its fund's address",
        check=f"expected the shipped contract Fund at {fund.place.address}, got code"
        f" {fund.place.digest}: put nothing in before somebody whom you trust has read it.",
    ).because(
        Reason(text=f"block {fund.block.number} of chain {fund.chain_id}", kind="chain",
               ref=fund.place.address)
    )  # fmt: skip


def _of_ours(fund: FundState, mandate: Mandate) -> Power:
    limits = tuple(_limits(fund, mandate))
    reasons = (
        Reason(text="its code is the shipped contract Fund, byte by byte: depositors take out their"
                    " own part at any time, and nobody else anything", kind="contract",
               ref=fund.place.address),
        Reason(text="nobody owns it, and nothing about it can be changed", kind="contract",
               ref=fund.place.address),
        *limits,
        *_minted(fund),
    )  # fmt: skip
    strange = next((one for one in fund.holdings if one.token.code != "TestToken"), None)
    if strange is not None:
        return _unknown(
            "Not known: whoever issues one of its assets may be able to take it back",
            check=f"the token {strange.token.address} has code that is not known here"
            f" ({strange.token.digest}): read what its issuer can do to a holder.",
        ).because(*reasons)  # fmt: skip
    doubted = next((one for one in (fund.place, *(one.token for one in fund.holdings))
                    if one.doubt), None)  # fmt: skip
    if doubted is not None:
        return _unknown(
            "Not known: whoever made its fund or its assets may have kept a way to take them",
            check=f"{doubted.code} at {doubted.address} has the shipped contract's code, but"
            f" {doubted.doubt}; what made it may have given allowances or shares beforehand.",
        ).because(*reasons)  # fmt: skip
    movable = [one for one in fund.holdings if one.per_trade and one.per_day]
    if not movable or not fund.venues or len(fund.holdings) < 2:  # one for another
        return Power(name="money", question=_MONEY, state="nobody", reasons=reasons,
                     who="Nobody: only depositors, each their own part")  # fmt: skip
    return Power(
        name="money", question=_MONEY, state="bounded", reasons=(*reasons, *_priced(mandate)),
        who=f"Nobody can send it away. {_lost(fund, mandate, movable)} in a day, by bad trades",
    )  # fmt: skip


def _lost(fund: FundState, mandate: Mandate, movable: list[Held]) -> str:
    sellable = [one for one in movable if one.amount]
    if not sellable:  # what is put in tomorrow can be lost tomorrow
        most = " and ".join(amount_text(one, mandate, one.per_day) for one in movable)
        return (
            f"What may be sold is not in it yet: then whoever has its key can lose at most {most}"
        )
    whole = all(_at_risk(one) == one.amount for one in fund.holdings)
    most = " and ".join(amount_text(one, mandate, _at_risk(one)) for one in sellable)
    return f"Whoever has its key can lose {'all of it' if whole else 'at most ' + most}"


def _minted(fund: FundState) -> Iterator[Reason]:
    ours = next((one for one in fund.holdings if one.token.code == "TestToken"), None)
    if ours is not None:
        yield Reason(
            text="its assets are test tokens: whoever deployed one can make more of it, up to its"
            " cap, so that all others are worth less, and can take none from anybody",
            kind="contract", ref=ours.token.address,
        )  # fmt: skip


def _priced(mandate: Mandate) -> Iterator[Reason]:
    if mandate.markets:
        yield Reason(
            text="its code trades at what the market pays, between its mandate's prices: who moves"
            " that price and may give it orders gains what it loses, within the same limits",
            kind="mandate", ref="markets",
        )  # fmt: skip


def _limits(fund: FundState, mandate: Mandate) -> Iterator[Reason]:
    for one in fund.holdings:
        held, day = (amount_text(one, mandate, each) for each in (one.amount, one.per_day))
        yield Reason(text=f"it holds {held} and sells at most {day} a day of UTC (so up to"
                          " twice that around midnight), in a market of its list, at any price that"
                          " the key's holder signs", kind="chain",
                     ref=fund.place.address)  # fmt: skip
    given = {asset.token: asset for asset in mandate.assets}
    for one in fund.holdings:
        asset = given.get(one.token.address)
        if asset is not None and _miscounts(asset, one):
            yield Reason(
                text=f"its mandate counts {asset.symbol} with {asset.decimals} decimals, and the"
                f" token at {one.token.address} has {one.decimals}: amounts of it are told here as"
                " the token counts, and what the agent says of them is wrong",
                kind="chain", ref=one.token.address,
            )  # fmt: skip
    lists = {asset.token: (asset.per_trade, asset.per_day) for asset in mandate.assets}
    wider = [one for one in fund.holdings if _exceeds(one, lists.get(one.token.address))]
    if wider:
        yield Reason(
            text="the contract allows more than the mandate does: the mandate's limits bind the"
            " agent's code, and not whoever has its key",
            kind="chain", ref=fund.place.address,
        )  # fmt: skip


def _at_risk(one: Held) -> int:
    return min(one.amount, one.per_day) if one.per_trade else 0


def _exceeds(one: Held, listed: tuple[str, str] | None) -> bool:
    if listed is None:
        return one.per_day > 0
    return one.per_trade > int(listed[0]) or one.per_day > int(listed[1])


def amount_text(one: Held, mandate: Mandate, amount: int) -> str:
    """Return an amount as people read it, in the mandate's word for the asset if it has one.

    A mandate with other decimals than the token has would make much look like little, or little
    like much: then the token's own word is taken.
    """
    for asset in mandate.assets:
        if asset.token == one.token.address and not _miscounts(asset, one):
            return f"{text_of(amount, asset.decimals)} {asset.symbol}"
    return f"{text_of(amount, one.decimals)} {cut(one.symbol, 20) or one.token.address}"


def _miscounts(asset: Asset, one: Held) -> bool:
    return one.token.code is not None and asset.decimals != one.decimals
