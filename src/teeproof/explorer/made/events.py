"""Each event of a receipt in words, and what a person wants to know of it; strangers wrote them.

A receipt is whatever its service signed: fields may be missing, or be of another kind. What cannot
be said in words of ours is said to be unknown, and no field is believed to be a number, an address
or a digest before it was looked at.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from teeproof.core.text import cut
from teeproof.inference.usage import AMOUNT, ASSET, are_shares

__all__ = [
    "MOST_EVENTS",
    "ROLES",
    "Price",
    "events_of",
    "first_of",
    "percent",
    "price_of",
    "tokens_of",
]

MOST_EVENTS: Final = 40
"""Events that a page tells; the receipt itself stands below."""
ROLES: Final = {
    "node": "the owner of the machine",
    "model": "the owner of the model",
    "data": "those who gave the data",
}
_NAME = 60
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}", re.ASCII)
Event = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """What an answer costs: base units of a token, and how they are divided, in basis points."""

    amount: int
    asset: str
    shares: Mapping[str, int]


def events_of(body: Event) -> list[tuple[str, str]]:
    """Return each event's type and what it says, in words."""
    return [(cut(_type(event), _NAME), _words(event)) for event in _events(body)[:MOST_EVENTS]]


def first_of(body: Event, kind: str) -> Event:
    """Return the first event of a type; an empty one if there is none."""
    return next((event for event in _events(body) if _type(event) == kind), {})


def price_of(body: Event) -> Price | None:
    """Return what an answer costs; None if it is free, or does not say so in one way."""
    usage = first_of(body, "x.usage")
    amount, asset, shares = (usage.get(name) for name in ("amount", "asset", "shares"))
    if not isinstance(amount, str) or not AMOUNT.fullmatch(amount) or not are_shares(shares):
        return None
    if not isinstance(asset, str) or not ASSET.fullmatch(asset) or int(amount) == 0:
        return None
    assert isinstance(shares, dict)
    return Price(amount=int(amount), asset=asset, shares=shares)


def tokens_of(body: Event) -> tuple[int, int] | None:
    """Return how many tokens of prompt and of answer a receipt counts."""
    usage = first_of(body, "x.usage")
    pair = usage.get("prompt_tokens"), usage.get("completion_tokens")
    if all(type(one) is int and 0 <= one < 1 << 53 for one in pair):
        return pair  # type: ignore[return-value]  # both were looked at
    return None


def percent(points: int) -> str:
    """Return basis points in percent: ``40 %``, ``12.5 %``."""
    return f"{points / 100:g} %"


def _events(body: Event) -> list[Event]:
    log = body.get("event_log")
    return [event for event in log if isinstance(event, dict)] if isinstance(log, list) else []


def _type(event: Event) -> str:
    return str(event.get("type", ""))


def _words(event: Event) -> str:
    saying = _SAYINGS.get(_type(event))
    if saying is None:
        return "An event that these pages do not know; its own words stand in the receipt below."
    try:
        return saying(event)
    except (KeyError, TypeError, ValueError, AttributeError):
        return "An event that does not have the form that it should have."


def _received(event: Event) -> str:
    return f"A request came in: {_digest(event['body_hash'])}"


def _forwarded(event: Event) -> str:
    return f"It was passed on in another form: {_digest(event['body_hash'])}"


def _returned(event: Event) -> str:
    return f"An answer was sent back: {_digest(event['body_hash'])}"


def _model(event: Event) -> str:
    known = event.get("statement") is not None
    made = "A model ran of which a statement says how it was made" if known else "A model ran"
    return f"{made}: {_digest(event['digest'])}"


def _link(event: Event) -> str:
    what = {"node": "The machine ran under a lease"}.get(
        event["role"], f"It was made with what it calls “{cut(str(event['role']), _NAME)}”"
    )
    return f"{what}: {_digest(event['digest'])}"


def _generation(event: Event) -> str:
    heat = cut(str(event["temperature"]), 12)
    how = "always the likeliest word" if heat == "0" else f"words drawn at temperature {heat}"
    seed = cut(str(event["seed"]), 24)
    return (
        f"It was written by the engine {cut(str(event['engine']), _NAME)}: {how}, seed {seed}, at"
        f" most {cut(str(event['max_tokens']), 12)} tokens. Who has the weights can compute it"
        " again."
    )


def _usage(event: Event) -> str:
    counts = [event[name] for name in ("prompt_tokens", "completion_tokens")]
    if not all(type(one) is int for one in counts):
        raise TypeError("counts that are none")
    said = f"{counts[0]:,} tokens were read and {counts[1]:,} written"
    price = price_of({"event_log": [event]})
    if price is None:
        return f"{said}; it costs nothing." if "amount" not in event else f"{said}."
    shares = "; ".join(
        f"{percent(part)} for {ROLES.get(role, cut(role, 40))}"
        for role, part in sorted(price.shares.items(), key=lambda each: -each[1])
    )
    return f"{said}. It costs {price.amount:,} units of a token: {shares}."


def _stream(event: Event) -> str:
    count = event["events"]
    if type(count) is not int:
        raise TypeError("a count that is none")
    pieces = "in one piece" if count == 1 else f"in {count:,} pieces"
    if event["complete"] is True:
        return f"The whole answer was sent, {pieces}."
    who = {"client": "whoever asked left", "server": "the service was told to stop, or could not"
           " keep the receipt", "engine": "the model failed"}  # fmt: skip
    why = who.get(event["cut_by"], "for a reason that it does not name")
    return f"The answer was cut after {count:,} pieces: {why}."


def _refusal(event: Event) -> str:
    return f"The request was refused ({cut(str(event['code']), _NAME)}): no model ran."


def _digest(value: Any) -> str:
    if not isinstance(value, str) or not _DIGEST.fullmatch(value):
        raise ValueError("this is no digest")
    return f"digest {value[7:23]}…"


_SAYINGS: dict[str, Callable[[Event], str]] = {
    "request.received": _received, "request.forwarded": _forwarded,
    "response.returned": _returned, "x.model": _model, "x.links": _link,
    "x.generation": _generation, "x.usage": _usage, "x.stream": _stream, "x.refusal": _refusal,
}  # fmt: skip
