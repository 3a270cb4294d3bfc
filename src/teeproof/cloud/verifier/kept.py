"""Verdicts that were given, for a while: found again by what was asked, and by their keys.

A verdict is kept under a digest of all that it hangs on (files, policy, T, archive), so that none
is given for another question; and under its own key, which names as much (``Verdict.key``). What
was used longest ago is forgotten first.

Trusts: nothing; it only keeps.  Does not trust: nothing comes in but what was verified here.
"""

from __future__ import annotations

from collections import OrderedDict

import msgspec

__all__ = ["MAX_BYTES", "MAX_VERDICTS", "Kept", "Verdicts"]

MAX_VERDICTS = 4096
MAX_BYTES = 64 << 20


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """One answer.

    Attributes:
        key: the verdict's key, ``sha256:…``.
        body: the JSON that was answered.
    """

    key: str
    body: bytes


class Verdicts:
    """What is kept.

    Args:
        most: verdicts; likewise ``most_bytes`` of them together.
    """

    def __init__(self, *, most: int = MAX_VERDICTS, most_bytes: int = MAX_BYTES) -> None:
        self._most, self._most_bytes, self._bytes = most, most_bytes, 0
        self._asked: OrderedDict[bytes, Kept] = OrderedDict()
        self._by_key: dict[str, bytes] = {}

    def __len__(self) -> int:
        """Return how many are kept."""
        return len(self._asked)

    def answer(self, question: bytes) -> Kept | None:
        """Return what was answered to this question; None if it is not known (any more)."""
        found = self._asked.get(question)
        if found is not None:
            self._asked.move_to_end(question)
        return found

    def by_key(self, key: str) -> Kept | None:
        """Return the answer with this key; None if it is not known (any more)."""
        question = self._by_key.get(key)
        return None if question is None else self.answer(question)

    def keep(self, question: bytes, kept: Kept) -> None:
        """Keep an answer."""
        if len(kept.body) > self._most_bytes:
            return
        self._forget(question)
        self._asked[question] = kept
        self._by_key[kept.key] = question
        self._bytes += len(kept.body)
        while len(self._asked) > self._most or self._bytes > self._most_bytes:
            self._forget(next(iter(self._asked)))

    def _forget(self, question: bytes) -> None:
        old = self._asked.pop(question, None)
        if old is not None:
            self._bytes -= len(old.body)
            if self._by_key.get(old.key) == question:
                del self._by_key[old.key]
