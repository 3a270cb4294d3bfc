"""Wait for what a workload says of how it goes."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from teeproof.cloud.running import Running
from teeproof.core.errors import Unavailable

__all__ = ["until_said"]

_PAUSE = 0.02


def until_said(
    running: Running,
    wanted: Callable[[dict[str, Any]], bool],
    *,
    timeout: float = 60.0,
    may_end: bool = False,
) -> dict[str, Any]:
    """Return the first report of a workload that is wanted.

    Args:
        running: the workload.
        wanted: tells a report that is.
        timeout: seconds to wait.
        may_end: whether its end, after such a report, is no fault.

    Raises:
        Unavailable: it ended before (with its last words), or said nothing in time.
    """
    limit = time.monotonic() + timeout
    while True:
        ended = running.returncode is not None
        said = running.progress()
        if said is not None and wanted(said):
            return said
        if ended:
            if not may_end:
                running.finish()
            raise Unavailable(
                f"the workload {running.manifest.name} ended without a word: see"
                f" {running.stderr_path}",
                code="workload_ended",
                got=f"code {running.returncode}",
            )
        if time.monotonic() > limit:
            raise Unavailable(
                f"the workload {running.manifest.name} says nothing after {timeout:g} s: see"
                f" {running.stderr_path}",
                code="workload_slow",
            )
        time.sleep(_PAUSE)
