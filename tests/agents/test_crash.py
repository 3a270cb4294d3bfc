"""Killed at each step of a trade, and at each step of going on: it is done once, and said."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest

from teeproof.agents.story import Turn
from teeproof.evidence.collect.simulated import opt_in_policy
from tests.agents.world import World, ask, reorganise
from tests.proof.people import platform
from tests.proof.world import failures
from tests.vectors import ROOT

TEXT = "sell a tenth of my ETH"
ORDER = '{"sell":"ETH","part":0.1}'

STEPS = [
    "before instruction",
    "after instruction",
    "asked",
    "before intent",
    "after intent",
    "signed",
    "submitted",
    "before ending",
    "after ending",
    "before saying",
    "after saying",
    "before statement",
    "after statement",
]
RECHECKS = ["before recheck", "after recheck", "after saying again", "after restatement"]

Kill = Callable[[str, str, str], None]


@pytest.fixture
def kill(world: World) -> Iterator[Kill]:
    """Kill an agent at a step of doing what it is told, or, without a text, of going on."""
    secret = os.urandom(32)
    world.relayer = world.relayer_of(secret)
    given = {
        "chain": world.process.url, "model": world.model.url, "relayer": secret.hex(),
        "policy": opt_in_policy(platform()),
    }  # fmt: skip
    (world.folder / "given.json").write_text(json.dumps(given))
    (world.folder / "mandate.json").write_bytes(world.mandate.encode())
    command = [sys.executable, "-m", "tests.agents.victim", str(world.folder)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, cwd=ROOT, text=True, **pipes) as victim:  # type: ignore[call-overload]
        assert victim.stdout.readline() == "ready\n"

        def at(point: str, text: str, name: str) -> None:
            line = json.dumps({"point": point, "text": text, "id": name})
            victim.stdin.write(line + "\n")
            victim.stdin.flush()
            assert int(victim.stdout.readline()) == -signal.SIGKILL, point

        yield at
        victim.stdin.close()


def expect_one_trade(world: World, before: int, name: str) -> Turn:
    """Start the agent again, repeat the instruction, and see that a tenth was sold once."""
    kernel = world.kernel()
    kernel.resume()
    turn = kernel.instruct(ask(TEXT, id=name))
    assert turn.outcome == "traded"
    assert turn is kernel.story.turns[-1]
    assert kernel.story.open is None
    assert world.holdings()[0] == before - before // 10
    assert world.market.fund.nonce() == turn.number
    assert sum(one.instruction.id == name for one in kernel.story.turns) == 1
    world.close()
    return turn


def test_host_kills_the_agent_at_each_step(world: World, kill: Kill) -> None:
    world.model.answers[TEXT] = ORDER
    turns: list[Turn] = []
    for number, step in enumerate(STEPS, 1):
        before, name = world.holdings()[0], os.urandom(8).hex()
        kill(step, TEXT, name)
        turns.append(expect_one_trade(world, before, name))
        assert turns[-1].number == number, step
    # What was said last was said to the victim's own log, which is gone with it.
    assert failures(world.verdict(turns[-2])) == {}


def test_host_kills_the_agent_again_while_it_goes_on(world: World, kill: Kill) -> None:
    world.model.answers[TEXT] = ORDER
    before, name = world.holdings()[0], os.urandom(8).hex()
    kill("after instruction", TEXT, name)
    for step in STEPS[2:-1]:
        kill(step, "", name)
    expect_one_trade(world, before, name)


def test_host_kills_the_agent_after_a_reorganisation(world: World, kill: Kill) -> None:
    world.model.answers[TEXT] = ORDER
    before, name = world.holdings()[0], os.urandom(8).hex()
    world.kernel().instruct(ask(TEXT, id=name))
    world.close()
    for step in RECHECKS:
        reorganise(world)
        assert world.holdings()[0] == before
        kill(step, "", name)
        turn = expect_one_trade(world, before, name)
    assert turn.unsaid == 0
    assert failures(world.verdict(turn)) == {}
