"""Transactions -> block: run them over the parent's state, and keep what came of it.

A block that is made here has the header of Osaka's blocks, 21 fields, so that what checks blocks of
Ethereum checks these. Its time is the clock's, or one second after its parent where the clock has
not moved on; its ``mixHash`` is random, as PREVRANDAO is to be.

Importing this module loads py-evm, which takes a second.

Trusts: the store, the clock.  Does not trust: the transactions.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import rlp
from eth.constants import BLANK_ROOT_HASH, EMPTY_UNCLE_HASH, ZERO_HASH32
from eth.db.atomic import AtomicDB
from eth.db.backends.base import BaseDB
from eth.vm.execution_context import ExecutionContext
from eth.vm.forks.london.headers import calculate_expected_base_fee_per_gas

from teeproof.chain.local.admission import least_gas, require_admissible
from teeproof.chain.local.osaka import OsakaState, PragueBlockHeader
from teeproof.chain.local.store import Block, Event, Store, Transaction
from teeproof.core.errors import NotAllowed
from teeproof.proof.anchor import receipts_root

if TYPE_CHECKING:
    from eth.abc import ComputationAPI, SignedTransactionAPI

__all__ = ["GAS_LIMIT", "Builder", "charged", "genesis", "header_of", "open_state"]

GAS_LIMIT = 60_000_000  # Ethereum's since the end of 2025
_FIRST_BASE_FEE = 10**9  # EIP-1559
_HASHES = 256  # Yellow Paper: how far BLOCKHASH sees


class _Nodes(BaseDB):  # type: ignore[misc]  # untyped
    """The store's nodes as py-evm wants them."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def __getitem__(self, key: bytes) -> bytes:
        value = self._store.node(key)
        if value is None:
            raise KeyError(key)
        return value

    def __setitem__(self, key: bytes, value: bytes) -> None:
        self._store.add_node(key, value)

    def __delitem__(self, key: bytes) -> None:
        """Keep it: an older block may need it."""

    def _exists(self, key: bytes) -> bool:
        return self._store.node(key) is not None


def header_of(block: Block) -> Any:
    """Return a kept block's header with its fields."""
    return rlp.decode(block.header, PragueBlockHeader)


def open_state(store: Store, header: Any, *, root: bytes, chain_id: int) -> OsakaState:
    """Return the state with a root, as code sees it that runs in the block of ``header``."""
    context = ExecutionContext(
        coinbase=header.coinbase,
        timestamp=header.timestamp,
        block_number=header.block_number,
        difficulty=0,
        mix_hash=header.mix_hash,
        gas_limit=header.gas_limit,
        prev_hashes=_hashes(store, header.parent_hash),
        chain_id=chain_id,
        base_fee_per_gas=header.base_fee_per_gas,
        excess_blob_gas=0,
    )
    return OsakaState(AtomicDB(_Nodes(store)), context, root)


def _hashes(store: Store, digest: bytes) -> Iterator[bytes]:
    for _ in range(_HASHES):
        block = store.block(digest)
        if block is None:
            return
        yield digest
        digest = header_of(block).parent_hash


def genesis(
    store: Store, *, chain_id: int, time: int, balances: dict[bytes, int], coinbase: bytes
) -> Block:
    """Keep the first block, in which these accounts have these balances in wei."""
    header = PragueBlockHeader(
        difficulty=0,
        block_number=0,
        gas_limit=GAS_LIMIT,
        timestamp=time,
        coinbase=coinbase,
        base_fee_per_gas=_FIRST_BASE_FEE,
    )
    state = open_state(store, header, root=BLANK_ROOT_HASH, chain_id=chain_id)
    for address, balance in balances.items():
        state.set_balance(address, balance)
    state.persist()
    block = _block(header.copy(state_root=state.state_root))
    store.add_block(block, (), ())
    return block


