"""A chain in this process, and one in a process of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from teeproof.chain.account import Account
from teeproof.chain.client import Chain
from teeproof.chain.local.chain import LocalChain
from teeproof.chain.local.process import ChainProcess
from tests.chain.nodes import Clock, Sender, funded

UNIT = 10**18


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def chain(tmp_path: Path, clock: Clock) -> Iterator[LocalChain]:
    with LocalChain.open(tmp_path / "chain", finality=8, now=clock) as found:
        yield found


@pytest.fixture
def sender(chain: LocalChain, tmp_path: Path) -> Sender:
    return Sender(chain, funded(tmp_path / "chain"))


@pytest.fixture(scope="session")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChainProcess]:
    """One process for all tests that need one; each brings accounts of its own."""
    with ChainProcess.start(tmp_path_factory.mktemp("node"), finality=8) as process:
        yield process


@pytest.fixture
def client(node: ChainProcess) -> Iterator[Chain]:
    with Chain.connect(node.url) as found:
        yield found


@pytest.fixture
def account(client: Chain, node: ChainProcess) -> Account:
    """A new account with ten units."""
    found = Account.new()
    client.transfer(node.funded, found, 10 * UNIT)
    return found
