"""Files by name: complete or not there at all, and readable by whom they should be."""

from __future__ import annotations

import os
import stat

import pytest

from teeproof.core.errors import Error, Malformed, NotAllowed, NotAuthentic, Unavailable, Usage
from teeproof.core.sealed import (
    PrivateRecipient,
    open_file,
    read_key,
    read_recipient,
    seal_file,
    write_key,
)
from teeproof.core.sealed import files as module
from teeproof.core.sealed.segments import FIRST_PLAIN, PLAIN
from tests.core.sealed.scenes import ALICE, BOB, EVE, plain

DATA = plain(FIRST_PLAIN + PLAIN + 99)


@pytest.fixture
def sealed(tmp_path):
    (tmp_path / "plain").write_bytes(DATA)
    seal_file(tmp_path / "plain", tmp_path / "sealed", recipients=[ALICE.public])
    return tmp_path / "sealed"


def names(folder) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def mode(path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_file_is_sealed_and_opened(sealed, tmp_path):
    open_file(sealed, tmp_path / "back", key=ALICE)
    assert (tmp_path / "back").read_bytes() == DATA
    assert names(tmp_path) == ["back", "plain", "sealed"]


def test_what_was_opened_is_private_and_what_was_sealed_is_as_the_umask_says(tmp_path):
    before = os.umask(0o027)
    try:
        (tmp_path / "plain").write_bytes(b"x")
        seal_file(tmp_path / "plain", tmp_path / "sealed", recipients=[ALICE.public])
        open_file(tmp_path / "sealed", tmp_path / "back", key=ALICE)
    finally:
        os.umask(before)
    assert mode(tmp_path / "sealed") == 0o640
    assert mode(tmp_path / "back") == 0o600


@pytest.mark.parametrize("there", ["file", "link to nothing", "directory"])
def test_nothing_is_overwritten(sealed, tmp_path, there):
    target = tmp_path / "back"
    if there == "file":
        target.write_bytes(b"mine")
    elif there == "directory":
        target.mkdir()
    else:
        target.symlink_to(tmp_path / "nothing")
    with pytest.raises(Usage) as caught:
        open_file(sealed, target, key=ALICE)
    assert caught.value.code == ("out_taken" if there == "file" else "not_a_file")
    if there == "file":
        assert target.read_bytes() == b"mine"


def test_unless_that_is_asked_for(sealed, tmp_path):
    (tmp_path / "back").write_bytes(b"mine")
    open_file(sealed, tmp_path / "back", key=ALICE, overwrite=True)
    assert (tmp_path / "back").read_bytes() == DATA
    assert mode(tmp_path / "back") == 0o600


def test_a_file_that_appears_meanwhile_is_not_overwritten(sealed, tmp_path):
    target = tmp_path / "back"

    def meanwhile(done: int) -> None:
        target.write_bytes(b"mine")

    with pytest.raises(Usage) as caught:
        open_file(sealed, target, key=ALICE, progress=meanwhile)
    assert caught.value.code == "out_taken"
    assert target.read_bytes() == b"mine"
    assert names(tmp_path) == ["back", "plain", "sealed"]


def test_where_links_are_not_possible_a_rename_does(sealed, tmp_path, monkeypatch):
    def refuse(*_):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(module.os, "link", refuse)
    open_file(sealed, tmp_path / "back", key=ALICE)
    assert (tmp_path / "back").read_bytes() == DATA


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        (lambda data: data[:-1], NotAuthentic),
        (lambda data: data[: 244 + (1 << 20)], Error),
        (lambda data: data[:100], Malformed),
        (lambda data: data + b"\0", NotAuthentic),
        (lambda data: data[:-50] + bytes(1) + data[-49:], NotAuthentic),
    ],
    ids=["cut", "cut in the middle", "cut in the header", "extended", "changed"],
)
def test_host_changes_the_file_and_no_plaintext_gets_its_name(sealed, tmp_path, change, kind):
    sealed.write_bytes(change(sealed.read_bytes()))
    with pytest.raises(kind):
        open_file(sealed, tmp_path / "back", key=ALICE)
    assert names(tmp_path) == ["plain", "sealed"]


