"""One answer over the checks of several devices.

Trusts: whoever made the checks.  Does not trust: nothing comes from outside.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from teeproof.evidence.verdict import Check

__all__ = ["together"]


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
