"""Nonces that evidence must answer, each once; and who answered, for when an answer was lost.

    admitted/<identity>/<job>   which challenge it answered, and until when it may ask again

Challenges themselves are in memory: after a restart they are all unknown, which is safe.

Trusts: the random source, the keeper's clock.  Does not trust: whoever asks.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from teeproof.cloud.kms.requests import Asked
from teeproof.cloud.kms.state import State
from teeproof.core.errors import NotAllowed, Unavailable

__all__ = ["AGAIN_SECONDS", "CHALLENGE_SECONDS", "Challenges"]

CHALLENGE_SECONDS = 600
AGAIN_SECONDS = 600
_MOST = 10_000


class Challenges:
    """The challenges of one KMS.

    Args:
        state: where it is kept who was admitted.
        random: the random source.
    """

    def __init__(self, state: State, *, random: Callable[[int], bytes] = os.urandom) -> None:
        self._state, self._random = state, random
        self._open: dict[bytes, int] = {}  # until when, seconds since 1970

    def issue(self, now: int) -> tuple[bytes, int]:
        """Return a fresh challenge, 32 bytes, and until when it may be answered.

        Raises:
            Unavailable: code ``kms_busy``; too many wait for an answer.
        """
        while self._open and next(iter(self._open.values())) < now:  # the oldest stands first
            self._open.pop(next(iter(self._open)))
        if len(self._open) >= _MOST:
            raise Unavailable(
                "too many challenges wait for an answer: ask again later", code="kms_busy"
            )
        challenge = self._random(32)
        self._open[challenge] = now + CHALLENGE_SECONDS
        return challenge, now + CHALLENGE_SECONDS

    def take(self, asked: Asked, now: int) -> None:
        """Use a challenge up; who answered it already may ask again for some time.

        Raises:
            NotAllowed: code ``challenge_unknown``.
        """
        end = self._open.pop(asked.challenge, None)
        if end is not None and now <= end:
            return
        admitted = self._state.get(_place(asked))
        again = admitted is not None and admitted["challenge"] == asked.challenge.hex()
        if not again or now > admitted["until"]:
            raise NotAllowed(
                "this challenge is not of this KMS, was used before, or is too old: ask for a fresh"
                " one, and boot with it",
                code="challenge_unknown",
                expected=f"one that is not older than {CHALLENGE_SECONDS} s, and is used once",
                got=asked.challenge.hex(),
            )

    def rows_to_admit(self, asked: Asked, now: int, *, standing: bool) -> dict[str, Any]:
        """Return the rows with which somebody is admitted, and those of the past are gone.

        Args:
            asked: who, and for which job.
            now: seconds since 1970.
            standing: whether all that was granted are standing permissions: a service that sees
                each new file may ask for as long as its keys live.
        """
        last = asked.record.keys.not_after
        until = last if standing else min(last, now + AGAIN_SECONDS)
        past: dict[str, Any] = {
            place: None for place, row in self._state.under("admitted/") if row["until"] < now
        }
        return past | {_place(asked): {"until": until, "challenge": asked.challenge.hex()}}


def _place(asked: Asked) -> str:
    return f"admitted/{asked.record.digest.hex()}/{asked.job.digest.hex()}"
