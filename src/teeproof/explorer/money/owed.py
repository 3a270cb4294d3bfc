"""Who gets how much of an answer's fee and why, by its receipt's lineage; and what was paid.

The division is worked out from the log alone. A payment on the chain counts as this answer's if its
amount and its Merkle root are the very ones that the lineage asks for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from teeproof.chain.abi import Event
from teeproof.chain.seen import Seen
from teeproof.chain.token import asset_of
from teeproof.core.errors import Error
from teeproof.evidence.verdict import Check, failed, not_checked, passed
from teeproof.inference.fees import Split, split
from teeproof.proof.source import Source

__all__ = ["Owed", "Part", "owed"]

_MOST: Final = 20  # answers that are divided for a page
_PAYEES = 200  # of one answer that a page lists
_WHY = {
    "node": "its machine gave the answer",
    "model": "its training made the model",
    "data": "its contribution is in the training data",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Who gets how much, in base units, as what, why; and whether the chain says it was taken."""

    role: str
    why: str
    address: str
    amount: int
    taken: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Owed:
    """An answer's fee.

    Attributes:
        answer: id of its receipt, hex.
        asset: in which token, ``eip155:…``.
        amount: the fee, in base units.
        kept: what stays with the payer.
        parts: who gets what of it.
        more: how many further payees there are.
        check: whether it was paid so.
        payer: who paid; None where nothing of it is known.
        tx: with which transaction.
    """

    answer: str
    asset: str
    amount: int
    kept: int
    parts: tuple[Part, ...]
    more: int
    check: Check
    payer: str | None = None
    tx: str | None = None


def owed(
    answers: Sequence[bytes], source: Source, paid: Seen | None, taken: Seen | None
) -> list[Owed]:
    """Return the fees of answers, those that were paid first, newest first.

    Args:
        answers: ids of receipts, newest first.
        source: holds them and all that they rest on.
        paid: the ``Paid`` events of the chain; None where no node told of any.
        taken: the ``Claimed`` events.
    """
    payments: dict[bytes, list[Event]] = {}
    for event in paid.events if paid else ():
        payments.setdefault(event["answer"], []).append(event)
    order = sorted(answers, key=lambda one: one not in payments)  # stable: newest first
    found: list[Owed] = []
    for answer in order[: 5 * _MOST]:
        if len(found) == _MOST:
            break
        try:
            divided = split(answer, source)
        except Error:  # free, or its lineage is not here: nobody is owed anything by this log
            continue
        found.append(_owed(divided, payments.get(answer, []), paid, taken))
    return found


def _owed(divided: Split, payments: Sequence[Event], paid: Seen | None, taken: Seen | None) -> Owed:
    right = next((one for one in payments if _is_of(divided, one)), None)
    event = right or next(iter(payments), None)
    done = set() if taken is None else {
        (one["payee"], one["amount"]) for one in taken.events
        if right is not None and one["answer"] == divided.answer
        and (one.address, one["payer"], one["token"])
        == (right.address, right["payer"], right["token"])
    }  # fmt: skip
    parts = tuple(
        Part(
            role=one.role, why=_WHY[one.role], address=one.address, amount=one.amount,
            taken=None if right is None else (one.address, divided.parts[one.address]) in done,
        )
        for one in divided.payees[:_PAYEES]
    )  # fmt: skip
    return Owed(
        answer=divided.answer.hex(), asset=asset_of(divided.chain_id, divided.token),
        amount=divided.amount, kept=divided.kept, parts=parts,
        more=max(0, len(divided.payees) - _PAYEES), check=_check(divided, right, event, paid),
        payer=None if event is None else event["payer"],
        tx=None if event is None else event.tx_hash,
    )  # fmt: skip


def _is_of(divided: Split, event: Event) -> bool:
    asked = divided.token, divided.paid, divided.root
    return (event["token"], event["amount"], event["root"]) == asked


def _check(divided: Split, right: Event | None, event: Event | None, paid: Seen | None) -> Check:
    name = "paid"
    if paid is None:
        return not_checked(name, "no node told what was paid: this is what the log says is owed")
    if right is not None:
        return passed(name, "paid in full, and divided exactly as the receipt's lineage asks")
    if event is None:
        return not_checked(name, "no payment for it was found in the blocks that were looked at")
    return failed(
        name, "payment_differs", "something else was paid than the lineage asks for",
        expected=f"{divided.paid} of {divided.token}, root {divided.root.hex()}",
        got=f"{event['amount']} of {event['token']}, root {event['root'].hex()}",
    )  # fmt: skip
