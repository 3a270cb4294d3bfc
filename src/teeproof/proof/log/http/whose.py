"""Whose log is at an address: the keys that a relying party's policy has for it.

Trusts: the policy.  Does not trust: nothing; nobody is asked.
"""

from __future__ import annotations

from collections.abc import Iterable

from teeproof.core.errors import Usage
from teeproof.proof.log.formats.policy import TlogPolicy
from teeproof.proof.log.formats.vkey import VerifierKey
from teeproof.proof.witness.signed import by_origin

__all__ = ["keys_at", "one_origin"]


def keys_at(url: str, policy: TlogPolicy) -> tuple[VerifierKey, ...]:
    """Return all keys of the log that a policy knows at an address, or of its only log.

    Raises:
        Usage: code ``log_ambiguous``; the policy has several logs, and not one with this address.
    """
    logs = list(policy.logs.values())
    here = [log for log in logs if log.url and log.url.rstrip("/") == url.rstrip("/")]
    if len(here or logs) != 1:
        raise Usage(
            "the policy does not say which of its logs is at this address: give --key",
            code="log_ambiguous",
            expected="one log, or one with this URL",
            got=f"{len(logs)} logs",
        )
    return (here or logs)[0].keys


def one_origin(keys: Iterable[VerifierKey]) -> str:
    """Return the origin of the log whose keys these are.

    Raises:
        Usage: code ``log_ambiguous``; they are of several logs, or of none.
    """
    found = by_origin(keys)
    if len(found) != 1:
        raise Usage(
            "these are not the keys of one log",
            code="log_ambiguous",
            got=", ".join(found)[:200] or "no key",
        )
    return next(iter(found))
