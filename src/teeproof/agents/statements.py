"""What an agent says of each instruction: what came in, what the rules decided, what came of it.

    instruction -> answer -> order -> findings -> trade | -> effect
                       intent, before the act            |  ending, after it

``Trade.action`` on the chain is the SHA-256 of the intent: the transaction names the record, and
the record the transaction. An action's subjects are its ending, its intent, and its turn, which is
the same for all that claim to be this agent's n-th: two different ones are a fork that anyone sees.

Trusts: nothing.  Does not trust: whoever wrote the predicate; ``verify`` judges it.
"""

from __future__ import annotations

from teeproof.agents.mandate import Mandate
from teeproof.agents.records import Effect, Ending, Intent, Outcome
from teeproof.core.digests import framed_sha256, named, parse_named, sha256
from teeproof.proof import canonical
from teeproof.proof.links import Material, Subject
from teeproof.proof.statement import Predicate, predicate_type

__all__ = [
    "ACTION",
    "RECHECK",
    "Action",
    "Recheck",
    "agent_digest",
    "materials_of",
    "recheck_subject",
    "subjects_of",
    "turn_digest",
]

ACTION = "urn:teeproof:action:v1"
RECHECK = "urn:teeproof:action-recheck:v1"


@predicate_type(ACTION)
class Action(Predicate, frozen=True, kw_only=True):
    """One action of an agent, whole; see the records."""

    mandate: Mandate
    intent: Intent
    ending: Ending


@predicate_type(RECHECK)
class Recheck(Predicate, frozen=True, kw_only=True):
    """The chain was reorganised after a trade, and this is what became of it.

    Attributes:
        action: ``sha256:…`` of the intent.
        outcome: ``traded`` again, in another block, or ``failed``.
        detail: one sentence for people.
        effect: as it now stands.
    """

    action: str
    outcome: Outcome
    detail: str
    effect: Effect


def agent_digest(*, chain_id: int, fund: str, agent: str) -> str:
    """Return ``sha256:…`` that stands for an agent: a key that may trade for a fund on a chain."""
    parts = (str(chain_id).encode(), bytes.fromhex(fund[2:]), bytes.fromhex(agent[2:]))
    return named(framed_sha256("teeproof.agent.v1", *parts))


def turn_digest(agent: str, number: int) -> bytes:
    """Return the digest that stands for an agent's n-th action, whatever that was, 32 bytes."""
    return framed_sha256("teeproof.agent-turn.v1", agent.encode(), str(number).encode())


def subjects_of(mandate: Mandate, intent: Intent, ending: Ending) -> tuple[Subject, ...]:
    """Return what an action's statement speaks of."""
    agent = agent_digest(chain_id=mandate.chain_id, fund=mandate.fund, agent=intent.agent)
    digests = {
        "ending": ending.digest,
        "intent": intent.digest,
        "turn": turn_digest(agent, intent.number),
    }
    return tuple(Subject({"sha256": value.hex()}, name=name) for name, value in digests.items())


def recheck_subject(recheck: Recheck) -> Subject:
    """Return what a recheck's statement speaks of: the effect, and which action it is of."""
    action, effect = parse_named(recheck.action), canonical.encode(recheck.effect)
    digest = framed_sha256("teeproof.recheck.v1", action, effect)
    return Subject({"sha256": digest.hex()}, name="effect")


def materials_of(intent: Intent, *, previous: str | None) -> tuple[Material, ...]:
    """Return an action's inputs; ``previous`` is the id of the statement before it."""
    found = []
    answer = intent.answer
    if answer.receipt is not None and answer.response is not None:
        digest = sha256(answer.response.encode()).hex()
        found.append(_material("answer", digest, name="response", statement=answer.receipt))
    found.append(_material("mandate", intent.mandate.removeprefix("sha256:")))
    found.append(_material("journal", intent.journal.removeprefix("sha256:")))
    if previous is not None:
        digest = intent.previous.removeprefix("sha256:")
        found.append(_material("previous-action", digest, name="ending", statement=previous))
    return tuple(found)


def _material(
    role: str, digest: str, *, name: str | None = None, statement: str | None = None
) -> Material:
    return Material(digest={"sha256": digest}, name=name, role=role, statement=statement)
