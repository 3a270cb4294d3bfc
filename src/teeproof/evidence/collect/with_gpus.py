"""A machine and its GPUs in the place of one attester: whoever boots on it names both.

The GPUs are asked for the nonce that the machine's own evidence determines, after it was made.

Trusts: the machine's attester, the driver's library.
Does not trust: that a GPU sits in this machine; no report shows it.
"""

from __future__ import annotations

import msgspec

from teeproof.evidence.collect import Attester
from teeproof.evidence.collect.nvml import NvmlAttester
from teeproof.evidence.naming import report_data_of
from teeproof.evidence.nvidia.nonce import gpu_nonce
from teeproof.evidence.record import Evidence

__all__ = ["WithGpus"]


class WithGpus:
    """An attester whose evidence holds that of the machine's NVIDIA GPUs too.

    Args:
        machine: makes the machine's own evidence.
        gpus: asks the driver for the GPUs'.
    """

    def __init__(self, machine: Attester, gpus: NvmlAttester) -> None:
        self.machine, self.gpus = machine, gpus

    @property
    def name(self) -> str:
        """What to call it in messages."""
        return f"{self.machine.name} with {self.gpus.name}"

    def attest(self, report_data: bytes) -> Evidence:
        """Return evidence of both, which binds these 64 bytes; raises as either attester.

        The GPUs' nonce follows from what the machine's evidence holds, and not from what was
        asked of it: where the two differ, a verifier would find so.
        """
        made = self.machine.attest(report_data)
        found = self.gpus.attest(gpu_nonce(report_data_of(made)[:32]))
        return msgspec.structs.replace(made, gpus=found.document)
