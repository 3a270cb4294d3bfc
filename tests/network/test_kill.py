"""kill -9 of the market at the worst moment: nothing is lost, doubled, or told and forgotten."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from teeproof.cloud.owner import OwnerKey
from teeproof.core.errors import Unavailable
from teeproof.network.client import MarketClient
from teeproof.network.node import Worker
from teeproof.network.orders import Order
from tests.network.child import AFTER, BEFORE
from tests.network.scenes import ANY, GRANT, claim, node_inside, terms
from tests.vectors import ROOT


@contextmanager
def market(folder: Path) -> Iterator[MarketClient]:
    """A market in a process of its own; it is killed at the end, if it is still there."""
    child = subprocess.Popen(
        [sys.executable, "-m", "tests.network.child", str(folder)],
        cwd=ROOT, stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert child.stdout is not None
    try:
        with MarketClient(child.stdout.readline().strip()) as client:
            yield client
    finally:
        child.send_signal(signal.SIGKILL)
        assert child.wait(120) == -signal.SIGKILL
        child.stdout.close()


@pytest.mark.parametrize("moment", [BEFORE, AFTER])
def test_host_kills_the_market_between_acceptance_and_answer(tmp_path, moment):
    owner = OwnerKey.new()
    with market(tmp_path) as client:
        worker = Worker(node_inside(tmp_path / "node", client.url, machine="one"), client, claim())
        assert worker.register().admitted
        view = client.market()
        order = owner.sign(
            Order(
                id="order-000001", market=view.digest, renter=owner.public, need=ANY,
                greatest_price="100", deposit="10000", not_after=view.time + 600,
            )
        )  # fmt: skip
        (tmp_path / "die").write_text(moment)
        with pytest.raises(Unavailable):
            client.place(order)
    (tmp_path / "die").unlink()
    with market(tmp_path) as client:
        held = client.balance(owner.public).held
        assert held == (10_000 if moment == AFTER else 0)
        matched = client.place(order)
        assert client.place(order) == matched
        assert matched.node == worker.node
        found = client.balance(owner.public)
        assert (found.balance, found.held) == (GRANT - 10_000, 10_000)
        assert client.offers().offers[0].taken == "leased"
        closed = client.close(owner, matched.lease or "")
        assert (closed.closing and closed.closing.refund) == "10000"
        assert client.balance(owner.public).balance == GRANT
    assert terms().digest == view.digest
