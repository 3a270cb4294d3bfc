"""Judge one identity by itself, where it stands: its keys, its machine, what its log says of it.

A proof is about statements, and judges identities on the way. Whoever asks about a machine that has
said nothing yet gets the same checks here, over the same log.

Trusts: the relying party's ``Trust``, this code.
Does not trust: the source, the log's operator, the machine's host.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from teeproof.core.clock import to_epoch
from teeproof.core.digests import named
from teeproof.core.errors import Unavailable
from teeproof.proof.file.library import Library, library
from teeproof.proof.file.sheets import join
from teeproof.proof.identity import IdentityRecord
from teeproof.proof.log.formats.entry import IDENTITY, Entry, commitment
from teeproof.proof.log.formats.merkle import leaf_hash
from teeproof.proof.source import Source
from teeproof.proof.verify.identities import Known, judge_identity
from teeproof.proof.verify.logs import operators, view
from teeproof.proof.verify.places import Place, not_logged
from teeproof.proof.verify.record import IdentityVerdict
from teeproof.proof.verify.trust import Trust

__all__ = ["verify_identity"]


def verify_identity(
    source: Source | Library,
    digest: bytes,
    *,
    now: datetime,
    trust: Trust | None = None,
    known: Known | None = None,
) -> IdentityVerdict:
    """Return the verdict on one identity.

    Args:
        source: holds its record, its evidence, and its place in logs.
        digest: 32 bytes.
        now: the verifier's own time, an aware datetime.
        trust: what the relying party believes; without it, the built-in policies and no log.
        known: as of ``verify_proof``.

    Raises:
        Unavailable: the source does not hold it (``identity_unknown``).
    """
    held, believed, at = library(source), trust or Trust(), to_epoch(now)
    record = held.record(digest)
    if record is None:
        raise Unavailable(
            "there is no such identity here: it may not be published yet",
            code="identity_unknown",
            got=named(digest),
        )
    return judge_identity(
        record,
        blob=_blobs(held),
        place=_place(held, record, believed, at),
        now=at,
        policy=believed.policy,
        further=None,
        both_paths=believed.both_paths,
        known={} if known is None else known,
    )


def _blobs(held: Library) -> Callable[[str], bytes]:
    def blob(digest: str) -> bytes:
        data = held.blob(digest)
        if data is None:
            raise Unavailable(
                "a part of the machine's evidence is not here: ask for the whole of it",
                code="evidence_missing",
                expected=digest,
                got="nothing",
            )
        return data

    return blob


def _place(held: Library, record: IdentityRecord, trust: Trust, now: int) -> Place:
    """Return the best of what logs say of it; the leaf is computed from the record itself."""
    places = [not_logged(trust)]
    for part in join(held.sheets([record.digest])):
        ref = part.entries[record.digest]
        made = commitment(ref.salt, record.digest, record.seal)
        leaf = leaf_hash(Entry(IDENTITY, made, record.digest).encode())
        found = view(part, {ref.index: leaf}, trust, now=now, operated=operators([record]))
        places.append(found.place(ref.index))
    return min(places[1:] or places, key=lambda place: place.rank)
