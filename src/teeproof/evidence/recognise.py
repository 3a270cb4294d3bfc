"""Tell the kinds of evidence apart by their first bytes, before anything of them is parsed.

A kind decides which judge reads the evidence and which built-in policy is its usual one. What looks
like none of the others is taken for a TDX quote: that parser then says what is wrong with it.

Trusts: nothing; a kind says nothing about truth.  Does not trust: whoever made the bytes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from teeproof.evidence.azure import document as azure
from teeproof.evidence.cca import token as cca
from teeproof.evidence.nitro import document as nitro
from teeproof.evidence.nvidia import bundle as nvidia
from teeproof.evidence.sev_snp import report as sev_snp
from teeproof.evidence.tpm import document as tpm

__all__ = ["USUAL_POLICY", "Kind", "kind_of"]

Kind = Literal["tdx", "sgx", "sev-snp", "nitro", "nvidia", "tpm", "azure-tdx", "azure-snp", "cca"]

USUAL_POLICY: dict[Kind, str] = {
    "tdx": "standard", "sgx": "sgx", "sev-snp": "sev-snp", "nitro": "nitro", "nvidia": "nvidia",
    "tpm": "tpm", "azure-tdx": "azure-tdx", "azure-snp": "azure-snp", "cca": "cca",
}  # fmt: skip
"""The built-in policy of each kind, for who names none."""

_SGX_VERSION = b"\x03\x00"  # the first two bytes of an SGX quote, version 3


def kind_of(quote: bytes) -> Kind:
    """Return the kind of evidence that begins with these bytes."""
    for kind, fits in _FORMS:
        if fits(quote):
            return kind
    return "sgx" if quote[:2] == _SGX_VERSION else "tdx"


_FORMS: tuple[tuple[Kind, Callable[[bytes], bool]], ...] = (
    ("sev-snp", sev_snp.looks_like),
    ("nitro", nitro.looks_like),
    ("nvidia", nvidia.looks_like),
    ("cca", cca.looks_like),
    ("azure-tdx", lambda data: azure.looks_like(data) and b'"td_quote"' in data),
    ("azure-snp", azure.looks_like),
    ("tpm", tpm.looks_like),
)
