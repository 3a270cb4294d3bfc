"""Digests agree with published answers, and their text form has one spelling."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from teeproof.core import digests
from teeproof.core.errors import Malformed

# "abc" and the empty message: FIPS 180-4 examples (SHA-2); the Keccak team's answers for Keccak-256
# with the original padding; test_vectors.json of the BLAKE3 specification for the empty input, and
# its input pattern 0, 1, …, 250, 0, … at 1,024 bytes.
KNOWN = [
    ("sha256", b"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
    ("sha256", b"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
    (
        "sha384",
        b"abc",
        "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded163"
        "1a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7",
    ),
    (
        "sha512",
        b"abc",
        "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
        "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
    ),
    ("keccak256", b"", "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"),
    ("keccak256", b"abc", "4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45"),
    ("blake3", b"", "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"),
    (
        "blake3",
        bytes(i % 251 for i in range(1024)),
        "42214739f095a406f3fc83deb889744ac00df831c10daa55189b5d121c855af7",
    ),
]


@pytest.mark.parametrize(("name", "message", "answer"), KNOWN)
def test_a_digest_agrees_with_its_published_answer(name, message, answer):
    assert getattr(digests, name)(message).hex() == answer


@pytest.mark.parametrize("name", ["sha256", "sha384", "sha512", "keccak256", "blake3"])
def test_parts_are_hashed_as_one_message(name):
    digest = getattr(digests, name)
    assert digest(b"a", b"", b"bc") == digest(b"abc")
    assert digest() == digest(b"")


def test_keccak_is_ethereums_and_not_sha3():
    assert digests.keccak256(b"abc") != hashlib.sha3_256(b"abc").digest()


def test_framed_parts_cannot_be_shifted_into_each_other():
    spellings = {
        digests.framed_sha256("label", b"ab", b"c"),
        digests.framed_sha256("label", b"a", b"bc"),
        digests.framed_sha256("label", b"abc"),
        digests.framed_sha256("label", b"abc", b""),
        digests.framed_sha256("labela", b"bc"),
        digests.framed_sha256("other", b"ab", b"c"),
    }
    assert len(spellings) == 6


def test_a_framed_digest_is_the_documented_one():
    framed = b"".join(len(p).to_bytes(8, "big") + p for p in (b"label", b"ab", b""))
    assert digests.framed_sha256("label", b"ab", b"") == hashlib.sha256(framed).digest()


SIZES = {"sha256": 32, "sha384": 48, "sha512": 64, "blake3": 32, "keccak256": 32}


@given(st.data(), st.sampled_from(sorted(SIZES)))
def test_a_named_digest_reads_back(data, algorithm):
    value = data.draw(st.binary(min_size=SIZES[algorithm], max_size=SIZES[algorithm]))
    assert digests.parse_named(digests.named(value, algorithm), algorithm) == value


GOOD = "ab" * 32


@pytest.mark.parametrize(
    "text",
    [
        "",
        "sha256:",
        GOOD,
        f"SHA256:{GOOD}",
        f"sha384:{GOOD}",
        f"sha256:{GOOD[:-1]}",
        f"sha256:{GOOD}0",
        f"sha256:{GOOD.upper()}",
        f"sha256:{GOOD[:-1]}g",
        f"sha256:{GOOD[:30]}zz{GOOD[32:]}",
        f"sha256:{GOOD[:30]}  {GOOD[32:]}",
        f"sha256:{GOOD[:-1]}\n",
        f"sha256:{GOOD}\n",
        f" sha256:{GOOD}",
        f"sha256:0x{GOOD[2:]}",
        f"sha256:{GOOD[:-1]}\u0661",
        f"sha256::{GOOD[1:]}",
    ],
)
def test_another_spelling_of_a_digest_is_refused(text):
    with pytest.raises(Malformed) as refusal:
        digests.parse_named(text)
    assert refusal.value.code == "digest_malformed"
    assert refusal.value.got == text[:100]


def test_the_one_spelling_of_a_digest_is_accepted():
    assert digests.parse_named(f"sha256:{GOOD}") == b"\xab" * 32
