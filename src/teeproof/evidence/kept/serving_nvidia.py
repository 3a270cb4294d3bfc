"""What the archive has for GPUs and switches: manifests and OCSP answers, for a time T.

What came beside the evidence comes first: the archive only adds what is missing.

Trusts: nothing; the verifier checks what is found here like anything else.
Does not trust: the disk, what came beside the evidence.
"""

from __future__ import annotations

from base64 import b64encode

import msgspec

from teeproof.core import strictjson
from teeproof.core.errors import Error
from teeproof.evidence.kept import gpus
from teeproof.evidence.kept.gpus import Pair
from teeproof.evidence.kept.nvidia import about_answer, about_manifest
from teeproof.evidence.kept.record import Record
from teeproof.evidence.kept.records import Kept, Lookup, Records
from teeproof.evidence.nvidia import handed, rim
from teeproof.evidence.nvidia.ocsp import parse_answer
from teeproof.evidence.nvidia.rim import Wanted
from teeproof.evidence.shelf import Fault

__all__ = ["Added", "added_for", "find_manifest"]


class Added(msgspec.Struct, frozen=True, kw_only=True):
    """What the archive adds to the evidence of GPUs.

    Attributes:
        manifests: as the RIM service answers, or XML where no id is known.
        ocsp: answers, DER.
        records: whence they come.
        passed_over: what was looked at and could not be used.
    """

    manifests: tuple[bytes, ...] = ()
    ocsp: tuple[bytes, ...] = ()
    records: tuple[Record, ...] = ()
    passed_over: tuple[Fault, ...] = ()


def added_for(
    document: bytes,
    records: Records,
    *,
    manifests: tuple[bytes, ...],
    ocsp: tuple[bytes, ...],
    at: int,
) -> Added:
    """Return what the archive adds as of ``at`` (seconds since 1970).

    Args:
        document: the evidence of GPUs (JSON).
        records: the archive.
        manifests: those that came along.
        ocsp: answers that came along.
        at: the T of the verdict.

    Raises:
        Unavailable: the archive cannot be read.
    """
    try:
        given = [handed.read(data) for data in manifests]
        answers = [parse_answer(der) for der in ocsp]
        devices = list(gpus.endorsed(document))
        pairs = {pair: None for _, held in devices for pair in gpus.pairs_of_device(held)}
        for each in given:
            pairs |= dict.fromkeys(gpus.pairs_of_manifest(each.xml))
    except Error:
        return Added()  # the verifier says what is wrong with them
    looked: list[Lookup] = []
    found: list[Kept] = []
    wants = {want: None for device, held in devices for want in gpus.wanted(device, held)}
    for want in wants:
        if not rim.find(given, want):
            looked.append(find_manifest(want, records, at=at))
            found += looked[-1].found
    for kept in found:
        pairs |= dict.fromkeys(gpus.pairs_of_manifest(kept.parts["manifest"]))
    said: list[Kept] = []
    for certificate, issuer in _distinct(list(pairs)):
        if not any(answer.about(certificate, issuer) for answer in answers):
            looked.append(records.find("ocsp", about_answer(certificate, issuer), at=at))
            said += looked[-1].found
    return Added(
        manifests=tuple(map(_as_handed, found)),
        ocsp=tuple(kept.parts["answer"] for kept in said),
        records=tuple(kept.record for kept in (*found, *said)),
        passed_over=tuple(dict.fromkeys(fault for each in looked for fault in each.passed_over)),
    )


def find_manifest(want: Wanted, records: Records, *, at: int) -> Lookup:
    """Return the manifest of a driver or VBIOS, by its id before its product and version alone.

    Manifests of two boards may have the same product and version, and only their ids differ.
    """
    faults: list[Fault] = []
    known = [about_manifest(product, want.version) for product in want.products]
    named = [about | {"id": name} for about in known for name in want.ids]
    for about in (*named, *known):
        looked = records.find("rim", about, at=at, outdated=True)
        # One whose id is another board's is not the one.
        fitting = [k for k in looked.found if k.record.subject.get("id") in (None, *want.ids)]
        faults += looked.passed_over
        if fitting or (looked.found and not want.ids):
            found = fitting or list(looked.found)
            return Lookup(found=tuple(found), passed_over=looked.passed_over)
    return Lookup(found=(), passed_over=tuple(dict.fromkeys(faults)))


def _as_handed(kept: Kept) -> bytes:
    xml, name = kept.parts["manifest"], kept.record.subject.get("id")
    if name is None:
        return xml
    return strictjson.dumps({"id": name, "rim": b64encode(xml).decode()}).encode()


def _distinct(pairs: list[Pair]) -> list[Pair]:
    return list({(c.der, i.der): (c, i) for c, i in pairs}.values())
