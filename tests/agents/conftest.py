"""One chain for all tests of agents, and a world of its own for each test that needs one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from teeproof.chain.local.process import ChainProcess
from tests.agents.world import FINALITY, Contracts, World, market, worlds


@pytest.fixture(scope="session")
def chain_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChainProcess]:
    with ChainProcess.start(tmp_path_factory.mktemp("chain") / "c", finality=FINALITY) as process:
        yield process


@pytest.fixture(scope="session")
def shared(chain_process: ChainProcess) -> Iterator[Contracts]:
    here = market(chain_process)
    yield here
    here.chain.close()


@pytest.fixture
def world(chain_process: ChainProcess, shared: Contracts, tmp_path: Path) -> Iterator[World]:
    yield from worlds(chain_process, shared, tmp_path)
