"""The little DER that X.509 libraries leave to us: tag, length, value, with every bound checked.

Trusts: nothing; it only reads.  Does not trust: lengths.
"""

from __future__ import annotations

from base64 import b64encode

__all__ = [
    "BITS",
    "BOOLEAN",
    "ENUMERATED",
    "INTEGER",
    "OCTETS",
    "OID",
    "SEQUENCE",
    "armoured",
    "elements",
    "encode",
    "encode_oid",
    "only",
    "signed_part",
]

# ITU-T X.690: universal tags.
BOOLEAN, INTEGER, BITS, OCTETS, OID, ENUMERATED, SEQUENCE = 1, 2, 3, 4, 6, 0x0A, 0x30


def elements(data: bytes) -> list[tuple[int, bytes]]:
    """Return (tag, value) of the elements that stand in ``data`` one after the other.

    Raises:
        ValueError: a length that is not minimal, or that runs past the end.
    """
    found = []
    at, end = 0, len(data)
    try:
        while at < end:
            tag, size = data[at], data[at + 1]
            at += 2
            if size >= 0x80:
                size, at = _long_length(data, at, size & 0x7F)
            if at + size > end:
                raise ValueError("DER element runs past the end")
            found.append((tag, data[at : at + size]))
            at += size
    except IndexError:
        raise ValueError("truncated DER element") from None
    return found


def _long_length(data: bytes, at: int, count: int) -> tuple[int, int]:
    size = int.from_bytes(data[at : at + count], "big")
    if not 1 <= count <= 3 or size < 0x80 or size.bit_length() <= 8 * (count - 1):
        raise ValueError("non-minimal DER length")
    return size, at + count


def only(data: bytes, tag: int) -> bytes:
    """Return the value of the single element in ``data``, which must have this tag."""
    if len(data) >= 2 and data[0] == tag and data[1] < 0x80 and len(data) == 2 + data[1]:
        return data[2:]
    found = elements(data)
    if len(found) != 1 or found[0][0] != tag:
        raise ValueError(f"expected one DER element with tag {tag:#04x}")
    return found[0][1]


def signed_part(data: bytes) -> tuple[bytes, list[tuple[int, bytes]]]:
    """Return what X.509 calls SIGNED: the signed element's own bytes, and all three elements."""
    content = only(data, SEQUENCE)
    parts = elements(content)
    if len(parts) != 3:
        raise ValueError("expected a signed element, an algorithm and a signature")
    return content[: _end_of_first(content)], parts


def _end_of_first(content: bytes) -> int:
    size = content[1]
    if size < 0x80:
        return 2 + size
    count = size & 0x7F
    return 2 + count + int.from_bytes(content[2 : 2 + count], "big")


def armoured(data: bytes) -> bytes:
    """Return a certificate or a revocation list as PEM, 64 characters a line."""
    # RFC 5280, 4.1 and 5.1: a certificate's signed part begins with [0], a list's with a number.
    label = b"CERTIFICATE" if data[8:9] == b"\xa0" else b"X509 CRL"
    text = b64encode(data)
    lines = [text[at : at + 64] for at in range(0, len(text), 64)]
    return b"\n".join([b"-----BEGIN %s-----" % label, *lines, b"-----END %s-----" % label, b""])


def encode(tag: int, value: bytes) -> bytes:
    """Return one DER element."""
    size = len(value)
    if size < 0x80:
        return bytes((tag, size)) + value
    digits = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(digits))) + digits + value


def encode_oid(text: str) -> bytes:
    """Return the DER content of an object identifier given in dotted form."""
    first, second, *rest = map(int, text.split("."))
    out = b""
    for arc in (40 * first + second, *rest):
        digits = [arc & 0x7F]
        while arc := arc >> 7:
            digits.append(0x80 | arc & 0x7F)
        out += bytes(reversed(digits))
    return out
