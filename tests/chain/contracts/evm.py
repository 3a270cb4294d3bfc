"""An EVM in memory for unit tests of contracts: no blocks, no fees, and nonces only for addresses.

It offers what ``chain.client.Chain`` offers to the wrappers: ``call``, ``send``, ``deploy``. A fork
costs nothing, so each test begins with the same contracts, already deployed. Its gas is what a
transaction would be charged: its base, its data, its execution, less its refund.
"""

from __future__ import annotations

from typing import Any

from eth.abc import ComputationAPI
from eth.constants import BLANK_ROOT_HASH, CREATE_CONTRACT_ADDRESS
from eth.db.atomic import AtomicDB
from eth.exceptions import Revert
from eth.vm.execution_context import ExecutionContext
from eth.vm.forks.prague.state import PragueState
from eth.vm.message import Message

from teeproof.chain.abi import Contract, Interface
from teeproof.chain.account import Account, address_bytes
from teeproof.chain.answers import BlockHead, Mined, Receipt, mined
from teeproof.chain.artifacts import Artifact, load
from teeproof.chain.revert import reason_of
from teeproof.core.digests import keccak256
from teeproof.core.errors import NotAllowed
from teeproof.proof.anchor import rlp

NOBODY = "0x" + "00" * 20
NOW = 1_772_366_400  # 2026-03-01 12:00 UTC
CHAIN_ID = 31_337
GAS = (1 << 24) - 21_000  # EIP-7825


class Evm:
    """One chain; ``fork`` gives another that goes on from here."""

    def __init__(
        self,
        *,
        db: Any = None,
        root: Any = BLANK_ROOT_HASH,
        now: int = NOW,
        block: int = 1,
        chain_id: int = CHAIN_ID,
    ) -> None:
        self._db = AtomicDB() if db is None else db
        self.chain_id, self.now, self.block_number = chain_id, now, block
        self._context = ExecutionContext(
            bytes(20), now, block, 0, bytes(32), 30_000_000, (), chain_id, 0, 0
        )
        self._state = PragueState(self._db, self._context, root)

    def fork(self, *, chain_id: int | None = None) -> Evm:
        self._state.lock_changes()
        self._state.persist()
        return Evm(
            db=self._db, root=self._state.state_root, now=self.now, block=self.block_number,
            chain_id=self.chain_id if chain_id is None else chain_id,
        )  # fmt: skip

    def sleep(self, seconds: int) -> None:
        self.now += seconds
        self.block_number += 1
        self._context._timestamp, self._context._block_number = self.now, self.block_number

    def block(self) -> BlockHead:
        return BlockHead(self.block_number, "0x", "0x", self.now, 0)

    def call(self, contract: Contract, name: str, *arguments: Any, sender: Any = None) -> Any:
        """Return what a function gives, and leave no trace."""
        self._begin()
        snapshot = self._state.snapshot()
        data = contract.interface.call(name, arguments)
        try:
            done = self._run(address_bytes(sender or NOBODY), contract.address, data)
        finally:
            self._state.revert(snapshot)
        return contract.interface.result(name, arguments, done.output)

    def send(self, account: Account, contract: Contract, name: str, *arguments: Any) -> Mined:
        """Run a function as a transaction; NotAllowed with its reason where it refuses."""
        data = contract.interface.call(name, arguments)
        self._begin()
        done = self._run(address_bytes(account.address), contract.address, data)
        return mined(self._receipt(done, data), contract)

    def deploy(self, account: Account, artifact: str | Artifact, *arguments: Any) -> Contract:
        """Deploy one of our contracts, or an artifact."""
        artifact = load(artifact) if isinstance(artifact, str) else artifact
        interface = Interface(artifact.abi)
        code = artifact.bytecode + interface.construct(arguments)
        sender = address_bytes(account.address)
        nonce = self._state.get_nonce(sender)
        self._state.increment_nonce(sender)
        self._begin()
        place = keccak256(rlp.encode([sender, rlp.from_uint(nonce)]))[-20:]
        self.deployed = self._receipt(self._run(sender, None, code, place=place), code)
        return Contract("0x" + place.hex(), interface)

    def code_of(self, contract: Contract) -> bytes:
        return bytes(self._state.get_code(address_bytes(contract.address)))

    def _begin(self) -> None:
        """Let what was done stand, and forget what it touched: each transaction begins cold."""
        self._state.lock_changes()
        self._state.clear_transient_storage()
        self._state._account_db._reset_access_counters()

    def _run(
        self, sender: bytes, to: str | None, data: bytes, *, place: bytes | None = None
    ) -> ComputationAPI:
        state = self._state
        callee = CREATE_CONTRACT_ADDRESS if to is None else address_bytes(to)
        state.mark_address_warm(sender)
        state.mark_address_warm(place or callee)
        message = Message(
            gas=GAS, to=callee, sender=sender, value=0, data=data if to else b"",
            code=state.get_code(callee) if to else data, create_address=place,
        )  # fmt: skip
        context = state.get_transaction_context_class()(gas_price=0, origin=sender)
        kind = state.computation_class
        apply = kind.apply_message if to else kind.apply_create_message
        done = apply(state, message, context)
        if done.is_error:
            why = reason_of(done.output) if isinstance(done.error, Revert) else str(done.error)
            raise NotAllowed("the contract refused", code="reverted", got=why)
        return done

    def _receipt(self, done: ComputationAPI, data: bytes) -> Receipt:
        base = 21_000 + sum(16 if byte else 4 for byte in data)
        if done.msg.is_create:
            base += 32_000 + 2 * ((len(data) + 31) // 32)  # EIP-2, EIP-3860
        used = base + done.get_gas_used()
        used -= min(done.get_gas_refund(), used // 5)  # EIP-3529
        logs = tuple(map(self._log, range(1 << 20), done.get_log_entries()))
        return Receipt("0x", self.block_number, "0x", 1, used, None, logs)

    def _log(self, number: int, log: Any) -> dict[str, Any]:
        address, topics, data = log
        return {
            "address": "0x" + address.hex(), "topics": [f"0x{topic:064x}" for topic in topics],
            "data": "0x" + data.hex(), "blockNumber": hex(self.block_number), "blockHash": "0x",
            "transactionHash": "0x", "logIndex": hex(number),
        }  # fmt: skip
