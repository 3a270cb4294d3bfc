"""The kinds of files, and what each is called in words.

Trusts: nothing; only words come of it.  Does not trust: nothing comes from outside.
"""

from __future__ import annotations

from typing import Literal

__all__ = ["KINDS", "Kind"]

Kind = Literal[
    "tdx-quote",
    "sgx-quote",
    "snp-report",
    "nitro-document",
    "gpu-evidence",
    "gpu-manifest",
    "ocsp-answer",
    "tpm-document",
    "azure-document",
    "cca-token",
    "platform-key",
    "firmware-log",
    "vendor-certificates",
    "collateral",
    "event-log",
    "quote-response",
    "attestation",
    "app-compose",
    "mr-config",
    "certificate",
    "key-document",
    "identity-record",
    "policy",
    "verdict",
]
KINDS: dict[Kind, str] = {
    "tdx-quote": "TDX quote",
    "sgx-quote": "SGX quote",
    "snp-report": "SEV-SNP report",
    "nitro-document": "Nitro document",
    "gpu-evidence": "piece of GPU evidence",
    "gpu-manifest": "NVIDIA manifest (RIM)",
    "ocsp-answer": "OCSP answer",
    "tpm-document": "TPM evidence",
    "azure-document": "Azure evidence",
    "cca-token": "Arm CCA token",
    "platform-key": "Arm CCA platform key",
    "firmware-log": "firmware log",
    "vendor-certificates": "AMD certificate or revocation list",
    "collateral": "Intel collateral",
    "event-log": "dstack event log",
    "quote-response": "dstack GetQuote response",
    "attestation": "dstack attestation",
    "app-compose": "app-compose.json",
    "mr-config": "MrConfigV3 document",
    "certificate": "RA-TLS certificate",
    "key-document": "key document",
    "identity-record": "identity record",
    "policy": "policy",
    "verdict": "saved verdict",
}
"""Each kind in words."""
