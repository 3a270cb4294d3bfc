"""How many transactions a local chain takes each second, beside bare py-evm; how fast it opens.

Bare py-evm runs the same signed transactions over a state in memory and takes its root as often: no
tries of transactions and receipts, no disk, no index. What is on top of that is ours. CPU time is
measured, so the wait for the disk is not in it.
"""

from __future__ import annotations

import itertools
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from bench.measure import Row, beside, commands, rate
from teeproof.chain.abi import Contract
from teeproof.chain.account import Account, Fields, address_bytes
from teeproof.chain.artifacts import load
from teeproof.chain.local.chain import LocalChain
from teeproof.chain.local.creation import FUNDED_KEY, FUNDS

BATCH = 50
BLOCKS = 500
TOKEN = load("TestToken")


class Transfers:
    """Endless transfers of a token, signed by the funded account."""

    def __init__(self, chain_id: int, account: Account) -> None:
        self._chain_id, self._account = chain_id, account
        created = _created(address_bytes(account.address))
        self.token = Contract("0x" + created.hex(), TOKEN.abi)
        interface = self.token.interface
        deploy = TOKEN.bytecode + interface.construct(["Test", "TST", 6, 10**18])
        mint = interface.call("mint", [account, 10**15])
        self.first = [self._signed(0, None, deploy, 5_000_000)]
        self.first.append(self._signed(1, self.token.address, mint, 200_000))
        self._nonces = itertools.count(2)

    def next(self) -> bytes:
        """Return the next one."""
        # Each pays somebody else, as in life: every transfer adds an account to the trie.
        nonce = next(self._nonces)
        to = "0x" + (nonce + (1 << 100)).to_bytes(20, "big").hex()
        data = self.token.interface.call("transfer", [to, 1])
        return self._signed(nonce, self.token.address, data, 100_000)

    def _signed(self, nonce: int, to: str | None, data: bytes, gas: int) -> bytes:
        fee, tip = 2 * 10**9, 1
        return self._account.sign(Fields(self._chain_id, nonce, to, data, 0, gas, fee, tip)).raw


def rows() -> Iterator[Row]:
    """Yield the rows."""
    with tempfile.TemporaryDirectory() as folder:
        yield from _mined(Path(folder))
        yield from _opened(Path(folder))


def _mined(folder: Path) -> Iterator[Row]:
    with LocalChain.open(folder / "one") as one, LocalChain.open(folder / "many") as many:
        singly = Transfers(one.chain_id, Account.load(folder / "one" / FUNDED_KEY))
        together = Transfers(many.chain_id, Account.load(folder / "many" / FUNDED_KEY))
        for raw in singly.first:
            one.send(raw)
        many.send_all(together.first)
        bare, alone = _bare(one.chain_id)

        def each() -> None:
            one.send(singly.next())

        def batch() -> None:
            found = many.send_all([together.next() for _ in range(BATCH)])
            assert all(isinstance(digest, bytes) for digest in found)

        def bare_each() -> None:
            bare([alone.next()])

        def bare_batch() -> None:
            bare([alone.next() for _ in range(BATCH)])

        single, whole, least, least_whole = beside(each, batch, bare_each, bare_batch)
    what = "bare py-evm in memory, a state root each"
    yield Row("token transfers, a block each", rate(single), rate(least), what, 0.6, unit="1/s")
    figures = rate(whole, BATCH), rate(least_whole, BATCH)
    what = f"bare py-evm in memory, a state root for {BATCH}"
    yield Row(f"token transfers, {BATCH} to a block", *figures, what, 0.7, unit="1/s")


def _bare(chain_id: int) -> tuple[Callable[[Sequence[bytes]], None], Transfers]:
    """Return what runs transactions over a state in memory, and transactions for it."""
    from eth.constants import BLANK_ROOT_HASH
    from eth.db.atomic import AtomicDB
    from eth.vm.execution_context import ExecutionContext
    from eth.vm.forks.prague.transactions import PragueTransactionBuilder

    from teeproof.chain.local.osaka import OsakaState

    account = Account(b"\1" * 32)
    context = ExecutionContext(
        bytes(20), 1_780_000_000, 1, 0, bytes(32), 60_000_000, (), chain_id, 10**9, 0
    )
    state: Any = OsakaState(AtomicDB(), context, BLANK_ROOT_HASH)
    state.set_balance(address_bytes(account.address), FUNDS)

    def run(block: Sequence[bytes]) -> None:
        for raw in block:
            state.lock_changes()
            done = state.apply_transaction(PragueTransactionBuilder.decode(raw))
            assert not done.is_error
        state.persist()

    transfers = Transfers(chain_id, account)
    run(transfers.first)
    return run, transfers


def _created(sender: bytes) -> bytes:
    from eth._utils.address import generate_contract_address

    created: bytes = generate_contract_address(sender, 0)
    return created


def _opened(folder: Path) -> Iterator[Row]:
    with LocalChain.open(folder / "long") as chain:
        chain.mine(BLOCKS)
    code = "import sys; from pathlib import Path\n"
    code += "from teeproof.chain.local.chain import LocalChain\n"
    opening = code + "chain = LocalChain.open(Path(sys.argv[1])); chain.head()"
    calling = opening + "; chain.pending()"
    imports = "import eth.vm.forks.prague"
    words = [[sys.executable, "-c", text, str(folder / "long")] for text in (opening, calling)]
    opened, ready, evm, python = commands(
        [*words, [sys.executable, "-c", imports], [sys.executable, "-c", "pass"]]
    )
    yield Row(f"open a chain of {BLOCKS} blocks", opened.cpu, python.cpu, "python3 -c pass")
    yield Row("the same, ready to run code", ready.cpu, evm.cpu, "importing py-evm")
    yield _within(folder)


def _within(folder: Path) -> Row:
    import sqlite3

    place = folder / "long"

    def ours() -> None:
        LocalChain.open(place).close()

    def limit() -> None:
        sqlite3.connect(place / "chain.sqlite").close()

    mine, least = beside(ours, limit)
    return Row("open it in a running process", mine, least, "sqlite3.connect", at_most=0.033)
