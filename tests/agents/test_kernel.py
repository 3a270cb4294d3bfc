"""An agent from instruction to statement: what it trades, what it waits for, what it says of it."""

from __future__ import annotations

import os
import threading

import msgspec
import pytest

from teeproof.agents import instructions
from teeproof.agents.story import Turn, outline
from teeproof.cloud.owner import OwnerKey
from teeproof.core.errors import Usage
from teeproof.proof.workload import Identity
from tests.agents.people import DOLLAR, TEXT, UNIT
from tests.agents.world import World, ask, attester
from tests.proof.world import failures

ORDER = '{"sell":"ETH","part":0.5,"below":2000}'
FULL = (8 * UNIT, 8_000 * DOLLAR)


def test_an_instruction_within_the_mandate_is_a_trade(world: World) -> None:
    kernel = world.kernel()
    turn = world.tell(kernel, TEXT, ORDER)
    assert turn.effect is not None
    assert world.holdings() == (4 * UNIT, 8_000 * DOLLAR + int(turn.effect.got))
    assert outline(turn) | {"id": ""} == {
        "number": 1, "id": "", "text": TEXT, "order": ORDER, "outcome": "traded", "rules": [],
        "detail": turn.ending.detail if turn.ending else "", "gave": str(4 * UNIT),
        "got": turn.effect.got, "tx": turn.effect.tx,
        "receipt": turn.intent.answer.receipt if turn.intent else "", "statement": turn.statement,
    }  # fmt: skip
    verdict = world.verdict(turn)
    assert failures(verdict) == {}
    checks = {check.name: check.state for check in verdict.statement(turn.statement or "").checks}
    names = ("record", "answer", "rules", "effect", "link")
    assert {checks[f"action-{name}"] for name in names} == {"passed"}
    assert checks["action-on-chain"] == "not_checked"


def test_dollars_are_given_for_what_is_bought(world: World) -> None:
    turn = world.tell(world.kernel(), "buy ETH with half my cash", '{"buy":"ETH","part":0.5}')
    assert turn.outcome == "traded"
    assert turn.effect is not None
    assert world.holdings() == (8 * UNIT + int(turn.effect.got), 4_000 * DOLLAR)
    assert failures(world.verdict(turn)) == {}


def test_a_price_that_is_not_there_is_waited_for_and_nothing_is_signed(world: World) -> None:
    turn = world.tell(world.kernel(), TEXT, '{"sell":"ETH","part":0.5,"below":1000}')
    assert (turn.outcome, turn.effect) == ("waiting", None)
    assert turn.ending is not None
    assert turn.ending.rules == ("condition",)
    assert world.holdings() == FULL
    assert failures(world.verdict(turn)) == {}


def test_each_input_says_who_vouches_for_it(world: World) -> None:
    turn = world.tell(world.kernel(), TEXT, ORDER)
    assert turn.intent is not None
    sources = {one.input: one.source for one in turn.intent.provenance}
    assert sources["mandate"] == "measured"
    assert sources["instruction"] == "anyone"
    assert sources["answer"] == "a receipt of an admitted machine"
    assert sources["price, balance, nonce"] == "one node of the chain, unproven"


def test_only_whom_the_mandate_lists_is_followed(world: World) -> None:
    owner, stranger = OwnerKey.new(), OwnerKey.new()
    mandate = msgspec.structs.replace(world.mandate, instructors=(owner.public,))
    kernel = world.kernel(mandate=mandate)
    world.model.answers[TEXT] = ORDER

    def told(key: OwnerKey | None) -> Turn:
        name = os.urandom(8).hex()
        body = {"id": name, "text": TEXT}
        if key is not None:
            body = instructions.signed(key, mandate=mandate.digest, name=name, text=TEXT)
        return kernel.instruct(ask(**body))

    for key in (None, stranger):
        turn = told(key)
        assert turn.ending is not None
        assert (turn.outcome, turn.ending.rules) == ("refused", ("instructor",))
    assert world.holdings() == FULL
    last = told(owner)
    assert last.outcome == "traded"
    assert failures(world.verdict(last)) == {}


def test_instructions_that_come_at_once_are_done_one_after_the_other(world: World) -> None:
    kernel = world.kernel()
    world.model.answers[TEXT] = '{"sell":"ETH","part":0.25}'
    turns: list[Turn] = []
    name = os.urandom(8).hex()
    askers = [
        threading.Thread(target=lambda name=one: turns.append(kernel.instruct(ask(TEXT, id=name))))
        for one in (name, name, os.urandom(8).hex(), name)
    ]
    for thread in askers:
        thread.start()
    for thread in askers:
        thread.join(300)
    assert [turn.outcome for turn in turns] == ["traded"] * 4
    assert sorted(turn.number for turn in kernel.story.turns) == [1, 2]
    assert world.holdings()[0] == 8 * UNIT * 9 // 16
    assert world.market.fund.nonce() == 2


def test_an_agent_without_a_key_for_the_chain_does_not_start(world: World) -> None:
    with pytest.raises(Usage) as refused:
        world.kernel(identity=Identity.boot(attester(), store=world.source))
    assert refused.value.code == "role_missing"
