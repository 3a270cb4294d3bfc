"""Vendors' services on this machine, and a way to them that does not really wait."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from teeproof.evidence.fetch.web import Web
from tests.sim.vendors import Vendors
from tests.sim.vendors import vendors as running


@pytest.fixture
def vendors() -> Iterator[Vendors]:
    with running() as made:
        yield made


@pytest.fixture
def waits() -> list[float]:
    """How long the client was told to wait, each time."""
    return []


@pytest.fixture
def web(vendors: Vendors, waits: list[float]) -> Callable[..., Web]:
    """Return ``web(**changes) -> Web``: the way to the services, which notes waits in ``waits``."""

    def make(**changes: Any) -> Web:
        return Web(vendors.services(**changes), sleep=waits.append)

    return make
