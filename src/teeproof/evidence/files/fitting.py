"""Say whether a piece belongs to a quote, to sort files that were given together.

Fitting is no verification: a forger can make a piece that fits. It only keeps the pieces of two
machines apart before each is verified.

Trusts: nothing; it only compares.  Does not trust: whoever made the files.
"""

from __future__ import annotations

from collections.abc import Callable

from teeproof.core import strictjson
from teeproof.core.errors import Error
from teeproof.evidence.endorsements import MAX_COLLATERAL_BYTES, Collateral
from teeproof.evidence.files.kinds import Kind, Piece
from teeproof.evidence.recognise import kind_of
from teeproof.evidence.record import Evidence, Platform

__all__ = ["fits", "platform_of", "tpm_fits"]


def platform_of(quote: bytes) -> Platform:
    """Return which endorsements a quote needs, as its certificates claim.

    Raises:
        Malformed: the quote or its certificate cannot be read.
    """
    from teeproof.evidence import sgx, x509  # noqa: PLC0415  needs 60 ms, and few commands sort
    from teeproof.evidence.entries import ca_of  # noqa: PLC0415
    from teeproof.evidence.tdx import quote as tdx_quote  # noqa: PLC0415
    from teeproof.evidence.tdx.pck import parse_pck  # noqa: PLC0415

    kind = kind_of(quote)
    if kind == "azure-tdx":
        from teeproof.evidence.azure import document  # noqa: PLC0415

        quote = document.parse(quote).td_quote or b""
    is_sgx = kind == "sgx"
    chain = sgx.parse(quote).pck_chain if is_sgx else tdx_quote.parse(quote).signature.pck_chain
    certificates = x509.parse_chain(chain, what="PCK certificate chain")
    leaf, root = certificates[0], certificates[-1]
    return Platform(
        tee="SGX" if is_sgx else "TDX",
        fmspc=parse_pck(leaf).fmspc.hex(),
        ca=ca_of(leaf.issuer_name),
        root=root.fingerprint,
    )


def fits(piece: Piece, evidence: Evidence) -> bool:
    """Whether collateral, certificates, GPUs, a log, a key or a document belong to a quote."""
    try:
        return _FITS.get(piece.kind, _document_fits)(piece, evidence)
    except Error:
        return False  # what cannot be read fits nothing; the error that follows names it


def _document_fits(piece: Piece, evidence: Evidence) -> bool:
    snp = kind_of(evidence.quote) == "sev-snp"
    return (_fits_host_data if snp else _fits_registers)(piece, evidence)


def _fits_registers(piece: Piece, evidence: Evidence) -> bool:
    """Whether a TDX quote commits to a log, a document, or a compose file."""
    from teeproof.evidence.tdx import quote as tdx_quote  # noqa: PLC0415

    body = tdx_quote.parse(evidence.quote).body
    if piece.kind == "event-log":
        return _rtmr3(piece.data) == body.rtmrs[3]
    if piece.kind == "mr-config":
        from teeproof.evidence.eventlog.mrconfig import mrconfigid_v3  # noqa: PLC0415

        return mrconfigid_v3(piece.data) == body.mrconfigid
    return _compose_fits(piece.data, body.mrconfigid, evidence.event_log)


def _collateral_fits(piece: Piece, evidence: Evidence) -> bool:
    info = strictjson.loads(
        Collateral.parse(piece.data).tcb_info, limit=MAX_COLLATERAL_BYTES, what="TCB info"
    )
    platform = platform_of(evidence.quote)
    return isinstance(info, dict) and (
        info.get("id"),
        str(info.get("fmspc")).lower(),
    ) == (platform.tee, platform.fmspc)


def _certificates_fit(piece: Piece, evidence: Evidence) -> bool:
    """Whether no endorsement key among the certificates is another chip's."""
    if kind_of(evidence.quote) == "azure-snp":
        return True  # its own certificate comes inside; these are of authorities
    if kind_of(evidence.quote) != "sev-snp":
        return False
    from teeproof.evidence.files.unpack import as_pem  # noqa: PLC0415
    from teeproof.evidence.sev_snp import certificates, report  # noqa: PLC0415
    from teeproof.evidence.sev_snp.vek import parse_vek  # noqa: PLC0415

    chip = report.parse(evidence.quote).body.chip_id
    ders, _ = certificates.parse_blocks(as_pem(piece.data, form=piece.form))
    leaves = [each for each in certificates.parse_certificates(ders) if not each.is_ca]
    return all(parse_vek(leaf).chip_id in (None, chip) for leaf in leaves)


