"""The two things that people call overhead, each by its own name, in percent.

The paper reports throughput and times side by side, and both as "overhead": 6.85 % fewer tokens per
second are 7.35 % more time per token. Every figure of ours says which of the two it is.
"""

from __future__ import annotations

__all__ = ["loss_of_throughput", "more_time"]


def loss_of_throughput(*, on: float, off: float) -> float:
    """Return (off - on) / off of two rates, in percent; negative if the TEE was faster."""
    return 100 * (off - on) / off


def more_time(*, on: float, off: float) -> float:
    """Return (on - off) / off of two times, in percent; negative if the TEE was faster."""
    return 100 * (on - off) / off
