"""What an action is written down in: each part of it a plain record, so that anyone can read it.

    Instruction    what somebody asked for
    Answer         what the model's service was asked, and what it returned
    Facts          what a node of the chain said of one block
    Finding        what one rule found
    Trade          what is signed for the fund
    Intent         all of these, before anything is done; its digest is the trade's ``action``
    Effect         what the trade did
    Ending         what came of the intent; the next intent names its digest

Trusts: nothing.  Does not trust: whoever wrote them.
"""

from __future__ import annotations

import re
from typing import Literal

import msgspec

from teeproof.agents.orders import Order
from teeproof.core.digests import sha256
from teeproof.core.errors import Malformed
from teeproof.proof import canonical
from teeproof.proof.links import Integer

__all__ = [
    "Answer",
    "Decision",
    "Effect",
    "Ending",
    "Facts",
    "Finding",
    "Instruction",
    "Intent",
    "Outcome",
    "Provenance",
    "State",
    "Trade",
]

_ADDRESS = re.compile(r"0x[0-9a-f]{40}")
_AMOUNT = re.compile(r"0|[1-9][0-9]{0,77}")

State = Literal["passed", "failed", "waiting", "not_reached"]
Decision = Literal["trade", "wait", "refuse"]
Outcome = Literal["traded", "waiting", "refused", "failed"]


class _Record(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What all parts of an action are."""


class Instruction(_Record, frozen=True, kw_only=True):
    """What somebody asked for.

    Attributes:
        id: the asker's own name for it; the same one is never acted on twice.
        text: as it came.
        time: when it came, by the agent's clock, in seconds since 1970.
        by: of a signed instruction, the Ed25519 key, hex.
        signature: over ``instructions.message``, hex.
    """

    id: str
    text: str
    time: Integer
    by: str | None = None
    signature: str | None = None


class Answer(_Record, frozen=True, kw_only=True):
    """What the model's service was asked, and what it returned.

    Attributes:
        request: the body that was sent, to the byte.
        response: the body that came back, to the byte; None if none did, or not as text.
        receipt: ``sha256:…`` of the receipt over both; None if there was none that held.
        model: ``sha256:…`` of the weights that the receipt names.
        policy: ``sha256:…`` of the policy under which the service's machine was admitted.
        problem: why there is no receipt, in words.
    """

    request: str
    response: str | None = None
    receipt: str | None = None
    model: str | None = None
    policy: str | None = None
    problem: str | None = None


class Facts(_Record, frozen=True, kw_only=True):
    """What a node of the chain said, of one block. Amounts are text in smallest units.

    Attributes:
        venue: the pool that was asked.
        block: number of the block.
        block_hash: its hash.
        time: its time, seconds since 1970.
        clock: the agent's own clock then.
        nonce: how many trades the fund has made.
        balance: what the fund holds of what would be given away.
        spent: what it gave away of it on this day.
        reserve_gives: what the pool holds of it.
        reserve_gets: what the pool holds of the other asset.
        pays: what the pool would pay for the amount; None if there is no amount.
    """

    venue: str
    block: Integer
    block_hash: str
    time: Integer
    clock: Integer
    nonce: str
    balance: str
    spent: str
    reserve_gives: str
    reserve_gets: str
    pays: str | None = None

    def check(self) -> None:
        """Raise Malformed (``facts_malformed``) unless every amount is one below 2**256."""
        amounts = (self.nonce, self.balance, self.spent, self.reserve_gives, self.reserve_gets)
        for amount in (*amounts, self.pays or "0"):
            if not _AMOUNT.fullmatch(amount) or int(amount) >> 256:
                raise Malformed(
                    "what the node said of the fund or the pool is no amount",
                    code="facts_malformed",
                    got=amount[:100],
                )


class Finding(_Record, frozen=True):
    """What one rule found; ``waiting`` is a price condition that does not hold now."""

    rule: str
    state: State
    detail: str


class Trade(_Record, frozen=True, kw_only=True):
    """What is signed for the fund, but for its ``action``; field by field as the contract's."""

    venue: str
    sell: str
    buy: str
    amount: str
    min_out: str
    nonce: str
    deadline: Integer


class Provenance(_Record, frozen=True):
    """One input of an action, and who vouches for it: nobody, a signature, a receipt, a node."""

    input: str
    source: str


class Intent(_Record, frozen=True, kw_only=True):
    """All that an action rests on, written down before anything is done.

    Attributes:
        agent: address of the key that signs trades.
        number: which of this agent's instructions it is, from 1.
        previous: ``sha256:…`` of the ending before it; of the first, of the agent itself.
        journal: ``sha256:…`` of the journal's last entry before this one.
        instruction: what was asked for.
        mandate: ``sha256:…`` of the mandate.
        answer: what the model said.
        order: the order that the answer is; None if it is none.
        facts: what the chain said; None where no rule came so far.
        findings: one for each rule, in their order.
        decision: what follows from them.
        trade: what is to be signed; None if nothing is.
        provenance: of each input, who vouches for it.
    """

    agent: str
    number: Integer
    previous: str
    journal: str
    instruction: Instruction
    mandate: str
    answer: Answer
    order: Order | None
    facts: Facts | None
    findings: tuple[Finding, ...]
    decision: Decision
    trade: Trade | None
    provenance: tuple[Provenance, ...]

    def check(self) -> None:
        """Raise Malformed (``intent_malformed``) unless the agent is an address."""
        if not _ADDRESS.fullmatch(self.agent):
            raise Malformed(
                "this intent names no agent",
                code="intent_malformed",
                expected="0x and 40 lower-case hex digits",
                got=self.agent[:100],
            )

    @property
    def digest(self) -> bytes:
        """SHA-256 of the record, 32 bytes: the ``action`` of the trade."""
        return sha256(canonical.encode(self))


class Effect(_Record, frozen=True, kw_only=True):
    """What a trade did, as a node of the chain said.

    Attributes:
        signature: the agent's, over the trade: r, s and v, hex.
        tx: hash of the transaction; None if none was mined.
        block: number of its block.
        block_hash: its hash.
        gave: what the fund gave away, in smallest units.
        got: what it received.
    """

    signature: str
    tx: str | None = None
    block: Integer | None = None
    block_hash: str | None = None
    gave: str = "0"
    got: str = "0"


class Ending(_Record, frozen=True, kw_only=True):
    """What came of an intent.

    Attributes:
        action: ``sha256:…`` of the intent.
        outcome: ``traded``, ``waiting``, ``refused`` (by a rule) or ``failed`` (on the chain).
        rules: the rules that refused, or that wait.
        detail: one sentence for people.
        effect: of what was signed; None where nothing was.
        journal: ``sha256:…`` of the journal's last entry before this one.
    """

    action: str
    outcome: Outcome
    rules: tuple[str, ...]
    detail: str
    effect: Effect | None
    journal: str

    @property
    def digest(self) -> bytes:
        """SHA-256 of the record, 32 bytes: what the next action follows."""
        return sha256(canonical.encode(self))
