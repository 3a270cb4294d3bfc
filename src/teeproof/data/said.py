"""What a sentence says of an order, as far as plain rules can tell: words, symbols, numbers.

Nothing is guessed: what has two readings is left open, and a sentence with a negation says nothing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache

__all__ = ["Said", "listen"]

_TOKEN = re.compile(r"\$?\d[\d,]*(?:\.\d+)?(?:/\d+|[kK]\b)?\s?%?|[A-Za-z]+|[<>]")


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_SIDES = dict.fromkeys(
    _words("sell selling dump offload liquidate unload trim exit reduce"), "sell"
)
_SIDES |= dict.fromkeys(
    _words("buy buying purchase acquire grab invest allocate spend long ape"), "buy"
)
_CONDITIONS = dict.fromkeys(
    _words("< below under beneath less sub drop drops fall falls dip dips sinks"), "below"
)
_CONDITIONS |= dict.fromkeys(
    _words("> above over exceeds more rise rises climb climbs tops past pump"), "above"
)
_BEHIND = {"less": "below", "lower": "below", "more": "above", "higher": "above"}  # "2,000 or less"
_NEGATIONS = _words(
    "not don dont doesn won never no cancel unless except without instead stop undo"
)
_REACH = 3  # tokens between "below" and its price: "below a price of 2,000"

_WHOLE = dict.fromkeys(_words("all everything entire whole lot"), Decimal(1))
_FRACTIONS = {
    "half": Decimal(1) / 2,
    "third": Decimal(1) / 3,
    "quarter": Decimal(1) / 4,
    "fifth": Decimal(1) / 5,
    "tenth": Decimal(1) / 10,
}
_FRACTIONS |= {f"{word}s": value for word, value in _FRACTIONS.items()}
_COUNTS = {"two": 2, "three": 3, "four": 4, "nine": 9}
_NUMBER_WORDS = _words(
    "one two three four five six seven eight nine ten hundred thousand million grand"
)

_NAMES = {
    "bitcoin": "BTC", "ether": "ETH", "ethereum": "ETH", "solana": "SOL", "cardano": "ADA",
    "dogecoin": "DOGE", "doge": "DOGE", "polkadot": "DOT", "litecoin": "LTC", "ripple": "XRP",
    "chainlink": "LINK", "avalanche": "AVAX", "uniswap": "UNI", "polygon": "POL",
}  # fmt: skip
_TICKERS = _words("BTC ETH SOL ADA DOGE DOT LTC XRP LINK AVAX UNI POL BNB TRX XMR")
_CURRENCIES = _words("USD EUR GBP USDC USDT DAI")
_COMMON = _words(
    "SELL BUY ALL HALF MY THE OF IF IT IS AT TO IN ON OR AND FOR NOW ASAP OK BELOW ABOVE UNDER OVER"
    " PART ONCE WHEN WITH"
)
_OF = _words("of my the")
_MOVED = _OF | _words("into in from")  # what a percentage that says how much stands before


@dataclass(frozen=True, slots=True)
class Said:
    """What was found in a sentence.

    Attributes:
        open: whether it has a negation, so that nothing else here means anything.
        sides: ``sell`` and ``buy``, as they occur.
        symbols: the assets that are named by symbol or name.
        words: every word in capitals, for a symbol that nobody here knows.
        parts: how much, by every phrase that says so.
        prices: every other number, with ``below``, ``above`` or None.
        vague: whether numbers stand in words, or percentages of something else.
    """

    open: bool
    sides: frozenset[str]
    symbols: frozenset[str]
    words: frozenset[str]
    parts: frozenset[Decimal]
    prices: tuple[tuple[Decimal, str | None], ...]
    vague: bool


def listen(text: str) -> Said:
    """Return what a sentence says."""
    tokens = _TOKEN.findall(text)
    lower = [token.lower() for token in tokens]
    parts: set[Decimal] = set()
    prices: list[tuple[Decimal, str | None]] = []
    vague = False
    for at, word in enumerate(lower):
        if word in "<>":
            continue
        if word[0].isalpha():
            part = _WHOLE.get(word) or _fraction(lower, at)
            if part is not None:
                parts.add(part)
            elif word in _NUMBER_WORDS and not _is_count(lower, at):
                vague = True
        elif word.endswith("%") or "/" in word or _next(lower, at) in ("percent", "of"):
            value = _share(word, lower, at)
            if value is None:
                vague = True
            else:
                parts.add(value)
        else:
            prices.append((_digits(word), _direction(lower, at)))
    return Said(
        open=not _NEGATIONS.isdisjoint(lower),
        sides=frozenset([_SIDES[word] for word in lower if word in _SIDES]),
        symbols=_symbols(tokens, lower, shouted=text.isupper()),
        words=frozenset([word.upper() for word in lower]),
        parts=frozenset(parts),
        prices=tuple(prices),
        vague=vague,
    )


def _fraction(lower: Sequence[str], at: int) -> Decimal | None:
    value = _FRACTIONS.get(lower[at])
    if value is None:
        return None
    return value * _COUNTS.get(lower[at - 1] if at else "", 1)


def _is_count(lower: Sequence[str], at: int) -> bool:
    return _next(lower, at) in _FRACTIONS


def _share(word: str, lower: Sequence[str], at: int) -> Decimal | None:
    """Return the part that ``25%``, ``25 percent``, ``1/4`` or ``0.25`` of something is."""
    following = _next(lower, at)
    if "/" in word:
        above, _, below = word.rstrip("% ").partition("/")
        return None if Decimal(below) == 0 else _digits(above) / Decimal(below)
    if following == "of" and not word.endswith("%"):
        value = _digits(word)
        return value if value <= 1 else None
    if following == "percent":
        following = _next(lower, at + 1)
    moved = following in _MOVED or following in _NAMES or following.upper() in _TICKERS
    by = at and lower[at - 1] == "by" and _CONDITIONS.keys().isdisjoint(lower[max(0, at - 4) : at])
    return _digits(word) / 100 if moved or by else None


def _direction(lower: Sequence[str], at: int) -> str | None:
    """Return the nearest word before a number that says below or above, or ``or less`` behind."""
    if _next(lower, at) == "or":
        return _BEHIND.get(_next(lower, at + 1))
    for back in range(at - 1, max(-1, at - 2 - _REACH), -1):
        if lower[back] in _CONDITIONS:
            return _CONDITIONS[lower[back]]
        if not lower[back][0].isalpha():
            return None
    return None


def _digits(word: str) -> Decimal:
    """Return what ``$1,500``, ``1.5k`` or the number of ``25%`` says."""
    plain = word.strip("$% ").replace(",", "")
    return Decimal(plain[:-1]) * 1000 if plain.endswith("k") else Decimal(plain)


def _next(lower: Sequence[str], at: int) -> str:
    return lower[at + 1] if at + 1 < len(lower) else ""


def _symbols(tokens: Sequence[str], lower: Sequence[str], *, shouted: bool) -> frozenset[str]:
    found = set()
    for at, (token, word) in enumerate(zip(tokens, lower, strict=True)):
        symbol = _symbol(token, word, shouted)
        if symbol is None or (symbol in _CURRENCIES and at and not _owns(lower, at)):
            continue
        found.add(symbol)
    return frozenset(found)


def _owns(lower: Sequence[str], at: int) -> bool:
    """Whether the word before says that a currency is the asset: ``my USDC``, ``buy DAI``."""
    return lower[at - 1] in _OF or lower[at - 1] in _SIDES


@lru_cache(maxsize=4096)
def _symbol(token: str, word: str, shouted: bool) -> str | None:
    if word in _NAMES:
        return _NAMES[word]
    upper = word.upper()
    if upper in _TICKERS:
        return upper
    if shouted or not token.isalpha() or not token.isupper() or not 2 <= len(token) <= 5:
        return None
    return None if token in _COMMON else token
