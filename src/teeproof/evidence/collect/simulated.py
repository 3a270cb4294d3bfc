"""The one door to the simulator: evidence in every state, and policies that accept it as simulated.

Nothing that comes through here proves anything about a machine. A policy must pin the simulator's
root by its fingerprint to accept it, and what it then accepts has the level ``simulated``.

Trusts: whoever holds the simulator's seed.  Does not trust: nothing comes from outside.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from pathlib import Path
from types import MappingProxyType

from teeproof.core.digests import named, sha256
from teeproof.core.errors import Usage
from teeproof.evidence.recognise import Kind
from teeproof.evidence.record import Evidence
from teeproof.evidence.sev_snp.layout import ReportBody
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
from teeproof.evidence.simulated.nitro import Enclave
from teeproof.evidence.simulated.platform import SimulatedPlatform
from teeproof.evidence.simulated.snp.machine import SnpGuest, SnpMachine, write_body
from teeproof.evidence.simulated.snp.pki import Chip
from teeproof.evidence.simulated.states import LISTED, STATES, Outcome, State

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
    """

    def __init__(
        self,
        platform: SimulatedPlatform,
        *,
        now: Callable[[], datetime],
        state: str | None = None,
        machine: Machine | None = None,
    ) -> None:
        self.platform = platform
        self.machine = machine or platform.machine()
        self._now = now
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
        return self.machine.evidence(report_data, now=now)


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


def opt_in_policy(platform: SimulatedPlatform) -> str:
    """Return a policy (TOML) that accepts this simulator's evidence, as simulated, and no other."""
    return f"""\
# Accepts evidence of the simulator on this machine, at the level "simulated". It proves nothing
# about hardware: never use it where anything depends on the answer.
name = "simulated"
description = "Evidence of one simulator; it proves nothing about hardware."
roots = []
simulated_roots = ["{platform.root_fingerprint}"]

second_path = true
tcb_statuses = ["UpToDate"]
debug = false
migration = false
service_td = false
sept_ve_disable = true
"""


def snp_opt_in_policy(platform: SimulatedPlatform) -> str:
    """Return a policy (TOML) that accepts this simulator's SEV-SNP guests, as simulated."""
    return f"""\
# Accepts SEV-SNP guests of the simulator on this machine, at the level "simulated". It proves
# nothing about hardware: never use it where anything depends on the answer.
name = "simulated"
description = "SEV-SNP guests of one simulator; it proves nothing about hardware."
roots = []
simulated_roots = ["{platform.snp.root_fingerprint}"]

tee = "sev-snp"
vlek = false
masked_chip_id = false
debug = false
migration = false
vmpl = [0]
"""


def _snp_reference(platform: SimulatedPlatform, report_data: bytes | None) -> str:
    guest, body = SnpGuest(), ReportBody(write_body(Chip(), SnpGuest(), bytes(64)))
    expected: dict[str, object] = {
        "products": ["Milan", "Genoa", "Turin"],
        "minimum_tcb": [
            {"product": "Milan", "bootloader": 4, "snp": 24, "microcode": 219},
            {"product": "Genoa", "bootloader": 10, "snp": 23, "microcode": 84},
            {"product": "Turin", "fmc": 1, "bootloader": 1, "tee": 1, "snp": 4, "microcode": 80},
        ],
        "smt": False,
        "single_socket": False,
        "ciphertext_hiding": False,
        "minimum_guest_svn": guest.guest_svn,
        "measurement": [body.measurement.hex()],
        "host_data": [body.host_data.hex()],
        "family_id": [body.family_id.hex()],
        "image_id": [body.image_id.hex()],
        "id_key_digest": [body.id_key_digest.hex()],
        "author_key_digest": [body.author_key_digest.hex()],
    }
    if report_data is not None:
        expected["report_data"] = report_data.hex()
    lines = (f"{key} = {_toml(value)}\n" for key, value in expected.items())
    return snp_opt_in_policy(platform) + "".join(lines)


