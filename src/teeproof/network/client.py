"""Ask a market: as a node that wants work, or as a renter that wants a machine.

    market = MarketClient(url)
    matched = market.order(owner, need=Need(tee=("sim",)), greatest_price=100, deposit=10_000)
    print(market.lease(matched.lease).state)

What a market answers is its word. What can be checked are its statements, in the log, with the
judges of ``verify``; ``identity`` returns what its own evidence is verified by.

Trusts: nothing.  Does not trust: the market, the network.
"""

from __future__ import annotations

import base64
import secrets
from typing import Any, Self, TypeVar

import msgspec

from teeproof.cloud.owner import OwnerKey
from teeproof.core import strictjson
from teeproof.core.errors import Malformed, NotAllowed
from teeproof.network.answers import (
    Admission,
    Balance,
    Challenge,
    LeaseView,
    MarketView,
    Matched,
    Offers,
    Pulse,
)
from teeproof.network.gate import MAX_BODY, Registration, Renewal
from teeproof.network.heartbeats import Heartbeat, NodeClose, sign_as_node
from teeproof.network.orders import CloseRequest, Need, Order
from teeproof.proof import canonical
from teeproof.proof.envelope import Envelope
from teeproof.proof.identity import IdentityRecord
from teeproof.proof.sealing import Sealed
from teeproof.proof.workload import Identity
from teeproof.web.asking import Asker

__all__ = ["MarketClient", "NoMatch"]

T = TypeVar("T")

HALF_HOUR = 1800
_MAX_ANSWER = 2 * MAX_BODY


class NoMatch(NotAllowed):
    """No offer meets the order.

    Attributes:
        matched: the market's answer: its statement, and what kept each offer.
    """

    def __init__(self, matched: Matched) -> None:
        near = "; ".join(
            f"{one.node[:19]}… breaks {one.code} (wanted {one.wanted}, has {one.offered})"
            for one in matched.closest
        )
        super().__init__(
            f"no offer meets the order; closest: {near or 'none, the book is empty'}",
            code="no_offer_meets_order",
        )
        self.matched = matched


