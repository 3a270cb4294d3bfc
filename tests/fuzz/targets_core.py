"""Fuzz targets for core: JSON and TOML from strangers, times and digests as people write them."""

from __future__ import annotations

import json
import tomllib
from contextlib import suppress

from teeproof.core import clock, digests, strictjson, stricttoml
from teeproof.core.errors import Malformed, Usage

LIMIT = 1 << 16


def fuzz_strictjson(data: bytes) -> None:
    """What is accepted is what the standard library reads, and reads back after writing."""
    with suppress(Malformed):
        value = strictjson.loads(data, limit=LIMIT)
        assert json.loads(data) == value
        assert strictjson.loads(strictjson.dumps(value), limit=2 * LIMIT) == value


def fuzz_stricttoml(data: bytes) -> None:
    """What is accepted is what the standard library reads."""
    with suppress(Malformed):
        value = stricttoml.loads(data, limit=LIMIT)
        assert repr(tomllib.loads(data.decode())) == repr(value)


def fuzz_parse_time(data: bytes) -> None:
    """What is accepted prints as a time that means the same second."""
    with suppress(Usage):
        time = clock.parse_time(data.decode(errors="replace"))
        assert clock.parse_time(clock.format_time(time)) == time


def fuzz_parse_named(data: bytes) -> None:
    """What is accepted is the one spelling of its digest."""
    text = data.decode(errors="replace")
    for algorithm in ("sha256", "sha384", "keccak256"):
        with suppress(Malformed):
            assert digests.named(digests.parse_named(text, algorithm), algorithm) == text


SEEDS = {
    "fuzz_strictjson": lambda: [
        b'{"a":[1,2.5,-3e2,true,false,null],"b":{"c":"\\u00e4\\ud83d\\ude00","":[]}}',
        b'[{"imr":3,"event_type":134217729,"digest":"00ff","event":"app-id","event_payload":""}]',
        b"[" * 64 + b"]" * 64,
    ],
    "fuzz_stricttoml": lambda: [
        b"a = 1\nb.c = [1.5, true, \"x\", 2026-02-25T12:00:00Z]\n[d.e]\nf = {g.h = 'i'}\n",
        b'[[a.b]]\n\'c.d\' = """e\n#""" # f\n',
        b"a." * 16 + b"a = 1\n",
        b"a . " * 2000 + b"a = 1\n",
        b"a = " + b"[" * 400 + b"]" * 400,
    ],
    "fuzz_parse_time": lambda: [
        b"2026-02-25T12:00:00Z",
        b"2026-02-25",
        b"1772020800",
        b"2026-02-25 12:00:00.123456789+05:30",
    ],
    "fuzz_parse_named": lambda: [
        digests.named(bytes(range(32))).encode(),
        digests.named(bytes(48), "sha384").encode(),
    ],
}
