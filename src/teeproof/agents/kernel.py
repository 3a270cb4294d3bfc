"""The agent: from an instruction to a statement of what came of it, each step on the disk first.

    instruction -> [journal] -> ask the model -> check the receipt -> run the rules -> ask the chain
    -> run the rules -> intent -> [journal] -> sign -> submit -> ending -> [journal] -> statement

It may be killed anywhere: what is missing of the last turn is done at the next start, and nothing
twice. A trade is signed for one nonce of the fund and one action, and the fund's contract takes
each once; a trade that was signed is signed the same again. Before a new turn the journal must
agree with the chain on how many trades there were, and the log must know of no later turn: an old
copy of the journal acts on nothing, nor does a second agent with the same key.

Trusts: journal, rules, keys.  Does not trust: instructions, the model, the host, the chain's node.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime
from typing import Any

from teeproof.agents import answers
from teeproof.agents.asking import Asker
from teeproof.agents.authority import agent_address, sign_trade
from teeproof.agents.ground import Ground
from teeproof.agents.journal import Entry, Journal, no_fault
from teeproof.agents.mandate import Mandate
from teeproof.agents.provenance import provenance_of
from teeproof.agents.records import Answer, Effect, Ending, Instruction, Intent, Outcome
from teeproof.agents.rules import Decided, decide
from teeproof.agents.settling import Settling
from teeproof.agents.statements import (
    Action,
    agent_digest,
    materials_of,
    subjects_of,
    turn_digest,
)
from teeproof.agents.story import Said, Story, Turn
from teeproof.core.clock import to_epoch, wall_clock
from teeproof.core.digests import named
from teeproof.core.errors import NotAllowed, NotAuthentic, Unavailable, Usage
from teeproof.proof.statement import Statement
from teeproof.proof.workload import Identity

__all__ = ["Kernel"]


class Kernel:
    """One agent with one mandate; ``instruct`` is all that anyone can ask of it.

    Args:
        mandate: what it may do.
        identity: with a ``chain`` key that outlives boots.
        journal: its own; it goes on where that ends.
        asker: of the model.
        ground: of the chain.
        now: the clock.
        fault: called between steps with their names.

    Attributes:
        story: what the journal tells.

    Raises:
        NotAuthentic: code ``journal_of_another``.
    """

    def __init__(
        self,
        mandate: Mandate,
        *,
        identity: Identity,
        journal: Journal,
        asker: Asker,
        ground: Ground,
        now: Callable[[], datetime] = wall_clock,
        fault: Callable[[str], None] = no_fault,
    ) -> None:
        address = agent_address(identity.record)
        if address is None:
            raise Usage("an agent needs a chain key: boot it with one", code="role_missing")
        self.mandate, self.address = mandate, address
        self.digest = agent_digest(chain_id=mandate.chain_id, fund=mandate.fund, agent=address)
        self._identity, self._journal = identity, journal
        self._asker, self._ground = asker, ground
        self._now, self._fault = now, fault
        self._lock = threading.Lock()
        self.story = Story(journal.entries)
        self._settling = Settling(self.story, journal, ground, identity, fault=fault)
        self._own()

    def instruct(self, instruction: Instruction) -> Turn:
        """Do what an instruction asks for, if the mandate allows it, and return what came of it.

        An instruction whose id is known is not acted on again: its turn is returned as it is.

        Raises:
            NotAllowed: code ``instruction_reused``; the id is known, with another text.
            NotAuthentic: code ``journal_behind``; the chain or the log knows more than the journal.
            Unavailable: chain or log did not answer; the turn is finished later.
        """
        with self._lock:
            known = self.story.named(instruction.id)
            if known is not None:
                _require_same(known.instruction, instruction)
                if known is self.story.open:
                    self._finish(known)
                return known
            self._settle()
            self._require_newest(len(self.story.turns) + 1)
            self._write("instruction", instruction)
            turn = self.story.turns[-1]
            self._write("intent", self._intent(turn))
            self._finish(turn)
            return turn

    def resume(self) -> None:
        """Finish what was interrupted, and look again at trades that the chain may have dropped.

        Raises:
            Unavailable: chain or log did not answer; call it again.
        """
        with self._lock:
            self._settle()

    def entries(self, first: int, most: int) -> list[Entry]:
        """Return entries of the journal, from a place on."""
        return self._journal.entries[first : first + most]

    def _settle(self) -> None:
        if self.story.open is not None:
            self._finish(self.story.open)
        self._settling.run()

    def _finish(self, turn: Turn) -> None:
        if turn.intent is None:
            self._require_newest(turn.number)  # what was there may have been taken away
            self._write("intent", self._intent(turn))
        assert turn.intent is not None
        if turn.ending is None:
            self._write("ending", self._ending(turn.intent))
        if turn.statement is None:
            self._fault("before saying")
            statement = self._say(turn)
            self._fault("after saying")
            self._write("statement", Said(turn.number, statement))

    def _intent(self, turn: Turn) -> Intent:
        name = named(turn_digest(self.digest, turn.number))
        request = answers.request_of(turn.instruction.text, turn=name, mandate=self.mandate)
        answer = self._asker.ask(request)
        self._fault("asked")
        decided = self._decide(turn.instruction, answer, name)
        previous, _ = self.story.before(turn.number)
        return Intent(
            agent=self.address,
            number=turn.number,
            previous=previous or self.digest,
            journal=self._journal.head,
            instruction=turn.instruction,
            mandate=self.mandate.digest,
            answer=answer,
            order=decided.order,
            facts=decided.facts,
            findings=decided.findings,
            decision=decided.decision or "refuse",
            trade=decided.trade,
            provenance=provenance_of(turn.instruction, answer, decided.facts),
        )

    def _decide(self, instruction: Instruction, answer: Answer, turn: str) -> Decided:
        """Run the rules; ask the chain only if none of those that need no price refuses."""
        first = decide(self.mandate, turn=turn, instruction=instruction, answer=answer, facts=None)
        if first.decision is not None or first.order is None or first.way is None:
            return first
        clock = to_epoch(self._now())
        facts = self._ground.facts(first.order, first.way, clock=clock)
        return decide(self.mandate, turn=turn, instruction=instruction, answer=answer, facts=facts)

    def _ending(self, intent: Intent) -> Ending:
        if intent.trade is not None:
            signature = sign_trade(self._identity.keyring, intent, mandate=self.mandate)
            self._fault("signed")
            done = self._ground.trade(intent, signature)
            self._fault("submitted")
            outcome: Outcome = "traded" if done.effect.tx else "failed"
            return self._ended(intent, outcome, done.detail, effect=done.effect)
        state = "waiting" if intent.decision == "wait" else "failed"
        stopped = [one for one in intent.findings if one.state == state]
        detail = "; ".join(f"{one.rule}: {one.detail}" for one in stopped)
        outcome = "waiting" if intent.decision == "wait" else "refused"
        return self._ended(intent, outcome, detail, rules=tuple(one.rule for one in stopped))

    def _ended(
        self,
        intent: Intent,
        outcome: Outcome,
        detail: str,
        *,
        rules: tuple[str, ...] = (),
        effect: Effect | None = None,
    ) -> Ending:
        return Ending(
            action=named(intent.digest), outcome=outcome, rules=rules, detail=detail,
            effect=effect, journal=self._journal.head,
        )  # fmt: skip

    def _say(self, turn: Turn) -> str:
        """Sign and log what came of a turn, and return the statement's id."""
        assert turn.intent is not None
        assert turn.ending is not None
        _, previous = self.story.before(turn.number)
        action = Action(
            author=self._identity.name,
            materials=materials_of(turn.intent, previous=previous),
            mandate=self.mandate,
            intent=turn.intent,
            ending=turn.ending,
        )
        subjects = subjects_of(self.mandate, turn.intent, turn.ending)
        return self._identity.keep(Statement.of(action, subjects=subjects)).name

    def _write(self, kind: str, body: Any) -> None:
        self.story.take(self._journal.append(kind, body))

    def _own(self) -> None:
        """Begin the journal, or see that it is this agent's; note the start."""
        owner = {"agent": self.digest, "address": self.address, "mandate": self.mandate.digest}
        if not self.story.owner:
            self._write("agent", owner)
        elif self.story.owner != owner:
            raise NotAuthentic(
                "this journal is another agent's: give each agent a folder of its own",
                code="journal_of_another",
                expected=str(owner),
                got=str(self.story.owner)[:300],
            )
        self._write("boot", {"identity": self._identity.name})

    def _require_newest(self, number: int) -> None:
        """Raise if the chain or the log knows of what the journal lacks, this turn included."""
        standing = self._ground.standing()
        if standing.agent != self.address:
            raise NotAllowed(
                "the fund listens to another agent's key: nothing that this one signs would hold",
                code="agent_not_of_fund",
                expected=standing.agent,
                got=self.address,
            )
        if standing.nonce > self.story.trades:
            raise _behind(f"the fund made {standing.nonce} trades", str(self.story.trades))
        if standing.nonce < self.story.trades:
            raise Unavailable(
                "the node does not know of a trade that it told of: ask again shortly",
                code="chain_moving",
            )
        if tuple(self._identity.store.producers(named(turn_digest(self.digest, number)))):
            raise _behind(f"the log has this agent's action {number}", f"{number - 1} actions")


def _require_same(known: Instruction, given: Instruction) -> None:
    if (known.text, known.by) != (given.text, given.by):
        raise NotAllowed(
            "this id was another instruction's: draw a new one for each",
            code="instruction_reused",
            expected=known.text[:100],
            got=given.text[:100],
        )


def _behind(expected: str, got: str) -> NotAuthentic:
    return NotAuthentic(
        "the journal lacks what this agent did: an old copy of it was put back, or a second agent"
        " has the same key. Nothing is done any more; depositors can take their money out",
        code="journal_behind",
        expected=expected,
        got=got,
    )
