"""Keep each receipt before its answer ends: on the disk at once, in the log as soon as it takes it.

A log that is away or slow delays no answer for long: the receipt is durable here and waits, and is
appended with a later one, or at the next start.

Trusts: the store, the clock.  Does not trust: the log to be there.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from teeproof.core.errors import Error, Unavailable
from teeproof.inference.store import ReceiptStore
from teeproof.proof.receipt import Receipt
from teeproof.proof.workload import Identity
from teeproof.web.oplog import Say, quiet

__all__ = ["Keeper"]

_REST = 5.0  # seconds without asking a log that could not be reached
_PATIENCE = 2.0  # seconds for which an answer waits for the log


class Keeper:
    """Keeps the receipts of one identity; its methods wait for disk and log, so use threads.

    Args:
        store: on disk.
        identity: who signs; its store is the log.
        say: the operator's log.
        clock: goes forward, in seconds.
        patience: for how many seconds an answer waits for the log.
    """

    def __init__(
        self,
        store: ReceiptStore,
        identity: Identity,
        *,
        say: Say = quiet,
        clock: Callable[[], float] = time.monotonic,
        patience: float = _PATIENCE,
    ) -> None:
        self.store = store
        self._identity, self._say, self._clock, self._patience = identity, say, clock, patience
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="log")
        self._lock = threading.Lock()
        self._rest_until = 0.0
        record = identity.record
        store.put_identity(record.keyset_digest, record.encode(), identity.blobs)

    def keep(self, receipt: Receipt, *, credential: bytes | None) -> None:
        """Keep a receipt: durable when this returns, and in the log if that is there and quick.

        Raises:
            Unavailable: the disk does not take it; then the answer must not end as if it had.
        """
        self.store.put(receipt, credential=credential)
        appended = self._thread.submit(self.append)
        with contextlib.suppress(TimeoutError):  # then it goes on meanwhile
            appended.result(self._patience)

    def close(self) -> None:
        """Ask the log for nothing more; what it lacks, it gets at the next start."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    def append(self) -> int:
        """Append to the log what it does not have yet; return how many receipts it took."""
        with self._lock:
            if self._clock() < self._rest_until:
                return 0
            done = 0
            while waiting := self.store.unlogged():
                for number, document in waiting:
                    try:
                        self._add(document)
                    except Unavailable as error:
                        self._rest_until = self._clock() + _REST
                        self._say("log-away", error=error.code)
                        return done
                    except Error as error:  # it will never take this one: keep it here, go on
                        self._say("log-refused", error=error.code, number=number)
                    self.store.set_logged(number)
                    done += 1
            return done

    def _add(self, document: bytes) -> None:
        held = self._identity.store
        keyset = Receipt.parse(document).keyset_digest
        if held.identity_of_keyset(keyset) is None:  # of a boot before this one
            found = self.store.identity(keyset)
            if found is not None:
                held.add_identity(*found)
        held.add_statement(document)
