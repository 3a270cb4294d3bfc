"""The rules of every mandate, in plain code outside any model; anyone can run them again.

``decide`` is one function of plain records: no clock, no network, no model, no chance. The agent
acts on its result, and whoever verifies the action calls it again with the same records. Each rule
has an id and a sentence; each says passed, failed, waiting (a price condition that does not hold
now) or not reached.

``allow-list`` looks at words and can be talked around; it is there so that such instructions fall
by name. What keeps the money is that orders have no recipient, that every trade passes the rules
below it, and that the fund's contract has limits of its own.

Trusts: the mandate.  Does not trust: the instruction, the model's answer, the node's numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from teeproof.agents import answers, instructions, words
from teeproof.agents.case import Case
from teeproof.agents.mandate import Mandate, Way
from teeproof.agents.orders import Decimal, Order, parse_order
from teeproof.agents.records import (
    Answer,
    Decision,
    Facts,
    Finding,
    Instruction,
    State,
    Trade,
)
from teeproof.core.errors import Error

__all__ = ["RULES", "Decided", "Rule", "decide", "order_of"]


class Rule(NamedTuple):
    """One rule: its id, its sentence, what it needs to have been reached, and how it is checked."""

    id: str
    sentence: str
    needs: str
    check: Callable[[Case], tuple[State, str]]


@dataclass(frozen=True, slots=True)
class Decided:
    """What follows from the rules.

    Attributes:
        order: the order that the answer is.
        way: how it is carried out.
        facts: what the chain said, as far as a rule came to it.
        findings: of each rule.
        decision: trade, wait or refuse; None where the chain has to be asked first.
        trade: what to sign.
    """

    order: Order | None
    way: Way | None
    facts: Facts | None
    findings: tuple[Finding, ...]
    decision: Decision | None
    trade: Trade | None

    @property
    def stopped_by(self) -> tuple[str, ...]:
        """The rules that failed; if none did, those that wait."""
        failed = tuple(one.rule for one in self.findings if one.state == "failed")
        return failed or tuple(one.rule for one in self.findings if one.state == "waiting")


def decide(
    mandate: Mandate, *, turn: str, instruction: Instruction, answer: Answer, facts: Facts | None
) -> Decided:
    """Return what a mandate says to an instruction and an answer.

    Args:
        mandate: what the agent may do.
        turn: the question's name, which the request must carry; see ``answers``.
        instruction: what was asked for.
        answer: what the model said.
        facts: what the chain said; None to learn whether it has to be asked at all.

    Raises:
        Malformed: the facts are no numbers.
    """
    order = order_of(answer)
    way = None if order is None else mandate.way(order)
    if way is None:
        facts = None  # of no market
    elif facts is not None:
        facts.check()
    case = Case(
        mandate=mandate, turn=turn, instruction=instruction, answer=answer, order=order, way=way,
        facts=facts,
    )  # fmt: skip
    findings = tuple(_find(rule, case) for rule in RULES)
    states = {one.state for one in findings}
    if "failed" in states:
        return Decided(order, way, facts, findings, "refuse", None)
    if facts is None:  # there is a way, and the chain was not asked
        return Decided(order, way, facts, findings, None, None)
    if "waiting" in states:
        return Decided(order, way, facts, findings, "wait", None)
    return Decided(order, way, facts, findings, "trade", _trade(case))


def order_of(answer: Answer) -> Order | None:
    """Return the order that an answer is; None if it is none."""
    try:
        return parse_order(answers.content_of(answer.response or ""))
    except Error:
        return None


def _find(rule: Rule, case: Case) -> Finding:
    if rule.needs and getattr(case, rule.needs) is None:
        return Finding(rule.id, "not_reached", "")
    return Finding(rule.id, *rule.check(case))


def _trade(case: Case) -> Trade:
    assert case.way is not None
    assert case.facts is not None
    return Trade(
        venue=case.way.market.venue,
        sell=case.way.gives.token,
        buy=case.way.gets.token,
        amount=str(case.amount),
        min_out=str(case.min_out),
        nonce=case.facts.nonce,
        deadline=max(case.facts.time, case.facts.clock) + case.mandate.valid_seconds,
    )


def _allow_list(case: Case) -> tuple[State, str]:
    beside = words.foreign_effect(case.instruction.text)
    if beside is not None:
        return "failed", f"it {beside}, and the mandate lists no recipient and no transfer"
    return "passed", "it names no recipient and asks for no transfer"


def _instructor(case: Case) -> tuple[State, str]:
    wanted, by = case.mandate.instructors, case.instruction.by
    if not wanted:
        return "passed", "the mandate follows anyone's instructions"
    if by is None:
        return "failed", "nobody signed it, and the mandate lists who may instruct"
    if by not in wanted:
        return "failed", f"{by[:16]} signed it, whom the mandate does not list"
    if not instructions.is_signed(case.instruction, mandate=case.mandate.digest):
        return "failed", f"the signature of {by[:16]} does not hold"
    return "passed", f"{by[:16]} signed it"


def _question(case: Case) -> tuple[State, str]:
    asked = answers.request_of(case.instruction.text, turn=case.turn, mandate=case.mandate)
    if case.answer.request.encode() != asked:
        return "failed", "the model was asked something else than this instruction in this turn"
    return "passed", "the model was asked this instruction, in this turn"


def _receipt(case: Case) -> tuple[State, str]:
    answer = case.answer
    if answer.response is None or answer.receipt is None:
        return "failed", answer.problem or "there is no answer with a receipt"
    return "passed", f"the answer has the receipt {answer.receipt[7:23]}"


def _model(case: Case) -> tuple[State, str]:
    weights = case.answer.model
    if weights is None:
        return "failed", "no receipt names the weights that answered"
    if weights not in case.mandate.weights:
        return "failed", f"weights {weights[7:23]} answered, which the mandate does not list"
    return "passed", f"weights {weights[7:23]} answered, which the mandate lists"


def _form(case: Case) -> tuple[State, str]:
    if case.order is None:
        return "failed", "the answer is not exactly one order"
    return "passed", f"the answer is the order {case.order.encode()}"


def _asset(case: Case) -> tuple[State, str]:
    assert case.order is not None
    if case.way is None:
        return "failed", f"the mandate has no market for {case.order.asset}"
    return "passed", f"{case.way.gives.symbol} for {case.way.gets.symbol}, as the mandate lists"


def _venue(case: Case) -> tuple[State, str]:
    assert case.way is not None
    assert case.facts is not None
    if case.facts.venue != case.way.market.venue:
        return "failed", f"the numbers are of {case.facts.venue}, which is not the market"
    if not int(case.facts.reserve_gives) or not int(case.facts.reserve_gets):
        return "failed", "the pool is empty"
    return "passed", f"the pool {case.facts.venue[:10]} is the market that the mandate lists"


def _end(case: Case) -> tuple[State, str]:
    assert case.facts is not None
    end, now = case.mandate.not_after, max(case.facts.clock, case.facts.time)
    if end and now > end:
        return "failed", f"the mandate ended at {end}, and it is {now}"
    return "passed", "the mandate has not ended"


def _band(case: Case) -> tuple[State, str]:
    assert case.way is not None
    market = case.way.market
    if case.price(Decimal.parse(market.lowest)) < 0:
        return "failed", f"the price is below {market.lowest}, which the mandate does not believe"
    if case.price(Decimal.parse(market.highest)) > 0:
        return "failed", f"the price is above {market.highest}, which the mandate does not believe"
    return "passed", f"the price lies between {market.lowest} and {market.highest}"


def _condition(case: Case) -> tuple[State, str]:
    assert case.order is not None
    if case.order.bound is None or case.order.price is None:
        return "passed", "the order has no price condition"
    sign = case.price(Decimal.parse(case.order.price))
    holds = sign < 0 if case.order.bound == "below" else sign > 0
    word = "is" if holds else "is not"
    said = f"the price {word} {case.order.bound} {case.order.price}"
    return ("passed" if holds else "waiting"), said


def _amount(case: Case) -> tuple[State, str]:
    if not case.amount or not case.min_out:
        return "failed", "the fund holds too little of it for a trade"
    return "passed", f"{case.amount} units for at least {case.min_out}"


def _limit_trade(case: Case) -> tuple[State, str]:
    assert case.way is not None
    return _within(case.amount, int(case.way.gives.per_trade), "one trade")


def _limit_day(case: Case) -> tuple[State, str]:
    assert case.way is not None
    assert case.facts is not None
    return _within(int(case.facts.spent) + case.amount, int(case.way.gives.per_day), "one day")


def _within(amount: int, limit: int, what: str) -> tuple[State, str]:
    if amount > limit:
        return "failed", f"{amount} units are more than the {limit} of {what}"
    return "passed", f"{amount} units of at most {limit} in {what}"


def _slippage(case: Case) -> tuple[State, str]:
    assert case.facts is not None
    pays = int(case.facts.pays or "0")
    if pays < case.min_out:
        return "failed", f"the pool pays {pays}, less than the {case.min_out} to accept"
    return "passed", f"the pool pays {pays}, at least {case.min_out} are to be accepted"


RULES: tuple[Rule, ...] = (
    Rule("allow-list", "An instruction asks for what the mandate lists: trades of its assets. It"
         " names no recipient and asks for no transfer.", "", _allow_list),
    Rule("instructor", "Where the mandate lists instructors, one of them signed the instruction.",
         "", _instructor),
    Rule("question", "The model was asked this instruction, in this turn, and nothing else.", "",
         _question),
    Rule("receipt", "The answer has the receipt of an admitted service over this very request and"
         " this very response.", "", _receipt),
    Rule("model", "The weights that the receipt names are among those that the mandate lists.", "",
         _model),
    Rule("form", "The answer is exactly one order, and nothing before, after or beside it.", "",
         _form),
    Rule("asset", "The order's asset has a market in the mandate.", "order", _asset),
    Rule("venue", "The price is that of the market which the mandate lists.", "facts", _venue),
    Rule("end", "The mandate has not ended.", "facts", _end),
    Rule("band", "The price lies between the lowest and the highest at which the mandate trades.",
         "facts", _band),
    Rule("condition", "The order's own price condition holds.", "facts", _condition),
    Rule("amount", "The order's part of what the fund holds is at least one unit, and worth one.",
         "facts", _amount),
    Rule("limit-trade", "One trade gives away no more than the mandate's limit for one.", "facts",
         _limit_trade),
    Rule("limit-day", "The trades of one day give away no more than the mandate's limit for one.",
         "facts", _limit_day),
    Rule("slippage", "The pool pays at least what its price is worth, less the slippage that the"
         " mandate allows.", "facts", _slippage),
)  # fmt: skip
