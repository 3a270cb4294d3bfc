"""Ask a log's witnesses, and remember what each has cosigned, so that one request is enough.

Trusts: the witness keys that the operator names.  Does not trust: witnesses' answers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import msgspec

from teeproof.core.errors import Error
from teeproof.proof.log.formats.checkpoint import SignedCheckpoint
from teeproof.proof.log.http.publishing import Gathered
from teeproof.proof.witness.client import Asked, gather

__all__ = ["Witnesses"]

_TIMEOUT = 10.0  # seconds for each request


class Witnesses:
    """The witnesses of one log; call it with a checkpoint.

    Args:
        asked: where they are, and their keys.
        prove: the consistency proof from one size of the log to another.
        timeout: seconds for each request.
    """

    def __init__(
        self,
        asked: Iterable[Asked],
        *,
        prove: Callable[[int, int], list[bytes]],
        timeout: float = _TIMEOUT,
    ) -> None:
        self._asked = {witness.key.name: witness for witness in asked}
        self._prove, self._timeout = prove, timeout

    @property
    def keys(self) -> tuple[str, ...]:
        """Their verifier keys."""
        return tuple(sorted(witness.key.text() for witness in self._asked.values()))

    def __call__(self, signed: SignedCheckpoint) -> Gathered:
        """Ask all at once who have not cosigned it yet, as before a restart they may have."""
        size, lines = signed.checkpoint.size, signed.note.signatures
        found = gather(
            [w for w in self._asked.values() if not any(w.key.owns(line) for line in lines)],
            signed,
            lambda old: self._prove(old, size),
            timeout=self._timeout,
        )
        for line in found.lines:
            witness = self._asked[line.name]
            self._asked[line.name] = msgspec.structs.replace(witness, old=size)
        return Gathered(found.lines, tuple(_complaint(*pair) for pair in found.failed.items()))


def _complaint(name: str, error: Error) -> str:
    return f"{name} {error.code}: {error.detail}"
