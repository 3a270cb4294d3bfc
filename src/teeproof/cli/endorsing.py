"""Choose the endorsements for a piece of evidence, and say which they were.

Those that the person names come first, then those that lie with the evidence, then the archive in
the data directory. The verifier checks all of them alike.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import msgspec

from teeproof.cli.screen import short
from teeproof.core.clock import format_time, to_epoch
from teeproof.core.errors import Error, Malformed, Usage
from teeproof.core.home import data_directory
from teeproof.core.reading import read_bounded
from teeproof.evidence.archive import Archive, Fault
from teeproof.evidence.endorsements import MAX_COLLATERAL_BYTES, Collateral
from teeproof.evidence.entries import Entry, describe, in_order, require_held
from teeproof.evidence.files.bundles import Bundle
from teeproof.evidence.files.fitting import platform_of
from teeproof.evidence.files.kinds import identify
from teeproof.evidence.recognise import kind_of
from teeproof.evidence.record import Platform

__all__ = ["ARCHIVE", "Endorsing", "archive_of", "collateral_files", "endorse"]

ARCHIVE = "endorsements"  # the archive's directory in the data directory

Source = Literal["named", "evidence", "inside", "archive", "none"]
_FROM = {
    "named": "as you named them",
    "evidence": "from beside the evidence",
    "archive": "from your archive",
}


class Endorsing(msgspec.Struct, frozen=True, kw_only=True):
    """Endorsements for one piece of evidence.

    Attributes:
        source: where they came from.
        collateral: the endorsements; None if there are none.
        entry: their dates and platform, not verified; None if they cannot be read.
        remarks: sentences about endorsements that were passed over.
    """

    source: Source
    collateral: Collateral | None = None
    entry: Entry | None = None
    remarks: tuple[str, ...] = ()

    def words(self) -> str:
        """Return one line about them."""
        if self.source == "inside":
            return "the vendor's certificates, which the document brings"
        if self.collateral is None and self.source == "evidence":
            return "the vendor's certificates, from beside the evidence"
        if self.collateral is None:
            return "none: not beside the evidence, and not in your archive"
        dates = ""
        if self.entry:
            begins, ends = (
                format_time(self.entry.begins)[:10],
                format_time(self.entry.ends + 1)[:10],
            )
            dates = f", in force {begins} to {ends}"
        return f"{_FROM[self.source]}{dates}, {short(self.collateral.id)}"

    def to_json(self) -> dict[str, Any]:
        """Return the same facts as ``words``."""
        entry = self.entry
        return {
            "source": self.source,
            "id": self.collateral.id if self.collateral else None,
            "begins": format_time(entry.begins) if entry else None,
            "ends": format_time(entry.ends) if entry else None,
        }


_WITHOUT_COLLATERAL: dict[str, str] = {
    "sev-snp": "put AMD's certificates, and its revocation list if you have one, beside the report",
    "nitro": "a Nitro document brings its certificates",
    "nvidia": "put NVIDIA's manifests and OCSP answers beside the GPUs' evidence",
}


def endorse(
    bundle: Bundle, *, given: Sequence[Path], now: datetime, environment: Mapping[str, str]
) -> Endorsing:
    """Return the endorsements to verify a bundle with, as of ``now``.

    Args:
        bundle: what was given.
        given: files, or directories of files, that the person named.
        now: the T of the verdict.
        environment: names the data directory with the archive.

    Raises:
        Usage: files were named, and none of them is for this platform.
    """
    kind = kind_of(bundle.evidence.quote)
    if kind in _WITHOUT_COLLATERAL:
        if given:
            where = _WITHOUT_COLLATERAL[kind]
            raise Usage(f"--endorsements is Intel's collateral: {where}", code="option_unused")
        beside: Source = "evidence" if bundle.evidence.certificates else "none"
        return Endorsing(source="inside" if kind in ("nitro", "nvidia") else beside)
    if given:
        return _named(bundle, given, now)
    if bundle.evidence.collateral is not None:
        return _made("evidence", bundle.evidence.collateral)
    platform = _platform(bundle)
    if platform is None:
        return Endorsing(source="none")
    found = archive_of(environment).find(platform, at=to_epoch(now))
    remarks = _remarks(found.passed_over)
    if found.collateral is None:
        return Endorsing(source="none", remarks=remarks)
    return _made("archive", found.collateral, remarks)


def archive_of(environment: Mapping[str, str]) -> Archive:
    """Return the archive in the data directory; nothing is created."""
    return Archive(data_directory(environment) / ARCHIVE)


def collateral_files(paths: Sequence[Path]) -> list[tuple[Path, Collateral]]:
    """Return the collateral in files; of a directory, each JSON file in it.

    Raises:
        Malformed: a file is no collateral; the error says what it is.
    """
    files: list[Path] = []
    for path in paths:
        files += sorted(path.glob("*.json")) if path.is_dir() else [path]
    return [
        (
            path,
            _parsed(read_bounded(path, limit=MAX_COLLATERAL_BYTES, what="collateral"), path.name),
        )
        for path in files
    ]


def _parsed(data: bytes, name: str) -> Collateral:
    try:
        return Collateral.parse(data)
    except Malformed as error:
        said = error
    try:
        piece = identify(data, name=name)
    except Error:
        what = said.detail
    else:
        known = piece.kind == "collateral"
        what = said.detail if known else f"a {piece.words}, not Intel collateral"
    raise type(said)(
        f"{name}: {what}", code=said.code, expected=said.expected, got=said.got
    ) from None


def _named(bundle: Bundle, given: Sequence[Path], now: datetime) -> Endorsing:
    found = [collateral for _, collateral in collateral_files(given)]
    if len(found) == 1:
        return _made("named", found[0])  # even if it does not fit: the verdict says how
    platform = _platform(bundle)
    sets = {entry.id: (entry, c) for c in found for entry in [describe(c)]}
    ordered = in_order([entry for entry, _ in sets.values()], platform, at=to_epoch(now))
    if not ordered:
        raise Usage(
            f"none of the named endorsements is for the platform of {bundle.name}",
            code="endorsements_do_not_fit",
            expected=" ".join(platform) if platform else None,
            got=f"{len(found)} files for other platforms",
        )
    faults: list[Fault] = []
    for entry in ordered:
        collateral = sets[entry.id][1]
        try:
            require_held(collateral, root=entry.root)
        except Error as error:
            faults.append(Fault(name=entry.id, why=error.detail))
        else:
            return _made("named", collateral, _remarks(faults))
    return _made("named", sets[ordered[0].id][1])  # none holds: the verdict says why


def _remarks(faults: Sequence[Fault]) -> tuple[str, ...]:
    said = [f"endorsements passed over, {fault.name}: {fault.why}" for fault in faults[:3]]
    if len(faults) > 3:
        said.append(f"{len(faults) - 3} more passed over: see teeproof endorsements check")
    return tuple(said)


def _platform(bundle: Bundle) -> Platform | None:
    try:
        return platform_of(bundle.evidence.quote)
    except Error:
        return None  # the verifier says what is wrong with the quote


def _made(source: Source, collateral: Collateral, remarks: tuple[str, ...] = ()) -> Endorsing:
    try:
        entry = describe(collateral)
    except Error:
        entry = None  # the verifier says what is wrong with them
    return Endorsing(source=source, collateral=collateral, entry=entry, remarks=remarks)
