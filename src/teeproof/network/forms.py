"""How the network's documents are written: amounts of money, names, models, regions, labels.

Money is in micro-units of one asset: text in documents, so that every reader holds it exactly, and
an integer below 2^53 in memory. Each rule names itself in the error, and what to write instead.

Trusts: nothing.  Does not trust: whoever wrote a document.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from teeproof.core.errors import Malformed
from teeproof.proof.canonical import GREATEST_INTEGER

__all__ = [
    "MAX_COUNT",
    "MAX_LABELS",
    "check_count",
    "check_labels",
    "check_name",
    "check_payout",
    "check_region",
    "money",
    "require",
    "several",
]

MAX_COUNT = 1 << 32  # of cores, MiB, seconds; no machine has more
MAX_LABELS = 8
_AMOUNT = re.compile(r"[1-9][0-9]{0,15}", re.ASCII)
_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{0,62}", re.ASCII)
_REGION = re.compile(r"[a-z0-9][a-z0-9-]{1,31}", re.ASCII)
_PAYOUT = re.compile(r"0x[0-9a-f]{40}", re.ASCII)
_VALUE = re.compile(r"[ -~]{1,32}", re.ASCII)
_LABEL = re.compile(r"[a-z][a-z0-9.-]{0,31}", re.ASCII)
# What the market finds out, nobody says of himself.
_RESERVED = frozenset({"tee", "phys", "region", "price", "machine", "node"})


def require(holds: bool, code: str, detail: str, *, expected: str, got: object) -> None:
    """Raise Malformed with both sides of the difference unless something holds."""
    if not holds:
        raise Malformed(detail, code=code, expected=expected, got=ascii(got)[:120])


def money(text: str, what: str) -> int:
    """Return an amount written as decimal text: 1 to 2^53 - 1 micro-units.

    Raises:
        Malformed: code ``amount_malformed``; zero, negative, a fraction, a leading zero, or more.
    """
    found = int(text) if _AMOUNT.fullmatch(text) else 0
    require(
        0 < found <= GREATEST_INTEGER,
        "amount_malformed",
        f"the {what} is no amount: write whole micro-units, more than zero and less than 2^53",
        expected=f"1 to {GREATEST_INTEGER}",
        got=text,
    )
    return found


def check_count(value: int, what: str, *, most: int = MAX_COUNT) -> None:
    """Raise Malformed (``count_malformed``) unless a count is 1 to ``most``."""
    require(
        1 <= value <= most,
        "count_malformed",
        f"{what} cannot be counted so",
        expected=f"1 to {most}",
        got=value,
    )


def check_name(text: str) -> None:
    """Raise Malformed (``name_malformed``) unless a name is short, lower-case and harmless."""
    require(
        _NAME.fullmatch(text) is not None,
        "name_malformed",
        "a name has letters a to z, digits, dots and hyphens, and begins with none of the last two",
        expected="1 to 63 such characters",
        got=text,
    )


def check_region(text: str) -> None:
    """Raise Malformed (``region_malformed``) unless a region has the form of ``eu-west``."""
    require(
        _REGION.fullmatch(text) is not None,
        "region_malformed",
        "a region has letters a to z, digits and hyphens",
        expected="2 to 32 such characters",
        got=text,
    )


def check_payout(text: str) -> None:
    """Raise Malformed (``payout_malformed``) unless this is an address on the chain."""
    require(
        _PAYOUT.fullmatch(text) is not None,
        "payout_malformed",
        "this is no address to be paid at",
        expected="0x and 40 lower-case hex digits",
        got=text,
    )


def check_labels(labels: Mapping[str, str]) -> None:
    """Raise Malformed (``labels_malformed``) unless labels are few, short, and not the market's."""
    require(
        len(labels) <= MAX_LABELS
        and all(_LABEL.fullmatch(key) and _VALUE.fullmatch(text) for key, text in labels.items()),
        "labels_malformed",
        "labels are few and short: names of letters, digits, dots and hyphens, printable values",
        expected=f"at most {MAX_LABELS}, each name and value at most 32 characters",
        got=dict(labels),
    )
    taken = _RESERVED & labels.keys()
    require(
        not taken,
        "label_reserved",
        "this label is the market's to give, by what it has verified: leave it out",
        expected=f"none of {', '.join(sorted(_RESERVED))}",
        got=", ".join(sorted(taken)),
    )


def several(parts: Iterable[str]) -> str:
    """Return names as a list for people; ``none`` where there are none."""
    return ", ".join(parts) or "none"
