"""A mandate, instructions and answers for the tests."""

from __future__ import annotations

import json
from typing import Any

from teeproof.agents import answers
from teeproof.agents.mandate import Asset, Mandate, Market
from teeproof.agents.records import Answer, Facts, Instruction
from teeproof.agents.rules import Decided, decide

NOW = 1_772_366_400
FUND, POOL = "0x" + "f1" * 20, "0x" + "b0" * 20
ETH_TOKEN, USD_TOKEN = "0x" + "e1" * 20, "0x" + "d1" * 20
WEIGHTS, RECEIPT = "sha256:" + "aa" * 32, "sha256:" + "bb" * 32
TURN = "sha256:" + "cc" * 32
UNIT, DOLLAR = 10**18, 10**6
ORDER = '{"sell":"ETH","part":0.5,"below":2000}'
TEXT = "sell half my ETH below 2,000"


def mandate(**changes: Any) -> Mandate:
    """One that allows ETH and USD in one pool: 5 and 10 ETH, 10,000 and 20,000 USD."""
    values: dict[str, Any] = {
        "chain_id": 31337,
        "fund": FUND,
        "assets": (
            Asset(symbol="ETH", token=ETH_TOKEN, decimals=18, per_trade=str(5 * UNIT),
                  per_day=str(10 * UNIT)),
            Asset(symbol="USD", token=USD_TOKEN, decimals=6, per_trade=str(10_000 * DOLLAR),
                  per_day=str(20_000 * DOLLAR)),
        ),
        "markets": (
            Market(venue=POOL, base="ETH", quote="USD", lowest="500", highest="10000"),
        ),
        "model": "orders",
        "weights": (WEIGHTS,),
        "slippage_bps": 200,
        "valid_seconds": 300,
    }  # fmt: skip
    return Mandate(**(values | changes))


def instruction(text: str = TEXT, **changes: Any) -> Instruction:
    return Instruction(**({"id": "ab" * 8, "text": text, "time": NOW} | changes))


def response(content: str, **changes: Any) -> str:
    """A chat completion as the service writes it."""
    choice = {"index": 0, "finish_reason": "stop", "message": {"content": content}} | changes
    return json.dumps({"object": "chat.completion", "choices": [choice]})


def answer(
    content: str = ORDER, *, text: str = TEXT, by: Mandate | None = None, **changes: Any
) -> Answer:
    asked = answers.request_of(text, turn=TURN, mandate=by or mandate()).decode()
    values = {"request": asked, "response": response(content), "receipt": RECEIPT, "model": WEIGHTS}
    return Answer(**(values | changes))


def facts(**changes: Any) -> Facts:
    """The fund holds 8 ETH and 8,000 USD; ETH costs 1,900 in a deep pool. For selling ETH."""
    values: dict[str, Any] = {
        "venue": POOL, "block": 7, "block_hash": "0x" + "77" * 32, "time": NOW, "clock": NOW + 5,
        "nonce": "3", "balance": str(8 * UNIT), "spent": "0",
        "reserve_gives": str(10_000 * UNIT), "reserve_gets": str(19_000_000 * DOLLAR),
        "pays": str(7575 * DOLLAR),
    }  # fmt: skip
    return Facts(**(values | changes))


def decided(
    *, by: Mandate | None = None, text: str = TEXT, content: str = ORDER,
    ask: Instruction | None = None, said: Answer | None = None, found: Facts | None = None,
) -> Decided:  # fmt: skip
    """What the rules say, with everything as it should be but for what is given."""
    by = by or mandate()
    return decide(
        by,
        turn=TURN,
        instruction=ask or instruction(text),
        answer=said or answer(content, text=text, by=by),
        facts=found or facts(),
    )


def states(result: Decided) -> dict[str, str]:
    return {one.rule: one.state for one in result.findings}
