"""Registers beside a quote: nobody signed them, until their digest is the one in the quote.

Trusts: SHA-2.  Does not trust: whoever hands over the values.
"""

from __future__ import annotations

from collections.abc import Mapping

from teeproof.core.errors import Malformed, NotAuthentic
from teeproof.evidence.tpm.quote import TpmQuote
from teeproof.evidence.tpm.wire import HASH_NAMES, HASHES, digest

__all__ = ["Banks", "covered", "missing", "pcr_digest", "require_quoted", "require_sizes"]

Banks = Mapping[int, Mapping[int, bytes]]
"""Values by bank (a number of ``wire.HASHES``) and register."""

MAX_REGISTERS = 32


def require_sizes(banks: Banks) -> None:
    """Check that each value is as long as its bank's digests, and that registers are 0 to 31."""
    for bank, values in banks.items():
        for index, value in values.items():
            if bank not in HASHES or not 0 <= index < MAX_REGISTERS or len(value) != HASHES[bank]:
                raise Malformed(
                    "a register beside the quote is no PCR's value",
                    code="tpm_malformed",
                    expected=f"registers 0 to {MAX_REGISTERS - 1} with digests of their bank",
                    got=f"register {index} with {len(value)} bytes",
                )


def missing(quote: TpmQuote, banks: Banks) -> str | None:
    """Return the first register that the quote covers and nobody handed over, for messages."""
    for selection in quote.selections:
        values = banks.get(selection.bank, {})
        for index in selection.registers:
            if index not in values:
                return f"{HASH_NAMES[selection.bank]} PCR {index}"
    return None


def covered(quote: TpmQuote, banks: Banks) -> dict[int, dict[int, bytes]]:
    """Return the registers that the quote covers, in its order; none of them is missing."""
    return {
        selection.bank: {index: banks[selection.bank][index] for index in selection.registers}
        for selection in quote.selections
        if selection.registers
    }


def pcr_digest(quote: TpmQuote, banks: Banks, *, algorithm: int) -> bytes:
    """Return what the quote's digest must be if these are the registers' values.

    Args:
        quote: the quote.
        banks: values that came beside it; none that the quote covers is missing.
        algorithm: the hash of the signature's scheme.
    """
    values = (value for bank in covered(quote, banks).values() for value in bank.values())
    return digest(algorithm, b"".join(values))


def require_quoted(quote: TpmQuote, banks: Banks, *, algorithm: int) -> None:
    """Check that these values were quoted; arguments as in ``pcr_digest``.

    Raises:
        NotAuthentic: other values were quoted.
    """
    found = pcr_digest(quote, banks, algorithm=algorithm)
    if found != quote.pcr_digest:
        raise NotAuthentic(
            "the registers beside the quote are not those that the TPM quoted",
            code="pcr_digest_mismatch",
            expected=quote.pcr_digest.hex(),
            got=found.hex(),
        )
