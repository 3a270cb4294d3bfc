"""Lines for operators: ``time=… event=… key=value``, one per event, and never a secret.

Trusts: the caller to pass no secret.  Does not trust: values, which are escaped.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import datetime

from teeproof.core.clock import format_time, wall_clock

__all__ = ["Say", "quiet", "to_lines"]

Say = Callable[..., None]
"""Called with an event's name, and its fields by name."""

_PLAIN = re.compile(r"[!#-<>-~]+", re.ASCII)  # printable, no space, no quote, no equals sign


def quiet(event: str, **fields: object) -> None:
    """Say nothing."""


def to_lines(write: Callable[[str], object], *, now: Callable[[], datetime] = wall_clock) -> Say:
    """Return what writes each event as one line, such as to ``sys.stderr.write``."""

    def say(event: str, **fields: object) -> None:
        given = {"time": format_time(now()), "event": event} | fields
        write(" ".join(f"{key}={_value(value)}" for key, value in given.items()) + "\n")

    return say


def _value(value: object) -> str:
    text = str(value)
    return text if _PLAIN.fullmatch(text) else json.dumps(text[:300])
