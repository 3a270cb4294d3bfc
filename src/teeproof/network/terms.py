"""A market's terms: what it admits and how a lease is paid, measured when the market starts.

Whoever orders names the terms' digest, and every lease carries the terms themselves, so nobody can
change them under a lease that runs.

Trusts: whoever measured them.  Does not trust: nothing else comes in.
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from teeproof.core.digests import named, parse_named, sha256
from teeproof.evidence.policy import Policy
from teeproof.network.forms import check_count, check_name, money, require
from teeproof.proof import canonical
from teeproof.proof.links import Integer

__all__ = ["TERMS_TYPE", "Terms"]

TERMS_TYPE: Final = "urn:teeproof:market-terms:v1"
MAX_TERMS_BYTES = 64 << 10
DAY = 86_400


class Terms(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True
):
    """The terms; all times are in seconds.

    Attributes:
        type: always ``urn:teeproof:market-terms:v1``.
        market: the market's name.
        asset: what is paid with: ``test``, or ``eip155:<chain>/erc20:0x…``.
        evidence: ``sha256:…`` of the policy that a node's evidence must meet.
        roots: of that policy, the fingerprints of vendors' roots; sorted.
        simulated_roots: of that policy, the fingerprints of simulators' roots; sorted.
        greatest_price: the most that a node may ask for each second, as decimal text.
        grant: test units that each new renter gets once, as decimal text; None where there are
            none. Real money needs a deposit on a chain instead.
        beat: how often a node is to send a heartbeat.
        window: the longest gap between two heartbeats that is paid; after it a node is suspect.
        pause_after: a longer gap pauses the lease until the node proves itself anew.
        close_after: a lease that was paused, or silent, for so long is closed.
        accept_within: how long a node has for its first heartbeat under a lease.
        attestation: for how long evidence is fresh.
        challenge: for how long a challenge may be answered.
        least: for how many seconds at least an order's deposit must pay.
    """

    type: Literal["urn:teeproof:market-terms:v1"] = TERMS_TYPE
    market: str
    asset: str
    evidence: str
    roots: tuple[str, ...] = ()
    simulated_roots: tuple[str, ...] = ()
    greatest_price: str = "1000000000"
    grant: str | None = None
    beat: Integer = 5
    window: Integer = 15
    pause_after: Integer = 60
    close_after: Integer = 300
    accept_within: Integer = 60
    attestation: Integer = 600
    challenge: Integer = 120
    least: Integer = 60

    @classmethod
    def of(cls, policy: Policy, *, market: str, asset: str = "test", **changes: object) -> Terms:
        """Return terms under which a node's evidence must meet this policy.

        Raises:
            Malformed: a value that cannot be one.
        """
        body = {
            "market": market,
            "asset": asset,
            "evidence": policy.digest,
            "roots": sorted(policy.roots),
            "simulated_roots": sorted(policy.simulated_roots),
        }
        try:
            terms = msgspec.convert(body | changes, cls, strict=True)
        except msgspec.ValidationError as error:
            raise _malformed(str(error)) from None
        terms.check()
        return terms

    @classmethod
    def parse(cls, data: bytes) -> Terms:
        """Return the terms in canonical JSON; Malformed, TooLarge if they are none."""
        terms = canonical.decode(data, limit=MAX_TERMS_BYTES, what="market terms", kind=cls)
        terms.check()
        return terms

    def check(self) -> None:
        """Raise Malformed unless these are terms that a lease can run under."""
        check_name(self.market)
        require(
            0 < len(self.asset) <= 120 and self.asset.isascii() and self.asset.isprintable(),
            "asset_malformed",
            "an asset is short printable text",
            expected="test, or eip155:<chain>/erc20:0x…",
            got=self.asset,
        )
        for digest in (self.evidence, *self.roots, *self.simulated_roots):
            parse_named(digest)
        money(self.greatest_price, "greatest price")
        if self.grant is not None:
            money(self.grant, "grant")
        for name in ("beat", "accept_within", "attestation", "challenge", "least"):
            check_count(getattr(self, name), f"seconds in {name}", most=30 * DAY)
        require(
            self.beat <= self.window < self.pause_after < self.close_after <= 30 * DAY,
            "terms_out_of_order",
            "a lease is suspect before it is paused, and paused before it is closed",
            expected="beat <= window < pause_after < close_after, at most 30 days",
            got=(self.beat, self.window, self.pause_after, self.close_after),
        )

    def encode(self) -> bytes:
        """Return canonical JSON."""
        return canonical.encode(self)

    @property
    def digest(self) -> str:
        """``sha256:…`` of the canonical JSON."""
        return named(sha256(self.encode()))

    def require_policy(self, policy: Policy) -> None:
        """Raise Malformed (``terms_of_another_policy``) unless these are terms of that policy."""
        ours = (self.evidence, self.roots, self.simulated_roots)
        theirs = (policy.digest, *map(tuple, map(sorted, (policy.roots, policy.simulated_roots))))
        require(
            ours == theirs,
            "terms_of_another_policy",
            "the terms were written for another evidence policy: write them anew, with Terms.of",
            expected=policy.digest,
            got=self.evidence,
        )


def _malformed(got: str) -> Exception:
    from teeproof.core.errors import Malformed  # noqa: PLC0415  only here

    return Malformed(
        "these are no terms of a market", code="market_terms_malformed",
        expected="the fields of Terms", got=got[:200],
    )  # fmt: skip
