"""Base64 and numbers: each value has one spelling."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from teeproof.core.errors import Malformed
from teeproof.proof.log.formats.text import MAX_NUMBER, decimal, from_base64, to_base64


@given(st.integers(0, MAX_NUMBER))
def test_a_number_reads_back(number):
    assert decimal(b"%d" % number, what="number") == number


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"00",
        b"01",
        b"-0",
        b"+1",
        b" 1",
        b"1 ",
        b"1\n",
        b"1_0",
        b"1.0",
        b"1e3",
        b"0x1",
        b"\xd9\xa1",
        b"%d" % (MAX_NUMBER + 1),
        b"1" + b"0" * 19,
        b"9" * 10_000,
    ],
)
def test_a_number_of_another_spelling_or_size_is_refused(text):
    with pytest.raises(Malformed) as caught:
        decimal(text, what="number")
    assert caught.value.code == "number_malformed"


@given(st.binary(max_size=100))
def test_bytes_read_back(data):
    assert to_base64(data) == base64.b64encode(data)
    assert from_base64(to_base64(data), what="data", size=len(data)) == data
    with pytest.raises(Malformed) as caught:
        from_base64(to_base64(data), what="data", size=len(data) + 1)
    assert caught.value.code == "length_malformed"


@given(st.binary(max_size=12))
def test_what_is_read_is_the_one_spelling(text):
    try:
        data = from_base64(text, what="data")
    except Malformed:
        return
    assert base64.b64encode(data) == text


@pytest.mark.parametrize(
    "text",
    [
        b"QQ",
        b"QQ=",
        b"QR==",
        b"QQ===",
        b"QQ==QQ==",
        b"=",
        b"====",
        b"QUI",
        b"QUJ=",
        b"Q Q==",
        b"QQ==\n",
        b"_-8=",
    ],
)
def test_base64_of_another_spelling_is_refused(text):
    assert from_base64(b"QQ==", what="data") == b"A"
    with pytest.raises(Malformed) as caught:
        from_base64(text, what="data")
    assert caught.value.code == "base64_malformed"
