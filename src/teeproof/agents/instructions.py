"""What people ask an agent to do: one bounded line of text, with a name, and signed if need be.

    {"id":"7d0f…","text":"sell half my ETH below 2,000"}

The ``id`` is the asker's: whoever repeats a request, or replays somebody else's, is told what came
of it the first time, and nothing happens twice. Where the mandate lists instructors, ``by`` and
``signature`` are an owner's over the mandate's digest, the id and the text.

Trusts: nothing.  Does not trust: whoever sends an instruction, whoever carries it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from typing import Any

import msgspec

from teeproof.agents.records import Instruction
from teeproof.cloud.owner import OwnerKey, verify_text
from teeproof.core import strictjson
from teeproof.core.errors import Error, Malformed
from teeproof.core.text import cut

__all__ = ["MAX_BODY", "MAX_TEXT", "document", "is_signed", "parse_instruction", "signed"]

MAX_TEXT = 500
MAX_BODY = 4096
_TEXT = re.compile(rf"[\x20-\x7e]{{1,{MAX_TEXT}}}")
_ID = re.compile(r"[0-9a-f]{16,64}")


class _Body(msgspec.Struct, forbid_unknown_fields=True):
    """What a request holds."""

    text: str
    id: str = ""
    by: str | None = None
    signature: str | None = None


def parse_instruction(
    data: bytes, *, time: int, random: Callable[[int], bytes] = os.urandom
) -> Instruction:
    """Return the instruction in a request's body.

    Args:
        data: JSON in UTF-8.
        time: when it came.
        random: from where an id is drawn, if it has none; a repetition is then a new instruction.

    Raises:
        TooLarge: more than ``MAX_BODY`` bytes.
        Malformed: no JSON, an unknown field, or text that is not one line of printable ASCII.
    """
    value = strictjson.loads(data, limit=MAX_BODY, what="instruction")
    try:
        body = msgspec.convert(value, _Body, strict=True)
    except msgspec.ValidationError as error:
        raise _malformed(
            'a JSON object with "text", and "id" if it may be repeated', str(error)
        ) from None
    if not _TEXT.fullmatch(body.text) or not body.text.strip():
        expected = f"one line of 1 to {MAX_TEXT} printable ASCII characters"
        raise _malformed(expected, cut(body.text, 60))
    if body.id and not _ID.fullmatch(body.id):
        raise _malformed("an id of 16 to 64 lower-case hex digits", cut(body.id, 60))
    if (body.by is None) is not (body.signature is None):
        raise _malformed("both by and signature, or neither", "one of them")
    return Instruction(
        id=body.id or random(16).hex(), text=body.text, time=time, by=body.by,
        signature=body.signature,
    )  # fmt: skip


def document(*, mandate: str, name: str, text: str) -> dict[str, Any]:
    """Return what an instructor signs; ``mandate`` is its digest, ``name`` the instruction's id."""
    return {"type": "urn:teeproof:instruction:v1", "mandate": mandate, "id": name, "text": text}


def signed(owner: OwnerKey, *, mandate: str, name: str, text: str) -> dict[str, str]:
    """Return the body of a request with a signed instruction."""
    signature = owner.sign_text(document(mandate=mandate, name=name, text=text))
    return {"id": name, "text": text, "by": owner.public, "signature": signature}


def is_signed(instruction: Instruction, *, mandate: str) -> bool:
    """Return whether the one whom an instruction names signed it, under this mandate."""
    if instruction.by is None or instruction.signature is None:
        return False
    wanted = document(mandate=mandate, name=instruction.id, text=instruction.text)
    try:
        verify_text(wanted, instruction.signature, instruction.by, what="instruction")
    except Error:
        return False
    return True


def _malformed(expected: str, got: str) -> Malformed:
    return Malformed(
        "this is no instruction", code="instruction_malformed", expected=expected, got=got
    )
