"""Find what a person means by the beginning of a digest, and cut digests to what is unambiguous.

Trusts: nothing.  Does not trust: the digests; somebody may have made two with one beginning.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable

from teeproof.core.errors import Usage

__all__ = ["LEAST", "Lookup"]

LEAST = 8  # hex digits that are shown at least
_SHORTEST = 4  # and that are asked for at least
_SHOWN = 8  # candidates in a message
_HEX = frozenset("0123456789abcdef")


class Lookup:
    """Digests in hex, sorted.

    Args:
        digests: in lower-case hex, of any length.
    """

    def __init__(self, digests: Iterable[str]) -> None:
        self._sorted = sorted(set(digests))

    def find(self, text: str, *, what: str) -> str:
        """Return the one digest that a person means.

        Args:
            text: the digest or its beginning, with or without ``sha256:``, or as ``short`` cut it.
            what: what is looked for, for messages.

        Raises:
            Usage: no hex, fewer than four digits, none that begins so, or several.
        """
        digits = text.strip().lower().removeprefix("sha256:").rstrip("….")
        if len(digits) < _SHORTEST or not _HEX.issuperset(digits):
            raise Usage(
                f"this names no {what}: give a digest in hex, or its first digits",
                code="key_malformed",
                expected=f"at least {_SHORTEST} hex digits, with or without sha256:",
                got=text[:100],
            )
        begins = self._beginning(digits)
        if not begins:
            raise Usage(
                f"there is no such {what} here: teeproof graph without an ID shows which there are",
                code="key_unknown",
                got=text[:150],
            )
        if len(begins) > 1 and begins[0] != digits:
            raise Usage(
                f"several begin so: give more digits of the {what}",
                code="key_ambiguous",
                expected=_some(begins),
                got=digits,
            )
        return begins[0]

    def short(self, digest: str) -> str:
        """Return the shortest beginning that names this digest alone, of ``LEAST`` or more."""
        at = bisect_left(self._sorted, digest)
        same = at < len(self._sorted) and self._sorted[at] == digest
        around = [*self._sorted[max(0, at - 1) : at], *self._sorted[at + same : at + same + 1]]
        common = max((_common(digest, other) for other in around), default=0)
        return digest[: max(LEAST, common + 1)]

    def _beginning(self, digits: str) -> list[str]:
        """Return the digests that begin so, no more than a message shows and one."""
        at = bisect_left(self._sorted, digits)
        found: list[str] = []
        while at < len(self._sorted) and len(found) <= _SHOWN:
            if not self._sorted[at].startswith(digits):
                break
            found.append(self._sorted[at])
            at += 1
        return found


def _common(digest: str, other: str) -> int:
    """Return how many digits two digests begin with alike."""
    pairs = zip(digest, other, strict=False)
    return next((i for i, (a, b) in enumerate(pairs) if a != b), min(len(digest), len(other)))


def _some(candidates: list[str]) -> str:
    listed = ", ".join(candidate[:24] for candidate in candidates[:_SHOWN])
    return f"one of {listed}" + (", …" if len(candidates) > _SHOWN else "")
