"""Verdict keys in files: for their owner only, in one spelling, and never printed."""

from __future__ import annotations

import pytest

from teeproof.core.errors import Error, Unavailable
from teeproof.proof.results.keyfile import (
    VerdictKey,
    parse_public,
    parse_secret,
    read_public,
    read_secret,
)
from tests.proof.results.verdicts import KEY


@pytest.fixture
def file(tmp_path):
    KEY.write(tmp_path / "verdict.key")
    return tmp_path / "verdict.key"


def code_of(call, *arguments):
    with pytest.raises(Error) as caught:
        call(*arguments)
    return caught.value.code


def test_a_key_is_written_for_its_owner_alone_and_reads_back(file):
    assert file.stat().st_mode & 0o777 == 0o600
    assert read_secret(file).public == KEY.public
    assert read_public(file) == KEY.public
    assert parse_public(KEY.text) == KEY.public


def test_nothing_is_overwritten(file):
    assert code_of(VerdictKey.new().write, file) == "out_taken"


def test_a_key_that_others_can_read_signs_nothing(file):
    file.chmod(0o640)
    assert code_of(read_secret, file) == "key_open"


def test_a_public_key_signs_nothing(tmp_path):
    path = tmp_path / "verdict.pub"
    path.write_text(KEY.text + "\n")
    path.chmod(0o600)
    assert read_public(path) == KEY.public
    assert code_of(read_secret, path) == "key_public"


@pytest.mark.parametrize(
    "text",
    ["", "teeproof-verdict-", KEY.text + "0", KEY.text[:-1], KEY.text.upper(), f" {KEY.text}",
     "teeproof-verdict-" + "0" * 64, "teeproof-seal-" + "0" * 64],
)  # fmt: skip
def test_what_is_no_public_key_is_refused(text):
    assert code_of(parse_public, text) == "verdict_key_malformed"


@pytest.mark.parametrize(
    "text", ["teeproof-verdict-secret-", "teeproof-verdict-secret-" + "0" * 63]
)
def test_what_is_no_secret_key_is_refused_and_not_shown(text):
    with pytest.raises(Error) as caught:
        parse_secret(text)
    assert caught.value.code == "verdict_key_malformed"
    assert "000" not in str(caught.value.got)


def test_a_key_prints_its_public_half_alone():
    assert "07" * 32 not in repr(KEY)
    assert KEY.public.hex() in repr(KEY)


def test_a_broken_random_source_makes_no_key():
    with pytest.raises(Unavailable):
        VerdictKey.new(random=lambda _: b"")
