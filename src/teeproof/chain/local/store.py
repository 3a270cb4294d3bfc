"""What a local chain keeps: one SQLite file that one process owns.

    nodes         state tries and code, by hash; none is ever removed
    blocks        headers by hash; of each height one is canonical, the others were reorganised away
    transactions  of each block in order: the bytes, the receipt as it stands in the trie
    logs          the events, so that they are found by address and height

What a transaction of the database holds is there after ``kill -9`` or a power cut, or none of it.

Trusts: the directory.  Does not trust: that there is no other process.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any, NamedTuple

from teeproof.core.errors import Unavailable, Usage
from teeproof.core.transaction import transaction

__all__ = ["Block", "Event", "Store", "Transaction"]

_FORMAT = 1
_TABLES = """
CREATE TABLE nodes (key BLOB PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE blocks (
  hash BLOB PRIMARY KEY, number INTEGER NOT NULL, header BLOB NOT NULL, canonical INTEGER NOT NULL
) WITHOUT ROWID;
CREATE UNIQUE INDEX heights ON blocks (number) WHERE canonical;
CREATE TABLE transactions (
  block BLOB NOT NULL, place INTEGER NOT NULL, hash BLOB NOT NULL, sender BLOB NOT NULL,
  raw BLOB NOT NULL, receipt BLOB NOT NULL, gas_used INTEGER NOT NULL, gas_price TEXT NOT NULL,
  created BLOB, first_log INTEGER NOT NULL, PRIMARY KEY (block, place)
) WITHOUT ROWID;
CREATE INDEX hashes ON transactions (hash);
CREATE TABLE logs (
  block BLOB NOT NULL, place INTEGER NOT NULL, number INTEGER NOT NULL, transaction_hash BLOB,
  transaction_place INTEGER NOT NULL, address BLOB NOT NULL, topics BLOB NOT NULL,
  data BLOB NOT NULL, PRIMARY KEY (block, place)
) WITHOUT ROWID;
CREATE INDEX addresses ON logs (address, number);
CREATE INDEX events ON logs (number);
CREATE TABLE meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
"""


class Block(NamedTuple):
    """A block as it is kept: 32 bytes of hash, the header's RLP, whether it is canonical."""

    hash: bytes
    number: int
    header: bytes
    canonical: bool


class Transaction(NamedTuple):
    """A transaction of a block.

    ``receipt`` is as it stands in the trie, ``gas_used`` its own, ``gas_price`` what each unit
    cost, ``created`` the contract that it deployed, ``first_log`` its first event's place in the
    block.
    """

    block: bytes
    place: int
    hash: bytes
    sender: bytes
    raw: bytes
    receipt: bytes
    gas_used: int
    gas_price: int
    created: bytes | None
    first_log: int


class Event(NamedTuple):
    """An event: ``place`` counts within the block, ``topics`` are 32 bytes each."""

    block: bytes
    place: int
    number: int
    transaction: bytes
    transaction_place: int
    address: bytes
    topics: tuple[bytes, ...]
    data: bytes


class Store:
    """The file, and the lock that makes this process its owner.

    Args:
        folder: the chain's directory; it is made if it is missing.

    Raises:
        Unavailable: another process owns the directory (``chain_taken``), or the file cannot be
            opened (``chain_unavailable``).
        Usage: the file is of another version (``chain_format``).
    """

    def __init__(self, folder: Path) -> None:
        self._lock = _locked(folder)
        try:
            self._db = sqlite3.connect(
                folder / "chain.sqlite", isolation_level=None, check_same_thread=False
            )
            self._prepare()
        except sqlite3.Error as error:
            self._lock.close()
            raise Unavailable(
                f"the chain in {folder} cannot be opened: {error}", code="chain_unavailable"
            ) from None
        except BaseException:
            self._db.close()
            self._lock.close()
            raise

    def _prepare(self) -> None:
        run = self._db.execute
        # FULL: a block that was acknowledged is on the disk, not only with the kernel.
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "cache_size=-16384"):
            run(f"PRAGMA {pragma}").fetchall()
        (version,) = run("PRAGMA user_version").fetchone()
        if version == 0:
            with self.changing():
                for statement in _TABLES.split(";"):
                    run(statement)
                run(f"PRAGMA user_version={_FORMAT}")
        elif version != _FORMAT:
            raise Usage(
                "this chain was written by another version of teeproof: serve it with that one",
                code="chain_format",
                expected=str(_FORMAT),
                got=str(version),
            )

    def close(self) -> None:
        """Give the file and the directory back."""
        self._db.close()
        self._lock.close()

    @contextlib.contextmanager
    def changing(self) -> Iterator[None]:
        """Keep all that is written inside, or nothing of it.

        Raises:
            Unavailable: the disk does not take it (``chain_unavailable``).
        """
        try:
            with transaction(self._db):
                yield
        except sqlite3.Error as error:
            raise Unavailable(
                f"the chain's file cannot be written: {error}", code="chain_unavailable"
            ) from None

    def meta(self, name: str) -> int | None:
        """Return a setting; None if it was never kept."""
        row = self._db.execute("SELECT value FROM meta WHERE name=?", (name,)).fetchone()
        return None if row is None else int(row[0])

    def set_meta(self, name: str, value: int) -> None:
        """Keep a setting."""
        self._db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (name, value))

    def node(self, key: bytes) -> bytes | None:
        """Return a node of a trie, or code, by its hash."""
        row = self._db.execute("SELECT value FROM nodes WHERE key=?", (key,)).fetchone()
        return None if row is None else row[0]

    def add_node(self, key: bytes, value: bytes) -> None:
        """Keep a node."""
        self._db.execute("INSERT OR IGNORE INTO nodes VALUES (?, ?)", (key, value))

    def add_block(
        self, block: Block, transactions: Iterable[Transaction], events: Iterable[Event]
    ) -> None:
        """Keep a block with what is in it."""
        self._db.execute("INSERT INTO blocks VALUES (?, ?, ?, ?)", block)
        many = self._db.executemany
        rows: Iterable[tuple[Any, ...]] = (
            (*tx[:7], str(tx.gas_price), tx.created, tx.first_log) for tx in transactions
        )
        many("INSERT INTO transactions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
        rows = ((*event[:6], b"".join(event.topics), event.data) for event in events)
        many("INSERT INTO logs VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)

    def orphan_from(self, number: int) -> None:
        """Make the blocks of this height and above no part of the chain any more."""
        self._db.execute("UPDATE blocks SET canonical=0 WHERE canonical AND number>=?", (number,))

    def head(self) -> Block | None:
        """Return the chain's last block; None while there is none."""
        return self._block("WHERE canonical ORDER BY number DESC LIMIT 1")

    def at(self, number: int) -> Block | None:
        """Return the chain's block of a height."""
        return self._block("WHERE canonical AND number=?", number)

    def block(self, digest: bytes) -> Block | None:
        """Return a block by its hash, whether or not it is canonical."""
        return self._block("WHERE hash=?", digest)

    def _block(self, where: str, *values: Any) -> Block | None:
        query = f"SELECT hash, number, header, canonical FROM blocks {where}"  # noqa: S608  constants
        row = self._db.execute(query, values).fetchone()
        return None if row is None else Block._make((*row[:3], bool(row[3])))

    def transactions(self, digest: bytes) -> list[Transaction]:
        """Return the transactions of a block, in order."""
        rows = self._db.execute(
            "SELECT * FROM transactions WHERE block=? ORDER BY place", (digest,)
        )
        return [_transaction(row) for row in rows]

    def transaction(self, digest: bytes) -> Transaction | None:
        """Return a transaction of the chain by its hash; None if no canonical block holds it."""
        row = self._db.execute(
            "SELECT t.* FROM transactions t JOIN blocks b ON b.hash=t.block"
            " WHERE t.hash=? AND b.canonical",
            (digest,),
        ).fetchone()
        return None if row is None else _transaction(row)

    def events(
        self, first: int, last: int, addresses: Iterable[bytes] = (), *, block: bytes | None = None
    ) -> Iterator[Event]:
        """Yield the events of a range of the chain, or of one block, in order.

        Args:
            first: the first height.
            last: the last height.
            addresses: contracts; all if there is none.
            block: this block alone, whether or not it is canonical.
        """
        wanted = list(addresses)
        where = "l.block=?" if block is not None else "b.canonical AND l.number BETWEEN ? AND ?"
        values: list[Any] = [block] if block is not None else [first, last]
        if wanted:
            where += f" AND l.address IN ({','.join('?' * len(wanted))})"
        rows = self._db.execute(
            "SELECT l.* FROM logs l JOIN blocks b ON b.hash=l.block"  # noqa: S608  constants
            f" WHERE {where} ORDER BY l.number, l.place",
            (*values, *wanted),
        )
        for *front, topics, data in rows:
            words = tuple(topics[at : at + 32] for at in range(0, len(topics), 32))
            yield Event._make((*front, words, data))


def _transaction(row: tuple[Any, ...]) -> Transaction:
    return Transaction._make((*row[:7], int(row[7]), *row[8:]))


def _locked(folder: Path) -> IO[bytes]:
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = open(folder / "lock", "ab")  # noqa: SIM115  held until the store is closed
    except OSError as error:
        raise Unavailable(
            f"{folder} cannot be used for a chain: {error.strerror}", code="chain_unavailable"
        ) from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.close()
        raise Unavailable(
            f"another process owns the chain in {folder}: speak to it over its URL, or stop it",
            code="chain_taken",
            got=os.fspath(folder),
        ) from None
    return lock