def _fits_host_data(piece: Piece, evidence: Evidence) -> bool:
    """Whether HOST_DATA commits to a document, or to the one that names a compose file."""
    from teeproof.evidence.eventlog.compose import compose_hash  # noqa: PLC0415
    from teeproof.evidence.eventlog.mrconfig import mrconfigid_v3, parse_mr_config  # noqa: PLC0415
    from teeproof.evidence.sev_snp import report  # noqa: PLC0415

    host_data = report.parse(evidence.quote).body.host_data
    document = piece.data if piece.kind == "mr-config" else evidence.mr_config
    if piece.kind == "event-log" or document is None:
        return False  # such a guest has no registers to hold a log against
    if mrconfigid_v3(document)[1:33] != host_data:
        return False
    return piece.kind == "mr-config" or (
        parse_mr_config(document).compose_hash == compose_hash(piece.data)
    )


def _gpus_fit(piece: Piece, evidence: Evidence) -> bool:
    """Whether GPUs answer the nonce that the quote's report_data determines."""
    from teeproof.evidence.naming import report_data_of  # noqa: PLC0415
    from teeproof.evidence.nvidia import bundle  # noqa: PLC0415
    from teeproof.evidence.nvidia.nonce import gpu_nonce  # noqa: PLC0415

    expected = gpu_nonce(report_data_of(evidence)[:32])
    return all(device.report.nonce == expected for device in bundle.parse(piece.data))


def _words_fit(piece: Piece, evidence: Evidence) -> bool:
    """Whether the evidence has GPUs, of which a manifest or an OCSP answer may speak."""
    return evidence.gpus is not None or kind_of(evidence.quote) == "nvidia"


def tpm_fits(piece: Piece, evidence: Evidence) -> bool:
    """Whether a TPM's evidence names this TDX quote."""
    from teeproof.evidence.tpm import document, gcp, quote  # noqa: PLC0415

    if kind_of(evidence.quote) != "tdx":
        return False
    try:
        parsed = quote.parse(document.parse(piece.data).quote)
    except Error:
        return False
    return gcp.check_tdx_quote(parsed, evidence.quote).state == "passed"


def _firmware_log_fits(piece: Piece, evidence: Evidence) -> bool:
    """Whether a log gives the registers of a TDX quote, or belongs to one that has a TPM."""
    from teeproof.evidence.eventlog import firmware  # noqa: PLC0415
    from teeproof.evidence.tdx import quote as tdx_quote  # noqa: PLC0415

    kind = kind_of(evidence.quote)
    if kind != "tdx":
        return kind in ("tpm", "azure-tdx", "azure-snp")
    rtmrs = tdx_quote.parse(evidence.quote).body.rtmrs
    checks, _ = firmware.verify_ccel(piece.data, rtmrs=rtmrs)
    return not any(check.state == "failed" for check in checks)


def _rtmr3(log: bytes) -> bytes:
    from teeproof.evidence.eventlog.parse import parse  # noqa: PLC0415
    from teeproof.evidence.eventlog.replay import replay  # noqa: PLC0415

    return replay(parse(log))[3]


def _compose_fits(compose: bytes, mrconfigid: bytes, log: bytes | None) -> bool:
    from teeproof.evidence.eventlog.compose import compose_hash  # noqa: PLC0415
    from teeproof.evidence.eventlog.parse import parse  # noqa: PLC0415

    digest = compose_hash(compose)
    if mrconfigid[0] == 1:
        return digest == mrconfigid[1:33]
    events = parse(log) if log else ()
    return any(event.name == "compose-hash" and event.payload == digest for event in events)


def _key_fits(_: Piece, evidence: Evidence) -> bool:
    return kind_of(evidence.quote) == "cca"


_FITS: dict[Kind, Callable[[Piece, Evidence], bool]] = {
    "collateral": _collateral_fits,
    "vendor-certificates": _certificates_fit,
    "gpu-evidence": _gpus_fit,
    "gpu-manifest": _words_fit,
    "ocsp-answer": _words_fit,
    "firmware-log": _firmware_log_fits,
    "key-document": lambda *_: False,  # this layer knows of keys their digest only
    "identity-record": lambda *_: False,
    "platform-key": _key_fits,
}