def test_host_changes_the_file_and_what_was_there_stays(sealed, tmp_path):
    (tmp_path / "back").write_bytes(b"mine")
    sealed.write_bytes(sealed.read_bytes()[:-1])
    with pytest.raises(NotAuthentic):
        open_file(sealed, tmp_path / "back", key=ALICE, overwrite=True)
    assert (tmp_path / "back").read_bytes() == b"mine"


def test_a_target_may_have_the_longest_name_that_there_is(sealed, tmp_path):
    target = tmp_path / ("ü" * 127)
    open_file(sealed, target, key=ALICE)
    assert target.read_bytes() == DATA


def test_a_wrong_key_leaves_nothing(sealed, tmp_path):
    with pytest.raises(NotAllowed):
        open_file(sealed, tmp_path / "back", key=EVE)
    assert names(tmp_path) == ["plain", "sealed"]


def test_an_interrupt_leaves_nothing(sealed, tmp_path):
    def interrupt(done: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        open_file(sealed, tmp_path / "back", key=ALICE, progress=interrupt)
    assert names(tmp_path) == ["plain", "sealed"]


def test_a_full_disk_is_named_and_leaves_nothing(sealed, tmp_path, monkeypatch):
    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module.os, "fsync", full)
    with pytest.raises(Unavailable) as caught:
        open_file(sealed, tmp_path / "back", key=ALICE)
    assert caught.value.code == "out_unavailable"
    assert "No space left" in caught.value.detail
    assert names(tmp_path) == ["plain", "sealed"]


def test_what_is_no_file_is_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for source, kind, code in (
        (tmp_path / "nothing", Unavailable, "file_unavailable"),
        (tmp_path, Usage, "not_a_file"),
        (tmp_path / "pipe", Usage, "not_a_file"),
        (tmp_path / "a\0b", Usage, "not_a_file"),
    ):
        with pytest.raises(kind) as caught:
            seal_file(source, tmp_path / "out", recipients=[ALICE.public])
        assert caught.value.code == code
    assert names(tmp_path) == ["pipe"]


def test_a_target_that_cannot_be_is_refused(tmp_path):
    (tmp_path / "plain").write_bytes(b"")
    for target, kind in (
        (tmp_path / "no folder" / "out", Unavailable),
        (tmp_path / "a\0b", Usage),
        (tmp_path, Usage),
    ):
        with pytest.raises(kind):
            seal_file(tmp_path / "plain", target, recipients=[ALICE.public])
    assert names(tmp_path) == ["plain"]


def test_a_file_may_be_sealed_over_itself_when_asked(tmp_path):
    (tmp_path / "it").write_bytes(DATA)
    seal_file(tmp_path / "it", tmp_path / "it", recipients=[ALICE.public], overwrite=True)
    open_file(tmp_path / "it", tmp_path / "it", key=ALICE, overwrite=True)
    assert (tmp_path / "it").read_bytes() == DATA


@pytest.mark.parametrize("key", [ALICE, BOB], ids=["x25519", "hybrid"])
def test_keys_are_kept_in_files_that_only_their_owner_reads(tmp_path, key):
    before = os.umask(0)
    try:
        write_key(tmp_path / "a.key", key)
    finally:
        os.umask(before)
    assert mode(tmp_path / "a.key") == 0o600
    assert read_key(tmp_path / "a.key") == key
    (tmp_path / "a.pub").write_text(key.public.text + "\n")
    assert read_recipient(tmp_path / "a.pub") == key.public


def test_a_key_is_never_overwritten(tmp_path):
    write_key(tmp_path / "a.key", ALICE)
    with pytest.raises(Usage):
        write_key(tmp_path / "a.key", PrivateRecipient.new())
    assert read_key(tmp_path / "a.key") == ALICE


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "recipient_malformed"),
        (b"\xff\xfe", "recipient_malformed"),
        (ALICE.public.text.encode(), "key_public"),
        (ALICE.secret_text.encode()[:-1], "recipient_checksum"),
        (ALICE.secret_text.encode() + b"\n\n", "recipient_checksum"),
        (bytes(5000), "too_large"),
    ],
    ids=["empty", "no text", "public", "cut", "another line", "large"],
)
def test_what_is_no_key_file_is_refused_by_name(tmp_path, content, code):
    (tmp_path / "a.key").write_bytes(content)
    with pytest.raises(Malformed) as caught:
        read_key(tmp_path / "a.key")
    assert caught.value.code == code
