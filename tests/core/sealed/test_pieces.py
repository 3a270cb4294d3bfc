"""Real files are read at several places at once, and give what a stream gives."""

from __future__ import annotations

import gzip
import io
import os

import pytest

from teeproof.core.errors import Unavailable
from teeproof.core.sealed import open_stream, seal
from teeproof.core.sealed.pieces import Ahead, Placed, cut
from teeproof.core.sealed.segments import FIRST_PLAIN, PLAIN
from tests.core.sealed.scenes import ALICE, EDGES, opened, plain, sealed

LARGE = plain(FIRST_PLAIN + 3 * PLAIN + 11)


@pytest.fixture
def large(tmp_path):
    (tmp_path / "large").write_bytes(LARGE)
    return tmp_path / "large"


def sealed_from(source, **options) -> bytes:
    target = io.BytesIO()
    seal(source, target, recipients=[ALICE.public], **options)
    return target.getvalue()


@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize("size", EDGES)
def test_a_file_of_any_size_is_sealed_and_opened(tmp_path, size, threads):
    (tmp_path / "plain").write_bytes(plain(size))
    with open(tmp_path / "plain", "rb", buffering=0) as source:
        (tmp_path / "sealed").write_bytes(sealed_from(source, threads=threads))
        assert source.read() == b""
    target = io.BytesIO()
    with open(tmp_path / "sealed", "rb") as source:
        open_stream(source, target, key=ALICE, threads=threads)
        assert source.read() == b""
    assert target.getvalue() == plain(size)


@pytest.mark.parametrize("buffering", [0, -1], ids=["raw", "buffered"])
def test_a_file_is_sealed_from_where_it_stands(large, buffering):
    with open(large, "rb", buffering=buffering) as source:
        assert source.read(1234) == LARGE[:1234]
        assert isinstance(cut(source, first=FIRST_PLAIN, rest=PLAIN), Placed)
        source.seek(1234)
        assert opened(sealed_from(source)) == LARGE[1234:]


def test_a_file_whose_descriptor_holds_something_else_is_read_as_a_stream(large):
    packed = large.with_name("packed")
    with gzip.open(packed, "wb", compresslevel=0) as target:
        target.write(LARGE)
    with gzip.open(packed, "rb") as source:
        assert isinstance(cut(source, first=FIRST_PLAIN, rest=PLAIN), Ahead)
        assert opened(sealed_from(source)) == LARGE


def test_a_file_of_the_kernel_s_is_not_taken_for_empty():
    with open("/proc/self/status", "rb", buffering=0) as source:
        assert os.fstat(source.fileno()).st_size == 0
        assert opened(sealed_from(source)).startswith(b"Name:")


@pytest.mark.parametrize("threads", [1, 2])
def test_a_file_that_becomes_shorter_is_not_sealed_in_part(large, threads):
    def shrink(done: int) -> None:
        os.truncate(large, FIRST_PLAIN + 5)

    with open(large, "rb", buffering=0) as source, pytest.raises(Unavailable) as caught:
        sealed_from(source, threads=threads, progress=shrink)
    assert caught.value.code == "source_changed"


def test_what_is_added_to_a_file_meanwhile_is_left_out(large):
    def grow(done: int) -> None:
        with open(large, "ab") as more:
            more.write(bytes(PLAIN))

    with open(large, "rb", buffering=0) as source:
        assert opened(sealed_from(source, progress=grow)) == LARGE


def test_a_disk_that_breaks_is_named(large, monkeypatch):
    from teeproof.core.sealed import pieces

    def broken(*_):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(pieces.os, "preadv", broken)
    with open(large, "rb", buffering=0) as source, pytest.raises(Unavailable) as caught:
        sealed_from(source)
    assert caught.value.code == "file_unavailable"
    assert "Input/output error" in caught.value.detail


def test_a_file_and_a_stream_of_it_give_the_same_segments(large):
    fixed = {"random": bytes, "threads": 2}
    with open(large, "rb", buffering=0) as source:
        ours = sealed_from(source, **fixed)
    # HPKE takes randomness of its own, so headers differ, and payload keys with them.
    assert len(ours) == len(sealed(LARGE, **fixed))
    assert opened(ours) == opened(sealed(LARGE, **fixed)) == LARGE
