"""A lease and its end: what was agreed, and what became of the money.

Trusts: nothing.  Does not trust: whoever hands one over.
"""

from __future__ import annotations

from typing import Any, Final, Literal

import msgspec

from teeproof.core.digests import named, sha256
from teeproof.network.escrow import ClosingReason
from teeproof.network.forms import money
from teeproof.network.terms import Terms
from teeproof.proof import canonical
from teeproof.proof.links import Integer

__all__ = ["LEASE_TYPE", "Closing", "Lease", "digest_of"]

LEASE_TYPE: Final = "urn:teeproof:lease-terms:v1"


class Lease(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True
):
    """What renter and node have agreed on. Its digest is the lease's name everywhere.

    Attributes:
        type: always ``urn:teeproof:lease-terms:v1``.
        order: ``sha256:…`` of the order.
        node: the node's name in the market, ``sha256:…``.
        renter: the renter's key, hex.
        rate: micro-units for each second, as decimal text: the node's price when it was matched.
        deposit: micro-units that were set aside, as decimal text.
        payout: the address on the chain that is paid.
        terms: the market's, as they were.
        opened: when it began, by the market's clock, seconds since 1970.
        sequence: the number of this change in the market's ledger.
    """

    type: Literal["urn:teeproof:lease-terms:v1"] = LEASE_TYPE
    order: str
    node: str
    renter: str
    rate: str
    deposit: str
    payout: str
    terms: Terms
    opened: Integer
    sequence: Integer

    @property
    def price(self) -> int:
        """Micro-units for each second."""
        return money(self.rate, "rate")

    @property
    def amount(self) -> int:
        """The deposit, in micro-units."""
        return money(self.deposit, "deposit")


class Closing(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How a lease ended.

    Attributes:
        lease: ``sha256:…``.
        reason: exactly one of ``escrow.CLOSING_REASONS``.
        detail: the same in one sentence.
        seconds: how many seconds the node proved.
        beats: how many signs of life it gave.
        last_beat: ``sha256:…`` of the last heartbeat's payload; empty if there was none.
        paid: micro-units that the node earned, as decimal text, ``0`` for none.
        refund: micro-units that went back, likewise; both together are the deposit.
        at: when, by the market's clock, seconds since 1970.
        sequence: the number of this change in the market's ledger.
    """

    lease: str
    reason: ClosingReason
    detail: str
    seconds: Integer
    beats: Integer
    last_beat: str
    paid: str
    refund: str
    at: Integer
    sequence: Integer


def digest_of(document: Any) -> str:
    """Return ``sha256:…`` of a document's canonical JSON."""
    return named(sha256(canonical.encode(document)))
