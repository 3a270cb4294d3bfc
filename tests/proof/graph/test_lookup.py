"""What a person means by the beginning of a digest."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from teeproof.core.errors import Usage
from teeproof.proof.graph.lookup import LEAST, Lookup

A, B, C = "ab12" + "0" * 60, "ab12" + "0" * 59 + "1", "cd" * 48
FEW = Lookup([A, B, C, A])


@pytest.mark.parametrize(
    "text", [C, C[:4], f"sha256:{C[:9]}", f" {C[:8].upper()}… ", C[:8] + "..."]
)
def test_a_beginning_that_is_unique_names_the_digest(text):
    assert FEW.find(text, what="key") == C


def test_a_digest_in_full_is_found_though_a_longer_one_begins_so():
    assert Lookup([A, A + "00"]).find(A, what="key") == A


def test_an_ambiguous_beginning_lists_the_candidates():
    with pytest.raises(Usage) as caught:
        FEW.find("ab12", what="key")
    assert caught.value.code == "key_ambiguous"
    assert A[:24] in caught.value.expected


def test_many_candidates_are_not_all_listed():
    with pytest.raises(Usage) as caught:
        Lookup(f"abcd{n:060x}" for n in range(1000)).find("abcd", what="key")
    assert caught.value.expected.endswith("…")
    assert len(caught.value.expected) < 300


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("ffff", "key_unknown"),
        ("abc", "key_malformed"),
        ("", "key_malformed"),
        ("hello", "key_malformed"),
        ("x" * 1_000_000, "key_malformed"),
        ("f" * 1_000_000, "key_unknown"),
        ("sha512:abcd", "key_malformed"),
    ],
)
def test_what_names_nothing_is_said_to(text, code):
    with pytest.raises(Usage) as caught:
        FEW.find(text, what="key")
    assert caught.value.code == code
    assert len(caught.value.got) < 200


@given(st.lists(st.text("01", min_size=64, max_size=64), min_size=1, unique=True))
def test_what_is_cut_short_is_found_again(digests):
    lookup = Lookup(digests)
    for digest in digests:
        assert lookup.find(lookup.short(digest), what="key") == digest
        assert len(lookup.short(digest)) >= LEAST


def test_author_cannot_make_two_ids_look_alike():
    alike = ["a" * 40 + "0" * 24, "a" * 40 + "1" * 24]
    lookup = Lookup(alike)
    assert [len(lookup.short(digest)) for digest in alike] == [41, 41]
