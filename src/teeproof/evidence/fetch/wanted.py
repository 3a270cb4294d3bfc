"""What a piece of evidence needs of its vendor: taken from the archive if in force, else fetched.

Each part is verified before it is kept, and kept whole or not at all. What was fetched before an
error stays kept: it holds, whatever came after it.

Trusts: the roots that are pinned, or that the evidence ends in.  Does not trust: network, servers.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec

from teeproof.core.errors import Usage
from teeproof.evidence.archive import Archive
from teeproof.evidence.entries import Entry, describe
from teeproof.evidence.fetch.intel import Edition, fetch_collateral
from teeproof.evidence.fetch.web import Web
from teeproof.evidence.files.fitting import platform_of
from teeproof.evidence.recognise import kind_of
from teeproof.evidence.record import Evidence

__all__ = ["Asking", "Got", "fetch_for"]

Source = Literal["fetched", "archive"]


class Got(msgspec.Struct, frozen=True, kw_only=True):
    """One part of what was needed.

    Attributes:
        what: in words.
        source: whether it was fetched, or was in the archive and in force.
        id: under which the archive has it.
        ends: the last second in which it is in force, seconds since 1970.
    """

    what: str
    source: Source
    id: str
    ends: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """How to ask.

    Attributes:
        directory: of the archive.
        web: the way to the servers.
        now: at which the endorsements must be in force, seconds since 1970.
        fresh: whether to fetch also what the archive has in force.
        edition: which of Intel's editions, if not the usual one; naming one means to fetch it.
    """

    directory: Path
    web: Web
    now: int
    fresh: bool = False
    edition: Edition | None = None


def fetch_for(evidence: Evidence, asking: Asking) -> list[Got]:
    """Return what the evidence needs, after fetching what the archive does not have in force.

    Raises:
        Usage: nothing is fetched for this kind of evidence.
        Malformed: the evidence, or what came, cannot be read.
        Unavailable: a server was not reached, or the archive cannot be written.
        NotAuthentic: what came does not hold.
    """
    kind = kind_of(evidence.quote)
    if kind in ("tdx", "sgx"):
        return [_intel(evidence, asking)]
    raise Usage(
        f"{evidence.name} brings its vendor's certificates: there is nothing to fetch",
        code="nothing_to_fetch",
        got=kind,
    )


def _intel(evidence: Evidence, asking: Asking) -> Got:
    platform = platform_of(evidence.quote)
    archive = Archive(asking.directory)
    if not asking.fresh and asking.edition is None:
        found = archive.find(platform, at=asking.now).collateral
        if found is not None and asking.now <= describe(found).ends:
            return _got(describe(found), "archive")
    collateral = fetch_collateral(platform, asking.web, now=asking.now, edition=asking.edition)
    return _got(archive.add(collateral), "fetched")


def _got(entry: Entry, source: Source) -> Got:
    what = f"{entry.tee} collateral of FMSPC {entry.fmspc}"
    return Got(what=what, source=source, id=entry.id, ends=entry.ends)
