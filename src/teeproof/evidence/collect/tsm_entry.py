"""One report instance of Linux's configfs-tsm: a directory that is made, used once, and removed.

Each request has an instance of its own under a name that nobody guesses, so that two requests never
share one. A lock on the directory says that its maker lives: what a crashed process left behind is
removed by the next one. Reads are bounded, and tried again while the device is busy.

Source: Linux, Documentation/ABI/testing/configfs-tsm-report.

Trusts: the kernel, for names and locks.  Does not trust: what the attributes hold.
"""

from __future__ import annotations

import errno
import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from teeproof.core.errors import TooLarge, Unavailable

__all__ = ["PREFIX", "REPORTS", "Entry", "opened", "unreached"]

REPORTS = Path("/sys/kernel/config/tsm/report")
PREFIX = "teeproof-"
_MOST_NAMES = 1000  # of a crowded directory; what is beyond is left alone
_MOST_TEXT = 256
_TRIES = (
    5  # another process may take a new instance for one that was left behind, until it is locked
)
_PAUSE, _LONGEST_PAUSE = 0.005, 0.25  # seconds between two tries
_BUSY = (errno.EBUSY, errno.EAGAIN)  # EAGAIN is EWOULDBLOCK

_FAULTS = {
    errno.ENOENT: ("tsm_missing", "it is not there: load the module of this guest, tdx_guest,"
                   " sev-guest or arm-cca-guest, on Linux 6.7 or newer, and mount configfs"),
    errno.EACCES: ("tsm_forbidden", "this user may not use it: run as root"),
    errno.EPERM: ("tsm_forbidden", "this user may not use it: run as root"),
    errno.ENXIO: ("tsm_no_provider", "no driver offers reports: load tdx_guest,"
                  " sev-guest or arm-cca-guest"),
    errno.EINVAL: ("tsm_refused", "the driver refused the request"),
    errno.EBUSY: ("tsm_busy", "others keep it busy: ask again"),
    errno.EAGAIN: ("tsm_busy", "others keep it busy: ask again"),
    errno.ETIMEDOUT: ("tsm_timeout", "the host gave no quote in time: its operator must run a"
                      " quote generation service"),
    errno.ENOSPC: ("tsm_full", "it makes no further instance"),
}  # fmt: skip


class Entry:
    """A report instance that this process made.

    Attributes:
        path: its directory.
        writes: how many attributes were written so far.
    """

    def __init__(
        self,
        path: Path,
        *,
        timeout: float,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.path, self.writes = path, 0
        self._timeout, self._clock, self._sleep = timeout, clock, sleep

    def write(self, attribute: str, data: bytes) -> None:
        """Write an attribute whole; closing makes it count, and tells no error: see ``generation``.

        Raises:
            Unavailable: the kernel refused, or was busy for longer than the timeout.
        """
        self._patiently(attribute, lambda: _write(self.path / attribute, data))
        self.writes += 1

    def read(self, attribute: str, *, most: int) -> bytes:
        """Return an attribute of at most so many bytes.

        Raises:
            TooLarge: there is more.
            Unavailable: the kernel refused, or was busy for longer than the timeout.
        """
        data = self._patiently(attribute, lambda: _read(self.path / attribute, most + 1))
        if len(data) > most:
            raise TooLarge(
                f"what the kernel gives as {attribute} is too large",
                code="tsm_too_large",
                expected=f"at most {most} bytes",
                got="more",
            )
        return data

    def text(self, attribute: str) -> str:
        """Return an attribute that is one line of ASCII."""
        return self.read(attribute, most=_MOST_TEXT).decode("ascii", "replace").strip()

    def generation(self) -> int:
        """Return how many writes the kernel counts.

        Raises:
            Unavailable: it gives no number.
        """
        found = self.text("generation")
        if not (found.isdecimal() and len(found) <= 20):
            raise Unavailable(
                "this is no report instance of the kernel: its generation is no number",
                code="tsm_malformed",
                expected="a number",
                got=found[:40],
            )
        return int(found)

    def has(self, attribute: str) -> bool:
        """Whether this provider has an attribute."""
        return (self.path / attribute).exists()

    def _patiently(self, attribute: str, act: Callable[[], bytes]) -> bytes:
        deadline, pause = self._clock() + self._timeout, _PAUSE
        while True:
            try:
                return act()
            except OSError as error:
                if error.errno not in _BUSY or self._clock() >= deadline:
                    raise unreached(self.path / attribute, error) from None
            self._sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)


@contextmanager
def opened(
    place: Path,
    *,
    timeout: float,
    random: Callable[[int], bytes] = os.urandom,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[Entry]:
    """Make a report instance of this request's own, and remove it whatever happens.

    Args:
        place: the directory of instances, usually ``REPORTS``.
        timeout: seconds for each read or write that finds the device busy.
        random: what names are made of.
        clock: a clock that only goes forward, in seconds.
        sleep: how to wait.

    Raises:
        Unavailable: it cannot be made.
    """
    try:
        _remove_abandoned(place)
        path, lock = _make(place, random)
    except OSError as error:
        raise unreached(place, error) from None
    try:
        yield Entry(path, timeout=timeout, clock=clock, sleep=sleep)
    finally:
        _remove(path, lock)


def unreached(path: Path, error: OSError) -> Unavailable:
    """Return what the kernel's refusal means, and what to do about it."""
    reason = os.strerror(error.errno) if error.errno else type(error).__name__
    code, advice = _FAULTS.get(error.errno or 0, ("tsm_failed", f"the kernel says: {reason}"))
    return Unavailable(f"{path} cannot be used: {advice}", code=code, got=reason)


def _make(place: Path, random: Callable[[int], bytes]) -> tuple[Path, int]:
    for _ in range(_TRIES):
        path = place / f"{PREFIX}{random(16).hex()}"
        path.mkdir(0o700)
        lock = _lock(path)
        if lock is not None and path.exists():
            return path, lock
        if lock is not None:
            os.close(lock)
    raise OSError(errno.EBUSY, "others remove what is made")


def _lock(path: Path) -> int | None:
    """Return a handle that holds the lock of a directory; None if somebody has it."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(handle)
        return None
    return handle


def _remove_abandoned(place: Path) -> None:
    for name in os.listdir(place)[:_MOST_NAMES]:
        if not name.startswith(PREFIX):
            continue
        lock = _lock(place / name)
        if lock is not None:
            _remove(place / name, lock)


def _remove(path: Path, lock: int) -> None:
    """Remove an instance, and let go of its lock; it may be gone already, with its provider."""
    try:
        path.rmdir()
    except OSError:
        os.close(lock)
        with suppress(OSError):  # a file system may keep a directory that is open
            path.rmdir()
    else:
        os.close(lock)


def _write(path: Path, data: bytes) -> bytes:
    handle = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        if os.write(handle, data) != len(data):
            raise OSError(errno.EIO, "a part was written")
    finally:
        os.close(handle)
    return b""


def _read(path: Path, most: int) -> bytes:
    handle, found = os.open(path, os.O_RDONLY | os.O_CLOEXEC), b""
    try:
        while len(found) < most:
            part = os.read(handle, most - len(found))
            if not part:
                break
            found += part
    finally:
        os.close(handle)
    return found
