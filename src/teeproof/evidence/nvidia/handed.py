"""A manifest as files hold it: NVIDIA's XML, or the answer of the RIM service that carries it.

The service answers with JSON: ``id``, the manifest in base64 under ``rim``, and words about both.
None of it but the manifest is signed: the id finds the manifest, and what is signed must fit.

Source: NVIDIA RIM service, ``GET /v1/rim/{id}``; NVIDIA/nvtrust, local verifier.

Trusts: nothing; it only reads.  Does not trust: whoever handed the manifest over, its id.
"""

from __future__ import annotations

from base64 import b64decode, b64encode

from teeproof.core import strictjson
from teeproof.core.errors import Malformed
from teeproof.evidence.nvidia.rim import Rim
from teeproof.evidence.nvidia.xmlsig import MAX_DOCUMENT_BYTES

__all__ = ["read"]

MAX_ANSWER_BYTES = MAX_DOCUMENT_BYTES // 3 * 4 + 4096  # base64, and the service's words
_MAX_ID = 200


def read(data: bytes) -> Rim:
    """Return the manifest in a file; its XML is not looked at yet, and has its own bound.

    Raises:
        TooLarge: larger than any answer of the service.
        Malformed: JSON that is no such answer.
    """
    if data.lstrip(b" \t\r\n")[:1] != b"{":
        return Rim(data)
    value = strictjson.loads(data, limit=MAX_ANSWER_BYTES, what="answer of the RIM service")
    if not isinstance(value.get("rim"), str) or not isinstance(value.get("id"), str):
        raise _malformed("id and rim", ", ".join(map(ascii, list(value)[:6])))
    if len(value["id"]) > _MAX_ID:
        raise _malformed(f"an id of at most {_MAX_ID} characters", f"{len(value['id'])}")
    return Rim(_base64(value["rim"]), value["id"])


def _base64(text: str) -> bytes:
    try:
        raw = b64decode(text, validate=True)
    except ValueError:
        raw = b""
    if not raw or b64encode(raw) != text.encode(errors="replace"):
        raise _malformed("base64 in rim", ascii(text[:40]))
    return raw


def _malformed(expected: str, got: str) -> Malformed:
    return Malformed(
        f"this is not an answer of NVIDIA's RIM service: expected {expected}, got {got}",
        code="rim_answer_malformed",
        expected=expected,
        got=got,
    )
