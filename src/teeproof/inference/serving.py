"""What a service is told about itself: its model's name and origin, its lease, price and limits.

It is one JSON document, ``/in/serve.json`` of the workload:

    {"model": "orders",
     "statement": "sha256:…",            the training statement, which lies in training.json
     "lease": {"digest": "sha256:…", "statement": "sha256:…"},
     "price": {"asset": "eip155:31337/erc20:0x…", "answer": "300000", "token": "0",
               "shares": {"node": 4000, "model": 3000, "data": 3000}},
     "limits": {"tokens": 512, "running": 4, "waiting": 32}}

All but ``model`` may be left out. The host writes it, so nothing in it can make an answer other
than it is: a receipt names what was true here, the model by the digest that was computed here.

Trusts: nothing.  Does not trust: the host.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from teeproof.core import strictjson
from teeproof.core.digests import parse_named
from teeproof.core.errors import Malformed
from teeproof.inference.usage import AMOUNT, ASSET, WHOLE, are_shares, usage_event

__all__ = ["MAX_SERVING_BYTES", "Lease", "Limits", "Price", "Serving"]

MAX_SERVING_BYTES = 64 << 10
_MAX_DIGITS = 70  # times a million tokens, that is still below 2^256
_NAME = re.compile(r"[A-Za-z0-9._/-]{1,100}", re.ASCII)  # ":" would split an older proof's text


class Lease(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The lease of the machine: what it is called in the graph."""

    digest: str
    statement: str | None = None


class Price(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What an answer costs.

    Attributes:
        asset: a token, as CAIP-19 names it.
        answer: base units for each answer, as decimal text.
        token: base units for each token, of prompt and answer alike.
        shares: who gets how much of it, in basis points that sum to 10,000.
    """

    asset: str
    answer: str = "0"
    token: str = "0"  # noqa: S105  an amount
    shares: dict[str, int] = {}


class Limits(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How much a service does at once.

    Attributes:
        tokens: of one answer, at most.
        running: answers at once.
        waiting: further requests that wait; one more is told to come again.
    """

    tokens: int = 512
    running: int = 4
    waiting: int = 32


class Serving(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The whole document.

    Attributes:
        name: the model's, which requests give (``model`` in the document).
        statement: ``sha256:…`` of the training statement, if there is one.
        lease: the machine's, if there is one.
        price: None where answers are free.
        limits: see ``Limits``.
    """

    name: str = msgspec.field(name="model")
    statement: str | None = None
    lease: Lease | None = None
    price: Price | None = None
    limits: Limits = Limits()

    @classmethod
    def parse(cls, data: bytes) -> Serving:
        """Return the document.

        Raises:
            TooLarge, Malformed: it is none; the detail names the member.
        """
        value = strictjson.loads(data, limit=MAX_SERVING_BYTES, what="serving document")
        try:
            serving = msgspec.convert(value, cls, strict=True)
        except msgspec.ValidationError as error:
            raise _malformed("the members that the documentation names", str(error)) from None
        serving.check()
        return serving

    def check(self) -> None:
        """Raise Malformed unless every member has its form."""
        if not _NAME.fullmatch(self.name):
            raise _malformed("a model name of A-Z, a-z, 0-9, . _ / -", self.name)
        for digest in (
            self.statement,
            *((self.lease.digest, self.lease.statement) if self.lease else ()),
        ):
            if digest is not None:
                parse_named(digest)
        for name, value, most in (
            ("tokens", self.limits.tokens, 1 << 16),
            ("running", self.limits.running, 256),
            ("waiting", self.limits.waiting + 1, 4096),
        ):
            if not 1 <= value <= most:
                raise _malformed(f"limits.{name} of at most {most}", str(value))
        if self.price is not None:
            _check_price(self.price)

    @property
    def statement_id(self) -> bytes | None:
        """The training statement's id, 32 bytes."""
        return None if self.statement is None else parse_named(self.statement)

    @property
    def links(self) -> tuple[tuple[str, str, bytes | None], ...]:
        """Role, digest and statement of each further input of every answer."""
        lease = self.lease
        if lease is None:
            return ()
        return (("node", lease.digest, parse_named(lease.statement) if lease.statement else None),)

    def usage(self, *, prompt: int, count: int) -> dict[str, Any]:
        """Return the receipt's ``x.usage`` event."""
        price = self.price
        if price is None:
            return usage_event(prompt=prompt, count=count)
        amount = int(price.answer) + int(price.token) * (prompt + count)
        return usage_event(
            prompt=prompt, count=count, amount=amount, asset=price.asset, shares=price.shares
        )


def _check_price(price: Price) -> None:
    if not ASSET.fullmatch(price.asset):
        raise _malformed("price.asset such as eip155:1/erc20:0x… in lower case", price.asset)
    for name, amount in (("answer", price.answer), ("token", price.token)):
        if not AMOUNT.fullmatch(amount) or len(amount) > _MAX_DIGITS:
            raise _malformed(f"price.{name} as decimal text of base units", amount)
    if not are_shares(price.shares):
        raise _malformed(f"price.shares that sum to {WHOLE} basis points", str(price.shares))


def _malformed(expected: str, got: str) -> Malformed:
    return Malformed(
        "this does not say what is served, at which price",
        code="serving_malformed",
        expected=expected,
        got=got[:300],
    )
