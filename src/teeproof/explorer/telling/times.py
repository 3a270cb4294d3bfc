"""Times as people write them, each with its zone: ``29 Nov 2026, 14:03 UTC``."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

from teeproof.core.clock import from_epoch

__all__ = ["dated", "day", "moment"]

_STAMP = re.compile(r"\b\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z", re.ASCII)


def moment(seconds: Any) -> str | None:
    """Return a time as people write it, ``29 Nov 2026, 14:03 UTC``; None if it is none."""
    if type(seconds) is not int or not 0 <= seconds < 1 << 37:
        return None
    return _written(from_epoch(seconds))


def day(text: str | None) -> str | None:
    """Return an RFC 3339 time as people write it; None if there is none."""
    if text is None:
        return None
    return _written(datetime.fromisoformat(text.replace("Z", "+00:00")).astimezone(UTC))


def dated(text: str) -> str:
    """Return text in which each RFC 3339 time in UTC stands as people write it, to the second."""
    return _STAMP.sub(lambda found: _to_the_second(found[0]), text)


def _to_the_second(stamp: str) -> str:
    try:
        at = datetime.fromisoformat(stamp.replace("Z", "+00:00"))
    except ValueError:  # looks like a time, and is none
        return stamp
    return f"{at.day} {at:%b %Y, %H:%M:%S} UTC"


def _written(at: datetime) -> str:
    return f"{at.day} {at:%b %Y, %H:%M} UTC"
