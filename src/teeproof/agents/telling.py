"""An agent told for people and programs: its mandate in words, its journal, what it holds.

The command and the pages print what stands here, so that both say the same.

Trusts: nothing.  Does not trust: the texts inside, which others wrote: whoever prints them escapes
them, and none is longer here than ``LONGEST`` characters.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from teeproof.agents.acted import Acted, Did
from teeproof.agents.known import Known
from teeproof.agents.mandate import Mandate
from teeproof.agents.powers import Power
from teeproof.agents.powers.money import amount_text
from teeproof.agents.records import Intent
from teeproof.agents.rules import RULES
from teeproof.chain.token import text_of
from teeproof.core.clock import format_time
from teeproof.core.digests import named

__all__ = [
    "LONGEST",
    "agent_json",
    "as_of",
    "headline",
    "holding",
    "journal",
    "mandate_lines",
    "moment",
]

LONGEST: Final = 500
_SENTENCES = {rule.id: rule.sentence for rule in RULES}
_YEAR_10000 = 253_402_300_800  # seconds since 1970; later moments have no date


def headline(powers: Sequence[Power]) -> Power:
    """Return the answer that matters most to whoever has money in an agent."""
    return next(one for one in powers if one.name == "money")


def as_of(known: Known) -> str:
    """Return how old what is known of its machine is: what became of it since, nothing shows."""
    seen = known.machine.seen
    if not seen:
        return "evidence of which nobody vouches when it was made"
    return f"evidence that was first seen at {seen}; it says nothing of what became of it since"


def moment(seconds: int) -> str:
    """Return a moment as text; of one without a date, its number."""
    return format_time(seconds) if 0 <= seconds < _YEAR_10000 else f"{seconds} s after 1970"


def mandate_lines(mandate: Mandate) -> list[tuple[str, str]]:
    """Return what an agent may do, line by line: what is limited, and how."""
    lines = [
        ("fund", f"{mandate.fund} on chain {mandate.chain_id}"),
        *((f"give away {asset.symbol}", _limit(asset.per_trade, asset.per_day, asset.decimals,
                                               asset.symbol)) for asset in mandate.assets),
        *((f"trade {market.base}", f"for {market.quote}, only in the market {market.venue}, only at"
                                   f" a price from {market.lowest} to {market.highest}"
                                   f" {market.quote}")
          for market in mandate.markets),
        ("pay less than the price", f"by at most {mandate.slippage_bps / 100:g} %"),
        ("follow a model", f"{mandate.model}, only of the weights"
                           f" {', '.join(mandate.weights) or 'of nobody'}"),
        ("follow orders", "of anyone" if not mandate.instructors else
                          f"signed by {', '.join(mandate.instructors)}"),
        ("leave a signed trade open", f"for at most {mandate.valid_seconds} seconds"),
        ("until", moment(mandate.not_after) if mandate.not_after else "no end is set"),
        ("send money to anybody", "never: a mandate has no words for it"),
    ]  # fmt: skip
    return [(name, words[: 4 * LONGEST]) for name, words in lines]


def _limit(per_trade: str, per_day: str, decimals: int, symbol: str) -> str:
    trade, day = (f"{text_of(int(one), decimals)} {symbol}" for one in (per_trade, per_day))
    return f"at most {trade} in a trade, {day} in a day"


def journal(acted: Acted) -> list[dict[str, Any]]:
    """Return what an agent did, newest first: one object for each action, gaps and forks marked."""
    forked = {fork.number for fork in acted.forks}
    rows = [_row(did, forked=did.number in forked) | {"later": _later(acted, did)}
            for did in reversed(acted.turns)]  # fmt: skip
    rows += [{"number": gap, "outcome": "missing", "detail": "nothing was said of this turn",
              "forked": False, "statement": None, "later": []} for gap in acted.gaps]  # fmt: skip
    return sorted(rows, key=lambda row: -int(row["number"]))


def _row(did: Did, *, forked: bool) -> dict[str, Any]:
    intent, ending = did.action.intent, did.action.ending
    effect = ending.effect
    return {
        "number": did.number,
        "statement": did.statement,
        "outcome": ending.outcome,
        "forked": forked,
        "text": intent.instruction.text[:LONGEST],
        "by": intent.instruction.by,
        "time": moment(intent.instruction.time),
        "order": None if intent.order is None else intent.order.encode()[:LONGEST],
        "answer": _answer(intent),
        "receipt": intent.answer.receipt,
        "model": intent.answer.model,
        "rules": [{"rule": rule, "says": _SENTENCES.get(rule, "")} for rule in ending.rules[:32]],
        "detail": ending.detail[:LONGEST],
        "traded": _traded(did),
        "tx": effect.tx if effect else None,
        "block": effect.block if effect else None,
        "inputs": [{"input": one.input[:80], "source": one.source[:200]}
                   for one in intent.provenance[:32]],
    }  # fmt: skip


def _later(acted: Acted, did: Did) -> list[dict[str, Any]]:
    """Return what became of a trade after the chain was reorganised."""
    found = acted.later.get(named(did.action.intent.digest), ())
    return [
        {"statement": one.statement, "outcome": one.recheck.outcome,
         "detail": one.recheck.detail[:LONGEST], "tx": one.recheck.effect.tx,
         "block": one.recheck.effect.block}
        for one in found[-8:]
    ]  # fmt: skip


def _answer(intent: Intent) -> str:
    if intent.answer.receipt is None:
        return f"none that holds: {intent.answer.problem or 'no reason is given'}"[:LONGEST]
    return "an answer under a receipt" + ("" if intent.order else ", which is no order")


def _traded(did: Did) -> str:
    """Return what was given for what, in words; empty where nothing was."""
    intent, effect = did.action.intent, did.action.ending.effect
    if effect is None or effect.tx is None or intent.trade is None:
        return ""
    by_token = {asset.token: asset for asset in did.action.mandate.assets}
    parts = []
    for token, amount in ((intent.trade.sell, effect.gave), (intent.trade.buy, effect.got)):
        asset = by_token.get(token)
        digits = amount.isascii() and amount.isdigit() and len(amount) <= 78
        if asset is None or not digits:
            return ""
        parts.append(f"{text_of(int(amount), asset.decimals)} {asset.symbol}")
    return " for ".join(parts)


def holding(known: Known, acted: Acted) -> dict[str, Any]:
    """Return what its fund holds, as of when, and who says so."""
    fund, mandate = known.fund, known.mandate
    if fund is not None and fund.code == "Fund":
        return {
            "assets": [amount_text(one, mandate, one.amount) for one in fund.holdings],
            "as_of": f"block {fund.block.number} of chain {fund.chain_id}",
            "who_says": "one node of the chain, which is believed here",
            "checked": True,
        }  # fmt: skip
    assets, block = list(_last_word(acted)), _last_block(acted)
    return {
        "assets": assets,
        "as_of": f"block {block}" if block is not None else "no action asked the chain",
        "who_says": "its own last actions, which repeat what one node told it; not checked here",
        "checked": False,
    }  # fmt: skip


def _last_word(acted: Acted) -> Iterator[str]:
    """Yield of each asset what its last action about it says that the fund held before it."""
    seen: set[str] = set()
    for did in reversed(acted.turns):
        intent, mandate = did.action.intent, did.action.mandate
        way = None if intent.order is None else mandate.way(intent.order)
        facts = intent.facts
        if way is None or facts is None or way.gives.symbol in seen:
            continue
        seen.add(way.gives.symbol)
        if facts.balance.isdigit() and len(facts.balance) <= 78:
            amount = text_of(int(facts.balance), way.gives.decimals)
            yield f"{amount} {way.gives.symbol} before action {did.number}"


def _last_block(acted: Acted) -> int | None:
    found = (did.action.intent.facts for did in reversed(acted.turns))
    return next((facts.block for facts in found if facts is not None), None)


def agent_json(known: Known, acted: Acted, powers: Sequence[Power]) -> dict[str, Any]:
    """Return all of it for programs."""
    machine = known.machine
    return {
        "agent": known.agent,
        "address": known.address,
        "statement": known.statement,
        "identity": known.identity,
        "powers": [one.to_json() for one in powers],
        "mandate": {"digest": known.mandate.digest, "lines": dict(mandate_lines(known.mandate))},
        "holding": holding(known, acted),
        "machine": {
            "level": machine.level, "code": machine.code, "app": machine.app,
            "key_provider": machine.provider, "problem": machine.problem or None,
            "seen": machine.seen or None, "as_of": as_of(known),
        },
        "first": acted.first,
        "last": acted.last,
        "gaps": list(acted.gaps),
        "crowded": list(acted.crowded),
        "forks": [{"number": one.number, "statements": list(one.statements)}
                  for one in acted.forks],
        "journal": journal(acted),
    }  # fmt: skip
