"""An agent from instruction to statement: what it trades, what it refuses, what it says of both."""

from __future__ import annotations

from tests.agents.people import DOLLAR, TEXT, UNIT
from tests.agents.world import World
from tests.proof.world import failures

ORDER = '{"sell":"ETH","part":0.5,"below":2000}'


def test_an_instruction_within_the_mandate_is_a_trade(world: World) -> None:
    kernel = world.kernel()
    turn = world.tell(kernel, TEXT, ORDER)
    assert turn.ending is not None
    assert turn.outcome == "traded", turn.ending
    ether, dollar = world.holdings()
    assert ether == 4 * UNIT
    assert turn.effect is not None
    assert dollar == 8_000 * DOLLAR + int(turn.effect.got)
    verdict = world.verdict(turn)
    assert failures(verdict) == {}
    assert verdict.ok
