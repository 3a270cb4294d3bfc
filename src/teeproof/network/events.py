"""What can change in a market: one record for each kind of change, as the ledger keeps it.

Trusts: nothing.  Does not trust: nothing; whoever reads them has checked where they come from.
"""

from __future__ import annotations

import msgspec

from teeproof.network.claim import NodeClaim
from teeproof.network.leases import Closing, Lease
from teeproof.network.orders import Tee

__all__ = [
    "Admitted",
    "Beaten",
    "Change",
    "Closed",
    "Granted",
    "Matched",
    "Refused",
    "Renewed",
    "decode",
    "encode",
]


class _Change(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", kw_only=True
):
    """Any change; ``at`` is the market's time."""

    at: int


class Granted(_Change, frozen=True, tag="granted"):
    """A new renter got test units."""

    renter: str
    amount: int


class Admitted(_Change, frozen=True, tag="admitted"):
    """A node was admitted; ``replaces`` are nodes of the same machine or name that went silent."""

    node: str
    key: str
    machine: str
    claim: NodeClaim
    tee: Tee
    admission: str
    decision: str
    until: int
    replaces: tuple[str, ...] = ()
    gpus: tuple[str, ...] = ()


class Refused(_Change, frozen=True, tag="refused"):
    """A node was refused; only the statement says more."""

    identity: str


class Renewed(_Change, frozen=True, tag="renewed"):
    """A node has proved itself anew, under a new identity."""

    node: str
    identity: str
    key: str
    admission: str
    decision: str
    until: int
    gpus: tuple[str, ...] = ()


class Beaten(_Change, frozen=True, tag="beaten"):
    """A node gave a sign of life; ``lease`` is empty if under none."""

    node: str
    lease: str
    counter: int
    digest: str


class Matched(_Change, frozen=True, tag="matched"):
    """An order was answered; ``lease`` is None if no offer met it."""

    order: str
    name: str
    renter: str
    lease: Lease | None
    lease_name: str = ""
    statement: str = ""


class Closed(_Change, frozen=True, tag="closed"):
    """A lease ended."""

    closing: Closing
    paid: int
    refund: int
    statement: str


Change = Granted | Admitted | Refused | Renewed | Beaten | Matched | Closed

_encoder = msgspec.json.Encoder(order="sorted")
_decoder: msgspec.json.Decoder[Change] = msgspec.json.Decoder(Change)


def encode(change: Change) -> bytes:
    """Return a change as the ledger keeps it."""
    return _encoder.encode(change)


def decode(data: bytes) -> Change:
    """Return a change that the ledger kept."""
    return _decoder.decode(data)
