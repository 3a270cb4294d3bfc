"""An agent as it is launched, on a real chain, that traded once and was told to drain its fund."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import msgspec
import pytest

from teeproof.agents.acted import Acted, acted_by
from teeproof.agents.known import Known, known_of
from teeproof.agents.statements import agent_digest
from teeproof.chain.local.process import ChainProcess
from teeproof.chain.onlooker import Onlooker
from teeproof.chain.standing import FundState, fund_state
from teeproof.core.clock import wall_clock
from teeproof.evidence.collect.simulated import application_policy
from teeproof.evidence.policy import Policy, parse_policy
from teeproof.proof.source import read_record
from teeproof.proof.verify import ProofVerdict
from tests.agents.people import TEXT
from tests.agents.test_workload import INJECTED, ORDER, launch
from tests.agents.world import Contracts, World, worlds
from tests.proof.people import platform


@dataclass
class Launched:
    """A world in which an agent acted; ``known`` is what its reader knows of it.

    Attributes:
        world: everything around it.
        acted: its two turns.
        policy: that lists its code.
        known: all of it.
    """

    world: World
    acted: Acted
    policy: Policy
    known: Known

    @property
    def real(self) -> Known:
        """The same facts, were hardware and chain real."""
        fund = self.known.fund
        assert fund is not None
        found = machine(self.known, level="hardware", confidential=True)
        return mandated(replace(found, fund=replace(fund, chain_id=1)), chain_id=1)

    def export(self) -> bytes:
        """The proof of its last action."""
        last = bytes.fromhex(self.acted.latest.statement[7:])
        read = read_record(self.world.source.statement(last) or b"")
        assert read.statement is not None
        return self.world.proofs.export(read.statement)

    def judged(self, policy: Policy) -> ProofVerdict:
        """What another reader finds."""
        return self.world.proofs.verify(self.export(), now=wall_clock(), policy=policy)

    def under(self, policy: Policy) -> Known:
        """What another reader knows."""
        return known_of(self.acted, self.judged(policy), self.world.source, fund=self.known.fund)

    def state(self, address: str) -> FundState:
        """What the chain holds of a fund now."""
        onlooker = Onlooker(self.world.process.url, patience=600)
        try:
            return onlooker.ask(lambda chain, tick: fund_state(chain, address, in_time=tick))
        finally:
            onlooker.close()


@pytest.fixture(scope="session")
def launched(
    chain_process: ChainProcess, shared: Contracts, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Launched]:
    for world in worlds(chain_process, shared, tmp_path_factory.mktemp("launched")):
        world.model.answers |= {TEXT: ORDER, INJECTED: '{"sell":"ETH","part":1}'}
        with launch(world) as (client, inside):
            client.instruct(TEXT)
            client.instruct(INJECTED)
            address = client.address()
        world.proofs.publish(at=wall_clock())
        here = world.market
        name = agent_digest(chain_id=here.chain.chain_id, fund=here.fund.address, agent=address)
        acted = acted_by(world.source, name)
        assert acted is not None
        policy = parse_policy(listing(inside.manifest.compose_hash))
        found = Launched(world, acted, policy, known=None)  # type: ignore[arg-type]
        fund = found.state(here.fund.address)
        found.known = known_of(acted, found.judged(policy), world.source, fund=fund)
        yield found


def listing(code: str) -> str:
    """A policy (TOML) that lists a code, and that of the test's other machines."""
    others = platform().machine().guest.compose_hash.hex()
    return application_policy(platform(), compose_hash=[code, others])


def machine(known: Known, **changes: Any) -> Known:
    """What is known, but for this of the machine."""
    return replace(known, machine=replace(known.machine, **changes))


def mandated(known: Known, **changes: Any) -> Known:
    """What is known, but for this of the mandate, which its code holds as before."""
    mandate = msgspec.structs.replace(known.mandate, **changes)
    found = replace(known, mandate=mandate, mandates=(mandate.digest,))
    return machine(found, mandate=mandate.digest)
