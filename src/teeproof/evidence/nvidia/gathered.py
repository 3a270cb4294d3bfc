"""Checks as they are gathered, in reading order, and one answer over several devices.

Trusts: the steps that fill it.  Does not trust: nothing comes from outside.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import msgspec

from teeproof.core.errors import Error
from teeproof.evidence.verdict import Check, failed, not_checked, passed

__all__ = ["Gathered", "together"]

_T = TypeVar("_T")


@dataclass(slots=True)
class Gathered:
    """The checks of one device so far."""

    checks: list[Check] = field(default_factory=list)

    def attempt(self, name: str, step: Callable[[], tuple[str, _T]]) -> _T | None:
        """Run a step that returns (one sentence, result); record it as a check under ``name``."""
        try:
            sentence, result = step()
        except Error as error:
            self.checks.append(
                failed(name, error.code, error.detail, expected=error.expected, got=error.got)
            )
            return None
        self.checks.append(passed(name, sentence))
        return result

    def skip(self, name: str, why: str) -> None:
        """Record that a check was not made."""
        self.checks.append(not_checked(name, why))


def together(of_each: Sequence[Sequence[Check]]) -> tuple[Check, ...]:
    """Return one check for each name: the worst of the devices', which says whose it is.

    Args:
        of_each: the checks of each device; all have the same names in the same order.
    """
    return tuple(_worst(same) for same in zip(*of_each, strict=True))


def _worst(checks: Sequence[Check]) -> Check:
    if len(checks) == 1:
        return checks[0]
    for state in ("failed", "not_checked"):
        hit = [number for number, check in enumerate(checks, 1) if check.state == state]
        if hit:
            first = checks[hit[0] - 1]
            who = f"device {hit[0]} of {len(checks)}"
            if len(hit) == len(checks):
                who = f"all {len(checks)} devices, as the first"
            elif len(hit) > 1:
                who += f" (and {len(hit) - 1} more)"
            return msgspec.structs.replace(first, detail=f"{who}: {first.detail}")
    said = {check.detail for check in checks}
    detail = f"all {len(checks)} devices: {checks[0].detail}"
    return msgspec.structs.replace(checks[0], detail=detail if len(said) == 1 else f"{detail}; …")
