"""TOML from strangers: bounded before it is read, whatever its quotes and brackets pretend."""

from __future__ import annotations

import tomllib
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from teeproof.core.errors import Malformed, TooLarge
from teeproof.core.stricttoml import MAX_DOTS, loads

LIMIT = 64 << 10
LONG = "a." * (LIMIT // 4) + "a"


def refused(data, code):
    with pytest.raises(Malformed) as refusal:
        loads(data, limit=LIMIT, what="test document")
    assert refusal.value.code == code
    return refusal.value


@given(st.dictionaries(st.text("abcdef", min_size=1), st.integers(0, 9) | st.booleans()))
def test_what_is_within_the_bounds_reads_as_the_standard_parser_reads_it(value):
    text = "".join(f"{key} = {str(entry).lower()}\n" for key, entry in value.items())
    assert loads(text, limit=LIMIT) == loads(text.encode(), limit=LIMIT) == value
    assert tomllib.loads(text) == value


@pytest.mark.parametrize(
    "text",
    [
        f"{LONG} = 1",
        f"[{LONG}]",
        f"[[{LONG}]]",
        f"x = {{{LONG} = 1}}",
        "a . " * 9000 + "a = 1",
        '"a" . ' * 9000 + "a = 1",
        "'#'." * 9000 + "a = 1",
        f'x = [ """\n#""", {{{LONG} = 1}}]',
        f'x = "\\"" # "\n{LONG} = 1',
        "a = 1\r\n" + "\t" + f"{LONG}=1",
    ],
)
def test_host_cannot_fill_the_memory_with_a_dotted_key(text):
    tracemalloc.start()
    try:
        assert "line" in refused(text, "toml_too_many_dots").got
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "line",
    [
        "k{}" + ".a" * MAX_DOTS + " = 1\n",
        "[k{}" + ".a" * MAX_DOTS + "]\n",
        "[[k{}" + ".a" * MAX_DOTS + "]]\n",
        "k{} = {{" + "a." * MAX_DOTS + "a = 1}}\n",
        "[k{}]\n",
        "k{} = {{}}\n",
    ],
)
def test_host_cannot_fill_the_memory_within_the_bounds(line):
    count = LIMIT // len(line.format(10_000))
    text = "".join(line.format(number) for number in range(count))
    tracemalloc.start()
    try:
        loads(text, limit=LIMIT)
        assert tracemalloc.get_traced_memory()[1] < 50 << 20
    finally:
        tracemalloc.stop()


def test_as_many_dots_as_are_allowed_are_read_and_one_more_is_not():
    text = "x = '" + "." * MAX_DOTS
    assert loads(f"{text}'\n" * 1, limit=LIMIT) == {"x": "." * MAX_DOTS}
    refused(f"{text}.'", "toml_too_many_dots")


@pytest.mark.parametrize("text", ["x" * (LIMIT - 2) + "=1", "é" * (LIMIT // 2) + "=1"])
def test_a_document_over_the_limit_is_refused_unread(text):
    if text.isascii():
        assert loads(text, limit=LIMIT)
        text += "0"
    with pytest.raises(TooLarge) as refusal:
        loads(text, limit=LIMIT, what="test document")
    assert refusal.value.expected == f"at most {LIMIT} bytes"


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"x = \xff", "toml_malformed"),
        ("x = '\ud800'", "toml_malformed"),
        ("x = ", "toml_malformed"),
        ("x = 1\nx = 2", "toml_malformed"),
        ("x = " + "9" * 5000, "toml_malformed"),
        ("x = " + "[" * 20_000, "toml_too_deep"),
    ],
)
def test_what_is_not_toml_is_refused(data, code):
    refused(data, code)
