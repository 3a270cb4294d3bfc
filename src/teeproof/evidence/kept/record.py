"""One thing that a vendor said of machines, as the archive keeps it: parts, subject, dates.

Subject and dates follow from the parts, and only sort: who reads a record back makes it again from
its parts and compares.

Trusts: nothing; it only carries.  Does not trust: the disk.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, get_args

import msgspec

from teeproof.core.clock import from_epoch
from teeproof.core.digests import framed_sha256, named, sha256

__all__ = ["KINDS", "MAX_PART_BYTES", "Kind", "Parts", "Record", "Said", "made_of"]

Kind = Literal["amd-key", "amd-crl", "rim", "ocsp"]
KINDS: dict[Kind, str] = {
    "amd-key": "AMD certificate of an endorsement key",
    "amd-crl": "AMD revocation list",
    "rim": "NVIDIA manifest",
    "ocsp": "NVIDIA OCSP answer",
}
"""Each kind in words."""

Parts = Mapping[str, bytes]
MAX_PART_BYTES = 256 << 10  # of one part: a manifest has some 25 KB, all others have less

# 9999-12-31T23:59:59Z, less one second: as of Intel's entries.
_LAST = 253_402_300_798
_Time = Annotated[int, msgspec.Meta(ge=0, le=_LAST)]


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """What a thing says of itself, once its signatures were found to hold.

    Attributes:
        subject: what it is about, by names that lookups use. A chip stands there by its hash.
        root: fingerprint of the key that it ends in.
        window: first and last second in which it is in force.
    """

    subject: dict[str, str]
    root: str
    window: tuple[int, int]


class Record(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A kept thing, as the index has it.

    Attributes:
        id: ``sha256:…`` over kind and parts.
        kind: what it is.
        subject: as in ``Said``; likewise ``root``.
        begins: from when on it is in force, seconds since 1970.
        ends: the last second in which it is, seconds since 1970.
        blobs: part -> ``sha256:…``.
    """

    id: str
    kind: Kind
    subject: dict[str, str]
    root: str
    begins: _Time
    ends: _Time
    blobs: dict[str, str]

    @property
    def words(self) -> str:
        """What it is and what it is about, in words."""
        about = ", ".join(
            value[:23] + "…" if value.startswith("sha256:") else value
            for name, value in self.subject.items()
            if name != "says"
        )
        return f"{KINDS[self.kind]}: {about}"

    def in_force(self, at: int) -> bool:
        """Whether it is in force at a time (seconds since 1970)."""
        return self.begins <= at <= self.ends


def made_of(kind: Kind, parts: Parts, said: Said) -> Record:
    """Return the record of parts that were found to hold."""
    assert kind in get_args(Kind)
    framed = [each for name in sorted(parts) for each in (name.encode(), parts[name])]
    begins, ends = (min(max(0, second), _LAST) for second in said.window)
    from_epoch(ends)  # it can be printed
    return Record(
        id=named(framed_sha256("teeproof.kept.v1", kind.encode(), *framed)),
        kind=kind,
        subject=dict(sorted(said.subject.items())),
        root=said.root,
        begins=begins,
        ends=ends,
        blobs={name: named(sha256(content)) for name, content in sorted(parts.items())},
    )
