"""Collect evidence on an Azure machine: the paravisor's report, and a quote by the TPM's key in it.

What a cloud's service adds to it (Intel's quote over the TDX report, AMD's certificate) comes over
the network, and is for the caller to fetch and to add.

Trusts: nothing; whether the evidence is authentic is for a verifier to say.
Does not trust: the TPM, the host.
"""

from __future__ import annotations

from teeproof.evidence.azure.document import AzureEvidence
from teeproof.evidence.collect.tpm import DEVICE, open_tpm, quote_registers
from teeproof.evidence.tpm.document import TpmEvidence
from teeproof.evidence.tpm.quote import Selection
from teeproof.evidence.tpm.wire import SHA256

__all__ = ["collect"]

# Azure, "Virtual TPMs in Azure confidential VMs": where the paravisor keeps the two.
AK_HANDLE = 0x81000003
REPORT_INDEX = 0x01400001
_REGISTERS = (Selection(SHA256, tuple(range(24))),)


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
