"""What ``teeproof endorsements`` does with AMD's and NVIDIA's: take in files, list, show, check."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from teeproof.cli.screen import Screen
from teeproof.core.clock import format_time, to_epoch
from teeproof.core.errors import Error, Usage
from teeproof.evidence.files.kinds import Piece, identify
from teeproof.evidence.files.unpack import as_pem
from teeproof.evidence.kept import gpus
from teeproof.evidence.kept.record import KINDS, Kind, Parts, Record
from teeproof.evidence.nvidia import handed
from teeproof.evidence.nvidia.ocsp import parse_answer

__all__ = ["SUFFIXES", "in_force", "parts_of", "record_json", "record_state", "write_record"]

SUFFIXES = (".json", ".pem", ".der", ".crt", ".cer", ".crl", ".xml", ".swidtag")
"""Of a directory, the files with these names are looked at."""

_Made = list[tuple[Kind, Parts]]


def parts_of(files: Sequence[tuple[str, bytes]]) -> tuple[_Made, list[tuple[str, bytes]]]:
    """Return the records that files hold, and the files that hold none: Intel's, or others.

    Args:
        files: names and contents. A key and those above it may lie in files apart; the evidence of
            GPUs says which certificates OCSP answers are about, and is not kept itself.

    Raises:
        Usage: a certificate or a list without those above it.
        Malformed: one of these files cannot be read.
    """
    made: _Made = []
    rest: list[tuple[str, bytes]] = []
    pem, answers = b"", []
    pairs: list[gpus.Pair] = []
    for name, data in files:
        piece = _recognised(name, data)
        if piece is None:
            rest.append((name, data))
        elif piece.kind == "vendor-certificates":
            pem += as_pem(data, form=piece.form)
        elif piece.kind == "gpu-manifest":
            found = handed.read(data)
            named = {} if found.id is None else {"id": found.id.encode()}
            made.append(("rim", {"manifest": found.xml} | named))
            pairs += gpus.pairs_of_manifest(found.xml)
        elif piece.kind == "gpu-evidence":
            devices = gpus.endorsed(data)
            pairs += [pair for _, held in devices for pair in gpus.pairs_of_device(held)]
        else:
            answers.append((name, data))
    made += [("ocsp", _answer(name, der, pairs)) for name, der in answers]
    return made + (_of_amd(pem) if pem else []), rest


def _recognised(name: str, data: bytes) -> Piece | None:
    """Return what a file is, if it is AMD's or NVIDIA's; None if it is not, or nothing known."""
    try:
        piece = identify(data, name=name)
    except Error:
        return None
    return piece if piece.kind in _OURS else None


_OURS = ("vendor-certificates", "gpu-manifest", "gpu-evidence", "ocsp-answer")


def _answer(name: str, der: bytes, pairs: Sequence[gpus.Pair]) -> Parts:
    """Return an answer with the certificate that it is about, which it names by a number alone."""
    answer = parse_answer(der)
    for certificate, issuer in pairs:
        if answer.about(certificate, issuer):
            return {"answer": der, "certificate": certificate.der, "issuer": issuer.der}
    raise Usage(
        f"{name} is about a certificate that is not among these files: name the GPUs' evidence, or"
        " the manifest, along with it",
        code="endorsements_incomplete",
    )


def _of_amd(pem: bytes) -> _Made:
    from teeproof.evidence.kept.amd import above  # noqa: PLC0415  needs a while
    from teeproof.evidence.sev_snp.certificates import (  # noqa: PLC0415
        parse_blocks,
        parse_certificates,
    )
    from teeproof.evidence.sev_snp.crl import parse_crl  # noqa: PLC0415

    ders, lists = parse_blocks(pem)
    found = parse_certificates(ders)
    made: _Made = []
    for leaf in (each for each in found if not each.is_ca):
        path = above(leaf, found)
        if path is None:
            raise _alone(f"the certificate of {leaf.subject}")
        made.append(("amd-key", {"key": leaf.der, "authority": path[0].der, "root": path[1].der}))
    for der in lists:
        issuer = parse_crl(der).issuer_name
        root = next((each for each in found if each.subject_name == issuer), None)
        below = [c for c in found if c.is_ca and c.issuer_name == issuer and c is not root]
        if root is None or not below:
            raise _alone("a revocation list")
        made += [
            ("amd-crl", {"list": der, "authority": each.der, "root": root.der}) for each in below
        ]
    if not made:
        raise Usage(
            "these are certificates of AMD's authorities alone: name the key's, or a revocation"
            " list, along with them",
            code="endorsements_incomplete",
        )
    return made


def _alone(what: str) -> Usage:
    return Usage(
        f"{what} cannot be verified without those above it: name the file with AMD's authority and"
        " root (cert_chain) along with it",
        code="endorsements_incomplete",
    )


def record_state(record: Record, now: datetime) -> str:
    """Return whether a record is in force, in words."""
    says = record.subject.get("says", "good")
    more = "" if says == "good" else f"; it says: {says}"
    return in_force(record.begins, record.ends, until=record.ends, now=now) + more


def in_force(begins: int, last: int, *, until: int, now: datetime) -> str:
    """Return whether something is in force, in words.

    Args:
        begins: its first second, since 1970.
        last: its last second.
        until: a second of the day that is told as its end.
        now: the time.
    """
    at = to_epoch(now)
    if at < begins:
        return f"not in force before {format_time(begins)[:10]}"
    if at > last:
        return f"expired on {format_time(until)[:10]}"
    return f"in force until {format_time(until)[:10]}"


def write_record(screen: Screen, record: Record, now: datetime | None) -> None:
    """Write what a record is, what it is about, and from when until when."""
    screen.row("what", KINDS[record.kind])
    screen.row("for", ", ".join(f"{k} {v}" for k, v in record.subject.items() if k != "says"))
    dates = f"{format_time(record.begins)[:10]} to {format_time(record.ends)[:10]}"
    screen.row("in force", dates + (f": {record_state(record, now)}" if now else ""))


def record_json(record: Record, now: datetime | None) -> dict[str, Any]:
    """Return the same facts as ``write_record``."""
    return {
        "id": record.id,
        "kind": record.kind,
        "subject": record.subject,
        "root": record.root,
        "begins": format_time(record.begins),
        "ends": format_time(record.ends),
        "state": record_state(record, now) if now else None,
    }
