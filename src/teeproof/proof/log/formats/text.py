"""Base64 and decimal numbers as C2SP's text formats write them: each value has one spelling.

Trusts: nothing; it only reads.  Does not trust: the text.
"""

from __future__ import annotations

import binascii

from teeproof.core.errors import Malformed
from teeproof.core.text import legible

__all__ = ["MAX_NUMBER", "decimal", "from_base64", "to_base64"]

MAX_NUMBER = (1 << 63) - 1  # c2sp.org/tlog-cosignature bounds times so; we bound sizes and indexes


def to_base64(data: bytes) -> bytes:
    """Return standard base64 (RFC 4648, section 4) with padding and without a newline."""
    return binascii.b2a_base64(data, newline=False)


def from_base64(text: bytes, *, what: str, size: int | None = None) -> bytes:
    """Return the bytes that a base64 text stands for.

    Raises:
        Malformed: it is not the one spelling of its bytes (spaces, missing padding, bits that a
            decoder would ignore), or has another size than ``size`` bytes.
    """
    try:
        data = binascii.a2b_base64(text, strict_mode=True)
    except ValueError:
        data = None
    if data is None or to_base64(data) != text:
        raise Malformed(f"the {what} is not canonical base64", code="base64_malformed")
    if size is not None and len(data) != size:
        raise Malformed(
            f"the {what} has another length",
            code="length_malformed",
            expected=f"{size} bytes",
            got=f"{len(data)} bytes",
        )
    return data


def decimal(text: bytes, *, what: str) -> int:
    """Return a number from ASCII digits without leading zeros, below 2^63.

    Raises:
        Malformed: anything else.
    """
    plain = text.isdigit() and len(text) <= 19 and (text == b"0" or not text.startswith(b"0"))
    if not plain or (value := int(text)) > MAX_NUMBER:
        raise Malformed(
            f"the {what} is not a number as C2SP writes it",
            code="number_malformed",
            expected="decimal digits without leading zeros, below 2^63",
            got=legible(text[:40]),
        )
    return value
