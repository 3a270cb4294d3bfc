"""Parse a TDX quote: bytes to fields, with every length checked. No keys and no clock here.

Trusts: nothing; it only reads.  Does not trust: lengths and types in the bytes.
"""

from __future__ import annotations

from dataclasses import dataclass

from teeproof.core.errors import TooLarge
from teeproof.evidence.tdx import v4, v5
from teeproof.evidence.tdx.layout import (
    HEADER_BYTES,
    TD10_BYTES,
    TEE_TDX,
    Header,
    SignatureSection,
    TdReport10,
    malformed,
)

__all__ = ["MAX_QUOTE_BYTES", "TdxQuote", "parse"]

MAX_QUOTE_BYTES = 64 << 10  # real ones have some 5 KB
_VERSIONS = {v4.VERSION: v4.parse_body, v5.VERSION: v5.parse_body}


@dataclass(frozen=True, slots=True)
class TdxQuote:
    """A TDX quote, version 4 or 5.

    Attributes:
        raw: the bytes as they came.
        header: version, key type, TEE type.
        body: the TD report; a ``TdReport15`` if TDX 1.5 made it.
        signed: the bytes that the attestation key signed.
        signature: the signature section.
        trailing: bytes behind the section; nobody signed them.
    """

    raw: bytes
    header: Header
    body: TdReport10
    signed: bytes
    signature: SignatureSection
    trailing: bytes


def parse(raw: bytes) -> TdxQuote:
    """Return the quote in ``raw``.

    Raises:
        TooLarge: more than ``MAX_QUOTE_BYTES``.
        Malformed: not a TDX quote of version 4 or 5, or a length that does not add up.
    """
    if len(raw) > MAX_QUOTE_BYTES:
        raise TooLarge(
            "this is too large for a quote",
            expected=f"at most {MAX_QUOTE_BYTES} bytes",
            got=f"{len(raw)} bytes",
        )
    if len(raw) < HEADER_BYTES + TD10_BYTES + 4:
        raise malformed(
            "length", f"at least {HEADER_BYTES + TD10_BYTES + 4} bytes", f"{len(raw)} bytes"
        )
    header = Header(raw[:HEADER_BYTES])
    if header.version not in _VERSIONS:
        raise malformed("version", "4 or 5", str(header.version))
    if header.tee_type != TEE_TDX:
        raise malformed("TEE type", "0x81 (TDX)", hex(header.tee_type))
    body, signed_end = _VERSIONS[header.version](raw)
    start = signed_end + 4
    size = int.from_bytes(raw[signed_end:start], "little")
    if len(raw) < start or size > len(raw) - start:
        raise malformed("signature section", f"{size} bytes", f"{max(0, len(raw) - start)} bytes")
    section = SignatureSection.parse(raw[start : start + size])
    return TdxQuote(raw, header, body, raw[:signed_end], section, raw[start + size :])
