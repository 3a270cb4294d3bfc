"""A process that is killed anywhere: what it acknowledged is there, and nothing is half there."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import time
from pathlib import Path

from teeproof.chain.account import address_bytes
from teeproof.chain.local.blocks import header_of
from teeproof.chain.local.chain import LocalChain
from teeproof.chain.local.process import ChainProcess
from teeproof.chain.local.views import block_json, receipt_json
from teeproof.proof.anchor import header_from_rpc, receipt_from_rpc, receipts_root
from teeproof.proof.anchor.header import parse
from tests.chain.nodes import COUNTER, Sender, funded

ROUNDS = 12


def worker(folder: Path, pipe: int) -> None:
    """Deploy a counter, then call it for ever; say each block once it is acknowledged."""
    chain = LocalChain.open(folder)
    os.write(pipe, b"opened\n")
    sender = Sender(chain, funded(folder))
    first = chain.at(1)
    deployed = chain.transactions(first.hash)[0].created if first else None
    counter = "0x" + deployed.hex() if deployed else sender.deploy(COUNTER)
    while True:
        chain.send_all([sender.sign(counter, nonce=sender.nonce + n) for n in range(3)])
        os.write(pipe, f"{chain.head().number} {chain.head().hash.hex()}\n".encode())


def killed_after(folder: Path, blocks: int, seconds: float) -> list[tuple[int, str]]:
    """Return what a worker acknowledged until it was killed: at least so many blocks.

    It is forked, so that the EVM need not be loaded each time. With -1 it is not even waited for
    until it has opened the chain.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        with contextlib.suppress(BaseException):
            worker(folder, writing)
        os._exit(9)
    os.close(writing)
    with open(reading, "rb") as pipe:
        lines = [pipe.readline() for _ in range(blocks + 1)]
        time.sleep(seconds)
        os.kill(child, signal.SIGKILL)
        lines += pipe.readlines()
    _, status = os.waitpid(child, 0)
    assert os.WTERMSIG(status) == signal.SIGKILL
    words = [line.split() for line in lines if line.endswith(b"\n")]
    return [(int(one[0]), one[1].decode()) for one in words if len(one) == 2]


def require_whole(chain: LocalChain, folder: Path) -> None:
    """Check every block against its header, and the state against the transactions."""
    calls = 0
    for number in range(1, chain.head().number + 1):
        block = chain.at(number)
        transactions = chain.transactions(block.hash)
        assert header_from_rpc(block_json(block, transactions, full=False)) == block.header
        receipts = [receipt_from_rpc(receipt_json(tx, block)) for tx in transactions]
        assert receipts_root(receipts) == parse(block.header).receipts_root
        assert header_of(block).parent_hash == chain.at(number - 1).hash
        calls += len(transactions) if number > 1 else 0
    state = chain.state(chain.head())
    assert state.get_nonce(address_bytes(funded(folder).address)) == calls + (
        chain.head().number > 0
    )
    if chain.head().number > 0:
        (deployed,) = chain.transactions(chain.at(1).hash)
        assert state.get_storage(deployed.created, 0) == calls
        assert len(chain.events(0, chain.head().number)) == calls


def test_host_that_kills_the_chain_while_it_makes_blocks_loses_none_that_was_acknowledged(tmp_path):
    folder, chance = tmp_path / "chain", random.Random(4)
    told: dict[int, str] = {}
    for _ in range(ROUNDS):
        told |= dict(killed_after(folder, chance.randrange(4), chance.uniform(0, 0.03)))
        with LocalChain.open(folder) as chain:
            for number, digest in told.items():
                assert chain.at(number).hash.hex() == digest
            require_whole(chain, folder)
    assert len(told) >= ROUNDS


def test_host_that_kills_the_chain_while_it_is_made_leaves_one_that_opens(tmp_path):
    chance = random.Random(5)
    for number in range(ROUNDS):
        folder = tmp_path / str(number)
        killed_after(folder, -1, chance.uniform(0, 0.02))
        with LocalChain.open(folder) as chain:
            require_whole(chain, folder)
            Sender(chain, funded(folder)).send(value=1)


def test_host_that_kills_the_process_finds_the_same_chain_behind_the_next_url(tmp_path):
    from teeproof.chain.client import Chain

    folder = tmp_path / "chain"
    process = ChainProcess.start(folder)
    with Chain.connect(process.url) as client:
        token = client.deploy(process.funded, "TestToken", "Test", "TST", 6, 1_000)
        mined = client.send(process.funded, token, "mint", process.funded, 5)
        before = client.receipt(mined.tx_hash), client.block()
    process.kill()
    with ChainProcess.start(folder) as again, Chain.connect(again.url) as client:
        assert again.funded.address == process.funded.address
        assert (client.receipt(mined.tx_hash), client.block()) == before
        assert client.call(token, "balanceOf", process.funded) == 5
