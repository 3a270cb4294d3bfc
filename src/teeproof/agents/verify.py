"""Judge an action from the proof alone: run its rules again, and compare each link and each byte.

    action-record     mandate, intent, ending and subjects are one record
    action-answer     request and response are the very bytes of the receipt, and its weights
    action-rules      every rule, run again, finds what the record says, and so decides
    action-effect     the outcome follows from the decision; the agent's own key signed the trade
    action-link       it continues the action before it, of the same agent, with none between
    action-on-chain   not checked: no block lies in the proof

That the receipt is its service's, and the statement the agent's, is checked with every statement.

Trusts: this code.  Does not trust: the agent, its host, its model.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from teeproof.agents.authority import agent_address, is_signed_by
from teeproof.agents.provenance import provenance_of
from teeproof.agents.rules import decide
from teeproof.agents.statements import (
    ACTION,
    RECHECK,
    Action,
    Recheck,
    agent_digest,
    subjects_of,
    turn_digest,
)
from teeproof.core.digests import named, sha256
from teeproof.evidence.verdict import Check, failed, not_checked, passed
from teeproof.proof.links import Link, Subject
from teeproof.proof.source import Read
from teeproof.proof.verify.claims import View, judge, lacks

__all__ = ["judge_action", "judge_recheck"]

_Pair = tuple[str, Any, Any]  # what, as it should be, as it is
_OUTCOMES = {"trade": ("traded", "failed"), "wait": ("waiting",), "refuse": ("refused",)}


@judge(ACTION)
def judge_action(read: Read, view: View) -> Iterable[Check]:
    """Yield the checks of one action."""
    action = _action(read)
    if action is None:
        yield _unread("action-record")
        return
    action.mandate.check()
    action.intent.check()
    yield _record(read, action)
    yield _answer(read, view, action)
    yield _rules(action)
    yield _effect(read, view, action)
    yield _link(read, view, action)
    yield not_checked(
        "action-on-chain",
        "no block is in the proof: ask a node of the chain for the transaction",
        "policy",
        got=None if action.ending.effect is None else action.ending.effect.tx,
    )


@judge(RECHECK)
def judge_recheck(read: Read, view: View) -> Iterable[Check]:
    """Yield the checks of what became of a trade after a reorganisation."""
    recheck = read.statement.predicate if read.statement else None
    before = _before(read, view, "action")
    if lacks(view, _role(read, "action")):
        yield not_checked("recheck-action", "the action is not in this proof")
        return
    if not isinstance(recheck, Recheck) or before is None:
        yield _unread("recheck-action")
        return
    effect = before.ending.effect
    yield _compared(
        "recheck-action",
        "recheck_differs",
        "it speaks of the trade that this agent signed",
        (
            ("the action", named(before.intent.digest), recheck.action),
            ("the agent", before.intent.agent, _agent(read, view)),
            ("the signature", effect.signature if effect else None, recheck.effect.signature),
            ("a transaction", recheck.outcome == "traded", recheck.effect.tx is not None),
        ),
    )


def _record(read: Read, action: Action) -> Check:
    intent, ending, mandate = action.intent, action.ending, action.mandate
    return _compared(
        "action-record",
        "action_record_differs",
        f"action {intent.number} of {intent.agent} is one record",
        (
            ("the mandate", mandate.digest, intent.mandate),
            ("the mandate among the inputs", mandate.digest, _digest(read, "mandate")),
            ("the journal among the inputs", intent.journal, _digest(read, "journal")),
            ("the intent", named(intent.digest), ending.action),
            ("the subjects", _list(subjects_of(mandate, intent, ending)), _list(read.subjects)),
        ),
    )


def _answer(read: Read, view: View, action: Action) -> Check:
    answer, link = action.intent.answer, _role(read, "answer")
    if answer.receipt is None and link is None and action.ending.outcome == "refused":
        return not_checked("action-answer", answer.problem or "there was no answer")
    if lacks(view, link) and answer.receipt == _stated(link):
        return not_checked("action-answer", "the receipt is not in this proof")
    there = None if link is None else _statement(view, link)
    return _compared(
        "action-answer",
        "answer_differs",
        "the receipt is over this request and this response",
        _answer_pairs(action, link, there),
    )


def _answer_pairs(action: Action, link: Link | None, there: Read | None) -> Iterable[_Pair]:
    answer = action.intent.answer
    yield "the receipt", answer.receipt, _stated(link)
    yield "the receipt in the proof", True, there is not None and there.receipt is not None
    if there is not None:
        bodies = {subject.name: subject.sha256 for subject in there.subjects}
        yield "the request", bodies.get("request"), _sha(answer.request)
        yield "the response", bodies.get("response"), _sha(answer.response or "")
        yield (
            "the weights",
            [one.digest for one in there.links if one.role == "model"],
            [answer.model],
        )


def _rules(action: Action) -> Check:
    intent = action.intent
    again = decide(
        action.mandate,
        turn=named(turn_digest(_agent_digest(action), intent.number)),
        instruction=intent.instruction,
        answer=intent.answer,
        facts=intent.facts,
    )
    pairs: list[_Pair] = [
        (f"the rule {one.rule}", one, other)
        for one, other in zip(again.findings, intent.findings, strict=False)
    ]
    pairs.append(("the number of rules", len(again.findings), len(intent.findings)))
    sources = provenance_of(intent.instruction, intent.answer, again.facts)
    pairs.append(("who vouches for its inputs", sources, intent.provenance))
    pairs.append(("the order", again.order, intent.order))
    pairs.append(("the decision", again.decision, intent.decision))
    pairs.append(("the trade", again.trade, intent.trade))
    pairs.append(("the rules that stopped it", again.stopped_by, action.ending.rules))
    by = f" by {', '.join(again.stopped_by)}" if again.stopped_by else ""
    good = f"{len(again.findings)} rules, run again, find the same: {intent.decision}{by}"
    return _compared("action-rules", "rules_differ", good, pairs)


def _effect(read: Read, view: View, action: Action) -> Check:
    ending = action.ending
    moved = "nothing was signed, 0 units moved"
    good = f"{ending.outcome}: {'its key signed this trade' if ending.effect else moved}"
    return _compared(
        "action-effect", "effect_differs", good, _effect_pairs(action, _agent(read, view))
    )


def _effect_pairs(action: Action, author: str | None) -> Iterable[_Pair]:
    intent, ending = action.intent, action.ending
    effect, trade = ending.effect, intent.trade
    yield "the agent", author, intent.agent
    yield f"the outcome {ending.outcome}", True, ending.outcome in _OUTCOMES[intent.decision]
    yield "an effect", trade is not None, effect is not None
    if effect is None or trade is None:
        return
    signed = is_signed_by(intent.agent, effect.signature, intent, mandate=action.mandate)
    yield "the agent's signature of the trade", True, signed
    yield "a transaction", ending.outcome == "traded", effect.tx is not None
    if ending.outcome == "traded":
        yield "the amount that was given", trade.amount, effect.gave
        yield "the least amount that was to be got", True, _at_least(effect.got, trade.min_out)


def _link(read: Read, view: View, action: Action) -> Check:
    intent = action.intent
    agent, digest = _agent_digest(action), _digest(read, "previous-action")
    pairs: list[_Pair] = []
    if intent.number == 1:
        good = "it is the agent's first"
        pairs += [
            ("what it follows", agent, intent.previous),
            ("no action before it", None, digest),
        ]
    else:
        good = f"it follows action {intent.number - 1} of the same agent"
        before = _before(read, view, "previous-action")
        if intent.previous == digest and lacks(view, _role(read, "previous-action")):
            return not_checked("action-link", "the action before it is not in this proof")
        pairs += [
            ("the ending before it", intent.previous, digest),
            ("the action before it in the proof", True, before is not None),
        ]
        if before is not None:
            pairs += [
                ("the agent", agent, _agent_digest(before)),
                ("the number before it", intent.number - 1, before.intent.number),
                ("the ending before it", named(before.ending.digest), intent.previous),
            ]
    return _compared("action-link", "journal_broken", good, pairs)


def _compared(name: str, code: str, good: str, pairs: Iterable[_Pair]) -> Check:
    for what, expected, got in pairs:
        if expected != got:
            return failed(
                name, code, f"{what} is not what the rest of the record makes it",
                expected=str(expected)[:300], got=str(got)[:300],
            )  # fmt: skip
    return passed(name, good)


def _before(read: Read, view: View, role: str) -> Action | None:
    link = _role(read, role)
    there = None if link is None else _statement(view, link)
    action = None if there is None else _action(there)
    if action is not None:
        action.mandate.check()
        action.intent.check()
    return action


def _digest(read: Read, role: str) -> str | None:
    link = _role(read, role)
    return None if link is None else link.digest


def _action(read: Read) -> Action | None:
    predicate = read.statement.predicate if read.statement else None
    return predicate if isinstance(predicate, Action) else None


def _statement(view: View, link: Link) -> Read | None:
    return None if link.statement is None else view.statement(named(link.statement))


def _stated(link: Link | None) -> str | None:
    return None if link is None or link.statement is None else named(link.statement)


def _role(read: Read, role: str) -> Link | None:
    found = [link for link in read.links if link.role == role]
    return found[0] if len(found) == 1 else None


def _agent(read: Read, view: View) -> str | None:
    record = None if read.author is None else view.identity(read.author)
    return None if record is None else agent_address(record)


def _agent_digest(action: Action) -> str:
    mandate = action.mandate
    return agent_digest(chain_id=mandate.chain_id, fund=mandate.fund, agent=action.intent.agent)


def _list(subjects: Iterable[Subject]) -> list[tuple[str | None, str]]:
    return [(one.name, one.sha256) for one in subjects]


def _sha(text: str) -> str:
    return named(sha256(text.encode()))


def _at_least(amount: str, least: str) -> bool:
    return amount.isascii() and amount.isdigit() and len(amount) < 80 and int(amount) >= int(least)


def _unread(name: str) -> Check:
    return failed(name, "action_unread", "this is not the record of an action")