class MarketClient:
    """A market at an address.

    Args:
        url: its address.
        timeout: seconds to wait for one answer.
    """

    def __init__(self, url: str, *, timeout: float = 30.0) -> None:
        self._asker = Asker(url, noun="market", timeout=timeout)
        self.url = self._asker.url

    def __enter__(self) -> Self:
        """Return the client."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connections."""
        self._asker.close()

    def market(self) -> MarketView:
        """Return what the market says of itself."""
        return self._get("v1/market", MarketView)

    def identity(self) -> tuple[IdentityRecord, dict[str, bytes]]:
        """Return the market's identity and its evidence's parts: verify them before you trust it.

        Raises:
            Malformed: it is no identity.
        """
        body = self._get("v1/identity", dict)
        try:
            record = IdentityRecord.parse(canonical.encode(body["identity"]))
            return record, {k: base64.b64decode(v) for k, v in body["blobs"].items()}
        except (KeyError, ValueError, TypeError, AttributeError) as error:
            raise Malformed("the market shows no identity", got=repr(error)[:100]) from None

    def offers(self) -> Offers:
        """Return the cheapest offers."""
        return self._get("v1/offers", Offers)

    def challenge(self) -> Challenge:
        """Return a nonce: boot with it, then ``register`` or ``attest``."""
        return self._post("v1/challenges", b"", Challenge)

    def register(
        self, identity: Identity, claim: Sealed, *, gpu_reports: tuple[bytes, ...] = ()
    ) -> Admission:
        """Ask to be admitted; the answer says why, if not.

        Args:
            identity: booted with a challenge as its nonce.
            claim: what it sealed: a ``NodeStatement``.
            gpu_reports: those that the claim names.
        """
        body = Registration(
            identity=msgspec.Raw(identity.record.encode()), blobs=identity.blobs,
            claim=msgspec.Raw(claim.envelope.encode()), gpu_reports=gpu_reports,
        )  # fmt: skip
        return self._post("v1/nodes", _canonical(body), Admission)

    def attest(
        self,
        node: str,
        identity: Identity,
        claim: Sealed,
        *,
        rotation: bytes,
        gpu_reports: tuple[bytes, ...] = (),
    ) -> Admission:
        """Hand in fresh evidence.

        Args:
            node: its name in the market.
            identity: the one that follows, booted with a challenge as its nonce.
            claim: the same claim as before, sealed by that identity.
            rotation: the old identity's statement about it, in its envelope.
            gpu_reports: those that the claim names.
        """
        body = Renewal(
            node=node, identity=msgspec.Raw(identity.record.encode()), blobs=identity.blobs,
            claim=msgspec.Raw(claim.envelope.encode()), rotation=msgspec.Raw(rotation),
            gpu_reports=gpu_reports,
        )  # fmt: skip
        return self._post("v1/attestations", _canonical(body), Admission)

    def heartbeat(self, identity: Identity, *, node: str, lease: str, counter: int) -> Pulse:
        """Give a sign of life; arguments as of ``Heartbeat``."""
        beat = Heartbeat(node=node, identity=identity.name, lease=lease, counter=counter)
        return self._post("v1/heartbeats", sign_as_node(identity, beat).encode(), Pulse)

    def order(
        self,
        owner: OwnerKey,
        *,
        need: Need | None = None,
        greatest_price: int,
        deposit: int,
        order_id: str | None = None,
        not_after: int | None = None,
    ) -> Matched:
        """Order a node, and return the lease that came of it.

        Args:
            owner: the renter's key.
            need: what the node must have.
            greatest_price: the most micro-units for each second.
            deposit: micro-units to set aside.
            order_id: the order's name; sent twice with the same content it is one order. A fresh
                one, if none is given.
            not_after: until when it may be matched; half an hour, if none is given.

        Raises:
            NoMatch: no offer meets it; nothing was set aside.
            NotAllowed: the balance is short, or the id is another order's.
        """
        view = self.market()
        order = Order(
            id=order_id or secrets.token_hex(16), market=view.digest, renter=owner.public,
            need=need or Need(), greatest_price=str(greatest_price), deposit=str(deposit),
            not_after=view.time + HALF_HOUR if not_after is None else not_after,
        )  # fmt: skip
        return self.place(owner.sign(order))

    def place(self, order: Envelope) -> Matched:
        """Send a signed order, once or again; raises as ``order``."""
        matched = self._post("v1/orders", order.encode(), Matched)
        if matched.lease is None:
            raise NoMatch(matched)
        return matched

    def lease(self, name: str) -> LeaseView:
        """Return a lease as it stands now."""
        return self._get(f"v1/leases/{name.removeprefix('sha256:')}", LeaseView)

    def close(self, owner: OwnerKey, lease: str) -> LeaseView:
        """End a lease, as its renter."""
        wish = owner.sign(CloseRequest(lease=lease))
        return self._post("v1/closings", wish.encode(), LeaseView)

    def leave(self, identity: Identity, *, node: str, lease: str) -> None:
        """End a lease, as its node."""
        wish = sign_as_node(identity, NodeClose(node=node, lease=lease))
        self._post("v1/closings", wish.encode(), dict)

    def balance(self, renter: str) -> Balance:
        """Return what a renter has."""
        return self._get(f"v1/accounts/{renter}", Balance)

    def _get(self, path: str, kind: type[T]) -> T:
        return _read(self._asker.get(path, limit=_MAX_ANSWER), kind)

    def _post(self, path: str, body: bytes, kind: type[T]) -> T:
        return _read(self._asker.post(path, body, limit=_MAX_ANSWER), kind)


def _read(answer: bytes, kind: type[T]) -> T:
    value = strictjson.loads(answer, limit=_MAX_ANSWER, what="market's answer")
    try:
        return msgspec.convert(value, kind, strict=True)
    except msgspec.ValidationError as error:
        raise Malformed(
            "the market's answer has not the form that it should: is it another version?",
            code="market_answer_malformed",
            got=str(error)[:200],
        ) from None


def _canonical(body: Any) -> bytes:
    return msgspec.json.encode(body, order="sorted")
