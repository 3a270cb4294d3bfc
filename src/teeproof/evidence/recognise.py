"""Tell the kinds of evidence apart by their first bytes, before anything of them is parsed.

A kind decides which judge reads the evidence and which built-in policy is its usual one. What looks
like none of the others is taken for a TDX quote: that parser then says what is wrong with it.

Trusts: nothing; a kind says nothing about truth.  Does not trust: whoever made the bytes.
"""

from __future__ import annotations

from typing import Literal

from teeproof.evidence.nitro import document as nitro
from teeproof.evidence.nvidia import bundle as nvidia
from teeproof.evidence.sev_snp import report as sev_snp

__all__ = ["USUAL_POLICY", "Kind", "kind_of"]

Kind = Literal["tdx", "sgx", "sev-snp", "nitro", "nvidia"]

USUAL_POLICY: dict[Kind, str] = {
    "tdx": "standard", "sgx": "sgx", "sev-snp": "sev-snp", "nitro": "nitro",
    "nvidia": "nvidia",
}  # fmt: skip
"""The built-in policy of each kind, for who names none."""

_SGX_VERSION = b"\x03\x00"  # the first two bytes of an SGX quote, version 3


def kind_of(quote: bytes) -> Kind:
    """Return the kind of evidence that begins with these bytes."""
    if sev_snp.looks_like(quote):
        return "sev-snp"
    if nitro.looks_like(quote):
        return "nitro"
    if nvidia.looks_like(quote):
        return "nvidia"
    return "sgx" if quote[:2] == _SGX_VERSION else "tdx"
