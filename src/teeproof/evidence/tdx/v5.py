"""Quote version 5: the body carries its type and size, so that newer TD reports fit.

Trusts: nothing; it only reads.  Does not trust: the type and size in the bytes.
"""

from __future__ import annotations

import struct

from teeproof.evidence.tdx.layout import (
    HEADER_BYTES,
    TD10_BYTES,
    TD15_BYTES,
    TdReport10,
    TdReport15,
    malformed,
)

__all__ = ["BODY_TD10", "BODY_TD15", "VERSION", "parse_body"]

VERSION = 5
BODY_TD10 = 2
BODY_TD15 = 3
_BODIES: dict[int, tuple[type[TdReport10], int]] = {
    BODY_TD10: (TdReport10, TD10_BYTES),
    BODY_TD15: (TdReport15, TD15_BYTES),
}


def parse_body(raw: bytes) -> tuple[TdReport10, int]:
    """Return the TD report and the number of bytes that are signed (header, type, size, report)."""
    body_type, size = struct.unpack_from("<HI", raw, HEADER_BYTES)
    if body_type not in _BODIES:
        raise malformed("body", "type 2 (TD report 1.0) or 3 (TD report 1.5)", f"type {body_type}")
    view, expected = _BODIES[body_type]
    if size != expected:
        raise malformed(f"body of type {body_type}", f"{expected} bytes", f"{size} bytes")
    start = HEADER_BYTES + 6
    if len(raw) < start + size:
        raise malformed("body", f"{size} bytes", f"{len(raw) - start} bytes")
    return view(raw[start : start + size]), start + size
