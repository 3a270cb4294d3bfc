"""Part 1 of the demo: nodes prove themselves to a market, one does not, and a machine is rented."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from teeproof.cli.story.telling import Teller
from teeproof.cli.story.waiting import until_said
from teeproof.cli.story.world import World
from teeproof.cloud.owner import OwnerKey
from teeproof.cloud.running import Running
from teeproof.evidence.collect.simulated import Processor, application_policy
from teeproof.network.answers import Matched
from teeproof.network.client import MarketClient
from teeproof.network.orders import Need
from teeproof.network.terms import Terms

__all__ = ["Rented", "tell"]

_ASKED = 40  # the most that the renter pays, micro-units a second
_DEPOSIT = 1_000_000
_H100 = {"model": "H100", "count": 1}


class Rented(NamedTuple):
    """The machine that the rest of the story runs on.

    Attributes:
        matched: the market's answer.
        renter: who pays.
        owner: the account of the node's owner.
    """

    matched: Matched
    renter: OwnerKey
    owner: str


def tell(world: World, say: Teller) -> Rented:
    """Open the market, let three nodes ask to be admitted, rent the cheapest that was."""
    say.step("network", "1 Network")
    say.now("a market opens")
    _open_market(world)
    say.now("three nodes boot, and ask to be admitted")
    asking = {name: _ask(world, name, offer) for name, offer in _offers(world).items()}
    found = {
        name: until_said(running, lambda said: "admitted" in said, may_end=True)
        for name, running in asking.items()
    }
    admitted = [name for name, said in found.items() if said["admitted"]]
    label = found[admitted[0]]["tee"]
    for name in set(found) - set(admitted):
        world.running.pop(name).wait(30)
    say.line(
        f"{len(admitted)} machines are admitted to the market"
        f"{'; a simulator vouches for them' if label == 'sim' else ''} (tee={label})",
        ids=[found[name]["statement"] for name in admitted],
        admitted=admitted,
    )
    for name in sorted(set(found) - set(admitted)):
        reasons = "; ".join(reason["detail"] for reason in found[name]["reasons"])
        say.line(
            f"a third is REFUSED: {reasons}",
            ids=[found[name]["statement"]],
            refused=name,
            codes=[reason["code"] for reason in found[name]["reasons"]],
        )
    return _rent(world, say)


def _open_market(world: World) -> None:
    node = world.manifest("node", "teeproof.network.node")
    policy = application_policy(world.platform, compose_hash=[node.compose_hash])
    terms = _terms(policy)
    market = world.manifest(
        "market", "teeproof.network.workload", NODE_POLICY=policy, MARKET_TERMS=terms
    )
    world.run(market, serve=True).ready()


def _terms(policy: str) -> str:
    from teeproof.evidence.policy import parse_policy  # noqa: PLC0415

    return Terms.of(parse_policy(policy), market="demo", grant="10000000", beat=1).encode().decode()


def _offers(world: World) -> Mapping[str, Mapping[str, Any]]:
    payout = world.account("node-owner").address
    base = {"region": "eu", "payout": payout, "cpus": 1, "memory_mib": 1024}
    return {
        "node-a": base | {"name": "node-a", "price": "25"},
        "node-b": base | {"name": "node-b", "price": "30"},
        "node-c": base | {"name": "node-c", "price": "5", "gpus": [_H100]},
    }


def _ask(world: World, name: str, offer: Mapping[str, Any]) -> Running:
    inputs = world.folder / "runs" / name / "in"
    inputs.mkdir(parents=True)
    (inputs / "node.json").write_text(json.dumps(offer))
    manifest = world.manifest("node", "teeproof.network.node")
    machine = Processor(name=f"machine of {name}")
    return world.run(manifest, name=name, peers=["market"], inputs=inputs, processor=machine)


def _rent(world: World, say: Teller) -> Rented:
    say.now("a renter signs an order, and the cheapest node takes it")
    renter = OwnerKey.new()
    with MarketClient(world.urls["market"]) as market:
        matched = market.order(
            renter, need=Need(tee=("sim",)), greatest_price=_ASKED, deposit=_DEPOSIT
        )
        kept = [f"{one.code}" for one in matched.rejected]
        _until_running(market, matched)
    say.line(
        f"an order takes the cheapest, at {matched.rate} micro-units a second;"
        f" the other: {', '.join(kept)}",
        ids=[name for name in (matched.match, matched.statement) if name],
        node=matched.node,
        lease=matched.lease,
        rate=matched.rate,
    )
    return Rented(matched, renter, world.account("node-owner").address)


def _until_running(market: MarketClient, matched: Matched) -> None:
    import time  # noqa: PLC0415

    for _ in range(500):
        if matched.lease and market.lease(matched.lease).state == "running":
            return
        time.sleep(0.02)
