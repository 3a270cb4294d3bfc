"""Files are read with a bound, and a name that is no file never blocks the reader."""

from __future__ import annotations

import io
import os
import threading
from pathlib import Path

import pytest

from teeproof.core.errors import TooLarge, Unavailable, Usage
from teeproof.core.reading import digest_file, peek, read_bounded, read_stream

HUNDRED_MEGABYTES = 100_000_000


@pytest.mark.parametrize("size", [0, 1, 99, 100])
def test_a_file_within_the_limit_is_read_whole(tmp_path, size):
    path = tmp_path / "file"
    path.write_bytes(b"x" * size)
    assert read_bounded(path, limit=100) == b"x" * size


def test_a_file_one_byte_over_the_limit_is_refused_with_both_sizes(tmp_path):
    path = tmp_path / "quote.bin"
    path.write_bytes(b"x" * 101)
    with pytest.raises(TooLarge) as refusal:
        read_bounded(path, limit=100, what="quote")
    assert refusal.value.detail == "quote.bin is too large for a quote"
    assert (refusal.value.expected, refusal.value.got) == ("at most 100 bytes", "101 bytes")


def test_a_file_of_100_megabytes_is_refused_without_reading_a_byte(tmp_path, monkeypatch):
    path = tmp_path / "sparse"
    with path.open("wb") as file:
        file.truncate(HUNDRED_MEGABYTES)
    monkeypatch.setattr("teeproof.core.reading.read_stream", _never)
    with pytest.raises(TooLarge, match="sparse"):
        read_bounded(path, limit=1 << 20)
    path.write_bytes(b"small")
    with pytest.raises(AssertionError, match="was read"):
        read_bounded(path, limit=1 << 20)


def _never(*_: object, **__: object) -> bytes:
    raise AssertionError("the file was read")


class Endless(io.RawIOBase):
    """A stream that never ends and counts what is taken from it."""

    taken = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:
        self.taken += len(buffer)
        return len(buffer)


def test_of_an_endless_stream_no_more_than_the_limit_and_a_buffer_is_taken():
    stream = Endless()
    with pytest.raises(TooLarge, match="input"):
        read_stream(io.BufferedReader(stream), limit=10_000)
    assert stream.taken <= 10_001 + io.DEFAULT_BUFFER_SIZE


def test_a_stream_that_ends_at_the_limit_is_accepted():
    assert read_stream(io.BytesIO(b"12345"), limit=5) == b"12345"
    with pytest.raises(TooLarge):
        read_stream(io.BytesIO(b"123456"), limit=5)


def test_a_file_that_claims_to_be_empty_and_is_endless_is_bounded():
    # Files of /proc say that they have no bytes; only reading tells.
    path = Path("/proc/self/maps")
    assert path.stat().st_size == 0
    with pytest.raises(TooLarge):
        read_bounded(path, limit=16)


def test_host_a_pipe_that_nobody_writes_to_does_not_block(tmp_path):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    answers: list[BaseException] = []

    def read() -> None:
        try:
            read_bounded(path, limit=100)
        except Usage as error:
            answers.append(error)

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    reader.join(timeout=300)
    assert [answer.code for answer in answers] == ["not_a_file"]


@pytest.mark.parametrize("name", ["/dev/zero", "/dev/null", "/"])
def test_a_device_or_directory_is_refused(name):
    with pytest.raises(Usage) as refusal:
        read_bounded(Path(name), limit=100)
    assert refusal.value.code == "not_a_file"


def test_a_link_to_a_file_is_followed_and_a_loop_is_refused(tmp_path):
    (tmp_path / "file").write_bytes(b"content")
    (tmp_path / "link").symlink_to("file")
    (tmp_path / "loop").symlink_to("loop")
    assert read_bounded(tmp_path / "link", limit=100) == b"content"
    with pytest.raises(Unavailable):
        read_bounded(tmp_path / "loop", limit=100)


def test_a_file_that_is_not_there_is_unavailable(tmp_path):
    with pytest.raises(Unavailable) as refusal:
        read_bounded(tmp_path / "nothing", limit=100)
    assert refusal.value.exit_code == 3
    assert refusal.value.got == str(tmp_path / "nothing")


def test_a_name_with_a_nul_byte_is_no_file_name():
    with pytest.raises(Usage) as refusal:
        read_bounded(Path("a\0b"), limit=100)
    assert refusal.value.code == "not_a_file"


@pytest.mark.parametrize("size", [0, 1, 4, 100])
def test_the_head_of_a_file_is_read_and_no_more(tmp_path, size):
    path = tmp_path / "file"
    path.write_bytes(b"abcd")
    assert peek(path, size) == b"abcd"[:size]


@pytest.mark.parametrize("read", [lambda path: peek(path, 4), digest_file])
def test_host_puts_something_else_where_a_file_should_be(tmp_path, read):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to("loop")
    for name, kind in (
        ("pipe", Usage), (".", Usage), ("missing", Unavailable), ("loop", Unavailable),
        ("a" * 300, Unavailable), ("x\0y", Usage),
    ):  # fmt: skip
        with pytest.raises(kind):
            read(tmp_path / name)
    with pytest.raises(Usage):
        read(Path("/dev/zero"))
