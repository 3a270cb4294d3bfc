"""Times as people write them, each with its zone: ``29 Nov 2026, 14:03 UTC``."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from teeproof.core.clock import from_epoch

__all__ = ["day", "moment"]


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


def _written(at: datetime) -> str:
    return f"{at.day} {at:%b %Y, %H:%M} UTC"
