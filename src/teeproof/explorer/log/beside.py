"""Long work on a long log, done in a thread: a page that needs all of it says how far it is.

That is the graph of the whole log, and ``links.db`` where nobody made it before.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from teeproof.core.errors import Unavailable

__all__ = ["AT_ONCE", "Beside", "Progress"]

AT_ONCE = 2_000  # entries for which a page waits
Progress = Callable[[int, int], None]


class Beside:
    """One piece of work, which is done at most once at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._failed: Exception | None = None
        self._far = 0, 0

    def require(self, *, behind: int, work: Callable[[Progress], None], what: str) -> None:
        """Return if there is little to do; else see to it that it is done.

        Args:
            behind: how many entries are not read yet.
            work: reads them; it is given what to tell how far it is.
            what: what the work makes, for people.

        Raises:
            Unavailable: it is being done (``log_reading``).
            Exception: whatever ended it, once.
        """
        with self._lock:
            if self._thread is None or not self._thread.is_alive():
                failed, self._failed = self._failed, None
                if failed is not None:
                    raise failed
                if behind <= AT_ONCE:
                    return
                self._far = 0, behind
                self._thread = threading.Thread(
                    target=self._run, args=(work,), name="teeproof-beside", daemon=True
                )
                self._thread.start()
        done, size = self._far
        raise Unavailable(
            f"the log is still being read for {what}, {done:,} of {size:,} entries: reload this"
            " page in a moment",
            code="log_reading",
        )

    def wait(self, seconds: float) -> bool:
        """Wait for the work, if it is being done; return whether it is not, then."""
        thread = self._thread
        if thread is not None:
            thread.join(seconds)
        return thread is None or not thread.is_alive()

    def _run(self, work: Callable[[Progress], None]) -> None:
        try:
            work(self._tell)
        except Exception as error:  # told to the page that asks next, as one of its own
            self._failed = error

    def _tell(self, done: int, size: int) -> None:
        self._far = done, size
