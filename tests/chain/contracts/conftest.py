"""Each test gets its own fork of the world."""

from __future__ import annotations

import pytest

from tests.chain.contracts.world import World, world


@pytest.fixture
def here() -> World:
    return world().fork()
