"""Text of strangers: it prints, stays on its line, and takes no more room than it is given."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from teeproof.core.text import columns, cut, legible, many, plain


@given(st.text())
def test_whatever_a_text_holds_it_prints_once_it_is_plain(text):
    assert plain(text).isprintable()


def test_what_prints_is_left_as_it_is():
    assert plain("naïve 模型 “a”") == "naïve 模型 “a”"


@given(st.binary())
def test_bytes_of_a_stranger_print_and_are_no_python(data):
    assert legible(data).isprintable()
    assert len(legible(data)) >= len(data)


def test_bytes_that_are_text_are_shown_as_text():
    assert legible(b'PK it\'s a "zip"') == 'PK it\'s a "zip"'
    assert legible(b"PK\x05\x06\n\xff") == "PK\\x05\\x06\\x0a\\xff"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\n\r\t", "\\n\\r\\t"),
        ("\x1b[31m", "\\x1b[31m"),
        ("\u202e\u2066\u200b\ufeff", "\\u202e\\u2066\\u200b\\ufeff"),
        ("\x00\x7f\x9f\u2029\ud800", "\\x00\\x7f\\x9f\\u2029\\ud800"),
    ],
)
def test_what_does_not_print_is_written_as_its_escape(text, shown):
    assert plain(text) == shown


@pytest.mark.parametrize(("text", "room"), [("abc", 3), ("模型", 4), ("", 1), ("e\u0301", 2)])
def test_what_fits_is_not_cut(text, room):
    assert cut(text, room) == text


@pytest.mark.parametrize(
    ("text", "room", "shown"),
    [
        ("abcd", 3, "ab…"),
        ("模型模型", 5, "模型…"),
        ("模型模型", 4, "模…"),
        ("ab", 0, ""),
        ("ab", 1, "…"),
    ],
)
def test_what_does_not_fit_ends_in_one_mark(text, room, shown):
    assert cut(text, room) == shown


@given(st.text(), st.integers(0, 30))
def test_a_cut_text_never_takes_more_room_than_it_is_given(text, room):
    assert columns(cut(text, room)) <= room
    assert cut(text, room).isprintable()


def test_author_cannot_pile_marks_up_or_make_the_cut_slow():
    assert len(cut("a" + "\u0301" * 1_000_000, 10)) == 10
    assert len(cut("\n" * 1_000_000, 10)) == 10


def test_a_count_has_its_noun_and_an_odd_plural_where_it_is_given():
    assert [many(count, "proof") for count in (0, 1, 2)] == ["0 proofs", "1 proof", "2 proofs"]
    assert [many(count, "identity", "identities") for count in (1, 2)] == [
        "1 identity", "2 identities",
    ]  # fmt: skip


def test_text_of_narrow_characters_is_cut_as_every_other_is():
    narrow = [
        chr(code) for code in (*range(0x20, 0x7F), *range(0xA1, 0x300), *range(0x2010, 0x2028))
    ]
    for character in narrow:
        if character.isprintable():
            assert columns(character) == 1, ascii(character)
        assert cut(character * 3, 3) == plain(character) * 3 or not character.isprintable()
    assert cut("“ä”" * 5, 15) == "“ä”" * 5
    assert cut("“ä”" * 5, 14) == ("“ä”" * 5)[:13] + "…"
    assert cut("“ä\u0301”x", 4) == "“ä\u0301…"
    assert cut("ab", 0) == cut("“”", 0) == ""
