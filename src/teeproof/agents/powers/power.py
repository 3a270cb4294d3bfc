"""One answer about an agent: who can do something to it, how that is known, what is not.

Trusts: nothing.  Does not trust: nothing comes in.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

from teeproof.agents.known import Known

__all__ = ["Kind", "Power", "Reason", "State", "on_this_machine", "unknown"]

State = Literal["nobody", "bounded", "somebody", "simulated", "not_checked"]
Kind = Literal["statement", "mandate", "policy", "evidence", "contract", "chain", "design"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """One way in which an answer is known.

    Attributes:
        text: in words.
        kind: what shows it: a statement of the log, a field of the mandate, a line of the reader's
            policy, the machine's evidence, a contract's code, a call to the chain, or how a TEE is.
        ref: a statement's id, a field's or a policy line's name, a contract's address.
    """

    text: str
    kind: Kind
    ref: str = ""

    def to_json(self) -> dict[str, str]:
        """Return the same for programs."""
        return {"text": self.text, "kind": self.kind, "ref": self.ref}


@dataclass(frozen=True, slots=True, kw_only=True)
class Power:
    """One answer.

    Attributes:
        name: ``code``, ``mandate``, ``orders``, ``stop``, ``money``, ``keys`` or ``memory``.
        question: what follows "Who can still".
        state: ``nobody``; ``bounded``: somebody, within limits that hold against them too;
            ``somebody``; ``simulated``: whoever runs what is simulated; ``not_checked``.
        who: the answer, in a few words.
        if_real: of ``simulated``, what the same facts would mean of the real thing.
        reasons: how it is known.
        check: what is not known, and how it would be checked; empty where all of it is.
    """

    name: str
    question: str
    state: State
    who: str
    reasons: tuple[Reason, ...] = ()
    if_real: str = ""
    check: str = ""

    def because(self, *reasons: Reason) -> Power:
        """Return the same with further reasons."""
        return replace(self, reasons=(*self.reasons, *reasons))

    def to_json(self) -> dict[str, Any]:
        """Return the same for programs."""
        return {
            "name": self.name, "question": self.question, "state": self.state, "who": self.who,
            "if_real": self.if_real, "reasons": [one.to_json() for one in self.reasons],
            "check": self.check,
        }  # fmt: skip


def unknown(name: str, question: str, who: str, *, check: str) -> Power:
    """Return that something is not known."""
    return Power(name=name, question=question, state="not_checked", who=who, check=check)


def on_this_machine(known: Known, real: Power) -> Power:
    """Return an answer that is true of real hardware, as it stands for this agent's machine.

    Whoever runs a simulated machine has its keys and its memory. A TPM measures what starts, and
    encrypts nothing: whoever has the machine can read and change what runs.
    """
    machine = known.machine
    if machine.problem:
        return unknown(
            real.name, real.question, "Not known: its last action's proof does not hold",
            check=f"{machine.problem}. Ask its operator for a proof that holds under your policy.",
        )  # fmt: skip
    if machine.level == "hardware":
        return real
    if machine.level == "simulated":
        reason = Reason(
            text="its machine is simulated, and a simulator keeps nothing from whoever runs it",
            kind="evidence", ref=known.identity,
        )  # fmt: skip
        who = "Whoever runs its simulated machine"
        return replace(real, state="simulated", who=who, if_real=real.who).because(reason)
    if machine.level == "measured":
        reason = Reason(
            text="a TPM measured what started there; it does not encrypt memory",
            kind="evidence", ref=known.identity,
        )  # fmt: skip
        return replace(real, state="somebody", who="Whoever has its machine").because(reason)
    return unknown(
        real.name, real.question, "Not known: nothing is established of its machine",
        check="no vendor's root vouches for it: ask for evidence of real hardware.",
    )  # fmt: skip
