"""Does an instruction ask for something that no mandate lists: a recipient, a transfer?

It looks at words and can be talked around. It is there so that the plain attempts fall by name,
whatever a model makes of them; what keeps the money are the rules on the order and on the trade.

Trusts: nothing.  Does not trust: whoever wrote the instruction.
"""

from __future__ import annotations

import re

__all__ = ["foreign_effect"]

_ADDRESSES = re.compile(
    r"0x\w+"  # of Ethereum, whole or not
    r"|\S+@\S+"  # mail, handles
    r"|\w[\w-]*\.[a-z]{2,}"  # names: ENS, domains
    r"|[a-z0-9]{20,}",  # keys and addresses of other chains
    re.IGNORECASE,
)
_TRANSFERS = re.compile(
    r"\b(?:send|sent|transfer|wire|wiring|remit|withdraw|withdrew|drain|pay|paid|donat|forward|bridg|approv"
    r"|gift|deposit|refund)(?:e|s|es|ed|ing|al|er|red|ring)?\b",
    re.IGNORECASE,
)


def foreign_effect(text: str) -> str | None:
    """Return, in words, what an instruction asks for beside trades; None if nothing is found."""
    named, verb = _ADDRESSES.search(text), _TRANSFERS.search(text)
    found = [f"names {named.group()[:60]}"] if named else []
    found += [f"asks to {verb.group().lower()}"] if verb else []
    return " and ".join(found) or None
