"""Whether everything that a verdict rests on was in force at T, and if not, since or until when.

Trusts: nothing; it compares.  Does not trust: the clock of anyone; T comes in.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from teeproof.core.clock import format_time
from teeproof.evidence.verdict import Check, failed, not_checked, passed

__all__ = ["Window", "check_dates"]


class Window(msgspec.Struct, frozen=True):
    """From when until when something is valid, in seconds since 1970, both inclusive."""

    what: str
    code: str
    begins: int
    ends: int


def check_dates(
    name: str, windows: Sequence[Window], now: int, *, beside: Sequence[Window] = ()
) -> Check:
    """Return the check that all windows contain ``now`` (seconds since 1970).

    If several do not, it names the one that began last or ended first. ``beside`` are the windows
    of another check: if no time lies in all of them, the advice says so.
    """
    if not windows:
        return not_checked(
            name, "there is no verified certificate or document whose dates could count"
        )
    begins = max(windows, key=lambda window: window.begins)
    ends = min(windows, key=lambda window: window.ends)
    if begins.begins <= now <= ends.ends:
        whole = f"valid from {_day(begins.begins)} until {_day(ends.ends + 1)}"
        return passed(name, f"all {len(windows)} {whole}" if len(windows) > 1 else whole)
    apart = _never_together([*windows, *beside])
    if now < begins.begins:
        return failed(
            name,
            f"{begins.code}_not_yet_valid",
            f"the {begins.what} is valid only from {_day(begins.begins)} on, after the time in "
            f"question: {apart or 'use what was in force then'}",
            expected=f"not after {format_time(now)}",
            got=format_time(begins.begins),
        )
    return failed(
        name,
        f"{ends.code}_expired",
        f"the {ends.what} expired on {_day(ends.ends + 1)}, {_days(now - ends.ends)} before the "
        "time in question: "
        f"{apart or 'give newer endorsements, or verify as of a time before that (--at)'}",
        expected=f"not before {format_time(now)}",
        got=format_time(ends.ends),
    )


def _never_together(windows: Sequence[Window]) -> str | None:
    begins = max(windows, key=lambda window: window.begins)
    ends = min(windows, key=lambda window: window.ends)
    if begins.begins <= ends.ends:
        return None
    return (
        f"at no time were the {begins.what} (from {_day(begins.begins)}) and the {ends.what} "
        f"(until {_day(ends.ends + 1)}) in force together, so other endorsements are needed"
    )


_LAST = 253_402_300_799  # the end of the year 9999: "no end" in RFC 5280 (4.1.2.5)


def _day(seconds: int) -> str:
    return format_time(min(seconds, _LAST))[:10]


def _days(seconds: int) -> str:
    days = seconds // 86400
    return f"{days} days" if days > 1 else "one day" if days == 1 else "hours"
