"""The one door to the simulator: evidence in every state, and policies that accept it as simulated.

Nothing that comes through here proves anything about a machine. A policy must pin the simulator's
root by its fingerprint to accept it, and what it then accepts has the level ``simulated``.

Trusts: whoever holds the simulator's seed.  Does not trust: nothing comes from outside.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from types import MappingProxyType

from teeproof.core.errors import Usage
from teeproof.evidence.record import Evidence
from teeproof.evidence.simulated.collateral import Edition, Window, publish
from teeproof.evidence.simulated.eventlog import Event, dstack_event
from teeproof.evidence.simulated.guest import Guest, app_compose
from teeproof.evidence.simulated.hardware import (
    Domain,
    Processor,
    QuotingEnclave,
    measurement,
    patched,
)
from teeproof.evidence.simulated.machine import Machine
from teeproof.evidence.simulated.nvidia_scene import beside
from teeproof.evidence.simulated.platform import SimulatedPlatform
from teeproof.evidence.simulated.policies import (
    application_policy,
    nitro_opt_in_policy,
    opt_in_policy,
    reference_policy,
    snp_opt_in_policy,
)
from teeproof.evidence.simulated.snp.machine import SnpGuest, SnpMachine
from teeproof.evidence.simulated.snp.pki import Chip
from teeproof.evidence.simulated.states import STATES, Outcome, State

__all__ = [
    "Chip",
    "Domain",
    "Edition",
    "Event",
    "Guest",
    "Machine",
    "Outcome",
    "Processor",
    "QuotingEnclave",
    "SimulatedAttester",
    "SimulatedPlatform",
    "SnpGuest",
    "SnpMachine",
    "State",
    "Window",
    "app_compose",
    "application_policy",
    "dstack_event",
    "measurement",
    "nitro_opt_in_policy",
    "open_platform",
    "opt_in_policy",
    "patched",
    "publish",
    "reference_policy",
    "simulate",
    "snp_opt_in_policy",
    "states",
]

DIRECTORY = "simulator"


class SimulatedAttester:
    """The simulator in the place of a device.

    Args:
        platform: the vendor.
        now: the clock, asked for the collateral of each piece of evidence.
        state: a state's name, if the evidence shall not be in order.
        machine: which machine of that vendor it is; without one, the machine in order.
        gpus: how many simulated GPUs it asks too, where no state is named.
    """

    def __init__(
        self,
        platform: SimulatedPlatform,
        *,
        now: Callable[[], datetime],
        state: str | None = None,
        machine: Machine | None = None,
        gpus: int = 0,
    ) -> None:
        self.platform = platform
        self.machine = machine or platform.machine()
        self._now, self._gpus = now, gpus
        self._state = None if state is None else _state(state)

    @property
    def name(self) -> str:
        """What to call it in messages."""
        return f"simulator {self.platform.root_fingerprint[:15]}"

    def attest(self, report_data: bytes) -> Evidence:
        """Return simulated evidence that binds these 64 bytes; Usage if they are not 64."""
        now = self._now()
        if self._state is not None:
            return self._state.evidence(self.platform, report_data, now=now)
        made = self.machine.evidence(report_data, now=now)
        if not self._gpus:
            return made
        return beside(made, self.platform.gpus, report_data, count=self._gpus, now=now)


def open_platform(data_directory: Path) -> SimulatedPlatform:
    """Return this machine's simulator; its seed is made at the first call and kept.

    Raises:
        Unavailable: the data directory cannot be written.
        Usage: others than its owner may read the seed.
        Malformed: the file that should hold the seed does not.
    """
    return SimulatedPlatform.open(data_directory / DIRECTORY)


def states() -> Mapping[str, State]:
    """Return every state by name, in reading order."""
    return MappingProxyType(STATES)


def simulate(
    state: str, report_data: bytes, *, platform: SimulatedPlatform, now: datetime
) -> Evidence:
    """Return evidence in the named state, as somebody would be given it at that time.

    Raises:
        Usage: there is no such state, or ``report_data`` is not 64 bytes.
    """
    return _state(state).evidence(platform, report_data, now=now)


def _state(name: str) -> State:
    if name in STATES:
        return STATES[name]
    raise Usage(
        "the simulator knows no such state: name one of these",
        code="state_unknown",
        expected=", ".join(STATES),
        got=name[:100],
    )