def _nitro_reference(platform: SimulatedPlatform, report_data: bytes | None) -> str:
    registers = Enclave().pcrs
    expected: dict[str, object] = {
        f"pcr{index}": [registers[index].hex()] for index in (0, 1, 2, 3, 4, 8)
    }
    if report_data is not None:
        expected["user_data"] = report_data.hex()
    lines = (f"{key} = {_toml(value)}\n" for key, value in expected.items())
    return f"""\
# Accepts Nitro enclaves of the simulator on this machine, at the level "simulated". It proves
# nothing about hardware: never use it where anything depends on the answer.
name = "simulated"
description = "Nitro enclaves of one simulator; it proves nothing about hardware."
roots = []
simulated_roots = ["{platform.nitro.root_fingerprint}"]

tee = "nitro"
debug = false
""" + "".join(lines)


def reference_policy(
    platform: SimulatedPlatform, *, report_data: bytes | None = None, kind: Kind = "tdx"
) -> str:
    """Return a policy (TOML) that lists everything a machine in order has.

    Against it, each state has the outcome that it states; ``report-data-zero`` needs the
    ``report_data`` that the relying party asked for. ``kind`` is that of the state.
    """
    if kind == "sev-snp":
        return _snp_reference(platform, report_data)
    if kind == "nitro":
        return _nitro_reference(platform, report_data)
    machine = platform.machine()
    domain, guest = machine.domain, machine.guest
    expected: dict[str, object] = {
        "dynamic_platform": False,
        "cached_keys": False,
        "smt": False,
        "denied_advisories": ["INTEL-SA-01397"],
        "tcb_evaluation_floor": [{"since": "2020-01-01", "number": 20}],
        "allowed_platforms": [named(sha256(machine.processor.ppid))],
        "mrtd": [domain.mrtd.hex()],
        "mrseam": [domain.mrseam.hex()],
        "rtmr0": [machine.rtmrs[0].hex()],
        "rtmr1": [machine.rtmrs[1].hex()],
        "rtmr2": [machine.rtmrs[2].hex()],
        "event_log": True,
        "compose_hash": [listed.compose_hash.hex() for listed in LISTED],
        "compose_images_pinned": True,
        "app_id": [listed.app_id.hex() for listed in LISTED],
        "os_image_hash": [guest.os_image_hash.hex()],
        "key_provider": [guest.key_provider],
        "key_provider_id": [guest.key_provider_id],
    }
    if report_data is not None:
        expected["report_data"] = report_data.hex()
    lines = (f"{key} = {_toml(value)}\n" for key, value in expected.items())
    return opt_in_policy(platform) + "".join(lines)


def application_policy(platform: SimulatedPlatform, *, compose_hash: Iterable[str]) -> str:
    """Return a policy (TOML) for machines in order that run one of these applications.

    It pins the guest's image, so that the guest's word for its application counts. Without any
    compose hash it accepts every application: for who then looks at the verdict's facts.
    """
    machine = platform.machine()
    expected: dict[str, object] = {
        "mrtd": [machine.domain.mrtd.hex()],
        "mrseam": [machine.domain.mrseam.hex()],
        "rtmr0": [machine.rtmrs[0].hex()],
        "rtmr1": [machine.rtmrs[1].hex()],
        "rtmr2": [machine.rtmrs[2].hex()],
        "event_log": True,
        "os_image_hash": [machine.guest.os_image_hash.hex()],
        "key_provider": [machine.guest.key_provider],
        "key_provider_id": [machine.guest.key_provider_id],
    }
    listed = list(compose_hash)
    if listed:
        expected |= {"compose_hash": listed, "compose_images_pinned": True}
    lines = (f"{key} = {_toml(value)}\n" for key, value in expected.items())
    return opt_in_policy(platform) + "".join(lines)


def _toml(value: object) -> str:
    if isinstance(value, dict):
        inner = ", ".join(f"{key} = {_toml(entry)}" for key, entry in value.items())
        return f"{{ {inner} }}"
    if isinstance(value, list):
        return f"[{', '.join(map(_toml, value))}]"
    # Text, numbers and booleans of ours are written in TOML as in JSON.
    return json.dumps(value)


def _state(name: str) -> State:
    if name in STATES:
        return STATES[name]
    raise Usage(
        "the simulator knows no such state: name one of these",
        code="state_unknown",
        expected=", ".join(STATES),
        got=name[:100],
    )
