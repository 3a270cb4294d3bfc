"""Sealing and opening streams: every size, every kind of stream, in little memory."""

from __future__ import annotations

import io
import os
import threading

import pytest

from teeproof.core.errors import Malformed, Unavailable, Usage
from teeproof.core.sealed import open_stream, read_header, seal
from teeproof.core.sealed.segments import FIRST_PLAIN, PLAIN, payload_size
from tests.core.sealed.scenes import ALICE, BOB, EDGES, EVE, POLICY, opened, plain, sealed

THREE = plain(FIRST_PLAIN + 2 * PLAIN + 5)


@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize("size", EDGES)
def test_what_is_sealed_opens_to_the_same_bytes(size, threads):
    file = sealed(plain(size), [ALICE, BOB], policy_digest=POLICY, threads=threads)
    assert len(file) == len(read_header(io.BytesIO(file)).encode()) + payload_size(size)
    assert opened(file, threads=threads) == plain(size)
    assert opened(file, key=BOB) == plain(size)


def test_both_directions_return_the_header_that_stands_in_the_file():
    target = io.BytesIO()
    made = seal(io.BytesIO(b"x"), target, recipients=[ALICE.public], policy_digest=POLICY)
    target.seek(0)
    assert read_header(target) == made
    target.seek(0)
    assert open_stream(target, io.BytesIO(), key=ALICE) == made


def test_two_files_of_one_plaintext_have_nothing_in_common():
    one, two = (sealed(bytes(100)) for _ in range(2))
    assert one[11:27] != two[11:27]
    assert one[-116:] != two[-116:]
    assert one[204:237] != two[204:237]


def counting(size: int) -> bytes:
    """Return other bytes on each call."""
    counting.calls += 1
    return bytes([counting.calls]) * size


def test_randomness_is_asked_for_once_for_each_secret():
    counting.calls = 0
    file = sealed(b"x", random=counting)
    header = read_header(io.BytesIO(file))
    assert header.file_id == bytes([1]) * 16
    assert file[204:237] == b"\x28" + bytes([3]) * 32
    assert file[237:244] == bytes([4]) * 7


class Dribble(io.RawIOBase):
    """A stream that gives and takes a few bytes at a time, like a pipe or a socket."""

    def __init__(self, data: bytes = b"", step: int = 100_003) -> None:
        self.inner, self.step = io.BytesIO(data), step

    def readable(self) -> bool:
        return True

    def writable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:
        return self.inner.readinto(memoryview(buffer)[: self.step])

    def write(self, data) -> int:
        return self.inner.write(memoryview(data)[: self.step])


class OnlyRead:
    """A stream with ``read`` and nothing else."""

    def __init__(self, data: bytes) -> None:
        self.inner = io.BytesIO(data)

    def read(self, size: int = -1) -> bytes:
        return self.inner.read(min(size, 70_001))


@pytest.mark.parametrize("kind", [Dribble, OnlyRead])
def test_streams_may_give_and_take_a_little_at_a_time(kind):
    target = Dribble()
    seal(kind(THREE), target, recipients=[ALICE.public])
    back = Dribble()
    open_stream(kind(target.inner.getvalue()), back, key=ALICE)
    assert back.inner.getvalue() == THREE


def test_a_header_may_come_byte_by_byte():
    target = io.BytesIO()
    open_stream(Dribble(sealed(b"content", [ALICE, BOB]), step=1), target, key=BOB)
    assert target.getvalue() == b"content"


def test_a_pipe_is_sealed_to_its_end():
    out, into = os.pipe()

    def feed() -> None:
        with open(into, "wb") as writer:
            writer.write(THREE)

    thread = threading.Thread(target=feed)
    thread.start()
    target = io.BytesIO()
    with open(out, "rb", buffering=0) as reader:
        seal(reader, target, recipients=[ALICE.public])
    thread.join()
    assert opened(target.getvalue()) == THREE


def test_a_stream_that_does_not_wait_is_refused():
    class Impatient(io.RawIOBase):
        def readable(self):
            return True

        def readinto(self, buffer):
            return None

    with pytest.raises(Usage) as caught:
        seal(Impatient(), io.BytesIO(), recipients=[ALICE.public])
    assert caught.value.code == "not_blocking"


def test_progress_counts_plaintext_and_ends_with_its_size():
    target, said = io.BytesIO(), []
    seal(io.BytesIO(THREE), target, recipients=[ALICE.public], progress=said.append)
    assert said == [FIRST_PLAIN, FIRST_PLAIN + PLAIN, FIRST_PLAIN + 2 * PLAIN, len(THREE)]
    again = []
    open_stream(
        io.BytesIO(target.getvalue()), io.BytesIO(), key=ALICE, progress=again.append, threads=1
    )
    assert again == said


@pytest.mark.parametrize("threads", [0, -1, 65])
def test_a_number_of_threads_that_makes_no_sense_is_refused(threads):
    for work in (
        lambda: sealed(b"", threads=threads),
        lambda: opened(sealed(b""), threads=threads),
    ):
        with pytest.raises(Usage) as caught:
            work()
        assert caught.value.code == "threads"


class Failing(io.BytesIO):
    """A stream whose disk breaks after a while."""

    def readinto(self, buffer):
        if self.tell() > FIRST_PLAIN:
            raise OSError(5, "Input/output error")
        return super().readinto(buffer)

    def write(self, data):
        if self.tell() > FIRST_PLAIN:
            raise OSError(28, "No space left on device")
        return super().write(data)


@pytest.mark.parametrize("threads", [1, 3])
def test_a_source_or_target_that_breaks_ends_the_work(threads):
    before = set(threading.enumerate())
    with pytest.raises(Unavailable) as caught:
        seal(Failing(THREE), io.BytesIO(), recipients=[ALICE.public], threads=threads)
    assert caught.value.code == "file_unavailable"
    with pytest.raises(OSError, match="No space left"):
        seal(io.BytesIO(THREE), Failing(), recipients=[ALICE.public], threads=threads)
    assert set(threading.enumerate()) <= before


def test_an_interrupt_ends_every_thread():
    def interrupt(done: int) -> None:
        raise KeyboardInterrupt

    before = set(threading.enumerate())
    with pytest.raises(KeyboardInterrupt):
        sealed(THREE, progress=interrupt, threads=4)
    assert set(threading.enumerate()) <= before


def test_what_follows_no_header_is_not_opened():
    with pytest.raises(Malformed) as caught:
        opened(b"GIF89a" + bytes(100))
    assert caught.value.code == "not_sealed"


def test_a_granted_data_key_of_another_file_does_not_open_this_one():
    from teeproof.core.errors import NotAuthentic
    from teeproof.core.sealed import unwrap_key

    other = unwrap_key(read_header(io.BytesIO(sealed(b"", [EVE]))), EVE)
    with pytest.raises(NotAuthentic) as caught:
        opened(sealed(b""), key=other)
    assert caught.value.code == "header_not_authentic"
