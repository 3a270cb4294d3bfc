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
    "a proof file; a log's directory, or a log proof with its record; a machine's evidence: a TDX"
    " or SGX quote, an SEV-SNP report, a Nitro document, evidence of NVIDIA GPUs, of a TPM or of an"
    " Azure machine, an Arm CCA token; or what lies beside it: certificates, Intel's collateral,"
    " NVIDIA's manifests, a firmware's or dstack's event log, a dstack response, app-compose.json"
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
