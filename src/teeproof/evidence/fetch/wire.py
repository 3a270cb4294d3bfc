"""Take a server's answer apart: JSON whose parts are signed as they stand, PEM in a header, hex.

Sources: Intel's "PCS API documentation", version 4, and PCCS's design guide, which differs in
giving revocation lists in hex.

Trusts: nothing; it only reads.  Does not trust: whoever answered.
"""

from __future__ import annotations

import binascii
import json
import re
from collections.abc import Mapping
from urllib.parse import unquote_to_bytes

from teeproof.core import strictjson
from teeproof.core.errors import Malformed

__all__ = ["list_of", "pem_of_header", "signed_document"]

MAX_HEADER_BYTES = 48 << 10  # a chain of 32 KiB, of which every second byte is escaped
_HEX = re.compile(rb"[0-9a-fA-F]+")
_SIGNATURE = re.compile(r"[0-9a-fA-F]{128}", re.ASCII)
_SPACE = " \t\r\n"
_DECODER = json.JSONDecoder()


def signed_document(content: bytes, name: str, *, limit: int, what: str) -> tuple[bytes, bytes]:
    """Return the bytes of an object's member as they stand, and the signature beside it.

    Args:
        content: ``{"<name>": {…}, "signature": "<128 hex digits>"}``, in either order.
        name: of the member that is signed.
        limit: the largest accepted size in bytes.
        what: what it is, for messages.

    Raises:
        Malformed: another shape, or a member twice. TooLarge: more than ``limit``.
    """
    value = strictjson.loads(content, limit=limit, what=what)
    if not isinstance(value, dict) or set(value) != {name, "signature"}:
        got = ", ".join(map(ascii, value))[:200] if isinstance(value, dict) else "no object"
        raise _malformed(what, f"an object of {name} and signature", got)
    signature = value["signature"]
    if not isinstance(signature, str) or not _SIGNATURE.fullmatch(signature):
        raise _malformed(what, "a signature of 128 hex digits", ascii(signature)[:60])
    if not isinstance(value[name], dict):
        raise _malformed(what, f"an object in {name}", type(value[name]).__name__)
    return _members(content.decode())[name].encode(), bytes.fromhex(signature)


def _members(text: str) -> dict[str, str]:
    """Return the text of each member of an object; that it is one, a parser has found before."""
    found: dict[str, str] = {}
    at = _past(text, 0) + 1
    while True:
        key, at = _DECODER.raw_decode(text, _past(text, at))
        begin = _past(text, _past(text, at) + 1)
        _, at = _DECODER.raw_decode(text, begin)
        found[key] = text[begin:at]
        at = _past(text, at)
        if text[at] == "}":
            return found
        at += 1


def _past(text: str, at: int) -> int:
    while text[at] in _SPACE:
        at += 1
    return at


def pem_of_header(headers: Mapping[str, str], names: tuple[str, ...], *, what: str) -> bytes:
    """Return the PEM chain that a header holds, URL-encoded.

    Args:
        headers: by name in lower case.
        names: of the header, in any case; the first that is there counts.
        what: what it is, for messages.

    Raises:
        Malformed: there is none, or it is too long. What is in it, others say.
    """
    for name in names:
        text = headers.get(name.lower())
        if text is not None:
            if len(text) > MAX_HEADER_BYTES:
                raise _malformed(what, f"at most {MAX_HEADER_BYTES} bytes", f"{len(text)} bytes")
            return unquote_to_bytes(text)
    raise _malformed(what, f"a header {' or '.join(names)}", "none")


def list_of(content: bytes) -> bytes:
    """Return a revocation list's DER, whether it came as such or in hex."""
    text = content.strip(b' "\r\n')
    return binascii.unhexlify(text) if _HEX.fullmatch(text) and len(text) % 2 == 0 else content


def _malformed(what: str, expected: str, got: str) -> Malformed:
    return Malformed(
        f"the {what} did not come as the service's interface has it: expected {expected}, got"
        f" {got}",
        code="answer_malformed",
        expected=expected,
        got=got,
    )
