"""Which HTTP status an error of a log has, or of a verifier, whose errors are of the same evidence.

Evidence that does not hold is well said and not to be processed (422): 401 is for a token.

Trusts: nothing.  Does not trust: whoever is refused.
"""

from __future__ import annotations

from teeproof.core.errors import Error, NotAuthentic
from teeproof.web import asgi

__all__ = ["refusal", "status_of"]

_BY_CODE = {
    "token_missing": 401,
    "token_wrong": 401,
    "tile_missing": 404,
    "statement_unknown": 404,
    "blob_unknown": 404,
    "verdict_unknown": 404,
    "not_acceptable": 406,
    "identity_unknown": 409,
    "not_published": 404,
    "log_corrupt": 500,
}


def refusal(error: Error) -> asgi.Answer:
    """Return the one error shape, with the status that goes with it."""
    status = status_of(error)
    who = ((b"www-authenticate", b"Bearer"),) if status == 401 else ()
    return asgi.refusal(error, status, headers=who)


def status_of(error: Error) -> int:
    """Return the HTTP status for an error."""
    if isinstance(error, NotAuthentic) and error.code not in _BY_CODE:
        return 422
    return asgi.status_of(error, _BY_CODE)
