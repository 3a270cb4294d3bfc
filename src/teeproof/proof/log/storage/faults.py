"""What can go wrong with a log on disk, each said in one way.

Trusts: nothing.  Does not trust: nothing; it only words errors.
"""

from __future__ import annotations

from pathlib import Path

from teeproof.core.errors import NotAuthentic, Unavailable

__all__ = ["corrupt", "poisoned", "refused", "unreadable"]


def corrupt(what: str, *, expected: str | None = None, got: str | None = None) -> NotAuthentic:
    """Return the error for bytes that were durable once and are not what they were."""
    return NotAuthentic(
        f"the log was changed on disk: {what}: restore its directory, and publish nothing until"
        " then",
        code="log_corrupt",
        expected=expected,
        got=got,
    )


def refused(done: str, place: Path, error: OSError) -> Unavailable:
    """Return the error for what the disk did not do; the log can go on once it does."""
    return Unavailable(
        f"{done}: {error.strerror or error}: nothing was acknowledged; make room or repair the"
        " disk, then try again",
        code="log_disk",
        got=str(place),
    )


def unreadable(what: str, place: Path, error: OSError, *, advice: str) -> Unavailable:
    """Return the error for what is there and cannot be read; ``advice`` says what to do."""
    return Unavailable(
        f"{what} cannot be read: {error.strerror or error}: {advice}",
        code="log_disk",
        got=str(place),
    )


def poisoned(why: str) -> Unavailable:
    """Return the error for a log that must be opened anew, because the disk failed under it."""
    return Unavailable(
        f"the log takes no more entries: {why}. What was not acknowledged may be lost; repair the"
        " disk and open the log again",
        code="log_poisoned",
    )
