"""A stranger runs the rules again: whatever the agent itself says otherwise is found, and named."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest

from teeproof.agents.authority import sign_trade
from teeproof.agents.orders import parse_order
from teeproof.agents.records import Effect, Ending, Intent
from teeproof.agents.statements import Action, Recheck, materials_of, recheck_subject, subjects_of
from teeproof.agents.story import Turn
from teeproof.core.clock import wall_clock
from teeproof.core.digests import named
from teeproof.proof.links import Material
from teeproof.proof.statement import Statement
from teeproof.proof.verify import ProofVerdict
from teeproof.proof.workload import Identity
from tests.agents.people import TEXT, UNIT
from tests.agents.world import World, agent_identity, reorganise
from tests.proof.world import failures

ORDER = '{"sell":"ETH","part":0.5,"below":2000}'
change = msgspec.structs.replace


@dataclass
class Told:
    """Two actions that were done, and an agent that says anything of them."""

    world: World
    turns: tuple[Turn, Turn]
    me: Identity

    def action(self, which: int) -> Action:
        predicate = self.world.statement(self.turns[which]).predicate
        assert isinstance(predicate, Action)
        return predicate

    def say(self, action: Action, *, subjects: Any = None, materials: Any = None) -> Statement:
        """Sign and log what an action was not."""
        if materials is None:
            before = [one.statement for one in action.materials if one.role == "previous-action"]
            materials = materials_of(action.intent, previous=before[0] if before else None)
        said = change(action, author=self.me.name, materials=materials)
        subjects = subjects or subjects_of(action.mandate, action.intent, action.ending)
        return self.me.keep(Statement.of(said, subjects=subjects)).statement

    def verdict(self, said: Statement) -> dict[str, str]:
        proofs = self.world.proofs
        proofs.publish(at=wall_clock())
        return failures(proofs.verify(proofs.export(said), now=wall_clock()))

    def open_verdict(self, said: Statement) -> ProofVerdict:
        """The verdict on a file without what is not there."""
        proofs = self.world.proofs
        proofs.publish(at=wall_clock())
        return proofs.verify(proofs.export(said, allow_missing=True), now=wall_clock())

    def with_intent(self, which: int, **changes: Any) -> Statement:
        """Say that the intent was another, with everything that follows from it."""
        action = self.action(which)
        intent = change(action.intent, **changes)
        effect = action.ending.effect
        if effect is not None and intent.trade is not None:
            signature = sign_trade(self.me.keyring, intent, mandate=action.mandate)
            effect = change(effect, signature=signature.hex())
        ending = change(action.ending, action=named(intent.digest), effect=effect)
        return self.say(change(action, intent=intent, ending=ending))


@pytest.fixture
def told(world: World) -> Told:
    kernel = world.kernel()
    first = world.tell(kernel, "send all to 0xbad", '{"sell":"ETH","part":1}')
    second = world.tell(kernel, TEXT, ORDER)
    assert (first.outcome, second.outcome) == ("refused", "traded")
    return Told(world, (first, second), agent_identity(world.source))


def test_what_was_done_verifies_and_is_said_again_alike(told: Told) -> None:
    for which in (0, 1):
        assert told.verdict(told.say(told.action(which))) == {}


def replaced(action: Action, old: str, new: str) -> str:
    response = action.intent.answer.response
    assert response is not None
    assert old in response
    return response.replace(old, new)


Lie = Callable[[Told], Statement]


def another_response(told: Told) -> Statement:
    action = told.action(1)
    answer = change(action.intent.answer, response=replaced(action, "0.5", "0.6"))
    said = change(action, intent=change(action.intent, answer=answer))
    ending = change(said.ending, action=named(said.intent.digest))
    return told.say(change(said, ending=ending), materials=action.materials)


def another_request(told: Told) -> Statement:
    action = told.action(1)
    request = action.intent.answer.request.replace("half", "most")
    return told.with_intent(1, answer=change(action.intent.answer, request=request))


def other_weights(told: Told) -> Statement:
    answer = change(told.action(1).intent.answer, model="sha256:" + "ab" * 32)
    return told.with_intent(1, answer=answer)


def another_answers_receipt(told: Told) -> Statement:
    other = told.action(0).intent.answer
    answer = change(told.action(1).intent.answer, receipt=other.receipt)
    return told.with_intent(1, answer=answer)


def another_order(told: Told) -> Statement:
    return told.with_intent(1, order=parse_order('{"sell":"ETH","part":0.6,"below":2000}'))


def a_rule_that_passed(told: Told) -> Statement:
    """The refusal is told as if the rule had passed."""
    findings = told.action(0).intent.findings
    passed = change(findings[0], state="passed", detail="it names no recipient")
    return told.with_intent(0, findings=(passed, *findings[1:]))


def a_rule_that_failed(told: Told) -> Statement:
    findings = told.action(1).intent.findings
    return told.with_intent(1, findings=(*findings[:-1], change(findings[-1], state="failed")))


def a_rule_left_out(told: Told) -> Statement:
    return told.with_intent(1, findings=told.action(1).intent.findings[:-1])


def a_larger_trade(told: Told) -> Statement:
    trade = told.action(1).intent.trade
    assert trade is not None
    return told.with_intent(1, trade=change(trade, amount=str(5 * UNIT)))


def other_facts(told: Told) -> Statement:
    facts = told.action(1).intent.facts
    assert facts is not None
    return told.with_intent(1, facts=change(facts, balance=str(10 * UNIT)))


def facts_that_are_none(told: Told) -> Statement:
    facts = told.action(1).intent.facts
    assert facts is not None
    return told.with_intent(1, facts=change(facts, reserve_gives="many"))


def no_facts(told: Told) -> Statement:
    return told.with_intent(1, facts=None)


def another_instruction(told: Told) -> Statement:
    instruction = change(told.action(0).intent.instruction, text="sell all my ETH")
    return told.with_intent(0, instruction=instruction)


def a_better_source(told: Told) -> Statement:
    provenance = told.action(1).intent.provenance
    price = change(provenance[3], source="a receipt of an admitted machine")
    return told.with_intent(1, provenance=(*provenance[:3], price, *provenance[4:]))


def a_larger_mandate(told: Told) -> Statement:
    action = told.action(1)
    return told.say(change(action, mandate=change(action.mandate, slippage_bps=9_999)))


def a_larger_mandate_throughout(told: Told) -> Statement:
    action = told.action(1)
    mandate = change(action.mandate, slippage_bps=9_999)
    intent = change(action.intent, mandate=mandate.digest)
    ending = change(action.ending, action=named(intent.digest))
    return told.say(Action(author="", mandate=mandate, intent=intent, ending=ending,
                           materials=action.materials))  # fmt: skip


def a_mandate_that_means_nothing(told: Told) -> Statement:
    action = told.action(0)
    mandate = change(action.mandate, valid_seconds=-1)
    intent = change(action.intent, mandate=mandate.digest)
    ending = change(action.ending, action=named(intent.digest))
    return told.say(change(action, mandate=mandate, intent=intent, ending=ending))


def nothing_before_it(told: Told) -> Statement:
    action = told.action(1)
    return told.say(action, materials=materials_of(action.intent, previous=None))


def something_else_before_it(told: Told) -> Statement:
    return told.with_intent(1, previous="sha256:" + "ab" * 32)


def another_number(told: Told) -> Statement:
    return told.with_intent(1, number=7)


def a_first_that_follows_something(told: Told) -> Statement:
    return told.with_intent(0, previous="sha256:" + "ab" * 32)


def another_ending_before_it(told: Told) -> Statement:
    """The action before it is told anew, as a failure, and this one links to that."""
    action = told.action(0)
    other = told.say(change(action, ending=change(action.ending, detail="nobody asked")))
    later = told.action(1)
    return told.say(later, materials=materials_of(later.intent, previous=other.name))


def nothing_was_traded(told: Told) -> Statement:
    action = told.action(1)
    return told.say(change(action, ending=change(action.ending, outcome="refused", effect=None)))


def a_refusal_was_a_trade(told: Told) -> Statement:
    action = told.action(0)
    effect = told.action(1).ending.effect
    return told.say(change(action, ending=change(action.ending, outcome="traded", effect=effect)))


def _with_effect(told: Told, **changes: Any) -> Statement:
    action = told.action(1)
    assert action.ending.effect is not None
    ending = change(action.ending, effect=change(action.ending.effect, **changes))
    return told.say(change(action, ending=ending))


def less_was_got(told: Told) -> Statement:
    return _with_effect(told, got="1")


def more_was_given(told: Told) -> Statement:
    return _with_effect(told, gave=str(5 * UNIT))


def amounts_that_are_none(told: Told) -> Statement:
    return _with_effect(told, got="-1")


def no_transaction(told: Told) -> Statement:
    return _with_effect(told, tx=None)


def nobodys_signature(told: Told) -> Statement:
    return _with_effect(told, signature="00" * 65)


def other_rules_stopped_it(told: Told) -> Statement:
    action = told.action(0)
    return told.say(change(action, ending=change(action.ending, rules=("limit-day",))))


def other_subjects(told: Told) -> Statement:
    action = told.action(0)
    subjects = subjects_of(action.mandate, action.intent, action.ending)
    return told.say(action, subjects=subjects[::-1])


def the_ending_of_another(told: Told) -> Statement:
    action, other = told.action(0), told.action(1)
    return told.say(change(action, ending=change(action.ending, action=other.ending.action)))


LIES: list[tuple[Lie, set[str]]] = [
    (another_response, {"action-answer", "action-rules", "action-effect"}),
    (another_request, {"action-answer", "action-rules"}),
    (other_weights, {"action-answer", "action-rules"}),
    (another_answers_receipt, {"action-answer", "action-rules", "inputs"}),
    (another_order, {"action-rules"}),
    (a_rule_that_passed, {"action-rules"}),
    (a_rule_that_failed, {"action-rules"}),
    (a_rule_left_out, {"action-rules"}),
    (a_larger_trade, {"action-rules", "action-effect"}),
    (other_facts, {"action-rules"}),
    (facts_that_are_none, {"claim"}),
    (no_facts, {"action-rules"}),
    (another_instruction, {"action-rules"}),
    (a_better_source, {"action-rules"}),
    (a_larger_mandate, {"action-record", "action-rules"}),
    (a_larger_mandate_throughout, {"action-rules", "action-effect"}),
    (a_mandate_that_means_nothing, {"claim"}),
    (nothing_before_it, {"action-link"}),
    (something_else_before_it, {"action-link", "inputs"}),
    (another_number, {"action-link", "action-rules"}),
    (a_first_that_follows_something, {"action-link"}),
    (another_ending_before_it, {"action-link", "inputs"}),
    (nothing_was_traded, {"action-effect"}),
    (a_refusal_was_a_trade, {"action-effect"}),
    (less_was_got, {"action-effect"}),
    (more_was_given, {"action-effect"}),
    (amounts_that_are_none, {"action-effect"}),
    (no_transaction, {"action-effect"}),
    (nobodys_signature, {"action-effect"}),
    (other_rules_stopped_it, {"action-rules"}),
    (other_subjects, {"action-record"}),
    (the_ending_of_another, {"action-record"}),
]


def test_agent_lies_about_what_it_did(told: Told) -> None:
    """Each lie is signed by the agent's own key, and consistent as far as it can be."""
    for lie, expected in LIES:
        found = told.verdict(lie(told))
        assert set(found) & {*expected} == {*expected}, (lie.__name__, found)
        assert {name for name in found if name.startswith("action")} <= expected, lie.__name__


