"""Google's machines: a TPM quote that names a TDX quote, so that the two speak of one machine.

The TPM says that it was given this TDX quote. The TDX quote does not say which TPM: who runs both
on one machine, and relays neither, is what this binding does not prove.

Source: dstack 0.6, ``gcp-tdx``: qualifying data = SHA-256 of the TDX quote.

Trusts: SHA-256.  Does not trust: whoever hands over the two.
"""

from __future__ import annotations

from teeproof.core.digests import sha256
from teeproof.evidence.tpm.quote import TpmQuote
from teeproof.evidence.verdict import Check, failed, passed

__all__ = ["check_tdx_quote", "data_for"]


def data_for(tdx_quote: bytes) -> bytes:
    """Return the qualifying data to ask the TPM for, 32 bytes, once the TDX quote is there."""
    return sha256(tdx_quote)


def check_tdx_quote(quote: TpmQuote, tdx_quote: bytes) -> Check:
    """Return the check that a TPM quote names this TDX quote, byte for byte.

    Args:
        quote: the TPM quote; whether it is authentic is for ``tpm.verify`` to say.
        tdx_quote: the TDX quote as it came; a malleable twin of it has another digest.
    """
    expected = data_for(tdx_quote)
    if quote.extra_data == expected:
        return passed("tpm-tdx-quote", "the TPM quoted the digest of this TDX quote")
    return failed(
        "tpm-tdx-quote",
        "tdx_quote_mismatch",
        "the TPM quote names another TDX quote, so the two may come from different machines: ask "
        "for the TDX quote first, and then for a TPM quote over its digest",
        expected=expected.hex(),
        got=quote.extra_data.hex() or "nothing",
    )
