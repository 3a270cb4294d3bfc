"""What an SEV-SNP report needs of AMD: its key's certificate with those above it, and their list.

AMD's server answers only so often: what came beside the report or is in the archive is not asked
for, and the certificates above a product's keys are those of another chip's where there is one.

Trusts: AMD's pinned roots.  Does not trust: network, servers, what came beside the report.
"""

from __future__ import annotations

from collections.abc import Iterator

from teeproof.core.errors import NotAuthentic
from teeproof.evidence.fetch import amd
from teeproof.evidence.fetch.asking import Asking, Got
from teeproof.evidence.kept.amd import about_list, key_subject
from teeproof.evidence.kept.amd import above as above_of
from teeproof.evidence.kept.machine import AmdPart
from teeproof.evidence.kept.record import Parts, Record
from teeproof.evidence.kept.records import Kept
from teeproof.evidence.policy import load_policy
from teeproof.evidence.sev_snp import report as snp_report
from teeproof.evidence.sev_snp.certificates import AmdCertificate, parse_certificates
from teeproof.evidence.sev_snp.report import SnpReport
from teeproof.evidence.sev_snp.vek import Vek, VekKind

__all__ = ["fetch_for"]


def fetch_for(part: AmdPart, asking: Asking) -> Iterator[Got]:
    """Yield the record of the key, then that of the list; raises as ``wanted.fetch_for``."""
    report = snp_report.parse(part.report)
    kept = _in_archive(report, asking)
    if kept is None:
        leaf, above = _key(part, report, asking)
        parts = {"key": leaf.der, "authority": above[0].der, "root": above[1].der}
        amd.require_own(
            report,
            (parts["key"], parts["authority"], parts["root"]),
            roots=frozenset(load_policy("sev-snp").roots),
            now=asking.now,
        )
        record = asking.records.add("amd-key", parts)
        yield Got.of(record, "fetched")
    else:
        record, parts = kept.record, kept.parts
        yield Got.of(record, "archive")
    yield _list(record, parts, asking)


def _in_archive(report: SnpReport, asking: Asking) -> Kept | None:
    about = key_subject(report)
    if asking.fresh or about is None or "chip" not in about:
        return None
    found = asking.records.find("amd-key", about, at=asking.now).found
    return found[0] if found else None


def _key(
    part: AmdPart, report: SnpReport, asking: Asking
) -> tuple[AmdCertificate, tuple[AmdCertificate, AmdCertificate]]:
    """Return the key's certificate, and authority and root above it."""
    given = amd.beside(part.beside)
    found = amd.leaf_of(given, key_subject(report))
    if found is None:
        der = amd.fetch_vcek(report.body, asking.web, product=asking.product)
        found = amd.certificate(der)
    leaf, vek = found
    above = above_of(leaf, given) or _kept_above(vek, asking)
    if above is None:
        above = above_of(leaf, amd.fetch_above(vek.kind, vek.product, asking.web))
    if above is None:
        raise NotAuthentic(
            f"the server's certificates are not those above {leaf.subject}: nothing is kept",
            code="fetched_unfit",
            expected=f"the authority and root of {vek.product}'s {vek.kind}s",
        )
    return leaf, above


def _kept_above(vek: Vek, asking: Asking) -> tuple[AmdCertificate, AmdCertificate] | None:
    about = {"signer": vek.kind, "product": vek.product}
    if asking.fresh:
        return None
    for kept in asking.records.find("amd-key", about, at=asking.now).found:
        authority, root = parse_certificates([kept.parts["authority"], kept.parts["root"]])
        return authority, root
    return None


def _list(key: Record, parts: Parts, asking: Asking) -> Got:
    (authority,) = parse_certificates([parts["authority"]])
    if not asking.fresh:
        found = asking.records.find("amd-crl", about_list(authority), at=asking.now).found
        if found and found[0].record.in_force(asking.now):
            return Got.of(found[0].record, "archive")
    kind: VekKind = "VLEK" if key.subject["signer"] == "VLEK" else "VCEK"
    product = amd.product_of(key.subject["product"])
    listed = {
        "list": amd.fetch_list(kind, product, asking.web),
        "authority": parts["authority"],
        "root": parts["root"],
    }
    record = asking.records.describe("amd-crl", listed)
    amd.require_in_force(record.begins, record.ends, what="revocation list", now=asking.now)
    return Got.of(asking.records.add("amd-crl", listed), "fetched")
