"""The ``x.usage`` event: tokens counted where the model ran, what they cost, and who gets how much.

    {"type": "x.usage", "prompt_tokens": 12, "completion_tokens": 9,
     "amount": "300000", "asset": "eip155:31337/erc20:0x…",
     "shares": {"data": 3000, "model": 3000, "node": 4000}}

Amounts are base units as decimal text; shares are basis points that sum to 10,000. An answer that
is free has the first three members only.

Trusts: nothing.  Does not trust: whoever wrote the event.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from teeproof.evidence.verdict import Check, failed, passed

__all__ = ["AMOUNT", "ASSET", "MOST", "WHOLE", "are_shares", "check_usage", "usage_event"]

WHOLE = 10_000  # all shares together, in basis points
ASSET = re.compile(r"eip155:[1-9][0-9]{0,17}/erc20:0x[0-9a-f]{40}", re.ASCII)  # CAIP-19
AMOUNT = re.compile(r"0|[1-9][0-9]{0,77}", re.ASCII)  # in base units; also below ``MOST``
MOST = 1 << 256  # no token has so many units
_MAX_SHARES = 16


def usage_event(
    *, prompt: int, count: int, amount: int = 0, asset: str | None = None,
    shares: Mapping[str, int] | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Return the event; without an asset, of an answer that is free."""
    event = {"type": "x.usage", "prompt_tokens": prompt, "completion_tokens": count}
    if asset is None:
        return event
    return event | {"amount": str(amount), "asset": asset, "shares": dict(shares or {})}


def are_shares(value: Any) -> bool:
    """Return whether this says who gets how much, and gives away all of it."""
    return (
        isinstance(value, dict)
        and 1 <= len(value) <= _MAX_SHARES
        and all(isinstance(name, str) and name.isascii() and 0 < len(name) <= 40 for name in value)
        and all(type(part) is int and 0 <= part <= WHOLE for part in value.values())
        and sum(value.values()) == WHOLE
    )


def check_usage(stated: list[dict[str, Any]]) -> Check:
    """Return whether a receipt's usage events are one that adds up."""
    event = stated[0] if len(stated) == 1 else {}
    counts = [event.get(name) for name in ("prompt_tokens", "completion_tokens")]
    counted = all(type(one) is int and one >= 0 for one in counts)
    priced = {"amount", "asset", "shares"} & event.keys()
    if not counted or (priced and not _is_priced(event)):
        return failed(
            "answer-usage",
            "answer_usage",
            "the receipt does not say in one way what was used and what it costs",
            expected="one x.usage event: two counts and, of what is not free, an amount in decimal"
            f" text below 2^256, an asset, and shares that sum to {WHOLE}",
            got=str(stated)[:300],
        )
    price = f"{event['amount'][:40]} of {event['asset']}" if priced else "nothing"
    return passed(
        "answer-usage", f"{counts[0]} tokens of prompt and {counts[1]} of answer cost {price}"
    )


def _is_priced(event: Mapping[str, Any]) -> bool:
    amount, asset = event.get("amount"), event.get("asset")
    return (
        isinstance(amount, str)
        and AMOUNT.fullmatch(amount) is not None
        and int(amount) < MOST
        and isinstance(asset, str)
        and ASSET.fullmatch(asset) is not None
        and are_shares(event.get("shares"))
    )
