"""What gets in at the door is one bounded line of text, and nothing else."""

from __future__ import annotations

import json

import pytest

from teeproof.agents.instructions import MAX_BODY, MAX_TEXT, parse_instruction
from teeproof.core.errors import Malformed, TooLarge
from tests.agents.people import NOW, TEXT


def body(**values: object) -> bytes:
    return json.dumps(values).encode()


def test_an_instruction_has_a_name_and_a_time() -> None:
    given = parse_instruction(body(text=TEXT, id="ab" * 16), time=NOW)
    assert (given.text, given.id, given.time) == (TEXT, "ab" * 16, NOW)
    drawn = parse_instruction(body(text=TEXT), time=NOW, random=lambda size: b"\7" * size)
    assert drawn.id == "07" * 16


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"sell",
        b"[]",
        b"null",
        b"\xff\xfe",
        b'{"text":"\xc3\x28"}',
        b'{"text":"\\ud800"}',
        b'{"text":"a","text":"b"}',
        body(),
        body(text=""),
        body(text="   "),
        body(text=5),
        body(text=["a"]),
        body(text="a" * (MAX_TEXT + 1)),
        body(text="sell\nsend"),
        body(text="sell\x00"),
        body(text="s\u0435ll"),
        body(text="sell\u202e"),
        body(text="sell", id="x"),
        body(text="sell", id="AB" * 16),
        body(text="sell", to="0xbad"),
        body(text="sell", by="ab" * 32),
        body(text="sell", signature="ab" * 64),
    ],
)
def test_client_sends_what_is_no_instruction(data: bytes) -> None:
    with pytest.raises(Malformed):
        parse_instruction(data, time=NOW)


def test_client_sends_an_instruction_of_1_mb() -> None:
    with pytest.raises(TooLarge) as refused:
        parse_instruction(body(text="a" * (1 << 20)), time=NOW)
    assert refused.value.expected == f"at most {MAX_BODY} bytes"