def charged(transaction: Any, computation: ComputationAPI) -> int:
    """Return the gas that a transaction pays for (EIP-3529's refund, EIP-7623's floor)."""
    used: int = transaction.gas - computation.get_gas_remaining()
    kept: int = used - min(computation.get_gas_refund(), used // 5)
    return max(kept, least_gas(transaction) if transaction.data else kept)


class Builder:
    """The next block while it is made.

    Args:
        store: where the parent is, and where the block will be.
        parent: the block before.
        chain_id: the chain.
        time: the clock's seconds since 1970.
        mix: 32 random bytes.
    """

    def __init__(
        self, store: Store, parent: Block, *, chain_id: int, time: int, mix: bytes
    ) -> None:
        before = header_of(parent)
        self._store = store
        self.header = PragueBlockHeader(
            difficulty=0,
            block_number=parent.number + 1,
            gas_limit=GAS_LIMIT,
            timestamp=max(time, before.timestamp + 1),
            coinbase=before.coinbase,
            parent_hash=parent.hash,
            mix_hash=mix,
            base_fee_per_gas=calculate_expected_base_fee_per_gas(before),
        )
        self.state = open_state(store, self.header, root=before.state_root, chain_id=chain_id)
        self._taken: list[tuple[SignedTransactionAPI, Any, ComputationAPI]] = []
        self._used = 0

    def __len__(self) -> int:
        """How many transactions it has."""
        return len(self._taken)

    def fits(self, transaction: SignedTransactionAPI) -> bool:
        """Whether the block has room for the transaction's gas."""
        return bool(self._used + transaction.gas <= GAS_LIMIT)

    def add(self, transaction: SignedTransactionAPI) -> None:
        """Run a transaction.

        Raises:
            NotAllowed: as ``require_admissible``; the block is as it was.
        """
        require_admissible(transaction, self.state, base_fee=self.header.base_fee_per_gas)
        before = self.state.snapshot()
        try:
            self.state.lock_changes()
            computation = self.state.apply_transaction(transaction)
        except Exception as error:  # what the EVM did not foresee must not harm the others
            self.state.revert(before)
            raise NotAllowed(
                f"the transaction cannot be run: {type(error).__name__}",
                code="transaction_refused",
                got=ascii(str(error))[1:-1][:200],
            ) from None
        self._used += charged(transaction, computation)
        status = b"" if computation.is_error else b"\1"
        receipt = transaction.make_receipt(status, self._used, computation.get_log_entries())
        self._taken.append((transaction, receipt, computation))

    def seal(self) -> Block:
        """Keep the block with all that it did, and make it the chain's last."""
        self.state.persist()
        raw = [transaction.encode() for transaction, _, _ in self._taken]
        receipts = [receipt.encode() for _, receipt, _ in self._taken]
        bloom = 0
        for _, receipt, _ in self._taken:
            bloom |= receipt.bloom
        block = _block(
            self.header.copy(
                state_root=self.state.state_root,
                # both tries have the same form: the place as key, the bytes as value
                transaction_root=receipts_root(raw),
                receipt_root=receipts_root(receipts),
                bloom=bloom,
                gas_used=self._used,
            )
        )
        transactions, events = self._rows(block, raw, receipts)
        self._store.add_block(block, transactions, events)
        return block

    def _rows(
        self, block: Block, raw: list[bytes], receipts: list[bytes]
    ) -> tuple[list[Transaction], list[Event]]:
        rows: list[Transaction] = []
        events: list[Event] = []
        before = 0
        for place, (transaction, receipt, computation) in enumerate(self._taken):
            created = computation.msg.storage_address if not transaction.to else None
            rows.append(
                Transaction(
                    block=block.hash,
                    place=place,
                    hash=transaction.hash,
                    sender=transaction.sender,
                    raw=raw[place],
                    receipt=receipts[place],
                    gas_used=receipt.gas_used - before,
                    gas_price=self.state.get_gas_price(transaction),
                    created=created,
                    first_log=len(events),
                )
            )
            before = receipt.gas_used
            for log in receipt.logs:
                topics = tuple(topic.to_bytes(32, "big") for topic in log.topics)
                at = (block.hash, len(events), block.number, transaction.hash, place)
                events.append(Event(*at, log.address, topics, log.data))
        return rows, events


def _block(header: Any) -> Block:
    full = header.copy(
        uncles_hash=EMPTY_UNCLE_HASH,
        nonce=bytes(8),  # EIP-3675, like the difficulty of 0
        withdrawals_root=BLANK_ROOT_HASH,
        parent_beacon_block_root=ZERO_HASH32,
    )
    return Block(full.hash, full.block_number, rlp.encode(full), canonical=True)
