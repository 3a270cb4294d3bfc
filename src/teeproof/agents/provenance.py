"""Who vouches for each input of an action: nobody, a signature, a receipt, a node, this machine.

Trusts: nothing; these are labels.  Does not trust: what the labels are on.
"""

from __future__ import annotations

from teeproof.agents.records import Answer, Facts, Instruction, Provenance

__all__ = ["provenance_of"]


def provenance_of(
    instruction: Instruction, answer: Answer, facts: Facts | None
) -> tuple[Provenance, ...]:
    """Return where the inputs of an action come from, in the order in which they came."""
    found = [
        Provenance("mandate", "measured"),
        Provenance("instruction", f"said to be signed by {instruction.by}" if instruction.by else
                   "anyone"),
        Provenance("answer", "a receipt of an admitted machine" if answer.receipt else "nobody"),
    ]  # fmt: skip
    if facts is not None:
        found.append(Provenance("price, balance, nonce", "one node of the chain, unproven"))
        found.append(Provenance("clock", "the machine's host"))
    return tuple(found)
