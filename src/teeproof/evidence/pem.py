"""PEM: the blocks of a text, and whether something else stands between them.

Source: RFC 7468, without headers and explanatory text; RFC 4648, 3.5.

Trusts: nothing; it only reads.  Does not trust: labels, line breaks, what stands between.
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from typing import Final, NamedTuple

__all__ = ["SPACE", "Block", "decoded", "split"]

SPACE: Final = b" \r\n\x00"
"""What may stand around blocks: white space, and the NUL with which C ends a text."""
_FORM = rb"-----BEGIN (%b)-----\r?\n([A-Za-z0-9+/=\r\n]+)\n-----END \1-----"
_CERTIFICATE = re.compile(_FORM % b"CERTIFICATE")
_EITHER = re.compile(_FORM % b"CERTIFICATE|X509 CRL")


class Block(NamedTuple):
    """One block: whether it is a certificate or a revocation list, and its base64 in one line."""

    is_certificate: bool
    base64: bytes


def split(pem: bytes, *, lists: bool = False) -> tuple[list[Block], bytes]:
    """Return the blocks of a text, and all that stands between and around them.

    Args:
        pem: the text; the caller has bounded it.
        lists: whether revocation lists are blocks too; if not, they are something else.
    """
    found, rest, at = [], b"", 0
    for match in (_EITHER if lists else _CERTIFICATE).finditer(pem):
        rest += pem[at : match.start()]
        base64 = match[2].replace(b"\r", b"").replace(b"\n", b"")
        found.append(Block(match[1] == b"CERTIFICATE", base64))
        at = match.end()
    return found, rest + pem[at:]


def decoded(base64: bytes) -> bytes:
    """Return what base64 says; ValueError if the same could be said otherwise."""
    der = b64decode(base64, validate=True)
    if b64encode(der) != base64:  # RFC 4648, 3.5: spare bits that are not zero
        raise ValueError("base64 that is not canonical")
    return der
