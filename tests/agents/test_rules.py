"""Each rule lets through what it should, and stops what is one unit away."""

from __future__ import annotations

from typing import Any

import pytest

from teeproof.agents import instructions
from teeproof.agents.records import Finding
from teeproof.agents.rules import RULES
from teeproof.cloud.owner import OwnerKey
from teeproof.core.errors import Malformed
from tests.agents.people import (
    DOLLAR,
    NOW,
    POOL,
    TEXT,
    UNIT,
    answer,
    decided,
    facts,
    instruction,
    mandate,
    response,
    states,
)

HALF, ALL = '{"sell":"ETH","part":0.5}', '{"sell":"ETH","part":1}'
BUY = '{"buy":"ETH","part":0.5,"above":1800}'
BUYING = facts(
    balance=str(8000 * DOLLAR), reserve_gives=str(19_000_000 * DOLLAR),
    reserve_gets=str(10_000 * UNIT), pays=str(21 * UNIT // 10),
)  # fmt: skip


def test_what_is_within_the_mandate_is_a_trade() -> None:
    result = decided()
    assert set(states(result).values()) == {"passed"}
    assert result.decision == "trade"
    assert result.trade is not None
    assert result.trade.amount == str(4 * UNIT)
    assert result.trade.min_out == str(4 * 1900 * DOLLAR * 98 // 100)
    assert (result.trade.nonce, result.trade.deadline) == ("3", NOW + 5 + 300)


def test_buying_gives_away_the_quote() -> None:
    result = decided(content=BUY, found=BUYING)
    assert result.decision == "trade", result.findings
    assert result.trade is not None
    assert result.trade.amount == str(4000 * DOLLAR)
    assert int(result.trade.min_out) == 4000 * 10_000 * UNIT // 19_000_000 * 98 // 100


def test_each_rule_has_an_id_and_a_sentence_and_is_found_once() -> None:
    ids = [rule.id for rule in RULES]
    assert len(set(ids)) == len(ids)
    assert [one.rule for one in decided().findings] == ids
    assert all(rule.sentence.endswith(".") and len(rule.sentence) > 20 for rule in RULES)


REFUSED: dict[str, tuple[str, dict[str, Any]]] = {
    "an address in the instruction": ("allow-list", {"text": "sell 0xbad"}),
    "another question": ("question", {"said": answer(request='{"model":"orders"}')}),
    "no receipt": ("receipt", {"said": answer(receipt=None)}),
    "no answer": ("receipt", {"said": answer(response=None)}),
    "other weights": ("model", {"said": answer(model="sha256:" + "ab" * 32)}),
    "no weights": ("model", {"said": answer(model=None)}),
    "no order": ("form", {"content": "I would rather not"}),
    "an unfinished answer": (
        "form", {"said": answer(response=response("{}", finish_reason="length"))},
    ),
    "an asset without a market": ("asset", {"content": '{"sell":"BTC","part":0.5}'}),
    "the quote": ("asset", {"content": '{"sell":"USD","part":0.5}'}),
    "numbers of another pool": ("venue", {"found": facts(venue="0x" + "00" * 20)}),
    "an empty pool": ("venue", {"found": facts(reserve_gives="0")}),
    "a mandate that has ended": ("end", {"by": mandate(not_after=NOW + 4)}),
    "a price that is too low": ("band", {"found": facts(reserve_gets=str(5_000_000 * DOLLAR - 1))}),
    "a price that is too high": (
        "band", {"content": HALF, "found": facts(reserve_gets=str(100_000_000 * DOLLAR + 1))},
    ),
    "an empty fund": ("amount", {"found": facts(balance="1")}),
    "one unit above a trade's limit": (
        "limit-trade", {"content": ALL, "found": facts(balance=str(5 * UNIT + 1))},
    ),
    "one unit above a day's limit": ("limit-day", {"found": facts(spent=str(6 * UNIT + 1))}),
    "one unit of slippage too much": ("slippage", {"found": facts(pays=str(7448 * DOLLAR - 1))}),
}  # fmt: skip


@pytest.mark.parametrize(("rule", "changes"), REFUSED.values(), ids=REFUSED)
def test_what_a_rule_forbids_is_refused_by_its_name(rule: str, changes: dict[str, Any]) -> None:
    result = decided(**changes)
    assert result.decision == "refuse"
    assert result.trade is None
    assert rule in result.stopped_by


ALLOWED: dict[str, dict[str, Any]] = {
    "the last second of the mandate": {"by": mandate(not_after=NOW + 5)},
    "the lowest price": {
        "found": facts(reserve_gets=str(5_000_000 * DOLLAR), pays=str(2000 * DOLLAR))
    },
    "exactly a trade's limit": {
        "content": ALL, "found": facts(balance=str(5 * UNIT), pays=str(9400 * DOLLAR)),
    },
    "exactly a day's limit": {"found": facts(spent=str(6 * UNIT))},
    "exactly the slippage": {"found": facts(pays=str(7448 * DOLLAR))},
}  # fmt: skip


@pytest.mark.parametrize("changes", ALLOWED.values(), ids=ALLOWED)
def test_what_is_just_within_a_rule_is_a_trade(changes: dict[str, Any]) -> None:
    result = decided(**changes)
    assert result.decision == "trade", [one for one in result.findings if one.state != "passed"]


@pytest.mark.parametrize(
    ("bound", "price", "decision"),
    [
        ("below", "1900", "wait"),
        ("below", "1900.000001", "trade"),
        ("above", "1900", "wait"),
        ("above", "1899.999999", "trade"),
    ],
)
def test_a_price_condition_holds_or_waits(bound: str, price: str, decision: str) -> None:
    result = decided(content=f'{{"sell":"ETH","part":0.5,"{bound}":{price}}}')
    assert result.decision == decision
    assert (result.trade is None) is (decision == "wait")


def test_a_refusal_outweighs_waiting() -> None:
    content = '{"sell":"ETH","part":0.5,"below":1000}'
    result = decided(content=content, found=facts(spent=str(9 * UNIT)))
    assert (result.decision, result.stopped_by) == ("refuse", ("limit-day",))
    assert states(result)["condition"] == "waiting"


def test_whom_the_mandate_lists_may_instruct_and_nobody_else() -> None:
    owner, stranger = OwnerKey.new(), OwnerKey.new()
    by = mandate(instructors=(owner.public,))

    def asked(key: OwnerKey, **changes: Any) -> Any:
        body = instructions.signed(key, mandate=by.digest, name="ab" * 8, text=TEXT)
        return instruction(**(body | changes))

    assert decided(by=by, ask=asked(owner)).decision == "trade"
    other = mandate(instructors=(owner.public,), slippage_bps=201)
    for wrong in (
        instruction(),
        asked(stranger),
        asked(owner, by=stranger.public),
        asked(owner, id="cd" * 8),
        asked(owner, signature="00" * 64),
        asked(owner, signature="x"),
    ):
        assert decided(by=by, ask=wrong).stopped_by == ("instructor",)
    assert decided(by=other, ask=asked(owner)).stopped_by == ("instructor",)


@pytest.mark.parametrize("bad", ["", "-1", "1.5", "1e9", "01", "١", "9" * 79, str(2**256)])
def test_host_reports_an_amount_that_is_none(bad: str) -> None:
    for name in ("balance", "spent", "nonce", "reserve_gives", "reserve_gets", "pays"):
        if bad or name != "pays":
            with pytest.raises(Malformed):
                decided(found=facts(**{name: bad}))


def test_the_rules_are_the_same_for_whoever_runs_them_again() -> None:
    assert decided() == decided()
    assert Finding(
        "venue", "passed", f"the pool {POOL[:10]} is the market that the mandate lists"
    ) in (decided().findings)
