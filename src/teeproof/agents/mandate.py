"""What an agent may do, as a plain record: assets, markets, limits, models. No more is allowed.

The record is canonical JSON, so it has one digest. It has no field for a recipient, an account or a
contract but the markets: what cannot be written down cannot be allowed. Amounts are decimal text in
an asset's smallest units, prices decimal text in units of the quote for one unit of the base.

Trusts: whoever measured or published its digest.  Does not trust: whoever hands it over.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

import msgspec

from teeproof.agents.orders import Decimal, Order
from teeproof.core.digests import named, parse_named, sha256
from teeproof.core.errors import Malformed
from teeproof.proof import canonical
from teeproof.proof.links import Integer

__all__ = ["MAX_MANDATE_BYTES", "Asset", "Mandate", "Market", "Way"]

MAX_MANDATE_BYTES = 64 << 10
_MOST = 64  # assets, markets, weights, instructors
_MODEL = re.compile(r"[A-Za-z0-9._/-]{1,100}")
_ADDRESS = re.compile(r"0x[0-9a-f]{40}")
_SYMBOL = re.compile(r"[A-Z]{2,5}")
_UNITS = re.compile(r"0|[1-9][0-9]{0,76}")  # below 2^256
_KEY = re.compile(r"[0-9a-f]{64}")
_LONGEST_VALID = 24 * 3600


class _Record(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What all records of a mandate are."""


class Asset(_Record, frozen=True, kw_only=True):
    """A token that the fund may hold and give away.

    Attributes:
        symbol: two to five capital letters, as orders name it.
        token: its contract's address.
        decimals: how many of its digits are a fraction.
        per_trade: most that one trade may give away, in its smallest units.
        per_day: most that the trades of one day (UTC) may give away, in its smallest units.
    """

    symbol: str
    token: str
    decimals: Integer
    per_trade: str
    per_day: str


class Market(_Record, frozen=True, kw_only=True):
    """Where one asset is traded for another.

    Attributes:
        venue: the pool's address.
        base: the symbol of what has the price.
        quote: the symbol of what the price is in.
        lowest: the lowest price at which to trade at all; a report of a lower one is not believed.
        highest: the highest.
    """

    venue: str
    base: str
    quote: str
    lowest: str
    highest: str


class Way(NamedTuple):
    """How an order is carried out: in which market, what is given away, what comes in."""

    market: Market
    gives: Asset
    gets: Asset


class Mandate(_Record, frozen=True, kw_only=True, tag_field="type", tag="urn:teeproof:mandate:v1"):
    """What one agent may do with one fund.

    Attributes:
        chain_id: of the chain that the fund is on.
        fund: the fund's address.
        assets: what may be given away and received.
        markets: where; one for each asset that has a price.
        model: the name under which the service is asked for a model.
        weights: ``sha256:…`` of the weights whose answers may be followed, whatever their name.
        slippage_bps: by how many ten-thousandths a trade may pay less than the pool's price says.
        valid_seconds: for how long a signed trade can be executed.
        instructors: Ed25519 keys, hex, whose signed instructions are followed; if there are none,
            anyone's are.
        not_after: seconds since 1970; later, nothing is traded. 0: no end.
    """

    chain_id: Integer
    fund: str
    assets: tuple[Asset, ...]
    markets: tuple[Market, ...]
    model: str
    weights: tuple[str, ...]
    slippage_bps: Integer
    valid_seconds: Integer
    instructors: tuple[str, ...] = ()
    not_after: Integer = 0

    @classmethod
    def parse(cls, data: bytes) -> Mandate:
        """Return the mandate in a document.

        Raises:
            TooLarge: more than ``MAX_MANDATE_BYTES``.
            Malformed: not canonical, an unknown field, or a value that means nothing.
        """
        mandate = canonical.decode(data, limit=MAX_MANDATE_BYTES, what="mandate", kind=cls)
        mandate.check()
        return mandate

    def encode(self) -> bytes:
        """Return the canonical document."""
        return canonical.encode(self)

    @property
    def digest(self) -> str:
        """``sha256:…`` of the document."""
        return named(sha256(self.encode()))

    def asset(self, symbol: str) -> Asset | None:
        """Return the asset of a symbol; None if the mandate lists none."""
        return next((one for one in self.assets if one.symbol == symbol), None)

    def way(self, order: Order) -> Way | None:
        """Return how an order would be carried out; None if no market has its asset."""
        for market in self.markets:
            if market.base == order.asset:
                base, quote = self.asset(market.base), self.asset(market.quote)
                if base is not None and quote is not None:
                    gives, gets = (base, quote) if order.side == "sell" else (quote, base)
                    return Way(market, gives, gets)
        return None

    def check(self) -> None:
        """Raise Malformed (``mandate_malformed``) unless every value means something."""
        for holds, expected, got in _claims(self):
            if not holds:
                raise Malformed(
                    "this mandate cannot be followed: correct the value and publish it anew",
                    code="mandate_malformed",
                    expected=expected,
                    got=str(got)[:100],
                )


