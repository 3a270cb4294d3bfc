"""Look again at trades that the chain may still drop, and say what became of them.

A node's block can be replaced by another (a reorganisation). Until a trade is final, each new turn
begins by asking for it again: the same signed trade is submitted once more while its time lasts,
which the fund's contract takes once; afterwards it is said to have failed. Both are statements.

Trusts: journal.  Does not trust: the chain's node, which may say now this and now that.
"""

from __future__ import annotations

from collections.abc import Callable

from teeproof.agents.ground import Done, Ground
from teeproof.agents.journal import Journal
from teeproof.agents.records import Effect, Outcome
from teeproof.agents.statements import Recheck, recheck_subject
from teeproof.agents.story import Changed, Said, Story, Turn
from teeproof.core.digests import named
from teeproof.proof.links import Material
from teeproof.proof.statement import Statement
from teeproof.proof.workload import Identity

__all__ = ["Settling"]


class Settling:
    """Follows the trades of one journal until they are final.

    Args:
        story: what the journal tells; kept up to date.
        journal: where changes are written first.
        ground: the chain.
        identity: who says it.
        fault: called between steps with their names.
    """

    def __init__(
        self,
        story: Story,
        journal: Journal,
        ground: Ground,
        identity: Identity,
        *,
        fault: Callable[[str], None],
    ) -> None:
        self._story, self._journal = story, journal
        self._ground, self._identity, self._fault = ground, identity, fault
        self._settled = 0  # so many turns at the beginning need not be asked for again

    def run(self) -> None:
        """Bring every trade that is not final to what the chain now says.

        Raises:
            Unavailable: the chain or the log did not answer.
        """
        final = self._ground.final()
        all_settled = True
        for turn in self._story.turns[self._settled :]:
            self._tell(turn)
            all_settled = all_settled and self._look(turn, final)
            self._settled += all_settled

    def _look(self, turn: Turn, final: int) -> bool:
        """Ask for one trade again; return whether it needs no further asking."""
        effect, intent = turn.effect, turn.intent
        if effect is None or intent is None or intent.trade is None:
            return turn.ending is not None
        done = self._ground.found(intent, effect.signature)
        if done is None and effect.tx is None:
            return self._ground.is_over(intent)  # until then, somebody else may carry it
        if done is None:
            done = self._ground.trade(intent, bytes.fromhex(effect.signature))
        if _place(done.effect) != _place(effect):
            self._change(turn, done)
            self._tell(turn)
        now = done.effect
        return now.block is not None and now.block <= final

    def _change(self, turn: Turn, done: Done) -> None:
        outcome: Outcome = "traded" if done.effect.tx else "failed"
        changed = Changed(
            number=turn.number, outcome=outcome, detail=done.detail, effect=done.effect
        )  # fmt: skip
        self._story.take(self._journal.append("recheck", changed))

    def _tell(self, turn: Turn) -> None:
        while turn.unsaid:
            assert turn.intent is not None
            assert turn.ending is not None
            changed = turn.changes[-turn.unsaid]
            recheck = Recheck(
                author=self._identity.name,
                materials=(
                    Material(
                        digest={"sha256": turn.ending.digest.hex()}, name="ending", role="action",
                        statement=turn.statement,
                    ),
                ),
                action=named(turn.intent.digest),
                outcome=changed.outcome,
                detail=changed.detail,
                effect=changed.effect,
            )  # fmt: skip
            subjects = (recheck_subject(recheck),)
            name = self._identity.keep(Statement.of(recheck, subjects=subjects)).name
            self._fault("after saying again")
            self._story.take(self._journal.append("restatement", Said(turn.number, name)))


def _place(effect: Effect) -> tuple[str | None, str | None]:
    return effect.tx, effect.block_hash
