"""What an identity's evidence claims of machine and code, to find all that one of them touched.

Read without verifying: no signature, no certificate, no date is looked at. The quote must only be
the one that the identity statement names, and commit to its keys; otherwise it is another's.

Trusts: nothing; labels are claims.  Does not trust: whoever handed over the evidence.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import msgspec

from teeproof.core.digests import parse_named, sha256
from teeproof.core.errors import Error, Malformed, NotAuthentic, Unavailable
from teeproof.evidence import eventlog, sgx, x509
from teeproof.evidence.naming import name_evidence
from teeproof.evidence.nitro import document as nitro
from teeproof.evidence.record import Evidence
from teeproof.evidence.sev_snp import report as snp
from teeproof.evidence.tdx import quote as tdx
from teeproof.evidence.tdx.pck import parse_pck
from teeproof.proof.graph.model import Labels
from teeproof.proof.identity import IdentityRecord

__all__ = ["labels_of"]


def labels_of(record: bytes, *, blob: Callable[[str], bytes | None]) -> Labels:
    """Return the labels of an identity record; ``blob`` is asked for its evidence by digest."""
    parsed = IdentityRecord.parse(record)
    (name,) = parsed.claim.evidence
    try:
        values = _values(parsed, _evidence(parsed, blob))
        return Labels(kind=name.kind, evidence=name.id, values=values)
    except Error as error:
        return Labels(kind=name.kind, evidence=name.id, values={}, problem=error.detail)


def _evidence(record: IdentityRecord, blob: Callable[[str], bytes | None]) -> Evidence:
    """Return quote, event log, and what its name is over; collateral is not asked for."""

    def here(digest: str) -> bytes:
        data = blob(digest)
        if data is None:
            raise Unavailable("its evidence is not here", code="blob_missing", expected=digest)
        return data

    parts = ("quote", "event_log", "gpus", "tpm")
    wanted = {k: v for k, v in record.attachments.items() if k in parts}
    return msgspec.structs.replace(record, attachments=wanted).evidence(here)


def _values(record: IdentityRecord, evidence: Evidence) -> dict[str, str]:
    (name,) = record.claim.evidence
    if name_evidence(evidence) != (name.kind, name.id):
        raise NotAuthentic(
            "its quote is not the one that the identity names", code="evidence_mismatch"
        )
    if name.kind == "sev-snp":
        return _snp(record, evidence)
    if name.kind == "nitro":
        return _nitro(record, evidence)
    if name.kind not in ("tdx", "sgx"):
        raise Unavailable(
            f"nothing is read of {name.kind} evidence without verifying it",
            code="labels_unsupported",
        )
    if name.kind == "sgx":
        found, chain, report_data = _sgx(evidence.quote)
    else:
        found, chain, report_data = _tdx(evidence)
        if "compose_hash" not in found and "compose" in record.attachments:
            found["compose_hash"] = parse_named(record.attachments["compose"])
    if report_data != record.report_data:
        raise NotAuthentic("its quote commits to other keys", code="report_data_mismatch")
    leaf = x509.parse_chain(chain, what="PCK certificate chain")[0]
    with suppress(Malformed):  # a certificate may name no platform; a verdict says more
        found["platform"] = parse_named(parse_pck(leaf).platform_id)
    return {key: value.hex() for key, value in found.items() if any(value)}


def _tdx(evidence: Evidence) -> tuple[dict[str, bytes], bytes, bytes]:
    quote = tdx.parse(evidence.quote)
    body = quote.body
    found = {"mrtd": body.mrtd}
    found |= {f"rtmr{index}": value for index, value in enumerate(body.rtmrs)}
    found["mrconfigid"] = body.mrconfigid
    _, facts = eventlog.check_log(evidence.event_log, rtmrs=body.rtmrs)
    if facts is not None:  # the log leads to the very registers, so the quote commits to it
        found["compose_hash"] = facts.compose_hash
    return found, quote.signature.pck_chain, body.report_data


def _snp(record: IdentityRecord, evidence: Evidence) -> dict[str, str]:
    body = snp.parse(evidence.quote).body
    if body.report_data != record.report_data:
        raise NotAuthentic("its report commits to other keys", code="report_data_mismatch")
    found = {"measurement": body.measurement, "host_data": body.host_data}
    if not body.masked:
        found["platform"] = sha256(body.chip_id)
    return {key: value.hex() for key, value in found.items() if any(value)}


def _nitro(record: IdentityRecord, evidence: Evidence) -> dict[str, str]:
    """Return the registers of image, kernel, application, role, instance and signer."""
    document = nitro.parse(evidence.quote)
    if document.report_data != record.report_data:
        raise NotAuthentic("its document commits to other keys", code="report_data_mismatch")
    values = {f"pcr{index}": document.pcrs.get(index, b"") for index in (0, 1, 2, 3, 4, 8)}
    return {key: value.hex() for key, value in values.items() if any(value)}


def _sgx(raw: bytes) -> tuple[dict[str, bytes], bytes, bytes]:
    quote = sgx.parse(raw)
    # Intel SGX SDK, sgx_report_body_t
    found = {"mrenclave": quote.report[64:96], "mrsigner": quote.report[128:160]}
    return found, quote.pck_chain, quote.report[320:384]
