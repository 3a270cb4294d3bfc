"""Take out of one file all that it carries: a quote, and the log or documents that came with it.

A dstack response repeats fields of the quote as JSON. Nobody signed those copies: they are never
read as facts, and one that differs from the quote is reported.

Trusts: nothing; it only takes apart.  Does not trust: copies beside the quote.
"""

from __future__ import annotations

from typing import Any

import msgspec

from teeproof.core import strictjson
from teeproof.core.errors import Error, Malformed
from teeproof.evidence.der import armoured
from teeproof.evidence.files.kinds import MAX_FILE_BYTES, Piece

__all__ = ["Unpacked", "as_pem", "unpack"]

_COPIES = ("report_data", "mrtd", "rtmr0", "rtmr1", "rtmr2", "rtmr3", "mr_config_id", "mrconfigid")


class Unpacked(msgspec.Struct, frozen=True, kw_only=True):
    """What one file carries.

    Attributes:
        piece: the file.
        quote: the quote's bytes.
        event_log: JSON bytes of the event log that came with it.
        compose: the bytes of app-compose.json that came with it.
        mr_config: the bytes of the MrConfigV3 document that came with it.
        certificate: the certificate (DER), if the file is one.
        certificates: PEM of the vendor's certificates that came with a report.
        remarks: sentences about copies that differ from the quote.
    """

    piece: Piece
    quote: bytes
    event_log: bytes | None = None
    compose: bytes | None = None
    mr_config: bytes | None = None
    certificate: bytes | None = None
    certificates: bytes | None = None
    remarks: tuple[str, ...] = ()


def unpack(piece: Piece) -> Unpacked:
    """Return what a file carries that holds a quote.

    Raises:
        Malformed: it holds none, or not in the form that it claims.
    """
    if piece.kind == "quote-response":
        return _response(piece)
    if piece.kind == "attestation":
        return _attestation(piece)
    if piece.kind == "certificate":
        return _certificate(piece)
    return Unpacked(piece=piece, quote=piece.data)


def as_pem(data: bytes, *, form: str) -> bytes:
    """Return a certificate, a revocation list, or a PEM text of several, as PEM."""
    if form == "pem":
        return data.rstrip(b"\0") + b"\n"
    return armoured(data)


def _response(piece: Piece) -> Unpacked:
    answer = strictjson.loads(piece.data, limit=MAX_FILE_BYTES, what=piece.name)
    quote = _hex(piece, "quote", answer["quote"])
    return Unpacked(
        piece=piece,
        quote=quote,
        event_log=_log(piece, answer.get("event_log")),
        mr_config=_mr_config(answer),
        remarks=_differing(piece, answer, quote),
    )


def _attestation(piece: Piece) -> Unpacked:
    from teeproof.evidence.eventlog.attestation import parse_attestation  # noqa: PLC0415  rarely used

    data = piece.data
    if piece.form == "json":
        answer = strictjson.loads(data, limit=MAX_FILE_BYTES, what=piece.name)
        data = _hex(piece, "attestation", answer["attestation"])
    found = parse_attestation(data)
    return Unpacked(
        piece=piece,
        quote=found.quote,
        event_log=found.event_log,
        mr_config=found.mr_config,
        certificates=found.certificates,
        remarks=_differing(piece, {"report_data": found.report_data.hex()}, found.quote),
    )


def _certificate(piece: Piece) -> Unpacked:
    from teeproof.evidence import ratls  # noqa: PLC0415  rarely used

    found = ratls.parse(piece.data, name=piece.name).evidence
    return Unpacked(
        piece=piece,
        quote=found.quote,
        event_log=found.event_log,
        mr_config=found.mr_config,
        certificate=found.certificate,
        certificates=found.certificates,
    )


def _log(piece: Piece, value: Any) -> bytes | None:
    """Return the event log of a response: JSON text, or already a list."""
    if not value:
        return None
    if isinstance(value, str):
        return value.encode()
    if isinstance(value, list):
        return strictjson.dumps(value).encode()
    raise _wrong(piece, "an event_log as text or a list", type(value).__name__)


def _mr_config(answer: dict[str, Any]) -> bytes | None:
    """Return the MrConfigV3 document in ``vm_config``; older hosts wrap that in another."""
    level: Any = answer
    for _ in range(2):
        text = level.get("vm_config") if isinstance(level, dict) else None
        if not isinstance(text, str) or not text:
            return None
        try:
            level = strictjson.loads(text, limit=MAX_FILE_BYTES, what="vm_config")
        except Error:
            return None
        document = level.get("mr_config") if isinstance(level, dict) else None
        if isinstance(document, str):
            return document.encode()
    return None


def _differing(piece: Piece, answer: dict[str, Any], quote: bytes) -> tuple[str, ...]:
    """Return a sentence for each copy that is not what the quote says."""
    signed = _signed(quote)
    return tuple(
        f"{piece.name} says another {name} beside the quote than the quote itself: nobody signed"
        " the copy, and it is not believed"
        for name in _COPIES
        if isinstance(answer.get(name), str)
        and name in signed
        and answer[name].lower().removeprefix("0x") != signed[name]
    )


def _signed(quote: bytes) -> dict[str, str]:
    from teeproof.evidence.nitro import document as nitro  # noqa: PLC0415  not for other pieces
    from teeproof.evidence.sev_snp.report import looks_like  # noqa: PLC0415
    from teeproof.evidence.tdx import quote as tdx_quote  # noqa: PLC0415

    if looks_like(quote):
        return {"report_data": quote[0x50:0x90].hex()}
    if nitro.looks_like(quote):
        return _signed_by_nitro(quote)
    try:
        body = tdx_quote.parse(quote).body
    except Error:
        return {}  # whoever verifies it says what is wrong with it
    return {
        "report_data": body.report_data.hex(),
        "mrtd": body.mrtd.hex(),
        "mrconfigid": body.mrconfigid.hex(),
        "mr_config_id": body.mrconfigid.hex(),
        **{f"rtmr{index}": value.hex() for index, value in enumerate(body.rtmrs)},
    }


def _signed_by_nitro(quote: bytes) -> dict[str, str]:
    from teeproof.evidence.nitro import document as nitro  # noqa: PLC0415  not for other pieces

    try:
        report_data = nitro.parse(quote).report_data
    except Error:
        return {}  # as below
    return {} if report_data is None else {"report_data": report_data.hex()}


def _hex(piece: Piece, field: str, text: str) -> bytes:
    try:
        return bytes.fromhex(text.removeprefix("0x"))
    except ValueError:
        raise _wrong(piece, f"{field} in hex", ascii(text[:60])) from None


def _wrong(piece: Piece, expected: str, got: str) -> Malformed:
    return Malformed(
        f"{piece.name} is not a {piece.words}: expected {expected}, got {got}",
        code="response_malformed",
        expected=expected,
        got=got,
    )
