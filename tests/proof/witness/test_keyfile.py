"""A witness's key is kept for its owner alone, and is never made twice."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor

import pytest

from teeproof.core.errors import Error, Malformed, NotAllowed, Usage
from teeproof.proof.log.formats.cosignature import cosigned_at
from teeproof.proof.witness.keyfile import FILE_NAME, create_key, open_key
from tests.proof.witness.scenes import NOW, Book

NAME = "witness.example/w1"


def test_a_key_is_read_back_and_signs_as_before(tmp_path):
    assert open_key(tmp_path) is None
    made = create_key(tmp_path, NAME)
    assert stat.S_IMODE((tmp_path / FILE_NAME).stat().st_mode) == 0o600
    opened = open_key(tmp_path)
    assert opened.verifier == made.verifier
    text = Book.of(3).signed().note.text
    assert cosigned_at(text, opened.cosign(text, time=NOW), made.verifier) == NOW
    assert sorted(path.name for path in tmp_path.iterdir()) == ["lock", FILE_NAME]


def test_a_key_is_never_overwritten(tmp_path):
    create_key(tmp_path, NAME)
    before = (tmp_path / FILE_NAME).read_bytes()
    with pytest.raises(Usage):
        create_key(tmp_path, NAME)
    assert (tmp_path / FILE_NAME).read_bytes() == before


def test_two_first_starts_at_once_make_one_key(tmp_path):
    def made(_):
        try:
            return create_key(tmp_path, NAME).verifier
        except Error:
            return None

    with ThreadPoolExecutor(8) as pool:
        keys = [key for key in pool.map(made, range(16)) if key]
    assert keys == [open_key(tmp_path).verifier]


def test_two_keys_differ(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    assert create_key(tmp_path / "a", NAME).verifier != create_key(tmp_path / "b", NAME).verifier


def test_other_users_a_key_that_they_can_read_is_not_used(tmp_path):
    create_key(tmp_path, NAME)
    (tmp_path / FILE_NAME).chmod(0o640)
    with pytest.raises(NotAllowed) as caught:
        open_key(tmp_path)
    assert caught.value.code == "witness_key_open"


@pytest.mark.parametrize(
    "change",
    [
        lambda d: b"",
        lambda d: d[:-3],
        lambda d: d.replace(b"w1+", b"w2+"),
        lambda d: d.replace(b"PRIVATE", b"private"),
        lambda d: b"\xff" + d,
        lambda d: d.replace(b"+BA", b"+AB"),
    ],
)
def test_a_changed_key_is_refused(tmp_path, change):
    create_key(tmp_path, NAME, random=bytes)
    path = tmp_path / FILE_NAME
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(Malformed):
        open_key(tmp_path)


def test_a_name_that_no_key_can_have_is_refused(tmp_path):
    with pytest.raises(Malformed):
        create_key(tmp_path, "w 1")
