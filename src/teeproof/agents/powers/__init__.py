"""Who can still change, stop or drain an agent: seven questions, each answered from facts.

    code      who can change its code            evidence, the reader's policy, the compose file
    mandate   who can change its mandate         the measured mandate, the journal, the contract
    orders    who can give it orders             the mandate's instructors
    stop      who can stop it                    by design: whoever runs what it needs
    money     who can drain its money            the fund's code and state on the chain
    keys      who can move its keys              the key provider of the evidence
    memory    who can read its memory            the machine and its level

No answer stands in a table: each is a function of ``Known``, and says how it is known, or that it
is not and how it would be. What rests on a simulated machine is answered "whoever runs it"; what
the same facts would mean on real hardware stands beside it.

Trusts: nothing.  Does not trust: the facts any further than ``Known`` establishes them.
"""

from __future__ import annotations

from teeproof.agents.known import Known
from teeproof.agents.powers.conduct import orders, stop
from teeproof.agents.powers.machine import code, keys, mandate, memory
from teeproof.agents.powers.money import money
from teeproof.agents.powers.power import Power, Reason

__all__ = ["Power", "Reason", "powers"]


def powers(known: Known) -> tuple[Power, ...]:
    """Return the seven answers, what matters most to whoever has money in it first."""
    questions = (money, keys, code, mandate, orders, stop, memory)
    return tuple(question(known) for question in questions)
