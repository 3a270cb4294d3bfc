"""Checks in reading order, as steps make them: a step gives a sentence and a result, or an error.

Trusts: the steps.  Does not trust: nothing comes from outside.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from teeproof.core.errors import Error
from teeproof.evidence.verdict import Check, failed, not_checked, passed

__all__ = ["Steps"]

_T = TypeVar("_T")


@dataclass(slots=True)
class Steps:
    """The checks that were made so far."""

    checks: list[Check] = field(default_factory=list)

    @property
    def held(self) -> bool:
        """Whether no check has failed."""
        return not any(check.state == "failed" for check in self.checks)

    def attempt(self, name: str, step: Callable[[], tuple[str, _T]]) -> _T | None:
        """Run a step that returns (one sentence, result); record it as a check under ``name``."""
        try:
            sentence, result = step()
        except Error as error:
            self.checks.append(
                failed(name, error.code, error.detail, expected=error.expected, got=error.got)
            )
            return None
        self.checks.append(passed(name, sentence))
        return result

    def skip(self, name: str, why: str) -> None:
        """Record that a check was not made."""
        self.checks.append(not_checked(name, why))
