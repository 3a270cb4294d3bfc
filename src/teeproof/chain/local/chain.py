"""LocalChain: an Ethereum chain in a directory, which one process owns.

    chain = LocalChain.open(directory)
    digest = chain.send(raw)          one transaction, one block, on the disk when this returns
    chain.send_all([raw, …])          as many as fit into one block
    chain.call(call)                  what a call would return, without a block
    chain.reorganise(2)               other blocks take the place of the last two

A new directory gets a random key, ``funded.key``, whose account has a million units and receives
the fees. How deep a block must lie to be final is set when the chain is made; with the default, 0,
each is final at once, since nobody else can make blocks, and nothing is ever reorganised.

Where blocks are made faster than one a second, the chain's time runs ahead of the clock: Ethereum's
rules want each block to be later than its parent.

Trusts: the directory, the clock.  Does not trust: transactions.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from teeproof.chain.local.store import Block, Event, Store, Transaction
from teeproof.core.errors import Error, NotAllowed, Usage

if TYPE_CHECKING:
    from teeproof.chain.local.calls import Call, Outcome

__all__ = ["LocalChain"]


def _clock() -> int:
    return int(time.time())


class LocalChain:
    """A chain that this process owns; see ``open``. Its methods may be called from any thread."""

    def __init__(
        self,
        store: Store,
        *,
        chain_id: int,
        finality: int,
        now: Callable[[], int],
        randomness: Callable[[int], bytes],
    ) -> None:
        self.chain_id, self.finality = chain_id, finality
        self._store, self._now, self._randomness = store, now, randomness
        self._turn = threading.RLock()

    @classmethod
    def open(
        cls,
        directory: Path,
        *,
        chain_id: int | None = None,
        finality: int | None = None,
        now: Callable[[], int] = _clock,
        randomness: Callable[[int], bytes] = os.urandom,
    ) -> LocalChain:
        """Return the chain in a directory; it is made if there is none.

        Args:
            directory: where it is kept.
            chain_id: the id of a new chain, or the one that is expected.
            finality: how many blocks make the one below them final; for a new chain, or expected.
            now: seconds since 1970.
            randomness: random bytes.

        Raises:
            Unavailable: another process owns it (``chain_taken``), or it cannot be opened.
            Usage: it has another id or finality than expected (``chain_other``).
        """
        store = Store(directory)
        try:
            if store.head() is None:
                from teeproof.chain.local.creation import create  # noqa: PLC0415  loads py-evm

                create(
                    store,
                    directory,
                    chain_id=chain_id,
                    finality=finality,
                    now=now,
                    randomness=randomness,
                )
            kept = [store.meta(name) or 0 for name in ("chain_id", "finality")]
            for name, expected, got in zip(
                ("id", "finality"), (chain_id, finality), kept, strict=True
            ):
                if expected is not None and expected != got:
                    raise Usage(
                        f"the chain in {directory} has another {name}: leave it out, or name a new"
                        " directory",
                        code="chain_other",
                        expected=str(expected),
                        got=str(got),
                    )
            return cls(store, chain_id=kept[0], finality=kept[1], now=now, randomness=randomness)
        except BaseException:
            store.close()
            raise

    def close(self) -> None:
        """Give the directory back."""
        with self._turn:
            self._store.close()

    def __enter__(self) -> LocalChain:
        """Use it in a ``with`` statement."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()

    def send(self, raw: bytes) -> bytes:
        """Take a signed transaction, and return its hash once its block is kept.

        Raises:
            TooLarge, Malformed, NotAllowed: see ``admission``; nothing has changed.
        """
        (outcome,) = self.send_all([raw])
        if isinstance(outcome, Error):
            raise outcome
        return outcome

    def send_all(self, raw: Sequence[bytes]) -> list[bytes | Error]:
        """Take transactions in order into one block, or more where they do not fit.

        Returns:
            For each its hash, or why it was refused.
        """
        from teeproof.chain.local.admission import decode  # noqa: PLC0415  loads py-evm

        outcomes: list[bytes | Error] = []
        with self._turn, self._store.changing():
            builder = self._next(self.head())
            for one in raw:
                try:
                    transaction = decode(one, chain_id=self.chain_id)
                    if not builder.fits(transaction) and len(builder):
                        builder = self._next(builder.seal())
                    builder.add(transaction)
                except Error as error:
                    outcomes.append(error)
                else:
                    outcomes.append(transaction.hash)
            if len(builder):
                builder.seal()
        return outcomes

    def mine(self, count: int = 1) -> Block:
        """Make empty blocks; return the last."""
        with self._turn, self._store.changing():
            return self._mined(self.head(), count)

    def reorganise(self, depth: int, *, again: bool = False) -> Block:
        """Let other blocks, one more, take the place of the last ``depth``; return the new head.

        Args:
            depth: how many blocks are replaced.
            again: whether the transactions of those blocks are in the new ones, or in none.

        Raises:
            Usage: a depth below 1, or more blocks than there are (``depth_wrong``).
            NotAllowed: a final block would be replaced (``block_final``).
        """
        with self._turn, self._store.changing():
            head = self.head()
            if not 1 <= depth <= head.number:
                raise Usage(
                    "there are not so many blocks to replace",
                    code="depth_wrong",
                    expected=f"1 to {head.number}",
                    got=str(depth),
                )
            if head.number - depth < self.finalized().number:
                raise NotAllowed(
                    "a final block is not replaced: make the chain with a larger finality",
                    code="block_final",
                    expected=f"a depth of at most {self.finality}",
                    got=str(depth),
                )
            return self._replaced(head, depth, again)

    def _replaced(self, head: Block, depth: int, again: bool) -> Block:
        from teeproof.chain.local.admission import decode  # noqa: PLC0415  loads py-evm

        numbers = range(head.number - depth + 1, head.number + 1)
        gone = [tx for n in numbers for tx in self.transactions(self._at(n).hash)] if again else []
        parent = self._at(head.number - depth)
        self._store.orphan_from(parent.number + 1)
        builder = self._next(parent)
        for transaction in gone:
            builder.add(decode(transaction.raw, chain_id=self.chain_id))
        return self._mined(builder.seal(), depth)

    def _mined(self, block: Block, count: int) -> Block:
        for _ in range(count):
            block = self._next(block).seal()
        return block

    def _next(self, parent: Block) -> Any:
        from teeproof.chain.local.blocks import Builder  # noqa: PLC0415  loads py-evm

        return Builder(
            self._store,
            parent,
            chain_id=self.chain_id,
            time=self._now(),
            mix=self._randomness(32),
        )

    def head(self) -> Block:
        """Return the last block."""
        with self._turn:
            block = self._store.head()
        assert block is not None
        return block

    def finalized(self) -> Block:
        """Return the last block that nothing will replace."""
        with self._turn:
            return self._at(max(0, self.head().number - self.finality))

    def _at(self, number: int) -> Block:
        block = self.at(number)
        assert block is not None
        return block

    def at(self, number: int) -> Block | None:
        """Return the block of a height; None if there is none yet."""
        with self._turn:
            return self._store.at(number)

    def block(self, digest: bytes) -> Block | None:
        """Return a block by its hash, also one that was reorganised away."""
        with self._turn:
            return self._store.block(digest)

    def transaction(self, digest: bytes) -> Transaction | None:
        """Return a transaction of the chain by its hash."""
        with self._turn:
            return self._store.transaction(digest)

    def transactions(self, block: bytes) -> list[Transaction]:
        """Return the transactions of a block by its hash."""
        with self._turn:
            return self._store.transactions(block)

    def events(
        self, first: int, last: int, addresses: Iterable[bytes] = (), *, block: bytes | None = None
    ) -> list[Event]:
        """Return the events of a range of heights, or of one block; see ``Store.events``."""
        with self._turn:
            return list(self._store.events(first, last, addresses, block=block))

    def state(self, block: Block) -> Any:
        """Return the state behind a block, as py-evm has it, for code that runs in that block."""
        from teeproof.chain.local.blocks import header_of, open_state  # noqa: PLC0415  py-evm

        header = header_of(block)
        return open_state(self._store, header, root=header.state_root, chain_id=self.chain_id)

    def pending(self) -> Any:
        """Return the state behind the last block, for code that runs in the next one."""
        with self._turn:
            return self._next(self.head()).state

    def call(self, call: Call, block: Block | None = None) -> Outcome:
        """Return what a call would do behind a block, or in the next block if none is named."""
        from teeproof.chain.local.calls import run  # noqa: PLC0415  loads py-evm

        with self._turn:
            return run(call, self.pending() if block is None else self.state(block))

    def estimate(self, call: Call) -> int:
        """Return enough gas for a call that is sent as a transaction now.

        Raises:
            NotAllowed: it would fail (``reverted``, ``call_failed``), with the data as ``got``.
        """
        from teeproof.chain.local.calls import estimate  # noqa: PLC0415  loads py-evm

        with self._turn:
            return estimate(call, self.pending)
