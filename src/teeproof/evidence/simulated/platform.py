"""A simulated vendor and its machines, made from one seed.

Trusts: whoever holds the seed.  Does not trust: nothing comes from outside.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import datetime
from functools import cached_property
from pathlib import Path

from teeproof.core.errors import Usage
from teeproof.evidence.endorsements import Collateral
from teeproof.evidence.simulated.cca import SimulatedCca
from teeproof.evidence.simulated.collateral import Edition, publish
from teeproof.evidence.simulated.eventlog import Event
from teeproof.evidence.simulated.guest import Guest
from teeproof.evidence.simulated.hardware import Domain, Processor, QuotingEnclave
from teeproof.evidence.simulated.keys import SEED_BYTES
from teeproof.evidence.simulated.machine import Machine
from teeproof.evidence.simulated.nitro import SimulatedNitro
from teeproof.evidence.simulated.nvidia_pki import GpuVendor
from teeproof.evidence.simulated.pki import SIMULATED, Names, Pki
from teeproof.evidence.simulated.snp.pki import SnpPki
from teeproof.evidence.simulated.storage import load_seed, open_seed
from teeproof.evidence.simulated.tpm import SimulatedTpm

__all__ = ["SimulatedPlatform"]


class SimulatedPlatform:
    """A vendor whose root was made on this machine.

    Args:
        seed: 32 bytes; everything follows from them.
        names: how the vendor presents itself.
    """

    def __init__(self, seed: bytes, *, names: Names = SIMULATED) -> None:
        if len(seed) != SEED_BYTES:
            raise Usage("a simulator's seed has 32 bytes", got=f"{len(seed)} bytes")
        self.pki = Pki(seed, names=names)

    @classmethod
    def create(cls, *, randomness: Callable[[int], bytes] = os.urandom) -> SimulatedPlatform:
        """Return a new platform that is kept nowhere."""
        return cls(randomness(SEED_BYTES))

    @classmethod
    def load(cls, directory: Path) -> SimulatedPlatform:
        """Return the platform that is kept in this directory; Unavailable if there is none."""
        return cls(load_seed(directory))

    @classmethod
    def open(
        cls, directory: Path, *, randomness: Callable[[int], bytes] = os.urandom
    ) -> SimulatedPlatform:
        """Return the platform that is kept in this directory; make it if there is none."""
        return cls(open_seed(directory, randomness=randomness))

    @cached_property
    def snp(self) -> SnpPki:
        """The same seed's AMD: its certificates, for machines of ``simulated.snp``."""
        return SnpPki(self.pki.seed, marked=self.pki.names.marked)

    @cached_property
    def nitro(self) -> SimulatedNitro:
        """The same seed's AWS: its certificates, for enclaves of ``simulated.nitro``."""
        return SimulatedNitro(self.pki.seed, marked=self.pki.names.marked)

    @cached_property
    def gpus(self) -> GpuVendor:
        """The same seed's NVIDIA: its certificates, for GPUs of ``simulated.nvidia``."""
        return GpuVendor(self.pki.seed, marked=self.pki.names.marked)

    @cached_property
    def tpm(self) -> SimulatedTpm:
        """The same seed's cloud: a TPM, and the authority of its keys."""
        return SimulatedTpm(self.pki.seed, marked=self.pki.names.marked)

    @cached_property
    def cca(self) -> SimulatedCca:
        """The same seed's Arm CCA platform."""
        return SimulatedCca(self.pki.seed)

    @property
    def root_der(self) -> bytes:
        """The root certificate."""
        return self.pki.root.der

    @property
    def root_fingerprint(self) -> str:
        """``sha256:…`` of the root's SubjectPublicKeyInfo: what a policy pins."""
        return self.pki.root_fingerprint

    def machine(
        self,
        *,
        processor: Processor | None = None,
        enclave: QuotingEnclave | None = None,
        domain: Domain | None = None,
        guest: Guest | None = None,
        events: tuple[Event, ...] | None = None,
    ) -> Machine:
        """Return a machine of this vendor; what is not given is in order."""
        return Machine(
            self.pki,
            processor=processor,
            enclave=enclave,
            domain=domain,
            guest=guest,
            events=events,
        )

    def collateral(self, at: datetime) -> Collateral:
        """Return what the vendor publishes on that day, valid for 30 days from midnight UTC."""
        return publish(self.pki, Edition.at(at))
