"""Wait for what a workload says of how it goes."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Iterator
from typing import Any

from teeproof.cloud.running import Running
from teeproof.core.errors import Unavailable

__all__ = ["until_said"]

_MOST = 4 << 20  # bytes

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
        for said in _reports(running):
            if wanted(said):
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


def _reports(running: Running) -> Iterator[dict[str, Any]]:
    """Yield all that a workload has said, in order; a half-written line is left for later."""
    path = running.stderr_path.with_name("progress.jsonl")
    with path.open("rb") as file:
        lines = file.read(_MOST).splitlines()
    for line in lines:
        with contextlib.suppress(ValueError):
            value = json.loads(line)
            if isinstance(value, dict):
                yield value