def _claims(mandate: Mandate) -> Iterator[tuple[object, str, object]]:
    """Yield what must hold of a mandate: whether it does, in words, and what was found."""
    many = max(map(len, (mandate.assets, mandate.markets, mandate.weights, mandate.instructors)))
    yield many <= _MOST, f"at most {_MOST} of each kind", many
    yield mandate.chain_id > 0, "the chain's number", mandate.chain_id
    yield _ADDRESS.fullmatch(mandate.fund), "the fund's address, lower case", mandate.fund
    bps = mandate.slippage_bps
    yield 0 <= bps < 10_000, "a slippage of 0 to 9,999 ten-thousandths", bps
    seconds = mandate.valid_seconds
    yield 0 < seconds <= _LONGEST_VALID, f"1 to {_LONGEST_VALID} seconds", seconds
    yield mandate.not_after >= 0, "an end in seconds since 1970", mandate.not_after
    for key in mandate.instructors:
        yield _KEY.fullmatch(key), "an Ed25519 key of 64 lower-case hex digits", key
    yield _MODEL.fullmatch(mandate.model), "the model's name at its service", mandate.model
    for digest in mandate.weights:
        yield _is_digest(digest), "weights as sha256: and 64 hex digits", digest
    for asset in mandate.assets:
        yield from _claims_of_asset(asset)
    for one in ("symbol", "token"):
        values = [getattr(asset, one) for asset in mandate.assets]
        yield len(set(values)) == len(values), f"each {one} once", values
    symbols = {asset.symbol for asset in mandate.assets}
    for market in mandate.markets:
        yield from _claims_of_market(market, symbols)
    bases = [market.base for market in mandate.markets]
    yield len(set(bases)) == len(bases), "one market for each asset with a price", bases


def _claims_of_asset(asset: Asset) -> Iterator[tuple[object, str, object]]:
    yield _SYMBOL.fullmatch(asset.symbol), "a symbol of two to five capital letters", asset.symbol
    yield _ADDRESS.fullmatch(asset.token), "a token's address, lower case", asset.token
    yield 0 <= asset.decimals <= 36, "0 to 36 decimals", asset.decimals
    for limit in (asset.per_trade, asset.per_day):
        yield _UNITS.fullmatch(limit), "a limit in the smallest units, as text", limit


def _claims_of_market(market: Market, symbols: set[str]) -> Iterator[tuple[object, str, object]]:
    yield _ADDRESS.fullmatch(market.venue), "a pool's address, lower case", market.venue
    pair = {market.base, market.quote}
    yield len(pair) == 2 and pair <= symbols, "two assets of the mandate", sorted(pair)
    lowest, highest = Decimal.parse(market.lowest), Decimal.parse(market.highest)
    ordered = lowest.digits * 10**highest.places <= highest.digits * 10**lowest.places
    yield lowest.digits and ordered, "a lowest price above 0 and a highest not below it", market


def _is_digest(text: str) -> bool:
    try:
        return bool(parse_named(text))
    except Malformed:
        return False
