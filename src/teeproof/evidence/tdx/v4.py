"""Quote version 4: the TD report stands right behind the header.

Trusts: nothing; it only reads.  Does not trust: nothing beyond the header decides here.
"""

from __future__ import annotations

from teeproof.evidence.tdx.layout import HEADER_BYTES, TD10_BYTES, TdReport10

__all__ = ["VERSION", "parse_body"]

VERSION = 4


def parse_body(raw: bytes) -> tuple[TdReport10, int]:
    """Return the TD report and the number of bytes that are signed (header and report)."""
    end = HEADER_BYTES + TD10_BYTES
    return TdReport10(raw[HEADER_BYTES:end]), end
