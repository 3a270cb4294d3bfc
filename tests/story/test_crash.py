"""kill -9 amid the story: a clear error, no orphan, nothing lost, and the next one begins."""

from __future__ import annotations

import io
import os
import signal
import time

import pytest

from teeproof.chain.local.process import ChainProcess
from teeproof.cli.screen import Screen
from teeproof.cli.story import data, money
from teeproof.cli.story.telling import Teller
from teeproof.cli.story.world import World
from teeproof.core.errors import Unavailable
from tests.story.conftest import PATIENCE, demo, until_none_of

pytestmark = pytest.mark.usefixtures("sandbox")


def quiet():
    screen = Screen(io.StringIO(), color=False, width=100)
    return Teller(screen, clock=time.monotonic, quiet=True)


@pytest.mark.parametrize("victim", ["kms", "pool"])
def test_host_kills_a_service_and_the_error_says_which(tmp_path, monkeypatch, victim):
    opened = data._open_pool

    def killed(world, kms):
        found = opened(world, kms)
        os.kill(world.running[victim].pid, signal.SIGKILL)
        return found

    monkeypatch.setattr(data, "_open_pool", killed)
    with World(tmp_path / "world") as world, pytest.raises(Unavailable) as failed:
        data.tell(world, quiet())
    assert failed.value.detail
    assert until_none_of(tmp_path / "world") == set()


def test_host_kills_the_chain_between_payment_and_claims_and_no_unit_is_lost(tmp_path):
    from teeproof.chain import merkle
    from teeproof.chain.client import Chain
    from teeproof.chain.payments import Payments
    from teeproof.chain.token import Token

    folder, answer, fee = tmp_path / "world", b"\7" * 32, money.FEE
    payees = {"0x" + f"{n:02x}" * 20: part for n, part in ((1, 120_000), (2, 180_000))}
    with World(folder) as world:
        coins = money.mint_all(world)
        payer, dev = world.account("payer"), world.dev()
        tree = merkle.Tree([merkle.leaf_of(answer, who, part) for who, part in payees.items()])
        coins.payments.pay(payer, answer=answer, token=coins.dollar, amount=fee, root=tree.root)
        supply, addresses = coins.supply(), (coins.dollar.address, coins.payments.address)
        os.kill(world._chain_child.process.pid, signal.SIGKILL)
        world._chain_child.process.wait()
        with pytest.raises(Unavailable):
            coins.dollar.balance_of(payer)
        with pytest.raises(Unavailable) as gone:
            world.require_alive()
        assert "chain" in gone.value.detail
        assert "SIGKILL" in gone.value.detail
    with ChainProcess.start(folder / "chain") as chain, Chain.connect(chain.url) as client:
        dollar, payments = Token(client, addresses[0]), Payments(client, addresses[1])
        assert dollar.balance_of(payments.contract) == fee
        for who, part in payees.items():
            payments.claim(
                dev, payer=payer, answer=answer, token=dollar, payee=who, amount=part,
                proof=tree.proof(merkle.leaf_of(answer, who, part)),
            )  # fmt: skip
        assert {who: dollar.balance_of(who) for who in payees} == payees
        assert dollar.balance_of(payments.contract) == 0
        total = int(client.call(dollar.contract, "totalSupply"))
        assert total == supply["tUSD"]


def test_host_kills_the_demo_itself_and_nothing_runs_on(tmp_path):
    home = tmp_path / "home"
    first = demo("--once", home=home)
    assert first.stdout is not None
    for line in first.stdout:
        if b"1 Network" in line:
            break
    first.kill()
    first.communicate()
    assert until_none_of(home) == set()
    second = demo("--once", home=home)
    assert second.stdout is not None
    assert any(b"1 Network" in line for line in second.stdout)
    third = demo("--once", "--json", home=home)
    out, _ = third.communicate(timeout=PATIENCE)
    assert third.returncode == 1
    assert b"demo_running" in out
    second.send_signal(signal.SIGTERM)
    second.communicate(timeout=PATIENCE)
    assert until_none_of(home) == set()
