"""Every way in which teeproof says no: one tree, mirrored by exit codes and JSON bodies.

    Error                  exit 2   any of the following
    ├── Usage              exit 1   the caller asked for something that cannot be done
    ├── Malformed          exit 2   the bytes are not what they should be
    │   └── TooLarge       exit 2   the bytes exceed a bound that is checked before anything else
    ├── NotAuthentic       exit 2   a signature, a chain, a date or a digest does not hold
    ├── Unavailable        exit 3   something that is needed could not be reached or found
    └── NotAllowed         exit 4   authentic, and not what the policy expects

Exit code 0 means that every check which ran passed.
"""

from __future__ import annotations

from typing import ClassVar

__all__ = ["Error", "Malformed", "NotAllowed", "NotAuthentic", "TooLarge", "Unavailable", "Usage"]


class Error(Exception):
    """Something did not hold.

    Args:
        detail: one sentence for people: what is wrong, and what to do about it.
        code: a stable name for programs, ``snake_case``; each class has a default.
        expected: what would have been right, as text.
        got: what was found instead, as text.
    """

    exit_code: ClassVar[int] = 2
    default_code: ClassVar[str] = "error"

    def __init__(
        self,
        detail: str,
        *,
        code: str | None = None,
        expected: str | None = None,
        got: str | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.code = code or self.default_code
        self.expected = expected
        self.got = got

    def to_json(self) -> dict[str, object]:
        """Return the one error shape of every command and route."""
        return {
            "ok": False,
            "error": self.code,
            "detail": self.detail,
            "expected": self.expected,
            "got": self.got,
        }


class Usage(Error):
    """The caller asked for something that cannot be done as asked."""

    exit_code = 1
    default_code = "usage"


class Malformed(Error):
    """The bytes do not have the form that they claim."""

    default_code = "malformed"


class TooLarge(Malformed):
    """The bytes exceed a bound; nothing of them was interpreted."""

    default_code = "too_large"


class NotAuthentic(Error):
    """A signature, a certificate, a date or a digest does not hold."""

    default_code = "not_authentic"


class Unavailable(Error):
    """Something that is needed could not be reached or found."""

    exit_code = 3
    default_code = "unavailable"


class NotAllowed(Error):
    """Authentic, or openly simulated, and not what the relying party's policy expects."""

    exit_code = 4
    default_code = "not_allowed"
