"""What a state is: a name, a sentence, what must come of it, and how to bring it about.

Trusts: nothing; it only describes.  Does not trust: nothing comes from outside.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import msgspec

from teeproof.core.errors import Usage
from teeproof.evidence.recognise import Kind
from teeproof.evidence.record import Evidence
from teeproof.evidence.simulated.collateral import Edition, publish
from teeproof.evidence.simulated.eventlog import Event
from teeproof.evidence.simulated.guest import Guest
from teeproof.evidence.simulated.hardware import Domain, Processor, QuotingEnclave
from teeproof.evidence.simulated.keys import SEED_BYTES
from teeproof.evidence.simulated.machine import Machine, require_report_data
from teeproof.evidence.simulated.platform import SimulatedPlatform
from teeproof.evidence.simulated.quote import BodyType, Version

__all__ = [
    "Make",
    "Outcome",
    "Scene",
    "Setup",
    "State",
    "booted",
    "forged",
    "published",
    "table",
]

# What a verifier must say, given the reference policy (``collect.simulated.reference_policy``).
# What cannot be parsed is not authentic either.
Outcome = Literal["accepted", "not-authentic", "unavailable", "not-allowed"]
_EXIT_CODES: dict[Outcome, int] = {
    "accepted": 0,
    "not-authentic": 2,
    "unavailable": 3,
    "not-allowed": 4,
}

_PROCESSOR, _ENCLAVE, _DOMAIN, _GUEST = Processor(), QuotingEnclave(), Domain(), Guest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """A machine and the form of its quote; what is not given is in order."""

    processor: Processor = _PROCESSOR
    enclave: QuotingEnclave = _ENCLAVE
    domain: Domain = _DOMAIN
    guest: Guest = _GUEST
    events: tuple[Event, ...] | None = None
    version: Version = 4
    body: BodyType | None = None


@dataclass(frozen=True, slots=True)
class Scene:
    """Where a state is brought about.

    Attributes:
        platform: the vendor.
        report_data: 64 bytes that the workload wants to have quoted.
        now: the time at which somebody will verify.
    """

    platform: SimulatedPlatform
    report_data: bytes
    now: datetime

    @property
    def edition(self) -> Edition:
        """What the vendor publishes now, with nothing wrong."""
        return Edition.at(self.now)

    def stranger(self) -> SimulatedPlatform:
        """Return another vendor: same names, same machines, unrelated keys."""
        pki = self.platform.pki
        flipped = bytes(byte ^ 0xFF for byte in pki.seed)
        return SimulatedPlatform(flipped[:SEED_BYTES], names=pki.names)

    def machine(self, setup: Setup) -> Machine:
        """Return the machine of this setup."""
        return self.platform.machine(
            processor=setup.processor,
            enclave=setup.enclave,
            domain=setup.domain,
            guest=setup.guest,
            events=setup.events,
        )

    def evidence(self, setup: Setup | None = None, edition: Edition | None = None) -> Evidence:
        """Return what the machine of this setup hands over, with this edition's collateral."""
        setup = setup or Setup()
        return self.machine(setup).evidence(
            self.report_data,
            now=self.now,
            version=setup.version,
            body=setup.body,
            collateral=publish(self.platform.pki, edition or self.edition),
        )


Make = Callable[[Scene], Evidence]


@dataclass(frozen=True, slots=True)
class State:
    """One way in which evidence can be right or wrong.

    Attributes:
        name: kebab-case.
        sentence: what is the case, for people.
        outcome: what a verifier must say, given the reference policy.
        make: brings the state about.
        status: Intel's word for the platform's TCB; None where nothing vouches for one.
        kind: of the evidence.
    """

    name: str
    sentence: str
    outcome: Outcome
    make: Make
    status: str | None = "UpToDate"
    kind: Kind = "tdx"

    @property
    def exit_code(self) -> int:
        """The outcome as the exit code of a command."""
        return _EXIT_CODES[self.outcome]

    def evidence(
        self, platform: SimulatedPlatform, report_data: bytes, *, now: datetime
    ) -> Evidence:
        """Return evidence in this state.

        Raises:
            Usage: ``report_data`` is not 64 bytes, or ``now`` has no zone.
        """
        if now.tzinfo is None:
            raise Usage("this time has no zone: pass an aware datetime", code="time_malformed")
        require_report_data(report_data)
        made = self.make(Scene(platform, report_data, now))
        return msgspec.structs.replace(made, name=f"simulated {self.name}")


def table(outcome: Outcome, *rows: tuple[str, str, Make]) -> tuple[State, ...]:
    """Return states of one outcome; those that are not vouched for have no TCB status."""
    status = "UpToDate" if outcome in ("accepted", "not-allowed") else None
    return tuple(State(name, sentence, outcome, make, status) for name, sentence, make in rows)


def booted(setup: Setup) -> Make:
    """Return how to make evidence of a machine that is set up like this."""
    return lambda scene: scene.evidence(setup)


def published(change: Callable[[Scene], Edition]) -> Make:
    """Return how to make evidence whose collateral is another edition."""
    return lambda scene: scene.evidence(edition=change(scene))


def forged(change: Callable[[bytes], bytes], setup: Setup | None = None) -> Make:
    """Return how to make evidence whose quote was changed after it was signed."""

    def make(scene: Scene) -> Evidence:
        honest = scene.evidence(setup)
        return Evidence(
            quote=change(honest.quote),
            event_log=honest.event_log,
            compose=honest.compose,
            mr_config=honest.mr_config,
            collateral=honest.collateral,
        )

    return make
