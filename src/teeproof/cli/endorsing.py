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
from teeproof.evidence.kept.record import KINDS, Record
from teeproof.evidence.recognise import Kind, kind_of
from teeproof.evidence.record import Evidence, Platform

__all__ = ["ARCHIVE", "Endorsing", "archive_of", "collateral_files", "endorse", "parse_collateral"]

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
        evidence: what to verify: what was given, and what the archive adds to it.
        collateral: the endorsements; None if there are none.
        entry: their dates and platform, not verified; None if they cannot be read.
        added: what of AMD's and NVIDIA's the archive adds.
        remarks: sentences about endorsements that were passed over.
    """

    source: Source
    evidence: Evidence
    collateral: Collateral | None = None
    entry: Entry | None = None
    added: tuple[Record, ...] = ()
    remarks: tuple[str, ...] = ()

    def words(self) -> str:
        """Return one line about them."""
        kinds = [KINDS[kind] for kind in dict.fromkeys(record.kind for record in self.added)]
        more = f"from your archive: {', '.join(kinds)}" if kinds else ""
        if self.source in ("archive", "inside") and self.collateral is None:
            return more or self._words()
        return "; ".join(filter(None, (self._words(), more)))

    def _words(self) -> str:
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
            "added": [record.id for record in self.added],
        }


_WITHOUT_COLLATERAL: dict[str, str] = {
    "sev-snp": "AMD's certificates lie beside the report, or teeproof endorsements fetch gets them",
    "nitro": "a Nitro document brings its certificates",
    "nvidia": "NVIDIA's manifests and OCSP answers lie beside the GPUs' evidence, or teeproof"
    " endorsements fetch gets them",
    "tpm": "a TPM's evidence brings its certificates",
    "cca": "put the platform's key (a JSON Web Key) beside the token",
    "azure-snp": "put AMD's certificates of the authorities beside the document",
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
        return _supplied(bundle, _beside(bundle, kind), now, environment)
    found = _intel(bundle, given, now, environment)
    if bundle.evidence.gpus is None:
        return found
    return _supplied(bundle, found, now, environment)


def _beside(bundle: Bundle, kind: Kind) -> Endorsing:
    evidence = bundle.evidence
    came = evidence.certificates or evidence.manifests or evidence.ocsp or evidence.platform_key
    beside: Source = "evidence" if came else "none"
    brings = kind in ("nitro", "nvidia") or (kind == "tpm" and b'"certificates"' in evidence.quote)
    inside = brings and not came
    return Endorsing(source="inside" if inside else beside, evidence=evidence)


def _supplied(
    bundle: Bundle, found: Endorsing, now: datetime, environment: Mapping[str, str]
) -> Endorsing:
    """Return endorsements with what of AMD's and NVIDIA's the archive adds."""
    if kind_of(bundle.evidence.quote) == "nitro" and bundle.evidence.gpus is None:
        return found  # nothing is kept for it
    from teeproof.evidence.kept.records import Records  # noqa: PLC0415  Intel's quotes need none
    from teeproof.evidence.kept.serving import supply  # noqa: PLC0415

    records = Records(archive_of(environment).directory)
    supplied = supply(bundle.evidence, records, at=to_epoch(now))
    source = "archive" if supplied.records and found.source == "none" else found.source
    return msgspec.structs.replace(
        found,
        source=source,
        evidence=supplied.evidence,
        added=supplied.records,
        remarks=found.remarks + _remarks(supplied.passed_over),
    )


def _intel(
    bundle: Bundle, given: Sequence[Path], now: datetime, environment: Mapping[str, str]
) -> Endorsing:
    if given:
        return _named(bundle, given, now)
    if bundle.evidence.collateral is not None:
        return _made(bundle, "evidence", bundle.evidence.collateral)
    platform = _platform(bundle)
    if platform is None:
        return Endorsing(source="none", evidence=bundle.evidence)
    found = archive_of(environment).find(platform, at=to_epoch(now))
    remarks = _remarks(found.passed_over)
    if found.collateral is None:
        return Endorsing(source="none", evidence=bundle.evidence, remarks=remarks)
    return _made(bundle, "archive", found.collateral, remarks)


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
            parse_collateral(
                read_bounded(path, limit=MAX_COLLATERAL_BYTES, what="collateral"), path.name
            ),
        )
        for path in files
    ]


def parse_collateral(data: bytes, name: str) -> Collateral:
    """Return the collateral in a file; Malformed if it is none, and says what it is."""
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
        return _made(bundle, "named", found[0])  # even if it does not fit: the verdict says how
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
            return _made(bundle, "named", collateral, _remarks(faults))
    return _made(bundle, "named", sets[ordered[0].id][1])  # none holds: the verdict says why


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


def _made(
    bundle: Bundle, source: Source, collateral: Collateral, remarks: tuple[str, ...] = ()
) -> Endorsing:
    try:
        entry = describe(collateral)
    except Error:
        entry = None  # the verifier says what is wrong with them
    return Endorsing(
        source=source,
        evidence=bundle.evidence,
        collateral=collateral,
        entry=entry,
        remarks=remarks,
    )
