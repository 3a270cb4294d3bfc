"""Time as an argument: parse it, print it, and read the wall clock in one place only."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from teeproof.core.errors import Usage

__all__ = ["format_time", "from_epoch", "parse_time", "to_epoch", "wall_clock"]

_RFC3339 = re.compile(
    r"(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}:\d{2}(?::\d{2})?)(?:\.\d{1,9})?(Z|[+-]\d{2}:\d{2})?)?",
    re.ASCII,
)


def wall_clock() -> datetime:
    """Return the machine's time. Only commands call this; the library is given ``now``."""
    return datetime.now(UTC).replace(microsecond=0)


def parse_time(text: str) -> datetime:
    """Return a UTC time from RFC 3339 text, a date (midnight UTC) or seconds since 1970.

    Raises:
        Usage: anything else.
    """
    try:
        if text.isascii() and text.isdecimal():
            return from_epoch(int(text))
        match = _RFC3339.fullmatch(text)
        if match:
            date, time, zone = match.groups()
            zone = "+00:00" if zone in (None, "Z") else zone
            return datetime.fromisoformat(f"{date}T{time or '00:00'}{zone}").astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        pass
    raise Usage(
        "this is not a time",
        code="time_malformed",
        expected="2026-02-25T12:00:00Z, 2026-02-25 or seconds since 1970",
        got=text[:60],
    )


def from_epoch(seconds: int) -> datetime:
    """Return the UTC time that lies ``seconds`` after 1970-01-01T00:00:00Z."""
    return datetime.fromtimestamp(seconds, UTC)


def to_epoch(time: datetime) -> int:
    """Return whole seconds since 1970. A time without a zone is refused: it could mean anything."""
    if time.tzinfo is None:
        raise Usage("this time has no zone: pass an aware datetime", code="time_malformed")
    return int(time.timestamp())


def format_time(time: datetime | int) -> str:
    """Return RFC 3339 text in UTC, to the second."""
    if isinstance(time, int):
        time = from_epoch(time)
    return time.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
