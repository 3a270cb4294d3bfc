"""Divide an answer's fee among those who made it possible, by the lineage that its receipt proves.

    the receipt's x.usage            amount, token, and the shares of the roles
    node    x.links, role node    -> lease -> match -> admission -> the node's claim: payout
    model   x.model               -> training statement: payout
    data    its materials dataset -> dataset: parts -> contributions: payout, weight

The receipt's id fixes the result: each record is named by the digest of its bytes, and each address
is the word of whoever is paid (a node's claim, a contribution's consent), on which the lease or the
dataset above must agree. A source can withhold a record, and then nothing is divided; it can change
none. Whether what the records say is true, ``proof.verify`` judges.

Rounding: each gets its exact part rounded down, and the units that are left go one by one to those
with the largest remainders; of equal remainders, node before model before data, then by address.
Parts of one address are added up, in a role before rounding, across roles after it, so nobody gains
by appearing twice. A weight of 0 earns nothing.

What falls to nobody stays with the payer (``kept``): the share of a role for which the lineage
names no address, or no weight above 0; that of a contribution without an address; that of a role
unknown here. So no one who writes receipts, leases or datasets gains by leaving another out. Payees
and ``kept`` add up to the amount.

Trusts: nothing.  Does not trust: the source, whoever wrote the records.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Final, NamedTuple

from teeproof.chain import merkle
from teeproof.chain.payments import Payment
from teeproof.chain.token import parse_asset
from teeproof.core.digests import named, parse_named
from teeproof.core.errors import Malformed, NotAllowed, Usage
from teeproof.inference.lineage import NOBODY, Earner, Lineage
from teeproof.inference.usage import WHOLE, check_usage
from teeproof.proof.receipt import Receipt
from teeproof.proof.source import Source

__all__ = ["ROLES", "Payee", "Split", "split"]

ROLES: Final = ("node", "model", "data")  # in the order that breaks ties


class Payee(NamedTuple):
    """Who gets how much of a fee, and as what."""

    role: str
    address: str
    amount: int


@dataclass(frozen=True)
class Split:
    """A fee, divided.

    Attributes:
        answer: the receipt's id, 32 bytes.
        chain_id: the chain that the fee is paid on.
        token: address of the token that it is paid in.
        amount: the fee, in base units.
        payees: who gets how much of it; nobody here gets 0.
        kept: what stays with the payer.
    """

    answer: bytes
    chain_id: int
    token: str
    amount: int
    payees: tuple[Payee, ...]
    kept: int

    @property
    def paid(self) -> int:
        """What the payees get together: the amount that is to be paid."""
        return self.amount - self.kept

    @cached_property
    def parts(self) -> dict[str, int]:
        """What each address gets, in all its roles together; sorted by address."""
        found: dict[str, int] = {}
        for payee in sorted(self.payees, key=lambda payee: payee.address):
            found[payee.address] = found.get(payee.address, 0) + payee.amount
        return found

    @cached_property
    def leaves(self) -> tuple[bytes, ...]:
        """One leaf of the Merkle tree for each address, in the order of ``parts``."""
        return tuple(merkle.leaf_of(self.answer, *part) for part in self.parts.items())

    @property
    def root(self) -> bytes:
        """What the payer publishes, 32 bytes."""
        return self._tree.root

    def proof(self, payee: str) -> tuple[bytes, ...]:
        """Return what a payee claims its part with; Usage if this pays it nothing."""
        if payee not in self.parts:
            raise Usage("this fee pays nothing to that address", code="payee_unknown", got=payee)
        return self._tree.proof(merkle.leaf_of(self.answer, payee, self.parts[payee]))

    def require_paid(self, payment: Payment | None) -> None:
        """Check a payment on the chain: this token, this amount, divided in this way.

        Raises:
            NotAllowed: nothing was paid (``answer_unpaid``), or something else
                (``payment_differs``).
        """
        if payment is None:
            raise NotAllowed("nobody has paid for this answer yet", code="answer_unpaid")
        got = payment.token, str(payment.amount), payment.root.hex()
        expected = self.token, str(self.paid), self.root.hex()
        if got != expected:
            raise NotAllowed(
                "the payment is not what the answer's lineage asks for: do not take it for one",
                code="payment_differs",
                expected=", ".join(expected),
                got=", ".join(got),
            )

    @cached_property
    def _tree(self) -> merkle.Tree:
        return merkle.Tree(self.leaves)


def split(
    receipt_id: bytes | str, source: Source, *, expected_shares: Mapping[str, int] | None = None
) -> Split:
    """Return who gets what of an answer's fee.

    Args:
        receipt_id: SHA-256 of the receipt's signed bytes, also as ``sha256:…``.
        source: where the receipt and all that it names are found.
        expected_shares: what the payer has agreed to, in basis points by role; None takes what the
            receipt says.

    Raises:
        Unavailable: a record is not in the source (``lineage_missing``).
        NotAuthentic: it gives another record, one names an output that is not there
            (``lineage_denied``), or two differ on an address or a weight (``lineage_disputed``).
        Malformed: no receipt, no usage that adds up, or no address, weight or list where one is to
            be.
        NotAllowed: the answer is free (``answer_free``), other shares than expected
            (``shares_differ``), or the lineage names nobody at all (``nobody_to_pay``).
    """
    answer = parse_named(receipt_id) if isinstance(receipt_id, str) else receipt_id
    lineage = Lineage(source)
    receipt = lineage.receipt(answer)
    amount, asset, shares = _fee(receipt)
    if expected_shares is not None and dict(expected_shares) != shares:
        raise NotAllowed(
            "the receipt divides its fee in another way than was agreed",
            code="shares_differ",
            expected=str(dict(sorted(expected_shares.items())))[:300],
            got=str(dict(sorted(shares.items())))[:300],
        )
    chain_id, token = parse_asset(asset)
    payees = _divided(amount, shares, lineage.earners(receipt))
    kept = amount - sum(payee.amount for payee in payees)
    if not payees:
        raise NotAllowed(
            "the lineage of this answer names nobody who could be paid: the fee stays with you",
            code="nobody_to_pay",
            got=named(answer),
        )
    return Split(answer, chain_id, token, amount, payees, kept)


def _fee(receipt: Receipt) -> tuple[int, str, dict[str, int]]:
    """Return amount, asset and shares of the receipt's one usage event."""
    stated = [event for event in receipt.body["event_log"] if event["type"] == "x.usage"]
    check = check_usage(stated)
    if check.state == "failed":
        raise Malformed(check.detail, code=check.code, expected=check.expected, got=check.got)
    (usage,) = stated
    amount = int(usage.get("amount", "0"))
    if amount == 0:
        raise NotAllowed("this answer is free: there is nothing to divide", code="answer_free")
    return amount, usage["asset"], usage["shares"]


def _divided(
    amount: int, shares: Mapping[str, int], earners: Mapping[str, tuple[Earner, ...]]
) -> tuple[Payee, ...]:
    """Return what each gets. Parts are whole numbers over one denominator, so nothing is lost."""
    paid = [role for role in ROLES if shares.get(role) and earners[role]]
    weights = {role: sum(one.weight for one in earners[role]) for role in paid}
    whole = WHOLE * prod(weights.values())
    exact: list[tuple[str, str, int]] = []
    for role in paid:
        each = amount * shares[role] * (whole // WHOLE) // weights[role]
        exact += [(role, one.address, each * one.weight) for one in earners[role]]
    exact.append(("", NOBODY, amount * whole - sum(part for _, _, part in exact)))
    amounts = [part // whole for _, _, part in exact]
    order = sorted(range(len(exact)), key=lambda at: (-(exact[at][2] % whole), at))
    for at in order[: amount - sum(amounts)]:
        amounts[at] += 1
    divided = (Payee(role, who, got) for (role, who, _), got in zip(exact, amounts, strict=True))
    return tuple(payee for payee in divided if payee.address != NOBODY and payee.amount)
