"""Write to an SQLite database all of some changes, or nothing of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite3

__all__ = ["transaction"]


@contextmanager
def transaction(database: sqlite3.Connection) -> Iterator[sqlite3.Cursor]:
    """Keep what is written inside, unless something is raised; gives a cursor under the write lock.

    Args:
        database: in autocommit mode (``isolation_level=None``).

    Raises:
        sqlite3.Error: the lock was not to be had, or the disk did not take it; nothing is written.
    """
    database.execute("BEGIN IMMEDIATE")
    try:
        yield database.cursor()
        database.execute("COMMIT")
    except BaseException:
        if database.in_transaction:  # where the disk is full, SQLite may have ended it itself
            database.execute("ROLLBACK")
        raise