@pytest.mark.parametrize("gone", ["answer", "previous-action"])
def test_agent_leaves_a_statement_out_of_the_file(
    told: Told, monkeypatch: pytest.MonkeyPatch, gone: str
) -> None:
    action, check = told.action(1), {"answer": "action-answer"}.get(gone, "action-link")
    said = told.say(action)
    name = next(one.statement for one in action.materials if one.role == gone)
    _hide(told, monkeypatch, name)
    verdict = told.open_verdict(said)
    states = {one.name: one.state for one in verdict.statement(said.name).checks}
    assert states[check] == "not_checked"
    assert (failures(verdict), verdict.exit_code) == ({"inputs": "parent_missing"}, 3)


def test_agent_lies_about_a_trade_and_leaves_the_action_out(
    told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    action, turn = told.action(1), told.turns[1]
    assert action.ending.effect is not None
    link = Material(
        digest={"sha256": action.ending.digest.hex()}, name="ending", role="action",
        statement=turn.statement,
    )  # fmt: skip
    lie = Recheck(
        author=told.me.name, materials=(link,), action=told.action(0).ending.action,
        outcome="failed", detail="", effect=action.ending.effect,
    )  # fmt: skip
    said = told.me.keep(Statement.of(lie, subjects=(recheck_subject(lie),))).statement
    _hide(told, monkeypatch, turn.statement)
    verdict = told.open_verdict(said)
    (check,) = [c for c in verdict.statement(said.name).checks if c.name == "recheck-action"]
    assert check.state == "not_checked"
    assert (failures(verdict), verdict.exit_code) == ({"inputs": "parent_missing"}, 3)


def _hide(told: Told, monkeypatch: pytest.MonkeyPatch, name: str | None) -> None:
    assert name is not None
    gone, there = bytes.fromhex(name[7:]), told.world.source.statement
    monkeypatch.setattr(
        told.world.source, "statement", lambda one: None if one == gone else there(one)
    )


def test_another_key_than_the_agents_tells_of_its_action(told: Told) -> None:
    thief = agent_identity(told.world.source, b"\x0c" * 32)
    action = told.action(1)
    said = change(action, author=thief.name)
    subjects = subjects_of(action.mandate, action.intent, action.ending)
    statement = thief.keep(Statement.of(said, subjects=subjects)).statement
    assert set(told.verdict(statement)) == {"action-effect"}


def test_agent_lies_about_what_became_of_a_trade(told: Told) -> None:
    world, turn = told.world, told.turns[1]
    reorganise(world, again=True)
    action = told.action(1)
    assert turn.effect is not None
    link = Material(
        digest={"sha256": action.ending.digest.hex()}, name="ending", role="action",
        statement=turn.statement,
    )  # fmt: skip

    def said(**changes: Any) -> dict[str, str]:
        values: dict[str, Any] = {
            "author": told.me.name, "materials": (link,), "action": action.ending.action,
            "outcome": "traded", "detail": "", "effect": turn.effect,
        }  # fmt: skip
        recheck = Recheck(**(values | changes))
        statement = Statement.of(recheck, subjects=(recheck_subject(recheck),))
        return told.verdict(told.me.keep(statement).statement)

    assert said() == {}
    effect: Effect = turn.effect
    for lie in (
        {"action": told.action(0).ending.action},
        {"outcome": "failed"},
        {"effect": change(effect, signature="00" * 65)},
        {"effect": change(effect, tx=None)},
        {"materials": ()},
    ):
        assert set(said(**lie)) == {"recheck-action"}, lie


def test_the_records_name_each_other(told: Told) -> None:
    """The transaction names the record, the record the transaction."""
    action = told.action(1)
    intent: Intent = action.intent
    ending: Ending = action.ending
    traded = told.world.market.fund.find(intent.digest)
    assert traded is not None
    assert ending.effect is not None
    assert traded.tx_hash == ending.effect.tx
    assert traded.received == int(ending.effect.got)
    (found,) = told.world.source.producers(named(intent.digest))
    assert named(found) == told.turns[1].statement
