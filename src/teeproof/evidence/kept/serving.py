"""What the archive adds to a piece of evidence, for a time T: of AMD here, of NVIDIA beside this.

What came beside the evidence comes first: the archive only adds what is missing.

Trusts: nothing; the verifier checks what is found here like anything else.
Does not trust: the disk, what came beside the report.
"""

from __future__ import annotations

import msgspec
from cryptography.hazmat.primitives.asymmetric import rsa

from teeproof.core.errors import Error
from teeproof.evidence.kept import gpus
from teeproof.evidence.kept.amd import about_list, above, is_about, key_subject, pem_of
from teeproof.evidence.kept.machine import amd_part
from teeproof.evidence.kept.record import Record
from teeproof.evidence.kept.records import Kept, Lookup, Records
from teeproof.evidence.kept.serving_nvidia import added_for
from teeproof.evidence.record import Evidence
from teeproof.evidence.sev_snp import report as snp_report
from teeproof.evidence.sev_snp.certificates import (
    AmdCertificate,
    parse_blocks,
    parse_certificates,
)
from teeproof.evidence.sev_snp.report import SnpReport
from teeproof.evidence.sev_snp.vek import parse_vek
from teeproof.evidence.sev_snp.verify import verify
from teeproof.evidence.shelf import Fault

__all__ = ["Served", "Supplied", "certificates_for", "supply"]

_CANDIDATES = 8  # keys of one cloud for one TCB version


class Served(msgspec.Struct, frozen=True, kw_only=True):
    """What was found for a report.

    Attributes:
        certificates: PEM, what came along and what the archive adds; None if there is nothing.
        records: what the archive added.
        passed_over: what was looked at and could not be used.
    """

    certificates: bytes | None
    records: tuple[Record, ...] = ()
    passed_over: tuple[Fault, ...] = ()


class Supplied(msgspec.Struct, frozen=True, kw_only=True):
    """Evidence with what the archive adds.

    Attributes:
        evidence: what to verify.
        records: what was added.
        passed_over: what was looked at and could not be used.
    """

    evidence: Evidence
    records: tuple[Record, ...]
    passed_over: tuple[Fault, ...]


def supply(evidence: Evidence, records: Records, *, at: int) -> Supplied:
    """Return evidence with what AMD and NVIDIA said of its parts by ``at`` (seconds since 1970).

    Raises:
        Unavailable: the archive cannot be read.
    """
    added: list[Record] = []
    passed_over: list[Fault] = []
    try:
        part = amd_part(evidence)
    except Error:
        part = None  # the verifier says what is wrong with it
    if part is not None:
        served = certificates_for(part.report, part.beside, records, at=at)
        evidence = msgspec.structs.replace(evidence, certificates=served.certificates)
        added += served.records
        passed_over += served.passed_over
    document = gpus.document_of(evidence)
    if document is not None:
        more = added_for(document, records, manifests=evidence.manifests, ocsp=evidence.ocsp, at=at)
        evidence = msgspec.structs.replace(
            evidence,
            manifests=evidence.manifests + more.manifests,
            ocsp=evidence.ocsp + more.ocsp,
        )
        added += more.records
        passed_over += more.passed_over
    return Supplied(evidence=evidence, records=tuple(added), passed_over=tuple(passed_over))


def certificates_for(report: bytes, given: bytes | None, records: Records, *, at: int) -> Served:
    """Return what to verify an SEV-SNP report with as of ``at`` (seconds since 1970).

    Args:
        report: its bytes.
        given: PEM certificates and lists that came along.
        records: the archive.
        at: the T of the verdict.

    Raises:
        Unavailable: the archive cannot be read.
    """
    try:
        parsed = snp_report.parse(report)
        ders, lists = parse_blocks(given or b"")
        beside = parse_certificates(ders)
    except Error:
        return Served(certificates=given)  # the verifier says what is wrong with them
    about = key_subject(parsed)
    leaves = [each for each in beside if not _is_authority(each)]
    own = [leaf for leaf in leaves if is_about(leaf, about or {})]
    if own:
        looked, chain = _above(own[0], beside, records, at)
    elif about is not None:
        looked, chain = _key(parsed, about, records, at)
    else:
        return Served(certificates=given)  # the host masked which chip it is
    added = pem_of(*chain)
    ders += chain
    if not lists:
        for authority in filter(_is_lower_authority, parse_certificates(ders)):
            looked.append(records.find("amd-crl", about_list(authority), at=at))
            added += pem_of(*(kept.parts["list"] for kept in looked[-1].found))
    return Served(
        certificates=(given or b"") + added or None,
        records=tuple(kept.record for each in looked for kept in each.found),
        passed_over=tuple(dict.fromkeys(fault for each in looked for fault in each.passed_over)),
    )


_Found = tuple[list[Lookup], list[bytes]]  # what was looked up, and the certificates that it gave


def _key(report: SnpReport, about: dict[str, str], records: Records, at: int) -> _Found:
    """Return the key that a report names, or of several that it may mean the one that signed it."""
    looked = records.find("amd-key", about, at=at, most=_CANDIDATES, outdated=True)
    signed = [kept for kept in looked.found if _signed_by(kept, report, at)]
    found = (signed or ([] if about["signer"] == "VLEK" else list(looked.found)))[:1]
    chain = [kept.parts[name] for kept in found for name in ("key", "authority", "root")]
    return [Lookup(found=tuple(found), passed_over=looked.passed_over)], chain


def _above(
    leaf: AmdCertificate, beside: tuple[AmdCertificate, ...], records: Records, at: int
) -> _Found:
    """Return authority and root above a key that came along without them."""
    if above(leaf, beside) is not None:
        return [], []
    vek = parse_vek(leaf)
    about = {"signer": vek.kind, "product": vek.product}
    looked = records.find("amd-key", about, at=at, outdated=True)
    chain = [kept.parts[name] for kept in looked.found for name in ("authority", "root")]
    return [looked], chain


def _signed_by(kept: Kept, report: SnpReport, at: int) -> bool:
    pem = pem_of(*(kept.parts[name] for name in ("key", "authority", "root")))
    found = verify(report, certificates=pem, roots=frozenset({kept.record.root}), now=at)
    return any(c.name == "report-signature" and c.state == "passed" for c in found.checks)


def _is_authority(certificate: AmdCertificate) -> bool:
    return isinstance(certificate.key, rsa.RSAPublicKey)


def _is_lower_authority(certificate: AmdCertificate) -> bool:
    return _is_authority(certificate) and certificate.subject_name != certificate.issuer_name
