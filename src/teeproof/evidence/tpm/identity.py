"""The name of a TPM's evidence, read without verifying it.

Trusts: nothing; a name says nothing about truth.  Does not trust: whoever handed over the evidence.
"""

from __future__ import annotations

from teeproof.core.errors import Error, Malformed
from teeproof.evidence.tpm import certificates, public, quote
from teeproof.evidence.tpm.document import TpmEvidence
from teeproof.evidence.tpm.facts import evidence_identity

__all__ = ["identity_of"]


def identity_of(evidence: TpmEvidence) -> str:
    """Return ``sha256:…`` that names this evidence, whoever vouches for its key.

    Raises:
        Malformed: the quote cannot be read, or no key came with it.
    """
    parsed = quote.parse(evidence.quote)
    spki = evidence.spki if evidence.public is None else public.parse(evidence.public).spki
    if spki is None:
        raise Malformed(
            "a TPM's quote without its key has no name: hand over the key that signed it",
            code="tpm_malformed",
            expected="the attestation key, as public or spki",
            got="neither",
        )
    return evidence_identity(parsed, spki, _leaf(evidence.certificates))


def _leaf(pem: bytes | None) -> bytes:
    """Return the signed part of the key's certificate; nothing if none can be read."""
    try:
        return certificates.parse_chain(pem).leaf_tbs if pem is not None else b""
    except Error:
        return b""
