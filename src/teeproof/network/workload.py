"""The market as a workload: its policy and terms are measured, its ledger is bound to its code.

    NODE_POLICY    the policy (TOML) that a node's evidence must meet
    MARKET_TERMS   the terms (canonical JSON); without them, those of a test market

Trusts: its own machine.  Does not trust: the host, which keeps its state folder.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timedelta

from teeproof.cloud.inside import Inside
from teeproof.evidence.policy import parse_policy
from teeproof.network.ledger import Ledger
from teeproof.network.market import Market
from teeproof.network.service import App
from teeproof.network.terms import Terms

__all__ = ["main", "open_market", "steady"]

POLICY = "NODE_POLICY"
TERMS = "MARKET_TERMS"


def main(inside: Inside) -> int:
    """Serve the market until it is told to end."""
    market = open_market(inside)
    inside.say(market=market.identity.name, terms=market.terms.digest, nodes=len(market.book))
    inside.serve(App(market))
    return 0


def open_market(inside: Inside) -> Market:
    """Return the market of this workload, as it was left."""
    policy = parse_policy(inside.require(POLICY))
    given = inside.environment.get(TERMS)
    terms = (
        Terms.parse(given.encode())
        if given is not None
        else Terms.of(policy, market=inside.name, grant="1000000000")
    )
    ledger = Ledger.open(inside.state / "market.sqlite", key=inside.derive("network/market"))
    market = Market(
        inside.boot(), ledger=ledger, policy=policy, terms=terms, now=steady(inside.now)
    )
    market.send()
    return market


def steady(
    now: Callable[[], datetime], *, monotonic: Callable[[], float] = time.monotonic
) -> Callable[[], datetime]:
    """Return a clock that asks the host for the time once, and then counts on by itself."""
    start, begun = now(), monotonic()
    return lambda: start + timedelta(seconds=monotonic() - begun)
