"""Which vendor's report a machine's evidence holds: in Azure's documents it stands inside.

Trusts: nothing; it only looks.  Does not trust: the evidence.
"""

from __future__ import annotations

from typing import NamedTuple

from teeproof.evidence.azure import document, hcl
from teeproof.evidence.der import armoured
from teeproof.evidence.recognise import kind_of
from teeproof.evidence.record import Evidence

__all__ = ["AmdPart", "amd_part", "intel_quote"]


class AmdPart(NamedTuple):
    """An SEV-SNP report, and the certificates (PEM) that came along with it, if any did."""

    report: bytes
    beside: bytes | None


def intel_quote(evidence: Evidence) -> bytes | None:
    """Return the TDX or SGX quote that a machine's evidence is or holds; None if there is none.

    Raises:
        Malformed, TooLarge: it is an Azure document that cannot be read.
    """
    if _is_azure(evidence.quote):
        return document.parse(evidence.quote).td_quote
    return evidence.quote if kind_of(evidence.quote) in ("tdx", "sgx") else None


def amd_part(evidence: Evidence) -> AmdPart | None:
    """Return the SEV-SNP report that a machine's evidence is or holds; None if there is none.

    Raises:
        Malformed, TooLarge: it is an Azure document that cannot be read.
    """
    if not _is_azure(evidence.quote):
        is_report = kind_of(evidence.quote) == "sev-snp"
        return AmdPart(evidence.quote, evidence.certificates) if is_report else None
    given = document.parse(evidence.quote)
    if given.td_quote is not None:
        return None
    own = b"" if given.vcek is None else armoured(given.vcek)
    report = hcl.parse(given.hcl_report).report
    return AmdPart(report, own + (evidence.certificates or b"") or None)


def _is_azure(data: bytes) -> bool:
    head = data[: document.MAX_DOCUMENT_BYTES]
    return head.lstrip(b" \t\r\n")[:1] == b"{" and b'"hcl_report"' in head
