"""Gather what failed, and say by which way a root depends on it.

Trusts: nothing.  Does not trust: the proof, which may be as deep as it is long.
"""

from __future__ import annotations

from collections.abc import Mapping

from teeproof.core.digests import named
from teeproof.evidence.verdict import Check
from teeproof.proof.verify.record import Fault, IdentityVerdict, LogVerdict, StatementVerdict
from teeproof.proof.verify.statements import AUTHOR_REFUSED

__all__ = ["list_faults"]

_LONGEST_PATH = 64
_MOST_PATHS = 1024  # a hostile proof may have as many faults as statements


def list_faults(
    checks: tuple[Check, ...],
    logs: tuple[LogVerdict, ...],
    identities: Mapping[bytes, IdentityVerdict],
    statements: Mapping[bytes, StatementVerdict],
    *,
    reached: Mapping[bytes, bytes | None],
) -> tuple[Fault, ...]:
    """Return every failed check with its place.

    Args:
        checks: of the proof as a whole.
        logs: of each log.
        identities: by digest.
        statements: by id.
        reached: of each statement, the one by which a root reaches it, nearest first.

    The first 1,024 faults of identities, and of statements, have a path.
    """
    faults = [Fault(where="proof", subject="", path=(), check=c) for c in _failed(checks)]
    for log in logs:
        faults += [
            Fault(where="log", subject=log.origin, path=(), check=c) for c in _failed(log.checks)
        ]
    speaks = _first_statements(statements, reached)
    for identity in identities.values():
        wanted = identity.id in speaks and identity.failures and len(faults) < _MOST_PATHS
        path = _path(speaks[identity.id], reached) if wanted else ()
        faults += [
            Fault(where="identity", subject=identity.id, path=path, check=c)
            for c in _failed(identity.checks)
        ]
        faults += [
            Fault(where="evidence", subject=identity.id, path=path, check=c)
            for c in _failed(_machine(identity))
        ]
    pathless = len(faults) + _MOST_PATHS
    for one, statement in statements.items():
        failures = [c for c in statement.checks if c.state == "failed" and c.code != AUTHOR_REFUSED]
        if failures:
            path = _path(one, reached) if len(faults) < pathless else ()
            faults += [
                Fault(where="statement", subject=statement.id, path=path, check=c) for c in failures
            ]
    return tuple(faults)


def _machine(identity: IdentityVerdict) -> tuple[Check, ...]:
    return () if identity.evidence is None else identity.evidence.checks


def _first_statements(
    statements: Mapping[bytes, StatementVerdict], reached: Mapping[bytes, bytes | None]
) -> dict[str, bytes]:
    """Return, for each author, the statement of theirs that is nearest to a root."""
    found: dict[str, bytes] = {}
    for one in reached:  # nearest first
        statement = statements.get(one)
        if statement is not None and statement.author is not None:
            found.setdefault(statement.author, one)
    return found


def _failed(checks: tuple[Check, ...]) -> list[Check]:
    return [check for check in checks if check.state == "failed"]


def _path(one: bytes, reached: Mapping[bytes, bytes | None]) -> tuple[str, ...]:
    path, node = [one], reached.get(one)
    while node is not None and len(path) < _LONGEST_PATH:
        path.append(node)
        node = reached.get(node)
    return tuple(named(step) for step in reversed(path))
