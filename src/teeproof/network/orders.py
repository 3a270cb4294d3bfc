"""An order: what a renter needs, what it may cost, and the money that is set aside for it.

The renter's key signs it, and its id makes it one order however often it is sent. Constraints are
plain fields: an unknown one is an error, since an order with a spelling mistake must never become a
weaker order.

Trusts: nothing.  Does not trust: the renter.
"""

from __future__ import annotations

import re
from typing import Final, Literal

import msgspec

from teeproof.cloud.owner import check_owner
from teeproof.core.digests import named, sha256
from teeproof.network.claim import Gpus, check_gpus
from teeproof.network.forms import check_count, check_labels, check_region, money, require
from teeproof.proof import canonical
from teeproof.proof.links import Integer

__all__ = ["CLOSE_TYPE", "ORDER_TYPE", "TEES", "CloseRequest", "Need", "Order", "Tee"]

ORDER_TYPE: Final = "urn:teeproof:order:v1"
CLOSE_TYPE: Final = "urn:teeproof:lease-close:v1"
MAX_REGIONS = 16
_ID = re.compile(r"[A-Za-z0-9._-]{8,64}", re.ASCII)

Tee = Literal["none", "sim", "cpu", "cpu+gpu"]
"""What hardware vouches for: nothing, a simulator, the processor, processor and GPUs."""

TEES: tuple[Tee, ...] = ("none", "sim", "cpu", "cpu+gpu")


class Need(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True
):
    """What a node must have.

    Attributes:
        tee: any of these outcomes of admission. Simulated machines are taken only if ``sim`` is
            among them.
        cpus: at least so many cores.
        memory_mib: at least so much memory.
        gpus: at least so many of each model.
        regions: any of these; empty for all.
        labels: each of these, with this value.
    """

    tee: tuple[Tee, ...] = ("cpu", "cpu+gpu")
    cpus: Integer = 1
    memory_mib: Integer = 1
    gpus: tuple[Gpus, ...] = ()
    regions: tuple[str, ...] = ()
    labels: dict[str, str] = {}

    def check(self) -> None:
        """Raise Malformed unless some machine could have it."""
        require(
            bool(self.tee) and list(self.tee) == [t for t in TEES[1:] if t in self.tee],
            "tee_malformed",
            "say which outcomes of admission will do, each once, weakest first",
            expected=", ".join(TEES[1:]),
            got=self.tee,
        )
        check_count(self.cpus, "cores")
        check_count(self.memory_mib, "memory")
        check_gpus(self.gpus)
        require(
            list(self.regions) == sorted(set(self.regions)) and len(self.regions) <= MAX_REGIONS,
            "regions_malformed",
            "regions are listed once each, sorted",
            expected=f"at most {MAX_REGIONS}",
            got=self.regions,
        )
        for region in self.regions:
            check_region(region)
        check_labels(self.labels)


class Order(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True
):
    """What a renter wants.

    Attributes:
        type: always ``urn:teeproof:order:v1``.
        id: the renter's own name for it; sent twice, it is still one order.
        market: ``sha256:…`` of the market's terms that it is meant for.
        renter: the renter's Ed25519 key, hex.
        need: what the node must have.
        greatest_price: the most micro-units for each second, as decimal text.
        deposit: micro-units set aside; the lease ends when they are spent.
        not_after: until when the market may match it, seconds since 1970.
    """

    type: Literal["urn:teeproof:order:v1"] = ORDER_TYPE
    id: str
    market: str
    renter: str
    need: Need = Need()
    greatest_price: str
    deposit: str
    not_after: Integer

    def check(self) -> None:
        """Raise Malformed unless it can be an order."""
        require(
            _ID.fullmatch(self.id) is not None,
            "order_id_malformed",
            "an order's id has letters, digits, dots, hyphens and underscores",
            expected="8 to 64 such characters",
            got=self.id,
        )
        check_owner(self.renter)
        self.need.check()
        money(self.greatest_price, "greatest price")
        money(self.deposit, "deposit")

    @property
    def digest(self) -> str:
        """``sha256:…`` of the canonical JSON."""
        return named(sha256(canonical.encode(self)))

    @property
    def price(self) -> int:
        """The most micro-units for each second."""
        return money(self.greatest_price, "greatest price")

    @property
    def amount(self) -> int:
        """The deposit, in micro-units."""
        return money(self.deposit, "deposit")


class CloseRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A renter, or a node, ends a lease.

    Attributes:
        type: always ``urn:teeproof:lease-close:v1``.
        lease: ``sha256:…``.
    """

    type: Literal["urn:teeproof:lease-close:v1"] = CLOSE_TYPE
    lease: str
