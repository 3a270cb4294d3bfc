"""What is understood, and the errors for files that are not.

Trusts: nothing; only words come of it.  Does not trust: whoever made the file.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from teeproof.core.errors import Malformed, Usage
from teeproof.evidence.files.others import IDENTITY, refuse

if TYPE_CHECKING:
    from teeproof.evidence.files.kinds import Piece

__all__ = ["foreign", "no_quote", "not_understood", "some"]

_UNDERSTOOD = (
    "a proof file; a log proof with its record; a log's directory; a TDX quote (version 4 or 5) or"
    " SGX quote (version 3) in binary, hex or base64; an SEV-SNP report (version 2 to 5) likewise,"
    " and AMD's certificates or revocation list, DER or PEM; a document of AWS Nitro; the evidence"
    " of NVIDIA GPUs (JSON), NVIDIA's manifests (RIM) and OCSP answers (DER); evidence of a TPM or"
    " of an Azure machine (JSON); an Arm CCA token, and its platform's key (JSON Web Key); a"
    " firmware log (TCG's, or CCEL); Intel collateral (QuoteCollateralV3 JSON); a dstack event log,"
    " GetQuote response, attestation, app-compose.json or MrConfigV3 document; an RA-TLS"
    " certificate; a workload's key document or identity record beside a quote; a policy (TOML); a"
    " verdict"
)


def foreign(name: str, words: str) -> Malformed:
    """Return the error for evidence of a kind that this version does not verify."""
    return Malformed(
        f"{name} looks like {words}, which this version does not verify by itself",
        code="evidence_unsupported",
        expected=_UNDERSTOOD,
        got=words,
    )


def not_understood(name: str, got: str) -> Malformed:
    """Return the error for a file that is nothing of what is understood."""
    return Malformed(
        f"{name} is nothing that teeproof understands",
        code="file_unknown",
        expected=_UNDERSTOOD,
        got=got,
    )


def some(value: dict[str, Any]) -> str:
    """Return the first names of an object's fields, for an error."""
    keys = [ascii(key[:40])[1:-1] for key in list(value)[:6]]
    return ", ".join(keys) + (", …" if len(value) > 6 else "") if keys else "no fields"


def no_quote(pieces: Sequence[Piece], ignored: Sequence[tuple[str, str]] = ()) -> Usage:
    """Return the error for files among which there is no quote, and what they are."""
    if [piece.kind for piece in pieces] == ["identity-record"]:
        return refuse(IDENTITY, pieces[0].name)
    found = [f"{piece.name} ({piece.words})" for piece in pieces]
    found += [f"{name} ({why})" for name, why in ignored[:6]]
    found += [f"and {len(ignored) - 6} others"] if len(ignored) > 6 else []
    return Usage(
        "there is no quote among these files: name the file that holds it",
        code="quote_missing",
        expected="a quote, or a file that carries one",
        got=", ".join(found) or "no files",
    )
