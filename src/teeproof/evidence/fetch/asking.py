"""How the vendors are asked, and what comes of it: the arguments and answers of all three.

Trusts: nothing; it only carries.  Does not trust: nothing comes from outside.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec

from teeproof.evidence.fetch.intel import Edition
from teeproof.evidence.fetch.web import Web
from teeproof.evidence.kept.record import Record
from teeproof.evidence.kept.records import Records
from teeproof.evidence.sev_snp.tcb import Product

__all__ = ["Asking", "Got", "Source"]

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

    @classmethod
    def of(cls, record: Record, source: Source) -> Got:
        """Return a record as a part of what was needed."""
        return cls(what=record.words, source=source, id=record.id, ends=record.ends)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """How to ask.

    Attributes:
        directory: of the archive.
        web: the way to the servers.
        now: at which the endorsements must be in force, seconds since 1970.
        fresh: whether to fetch also what the archive has in force.
        edition: which of Intel's editions, if not the usual one; naming one means to fetch it.
        product: of AMD's processor, for reports that do not name it.
    """

    directory: Path
    web: Web
    now: int
    fresh: bool = False
    edition: Edition | None = None
    product: Product | None = None

    @property
    def records(self) -> Records:
        """The archive of what AMD and NVIDIA said."""
        return Records(self.directory)
