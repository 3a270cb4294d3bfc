"""Collect evidence on an Azure machine: the paravisor's report, and a quote by the TPM's key in it.

What a cloud's service adds to it (Intel's quote over the TDX report, AMD's certificate) comes over
the network, and is for the caller to fetch and to add.

Trusts: nothing; whether the evidence is authentic is for a verifier to say.
Does not trust: the TPM, the host.
"""

from __future__ import annotations

from teeproof.core.errors import Usage
from teeproof.evidence.azure.document import AzureEvidence
from teeproof.evidence.collect.tpm import DEVICE, open_tpm, quote_registers
from teeproof.evidence.record import Evidence
from teeproof.evidence.tpm.document import TpmEvidence
from teeproof.evidence.tpm.quote import Selection
from teeproof.evidence.tpm.wire import SHA256

__all__ = ["AzureAttester", "collect"]

# Azure, "Virtual TPMs in Azure confidential VMs": where the paravisor keeps the two.
AK_HANDLE = 0x81000003
REPORT_INDEX = 0x01400001
_REGISTERS = (Selection(SHA256, tuple(range(24))),)


D_BYTES = 32


class AzureAttester:
    """The confidential machine of Azure's that this is.

    Attributes:
        address: where its TPM is.
    """

    def __init__(self, address: str = DEVICE, *, timeout: float = 30.0) -> None:
        """Remember the TPM; nothing is asked yet. The timeout is in seconds for each command."""
        self.address, self._timeout = address, timeout

    @property
    def name(self) -> str:
        """What to call it in messages."""
        return f"Azure's paravisor, by the TPM at {self.address}"

    def attest(self, report_data: bytes) -> Evidence:
        """Return fresh evidence that binds D: the first 32 of these 64 bytes; the rest is zero.

        Raises:
            Usage: other bytes.
            Unavailable: as ``collect``.
        """
        if len(report_data) != 2 * D_BYTES or any(report_data[D_BYTES:]):
            raise Usage(
                "Azure's TPM quotes D alone: report data is 32 bytes, and 32 zero bytes",
                code="report_data_malformed",
                got=f"{len(report_data)} bytes",
            )
        found = collect(report_data[:D_BYTES], address=self.address, timeout=self._timeout)
        return Evidence(quote=found.to_bytes(), name=self.name)


def collect(data: bytes, *, address: str = DEVICE, timeout: float = 30.0) -> AzureEvidence:
    """Return the paravisor's report, and a quote of all registers over up to 64 bytes of data.

    Args:
        data: what the TPM is to sign, such as D (32 bytes).
        address: where the TPM is.
        timeout: seconds for each command.

    Raises:
        Unavailable: the TPM did not answer, or this is no confidential machine of Azure's.
    """
    with open_tpm(address, timeout=timeout) as tpm:
        report = tpm.read_nv(REPORT_INDEX)
        quote, signed, values = quote_registers(tpm, AK_HANDLE, data, selections=_REGISTERS)
    return AzureEvidence(
        hcl_report=report, tpm=TpmEvidence(quote=quote, signature=signed, pcrs=values)
    )
