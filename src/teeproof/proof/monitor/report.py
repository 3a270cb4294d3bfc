"""What one look at a log found, and which exit code that is.

Trusts: nothing.  Does not trust: nothing; it only records.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import msgspec

from teeproof.core.digests import named
from teeproof.core.errors import Error, Unavailable
from teeproof.proof.monitor.fork import Fork

__all__ = ["Finding", "Level", "Report", "in_order"]

Level = Literal["fork", "refused", "missing", "note"]
"""``fork``: the log is proven bad. ``refused``: something served does not hold, and that may be the
network. ``missing``: it could not be seen. ``note``: worth knowing, nothing is wrong."""

_EXIT = {"fork": 2, "refused": 2, "missing": 3, "note": 0}


class Finding(msgspec.Struct, frozen=True):
    """One thing that was found.

    Attributes:
        level: how bad it is.
        code: what it is, for programs.
        detail: what it is, for people.
        source: where it was seen.
        expected: what would have been right.
        got: what was found.
    """

    level: Level
    code: str
    detail: str
    source: str
    expected: str | None = None
    got: str | None = None

    @classmethod
    def of(cls, error: Error, source: str) -> Finding:
        """Return an error as a finding: ``missing`` if something was not there, or ``refused``."""
        level: Level = "missing" if isinstance(error, Unavailable) else "refused"
        return cls(level, error.code, error.detail, source, error.expected, error.got)


def in_order(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return findings with the worst first."""
    levels = list(_EXIT)
    return tuple(sorted(findings, key=lambda finding: levels.index(finding.level)))


class Report(msgspec.Struct, frozen=True):
    """What one look found.

    Attributes:
        origin: which log.
        size: how many entries are verified now; None if nothing is.
        root: the root of their tree.
        before: how many were verified before this look.
        findings: the worst first.
        fork: what is proven against the log.
        proof: where the fork.proof lies.
    """

    origin: str
    size: int | None
    root: bytes | None
    before: int | None
    findings: tuple[Finding, ...] = ()
    fork: Fork | None = None
    proof: str | None = None

    @property
    def exit_code(self) -> int:
        """0 good, 2 proven bad or something served does not hold, 3 something is missing."""
        levels = {finding.level for finding in self.findings}
        return next((_EXIT[level] for level in _EXIT if level in levels), 0)

    def to_json(self) -> dict[str, object]:
        """Return the report as ``--json`` prints it."""
        return {
            "ok": self.exit_code == 0,
            "origin": self.origin,
            "size": self.size,
            "root": named(self.root) if self.root is not None else None,
            "before": self.before,
            "forked": self.fork is not None,
            "proof": self.proof,
            "findings": [msgspec.to_builtins(finding) for finding in self.findings],
        }
