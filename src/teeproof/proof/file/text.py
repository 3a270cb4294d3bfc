"""One statement's log proof as a text: c2sp.org/tlog-proof, with salt and seal as its extra data.

Trusts: nothing.  Does not trust: the source.
"""

from __future__ import annotations

from typing import Protocol

from teeproof.core.digests import named
from teeproof.core.errors import Unavailable
from teeproof.proof.log.formats.merkle import inclusion_proof
from teeproof.proof.log.formats.tlogproof import TlogProof
from teeproof.proof.source import Logged

__all__ = ["tlog_proof"]


class _Log(Protocol):
    def logged(self, statement_id: bytes) -> Logged | None: ...


def tlog_proof(source: _Log, statement_id: bytes) -> bytes:
    """Return the text that proves a statement's or identity's place in its log.

    Args:
        source: a ``Source`` or ``ProofFile``.
        statement_id: 32 bytes.

    Raises:
        Unavailable: code ``not_logged``.
    """
    place = source.logged(statement_id)
    if place is None:
        raise Unavailable(
            "no log at hand holds this statement", code="not_logged", got=named(statement_id)
        )
    hashes = inclusion_proof(place.index, place.checkpoint.checkpoint.size, place.node)
    return TlogProof(place.salt + place.seal, place.index, tuple(hashes), place.checkpoint).encode()
