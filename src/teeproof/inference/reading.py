"""Read what a service sends: the text of an answer, and the report of its machine and keys.

Trusts: nothing.  Does not trust: the service.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any, NamedTuple

from teeproof.core import strictjson
from teeproof.core.errors import Malformed
from teeproof.evidence.record import Evidence
from teeproof.inference.link import MAX_ANSWER
from teeproof.proof import canonical
from teeproof.proof.blobs import evidence_of_blobs
from teeproof.proof.identity import IdentityRecord

__all__ = ["MAX_REPORT", "Report", "read_report", "text_of"]

MAX_REPORT = 8 << 20


class Report(NamedTuple):
    """What a service says of itself.

    Attributes:
        identity: its keys, and the evidence that it booted with.
        blobs: that evidence, by ``sha256:…``.
        fresh: evidence that was made for this report.
    """

    identity: IdentityRecord
    blobs: dict[str, bytes]
    fresh: Evidence


def read_report(body: bytes) -> Report:
    """Return a report; nothing in it is verified.

    Raises:
        TooLarge, Malformed: it is none of ours.
    """
    given = _members(body)
    identity = IdentityRecord.parse(canonical.encode(given["identity"]))
    return Report(identity, _bytes(given["blobs"]), _evidence(_bytes(given["fresh"])))


def text_of(response: bytes) -> str:
    """Return what the model said in an answer, streamed or not.

    Raises:
        Malformed: this is no answer.
    """
    try:
        if not response.startswith(b"data: "):
            whole = strictjson.loads(response, limit=MAX_ANSWER, what="answer")
            return _text(whole["choices"][0]["message"]["content"])
        said = []
        for event in response.split(b"\n\n"):
            data = event.removeprefix(b"data: ")
            if data and data != b"[DONE]":
                for choice in strictjson.loads(data, limit=MAX_ANSWER, what="event")["choices"]:
                    said.append(_text(choice["delta"].get("content", "")))
        return "".join(said)
    except (KeyError, IndexError, TypeError, AttributeError, Malformed) as error:
        raise Malformed(
            "this is no answer in OpenAI's form",
            code="answer_malformed",
            got=type(error).__name__,
        ) from None


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _members(body: bytes) -> dict[str, Any]:
    value = strictjson.loads(body, limit=MAX_REPORT, what="attestation report")
    given = value.get("teeproof") if isinstance(value, dict) else None
    if not isinstance(given, dict) or not all(
        isinstance(given.get(name), dict) for name in ("identity", "blobs", "fresh")
    ):
        raise Malformed(
            "the service's report does not carry its identity: it is no service of ours",
            code="report_malformed",
            expected="teeproof.identity, blobs and fresh",
        )
    return given


def _bytes(given: Mapping[str, Any]) -> dict[str, bytes]:
    try:
        return {name: base64.b64decode(data, validate=True) for name, data in given.items()}
    except (binascii.Error, TypeError, ValueError):
        raise Malformed("a part of the evidence is not base64", code="report_malformed") from None


def _evidence(parts: dict[str, bytes]) -> Evidence:
    try:
        return evidence_of_blobs(parts, name="fresh")
    except Malformed as error:
        raise Malformed(
            "the report carries no evidence", code="report_malformed", got=error.got
        ) from None
