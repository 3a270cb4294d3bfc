"""What a piece of evidence needs of its vendor: taken from the archive if in force, else fetched.

Each part is verified before it is kept, and kept whole or not at all. What was fetched before an
error stays kept: it holds, whatever came after it.

Trusts: the roots that are pinned, or that the evidence ends in.  Does not trust: network, servers.
"""

from __future__ import annotations

from collections.abc import Iterator

from teeproof.core.errors import Usage
from teeproof.evidence.archive import Archive
from teeproof.evidence.entries import Entry, describe
from teeproof.evidence.fetch import wanted_amd, wanted_nvidia
from teeproof.evidence.fetch.asking import Asking, Got, Source
from teeproof.evidence.fetch.intel import fetch_collateral
from teeproof.evidence.files.fitting import platform_of
from teeproof.evidence.kept import gpus
from teeproof.evidence.kept.machine import amd_part, intel_quote
from teeproof.evidence.recognise import kind_of
from teeproof.evidence.record import Evidence

__all__ = ["Asking", "Got", "fetch_for"]


def fetch_for(evidence: Evidence, asking: Asking) -> Iterator[Got]:
    """Yield what the evidence needs, each once it is in the archive.

    Raises:
        Usage: nothing is fetched for this kind of evidence.
        Malformed: the evidence, or what came, cannot be read.
        Unavailable: a server was not reached, or the archive cannot be written.
        NotAuthentic: what came does not hold.
    """
    quote, report = intel_quote(evidence), amd_part(evidence)
    devices = gpus.document_of(evidence)
    if quote is not None:
        yield _intel(quote, asking)
    if report is not None:
        yield from wanted_amd.fetch_for(report, asking)
    if devices is not None:
        yield from wanted_nvidia.fetch_for(devices, asking)
    if quote is None and report is None and devices is None:
        raise Usage(
            f"{evidence.name} is no evidence of Intel's, AMD's or NVIDIA's: what vendors say of it"
            " comes along, and there is nothing to fetch",
            code="nothing_to_fetch",
            got=kind_of(evidence.quote),
        )


def _intel(quote: bytes, asking: Asking) -> Got:
    platform = platform_of(quote)
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
