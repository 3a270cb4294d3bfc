"""What is known of an agent: by its last action's proof, its machine's evidence, its fund's state.

``powers`` answers from these facts, and from nothing else, who can do what to the agent.

Trusts: the verdict, which is the relying party's own; the node, for the fund's state.
Does not trust: the agent, its host; what the evidence does not tie to the code is left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from teeproof.agents.acted import Acted, Did
from teeproof.agents.mandate import Mandate
from teeproof.agents.workload import MANDATE
from teeproof.chain.standing import FundState
from teeproof.cloud.manifest import Manifest
from teeproof.core.digests import named, parse_named, sha256
from teeproof.core.errors import Error
from teeproof.evidence.eventlog.compose import AppCompose, parse_compose
from teeproof.evidence.verdict import Check, Level
from teeproof.proof.identity import IdentityRecord
from teeproof.proof.source import Source
from teeproof.proof.verify import IdentityVerdict, ProofVerdict

__all__ = ["Known", "Machine", "known_of", "machine_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What is established of the machine and the code behind an agent.

    Attributes:
        problem: why nothing of it may be believed; empty if nothing speaks against it.
        level: ``hardware``, ``measured`` or ``simulated``; None where no root vouches for it.
        confidential: whether it keeps its memory from its host.
        checks: of its evidence, by name.
        code: the compose hash, hex; None where nothing shows one.
        app: the dstack app id, hex.
        provider: who its keys come from: ``kms``, ``local-sgx``, ``tpm``, ``none``.
        provider_id: of a KMS its public key, hex.
        compose: what the measured compose file says; None where it is not here, or not tied to it.
        mandate: ``sha256:…`` of the mandate in that file; None where it has none.
        seen: since when its evidence is known to exist; empty where nobody vouches for a time.
    """

    problem: str = ""
    level: Level | None = None
    confidential: bool = False
    checks: Mapping[str, Check] = field(default_factory=dict)
    code: str | None = None
    app: str | None = None
    provider: str | None = None
    provider_id: str | None = None
    compose: AppCompose | None = None
    mandate: str | None = None
    seen: str = ""

    def state(self, check: str) -> str:
        """Return the state of a check of its evidence; ``not_checked`` where there was none."""
        found = self.checks.get(check)
        return "not_checked" if found is None else found.state


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """All that the answers about an agent rest on.

    Attributes:
        agent: ``sha256:…`` of the agent.
        address: of its key.
        statement: ``sha256:…`` of the action that these facts were taken from, its last.
        identity: ``sha256:…`` of the identity that said it.
        mandate: what it may do, as that action says.
        mandates: different mandates in the actions that were looked at, by their digests.
        machine: what its evidence establishes.
        strangers: other identities that its key signed actions as, and that are not shown to be
            this code on a machine of this level.
        fund: what a block holds of its fund; None if no node was asked, or none answered.
        unasked: why there is no such state, in words.
    """

    agent: str
    address: str
    statement: str
    identity: str
    mandate: Mandate
    mandates: tuple[str, ...]
    machine: Machine
    strangers: tuple[str, ...] = ()
    fund: FundState | None = None
    unasked: str = ""


def known_of(
    acted: Acted,
    verdict: ProofVerdict | None,
    source: Source,
    *,
    fund: FundState | None = None,
    unasked: str = "",
    problem: str = "",
) -> Known:
    """Return what is known of an agent.

    Args:
        acted: its last turns.
        verdict: on the proof of its last action; None where there is none.
        source: holds the identity that said it, and the bytes of its evidence.
        fund: what a block holds of its fund.
        unasked: why there is no such state.
        problem: why there is no verdict.
    """
    last = acted.latest
    machine = Machine(problem=problem or "its last action was not verified")
    if verdict is not None:
        machine = machine_of(last, verdict, source)
    return Known(
        agent=acted.agent,
        address=last.action.intent.agent,
        statement=last.statement,
        identity=last.author,
        mandate=last.action.mandate,
        mandates=tuple(dict.fromkeys(one.action.mandate.digest for one in acted.turns)),
        machine=machine,
        strangers=() if verdict is None else tuple(_strangers(acted, machine, verdict, source)),
        fund=fund,
        unasked=unasked,
    )


def _strangers(
    acted: Acted, machine: Machine, verdict: ProofVerdict, source: Source
) -> Iterator[str]:
    """Yield the identities that the same key signed as, unless shown to be the same code."""
    for author, statement in acted.authors.items():
        if author == acted.latest.author:
            continue
        other = _machine(author, statement, verdict, source)
        if other.problem or _place(other) != _place(machine):
            yield author


def _place(machine: Machine) -> tuple[Any, ...]:
    return machine.level, machine.confidential, machine.code, machine.app, machine.provider


def machine_of(did: Did, verdict: ProofVerdict, source: Source) -> Machine:
    """Return what a verdict establishes of the machine that said an action."""
    return _machine(did.author, did.statement, verdict, source)


def _machine(author: str, statement: str, verdict: ProofVerdict, source: Source) -> Machine:
    found = next((one for one in verdict.identities if one.id == author), None)
    said = next((one for one in verdict.statements if one.id == statement), None)
    if found is None or found.evidence is None or said is None:
        return Machine(problem="the proof holds no evidence of its machine")
    broken = [*said.checks, *found.checks, *found.evidence.checks]
    problem = next((f"{one.name}: {one.detail}" for one in broken
                    if one.state == "failed" and one.concern != "policy"), "")  # fmt: skip
    if not problem and not found.evidence.authentic:
        problem = "no root that your policy trusts vouches for its machine"
    facts: Mapping[str, Any] = found.evidence.facts.get("application") or {}
    provider: Mapping[str, Any] = facts.get("key_provider") or {}
    compose, mandate = _compose(found, source)
    return Machine(
        problem=problem,
        level=found.evidence.level,
        confidential=found.evidence.confidential,
        checks={one.name: one for one in found.evidence.checks},
        code=facts.get("compose_hash"),
        app=facts.get("app_id"),
        provider=provider.get("name"),
        provider_id=provider.get("id"),
        compose=compose,
        mandate=mandate,
        seen=found.time if found.timed else "",
    )


def _compose(found: IdentityVerdict, source: Source) -> tuple[AppCompose | None, str | None]:
    """Return the compose file that the evidence is tied to, and the mandate's digest in it."""
    tied = found.evidence is not None and any(
        one.name == "compose" and one.state == "passed" for one in found.evidence.checks
    )
    record = source.identity(parse_named(found.id)) if tied else None
    try:
        attached = {} if record is None else IdentityRecord.parse(record).attachments
        data = source.blob(attached.get("compose", "")) if "compose" in attached else None
        if data is None or named(sha256(data)) != attached["compose"]:
            return None, None
        compose = parse_compose(data)
    except Error:
        return None, None
    try:
        given = Manifest.parse(data).environment.get(MANDATE)
    except Error:  # another application's, whose settings are not ours to read
        return compose, None
    return compose, None if given is None else named(sha256(given.encode()))
