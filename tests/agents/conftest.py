"""One chain for all tests of agents, and a world of its own for each test that needs one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from teeproof.chain.local.process import ChainProcess
from tests.agents.world import FINALITY, World, worlds


@pytest.fixture(scope="session")
def chain_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChainProcess]:
    with ChainProcess.start(tmp_path_factory.mktemp("chain") / "c", finality=FINALITY) as process:
        yield process


@pytest.fixture
def world(chain_process: ChainProcess, tmp_path: Path) -> Iterator[World]:
    yield from worlds(chain_process, tmp_path)
