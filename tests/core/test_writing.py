"""Files are written whole or not at all, and what is no file is left alone."""

from __future__ import annotations

import errno
import os
import socket
import stat

import pytest

from teeproof.core.errors import Unavailable, Usage
from teeproof.core.writing import PRIVATE, replacing, require_writable, write_file, write_folder


def test_a_file_is_there_once_it_is_complete(tmp_path):
    target = tmp_path / "new"
    with replacing(target, overwrite=False) as file:
        file.write(b"data")
        assert not target.exists()
    assert target.read_bytes() == b"data"
    assert os.listdir(tmp_path) == ["new"]


def test_what_fails_leaves_nothing_behind_and_what_was_there_alone(tmp_path):
    target = tmp_path / "old"
    target.write_bytes(b"old")
    with pytest.raises(ZeroDivisionError):
        _write_then(target, lambda: 1 // 0)
    assert target.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["old"]


def _write_then(target, do):
    with replacing(target, overwrite=True) as file:
        file.write(b"half")
        do()


def test_a_private_file_is_private(tmp_path):
    write_file(tmp_path / "key", b"x", overwrite=False, mode=PRIVATE)
    assert stat.S_IMODE((tmp_path / "key").stat().st_mode) == 0o600


def test_a_file_is_replaced_only_if_that_is_asked_for(tmp_path):
    target = tmp_path / "old"
    target.write_bytes(b"old")
    with pytest.raises(Usage) as caught:
        write_file(target, b"new", overwrite=False)
    assert caught.value.code == "out_taken"
    assert target.read_bytes() == b"old"
    write_file(target, b"new", overwrite=True)
    assert target.read_bytes() == b"new"


def test_a_link_to_a_file_is_written_through_and_stays_a_link(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    real, link = tmp_path / "elsewhere" / "real", tmp_path / "link"
    real.write_bytes(b"old")
    link.symlink_to("elsewhere/real")
    with pytest.raises(Usage) as caught:
        write_file(link, b"new", overwrite=False)
    assert caught.value.code == "out_taken"
    write_file(link, b"new", overwrite=True)
    assert link.is_symlink()
    assert real.read_bytes() == b"new"


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("pipe", "is a pipe"),
        ("device", "is a device"),
        ("socket", "is a socket"),
        ("directory", "is a directory"),
        ("link to a pipe", "is a pipe"),
        ("link to a device", "is a device"),
        ("link to nothing", "leads to no file"),
    ],
)
def test_whoever_forces_it_does_not_replace_what_is_no_file(
    tmp_path, monkeypatch, kind, words, overwrite
):
    monkeypatch.chdir(tmp_path)  # a socket's name is short
    target = _make(tmp_path, kind)
    before = _still(target)
    with pytest.raises(Usage) as caught:
        write_file(target, b"new", overwrite=overwrite)
    assert caught.value.code == "not_a_file"
    assert words in caught.value.detail
    assert _still(target) == before
    assert not [name for name in os.listdir(tmp_path) if name.endswith(".part")]


def _still(target):
    """What stays as it is while nobody writes; reading a link changes when it was read last."""
    found = os.lstat(target)
    return found.st_ino, found.st_dev, found.st_mode, found.st_size, found.st_mtime_ns


def _make(folder, kind):
    target = folder / "out"
    if kind == "pipe":
        os.mkfifo(target)
    elif kind == "device":
        target = type(folder)("/dev/full")
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind("out")
    elif kind == "directory":
        target.mkdir()
    elif kind == "link to nothing":
        target.symlink_to(folder / "nothing")
    else:
        os.mkfifo(folder / "pipe")
        target.symlink_to(folder / "pipe" if kind.endswith("pipe") else "/dev/full")
    return target


def test_a_file_that_becomes_a_pipe_meanwhile_is_not_replaced(tmp_path):
    target = tmp_path / "out"
    with pytest.raises(Usage) as caught:
        _write_then(target, lambda: os.mkfifo(target))
    assert caught.value.code == "not_a_file"
    assert os.listdir(tmp_path) == ["out"]


def test_no_name_and_no_folder_are_said(tmp_path):
    for name in ("a\0b", "/"):
        with pytest.raises(Usage):
            require_writable(type(tmp_path)(name), overwrite=True)
    with pytest.raises(Unavailable) as caught:
        write_file(tmp_path / "nowhere" / "out", b"", overwrite=False)
    assert caught.value.code == "out_unavailable"


def _names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_folder_is_written_whole_or_not_at_all(tmp_path):
    folder = tmp_path / "above" / "out"
    write_folder(folder, {"a": b"1", "b": b"2"}, overwrite=False)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {"a": b"1", "b": b"2"}
    with pytest.raises(Unavailable) as caught:
        write_folder(tmp_path / "other", {"a": b"1", "no/such": b"2"}, overwrite=False)
    assert caught.value.code == "out_unavailable"
    assert _names(tmp_path) == ["above"]


def test_a_folder_that_holds_something_is_replaced_only_if_that_is_wanted(tmp_path):
    folder = tmp_path / "out"
    folder.mkdir()
    write_folder(folder, {"old": b"1"}, overwrite=False)  # an empty one is nobody's
    with pytest.raises(Unavailable):
        write_folder(folder, {"new": b"2"}, overwrite=False)
    assert _names(folder) == ["old"]
    write_folder(folder, {"new": b"2"}, overwrite=True)
    assert _names(folder) == ["new"]
    assert _names(tmp_path) == ["out"]


def test_a_folder_that_cannot_be_replaced_stays(tmp_path, monkeypatch):
    folder = tmp_path / "out"
    write_folder(folder, {"old": b"1"}, overwrite=False)
    replace = type(folder).replace

    def failing(self, target):
        if target == folder and (self / "new").exists():
            raise OSError(errno.EIO, "it cannot")
        return replace(self, target)

    monkeypatch.setattr(type(folder), "replace", failing)
    with pytest.raises(Unavailable, match="it cannot"):
        write_folder(folder, {"new": b"2"}, overwrite=True)
    assert _names(folder) == ["old"]
    assert _names(tmp_path) == ["out"]
