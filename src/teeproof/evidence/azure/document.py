"""Evidence of an Azure machine as a file: Trustee's form, version 1.

    version     1
    hcl_report  base64url: the paravisor's report
    tpm_quote   the TPM's quote: message and signature in hex, 24 registers
    td_quote    base64url: Intel's quote over the TDX report inside; on TDX alone
    vcek        base64url: AMD's certificate (DER) for the SEV-SNP report inside; on SEV-SNP alone

Trusts: nothing; it only reads.  Does not trust: whoever hands over the file.
"""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from teeproof.core import strictjson
from teeproof.evidence.azure.hcl import malformed, unbase64
from teeproof.evidence.tpm.document import TpmEvidence, parse_azure
from teeproof.evidence.tpm.signature import parse as parse_signature
from teeproof.evidence.tpm.wire import SHA256

__all__ = ["MAX_DOCUMENT_BYTES", "AzureEvidence", "looks_like", "parse"]

MAX_DOCUMENT_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class AzureEvidence:
    """What one Azure machine says of itself.

    Attributes:
        hcl_report: the paravisor's report.
        tpm: the TPM's quote; its key stands in the report.
        td_quote: of TDX, Intel's quote over the report inside.
        vcek: of SEV-SNP, AMD's certificate for the report inside (DER).
    """

    hcl_report: bytes
    tpm: TpmEvidence
    td_quote: bytes | None = None
    vcek: bytes | None = None

    def to_bytes(self) -> bytes:
        """Return the document; ``parse`` reads it back. The quote is of 24 registers of SHA-256."""
        banks = self.tpm.pcrs or {}
        values = [value for _, value in sorted(banks.get(SHA256, {}).items())]
        quote = {
            "message": self.tpm.quote.hex(),
            "signature": parse_signature(self.tpm.signature).value.hex(),
            "pcrs": [value.hex() for value in values],
        }
        more = {"td_quote": self.td_quote, "vcek": self.vcek}
        value = {
            "version": 1,
            "hcl_report": urlsafe_b64encode(self.hcl_report).decode(),
            "tpm_quote": quote,
            **{n: urlsafe_b64encode(data).decode() for n, data in more.items() if data is not None},
        }
        return json.dumps(value, indent=1).encode() + b"\n"


class _Raw(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    version: Literal[1]
    hcl_report: str
    tpm_quote: dict[str, Any]
    td_quote: str | None = None
    vcek: str | None = None


def looks_like(data: bytes) -> bool:
    """Whether this is JSON that says it holds a paravisor's report; nothing is parsed."""
    return data.lstrip(b" \t\r\n")[:1] == b"{" and b'"hcl_report"' in data[:MAX_DOCUMENT_BYTES]


def parse(data: bytes) -> AzureEvidence:
    """Return the evidence in ``data``.

    Raises:
        TooLarge: more than ``MAX_DOCUMENT_BYTES``.
        Malformed: not such a document.
    """
    value = strictjson.loads(data, limit=MAX_DOCUMENT_BYTES, what="Azure evidence")
    try:
        raw = msgspec.convert(value, _Raw, strict=True)
    except msgspec.ValidationError as error:
        raise malformed("evidence with hcl_report and tpm_quote", str(error)) from None
    return AzureEvidence(
        hcl_report=unbase64(raw.hcl_report),
        tpm=parse_azure(raw.tpm_quote),
        td_quote=None if raw.td_quote is None else unbase64(raw.td_quote),
        vcek=None if raw.vcek is None else unbase64(raw.vcek),
    )
