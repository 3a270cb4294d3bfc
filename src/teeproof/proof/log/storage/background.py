"""Publish at a steady pace, so that an entry is in a checkpoint within a stated delay.

The pace is kept by waiting, not by reading a clock: a clock that jumps changes nothing.

Trusts: nothing.  Does not trust: publishing to succeed; what failed is said and tried again.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from teeproof.core.errors import Error

__all__ = ["Background"]


class Background:
    """Calls ``publish`` every ``interval`` seconds, in a thread, until it is closed.

    Args:
        publish: what to call.
        interval: seconds between the end of one call and the next.
        failed: told of each failure; the next call comes as planned.

    Attributes:
        error: the last call's failure; None if it succeeded.
    """

    def __init__(
        self,
        publish: Callable[[], object],
        *,
        interval: float,
        failed: Callable[[Error], None] | None = None,
    ) -> None:
        self.error: Error | None = None
        self._publish, self._interval, self._failed = publish, interval, failed
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="teeproof-publish", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the thread, after the call that is under way."""
        self._closing.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._closing.wait(self._interval):
            try:
                self._publish()
            except Error as error:
                self.error = error
                if self._failed:
                    self._failed(error)
            else:
                self.error = None
