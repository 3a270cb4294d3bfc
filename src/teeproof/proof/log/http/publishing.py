"""Keep a log's promise: publish what was appended, on an interval, and ask witnesses to cosign it.

Publishing never waits for a witness. A witness that does not answer is asked again, with the newest
checkpoint, and says so in the operator's log. When publishing itself fails for longer than the
stated delay, the server takes nothing more: it could not keep its word.

Trusts: the log's directory, this machine's clock that only goes forward.
Does not trust: witnesses; ``gather`` returns only lines that hold.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterable
from typing import NamedTuple

from teeproof.core.errors import Error, Usage
from teeproof.proof.log.formats.checkpoint import SignedCheckpoint
from teeproof.proof.log.formats.note import SignatureLine
from teeproof.proof.log.http.served import ServedLog
from teeproof.web.oplog import Say, quiet

__all__ = ["Gather", "Gathered", "Publisher", "stated_delay"]

_LEAST_DELAY = 10  # seconds
_ASK_AGAIN = 10.0  # seconds until a witness that did not answer is asked again
_LEAST_INTERVAL, _LONGEST_INTERVAL = 0.01, 86_400.0


class Gathered(NamedTuple):
    """What witnesses said to one checkpoint.

    Attributes:
        lines: cosignatures that hold.
        complaints: for each witness that did not cosign, a sentence.
    """

    lines: tuple[SignatureLine, ...]
    complaints: tuple[str, ...] = ()


Gather = Callable[[SignedCheckpoint], Gathered]
"""Asks every witness about a checkpoint, all at once, and returns what they said."""


def stated_delay(every: float) -> int:
    """Return the seconds within which a log that publishes so often promises to publish.

    It is the tenfold of the interval, and at least 10 s: room for a slow disk and a restart.
    """
    return max(_LEAST_DELAY, math.ceil(10 * every))


class Publisher:
    """Publishes a log from a thread, and has it cosigned from another.

    Args:
        log: the log.
        every: seconds from one publication to the next.
        gather: asks the witnesses; None if there are none.
        say: the operator's log.
        clock: a clock that only goes forward, in seconds.

    Raises:
        Usage: an interval below 10 ms or above a day.
    """

    def __init__(
        self,
        log: ServedLog,
        *,
        every: float = 1.0,
        gather: Gather | None = None,
        say: Say = quiet,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if not _LEAST_INTERVAL <= every <= _LONGEST_INTERVAL:
            raise Usage(
                "a log publishes every 0.01 to 86400 seconds",
                code="interval_out_of_range",
                got=str(every),
            )
        self.delay = stated_delay(every)
        self._log, self._every, self._gather = log, every, gather
        self._say, self._clock = say, clock
        self._waiting_since: float | None = None
        self._begun = False
        self._complete = -1  # the largest size that every witness has cosigned
        self._stopping, self._fresh = threading.Event(), threading.Event()
        self._threads: list[threading.Thread] = []

    @property
    def behind(self) -> bool:
        """Whether something waits for longer than the stated delay."""
        since = self._waiting_since
        return since is not None and self._clock() - since > self.delay

    def publish(self) -> SignedCheckpoint | None:
        """Publish if there is something new, or nothing yet; return the checkpoint then."""
        if self._begun and self._log.size <= self._log.published_size:
            self._waiting_since = None
            return None
        if self._waiting_since is None:
            self._waiting_since = self._clock()
        signed = self._log.publish()
        self._begun, self._waiting_since = True, None
        self._fresh.set()
        self._say("published", size=signed.checkpoint.size, root=signed.checkpoint.root.hex())
        return signed

    def cosign(self) -> bool:
        """Have the newest checkpoint cosigned; return whether every witness has done so."""
        if self._gather is None:
            return True
        signed = self._log.checkpoint()
        size = signed.checkpoint.size
        if size <= self._complete:
            return True
        gathered = self._gather(signed)
        if gathered.lines:
            self._log.add_cosignatures(size, gathered.lines)
            self._say("cosigned", size=size, witnesses=_names(gathered.lines))
        for complaint in gathered.complaints:
            self._say("not-cosigned", size=size, why=complaint)
        if not gathered.complaints:
            self._complete = size
        return not gathered.complaints

    def start(self) -> None:
        """Begin to publish; ``stop`` ends it."""
        works = [self._publish_on] + ([self._cosign_on] if self._gather else [])
        self._threads = [threading.Thread(target=work, daemon=True) for work in works]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End, after one last publication."""
        self._stopping.set()
        self._fresh.set()
        for thread in self._threads:
            thread.join()
        self._guarded(self.publish)

    def _publish_on(self) -> None:
        while not self._stopping.is_set():
            start = self._clock()
            self._guarded(self.publish)
            self._stopping.wait(max(0.0, self._every - (self._clock() - start)))

    def _cosign_on(self) -> None:
        while not self._stopping.is_set():
            self._fresh.clear()
            done = self._guarded(self.cosign)
            # Without a new checkpoint there is nothing to ask, unless somebody did not answer.
            self._fresh.wait(None if done else _ASK_AGAIN)

    def _guarded(self, work: Callable[[], object]) -> object:
        """Run a step; whatever fails is said, and tried again at the next."""
        try:
            return work()
        except Error as error:
            self._say("failed", what=work.__name__, error=error.code, detail=error.detail)
        except Exception as error:  # a fault of ours must not end the thread that keeps promises
            self._say("failed", what=work.__name__, error=type(error).__name__)
        return None


def _names(lines: Iterable[SignatureLine]) -> str:
    return ",".join(sorted({line.name for line in lines}))
