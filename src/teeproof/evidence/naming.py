"""The name of a piece of evidence, read without verifying it.

The same digest that a verdict has as its subject: of a quote over the signed region, the
attestation key and the leaf's TBSCertificate, of an SEV-SNP report over the signed region. All
malleable twins of one piece of evidence share it. A machine with GPUs has one name over both.

Trusts: nothing; a name says nothing about truth.  Does not trust: whoever handed over the evidence.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

from teeproof.core.digests import framed_sha256, named, parse_named
from teeproof.evidence import sgx, x509
from teeproof.evidence.azure import document as azure_document
from teeproof.evidence.azure import hcl
from teeproof.evidence.cca import facts as cca_facts
from teeproof.evidence.cca import token as cca_token
from teeproof.evidence.nitro import document as nitro_document
from teeproof.evidence.nitro import facts as nitro_facts
from teeproof.evidence.recognise import kind_of
from teeproof.evidence.record import Evidence
from teeproof.evidence.sev_snp import facts as snp_facts
from teeproof.evidence.sev_snp import report as snp_report
from teeproof.evidence.tdx import quote as tdx_quote
from teeproof.evidence.tdx.facts import evidence_identity
from teeproof.evidence.tpm import document as tpm_document
from teeproof.evidence.tpm import quote as tpm_quote
from teeproof.evidence.tpm.identity import identity_of

__all__ = ["composite_identity", "name_evidence", "report_data_of", "with_tpm"]

_SGX_REPORT_DATA = slice(320, 384)  # Intel SGX SDK, sgx_report_body_t


def name_evidence(evidence: Evidence) -> tuple[str, str]:
    """Return the kind, one of ``recognise.Kind``, and the id (``sha256:…``) of evidence.

    Raises:
        Malformed: not a quote or report, or one without a certificate chain.
        NotAuthentic: a verification service's tokens in the place of GPU evidence.
    """
    kind, name = _name_quote(evidence)
    if evidence.gpus is None:
        return kind, name
    return kind, composite_identity(name, _name_gpus(evidence.gpus))


def composite_identity(machine: str, gpus: str) -> str:
    """Return ``sha256:…`` that names a machine with its GPUs, by the names of both."""
    return named(
        framed_sha256("teeproof.evidence.composite.v1", parse_named(machine), parse_named(gpus))
    )


def _name_gpus(document: bytes) -> str:
    from teeproof.evidence.nvidia import bundle, certificates  # noqa: PLC0415  few machines have any
    from teeproof.evidence.nvidia import facts as gpu_facts  # noqa: PLC0415

    chains = [
        (device.report, certificates.parse_chain(device.certificates, what="device's chain"))
        for device in bundle.parse(document)
    ]
    return gpu_facts.bundle_identity(
        [gpu_facts.evidence_identity(report, chain[0].tbs) for report, chain in chains]
    )


def _name_quote(evidence: Evidence) -> tuple[str, str]:
    kind = kind_of(evidence.quote)
    if kind == "nvidia":
        return kind, _name_gpus(evidence.quote)
    if kind == "sev-snp":
        return kind, snp_facts.evidence_identity(snp_report.parse(evidence.quote))
    if kind == "nitro":
        return kind, nitro_facts.evidence_identity(nitro_document.parse(evidence.quote))
    if kind in _OTHERS:
        return kind, _OTHERS[kind].name(evidence.quote)
    if kind == "sgx":
        found = sgx.parse(evidence.quote)
        leaf = x509.parse_chain(found.pck_chain, what="PCK certificate chain")[0]
        return "sgx", named(
            framed_sha256("teeproof.evidence.sgx.v1", found.signed, found.attestation_key, leaf.tbs)
        )
    quote = tdx_quote.parse(evidence.quote)
    leaf = x509.parse_chain(quote.signature.pck_chain, what="PCK certificate chain")[0]
    name = evidence_identity(quote, leaf.tbs)
    if evidence.tpm is not None:
        name = with_tpm(name, identity_of(tpm_document.parse(evidence.tpm)))
    return "tdx", name


def _asked_of_tpm(quote: bytes) -> bytes:
    return tpm_quote.parse(quote).extra_data.ljust(64, b"\0")


def _name_azure(document: bytes) -> str:
    given = azure_document.parse(document)
    return identity_of(replace(given.tpm, spki=hcl.parse(given.hcl_report).ak))


class _Other(NamedTuple):
    """How a kind is named, and what it binds."""

    name: Callable[[bytes], str]
    bound: Callable[[bytes], bytes]


_AZURE = _Other(_name_azure, lambda data: _asked_of_tpm(azure_document.parse(data).tpm.quote))
_OTHERS: dict[str, _Other] = {
    "azure-tdx": _AZURE,
    "azure-snp": _AZURE,
    "cca": _Other(
        lambda data: cca_facts.evidence_identity(cca_token.parse(data)),
        lambda data: cca_token.parse(data).realm.challenge,
    ),
    "tpm": _Other(
        lambda data: identity_of(tpm_document.parse(data)),
        lambda data: _asked_of_tpm(tpm_document.parse(data).quote),
    ),
}


def with_tpm(quote: str, tpm: str) -> str:
    """Return ``sha256:…`` that names a quote and a TPM's evidence beside it, by both names."""
    return named(
        framed_sha256("teeproof.evidence.with-tpm.v1", parse_named(quote), parse_named(tpm))
    )


def report_data_of(evidence: Evidence) -> bytes:
    """Return the 64 bytes at the place where a quote carries what it binds; unverified.

    Of a Nitro document its user data: 32 bytes with zeros behind, any other number as they are.
    Of a TPM (an Azure machine's too) what it was asked to sign, with zeros behind where there are
    fewer bytes. Of a CCA token the realm's challenge.

    Raises:
        Malformed, TooLarge: neither a quote nor a report that this program reads.
    """
    kind = kind_of(evidence.quote)
    if kind == "sev-snp":
        return snp_report.parse(evidence.quote).body.report_data
    if kind == "sgx":
        return sgx.parse(evidence.quote).report[_SGX_REPORT_DATA]
    if kind in _OTHERS:
        return _OTHERS[kind].bound(evidence.quote)
    if kind == "nitro":
        document = nitro_document.parse(evidence.quote)
        return document.report_data or document.user_data or b""
    return tdx_quote.parse(evidence.quote).body.report_data
