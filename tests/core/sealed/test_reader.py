"""Random access returns what plain bytes would, and authenticates what it touches."""

from __future__ import annotations

import concurrent.futures
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from teeproof.core.errors import Error, Malformed, NotAuthentic
from teeproof.core.sealed import open_sealed, seal
from teeproof.core.sealed.segments import FIRST_PLAIN, PLAIN
from tests.core.sealed.scenes import ALICE, BOB, EDGES, Parts, opened, plain, sealed

DATA = plain(FIRST_PLAIN + 2 * PLAIN + 12_345)
FILE = sealed(DATA)
PLACES = st.one_of(
    st.integers(0, len(DATA) + 10),
    st.sampled_from([FIRST_PLAIN, FIRST_PLAIN + PLAIN, len(DATA)]).flatmap(
        lambda edge: st.integers(edge - 2, edge + 2)
    ),
)
LENGTHS = st.one_of(st.integers(0, 40), st.integers(0, len(DATA)), st.just(PLAIN))


@pytest.fixture(scope="module")
def reader():
    with open_sealed(io.BytesIO(FILE), key=ALICE) as found:
        yield found


@settings(max_examples=200)
@given(offset=PLACES, length=LENGTHS)
def test_any_range_is_the_same_range_of_the_plaintext(reader, offset, length):
    assert reader.read_at(offset, length) == DATA[offset : offset + length]


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("read"), LENGTHS),
        st.tuples(st.just("readinto"), LENGTHS),
        st.tuples(st.just("seek"), PLACES),
        st.tuples(st.just("back"), st.integers(0, 1000)),
        st.tuples(st.just("end"), st.integers(0, 1000)),
        st.tuples(st.just("tell"), st.none()),
    ),
    max_size=12,
)


@settings(max_examples=100)
@given(steps=STEPS)
def test_a_reader_behaves_like_a_file_of_the_plaintext(steps):
    with open_sealed(io.BytesIO(FILE), key=ALICE) as ours:
        theirs = io.BytesIO(DATA)
        for step, value in steps:
            assert does(ours, step, value) == does(theirs, step, value)


def does(file, step, value):
    match step:
        case "read":
            return file.read(value)
        case "readinto":
            buffer = bytearray(value)
            return file.readinto(buffer), bytes(buffer)
        case "seek":
            return file.seek(value)
        case "back":
            return file.seek(max(0, file.tell() - value) - file.tell(), io.SEEK_CUR)
        case "end":
            return file.seek(-value, io.SEEK_END)
    return file.tell()


@pytest.mark.parametrize("size", EDGES)
def test_the_size_is_known_at_once(size):
    with open_sealed(io.BytesIO(sealed(plain(size))), key=ALICE) as found:
        assert found.size == size
        assert found.read() == plain(size)
        assert found.read() == found.read(5) == b""
        assert found.seek(0, io.SEEK_END) == size


def test_several_threads_may_read_at_once(reader):
    places = [(n * 77_777 % len(DATA), n * 1000) for n in range(60)]
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda place: reader.read_at(*place), places))
    assert found == [DATA[offset : offset + length] for offset, length in places]


def test_a_reader_is_a_stream_that_can_be_sealed_again_for_others():
    target = io.BytesIO()
    seal(open_sealed(io.BytesIO(FILE), key=ALICE), target, recipients=[BOB.public])
    assert opened(target.getvalue(), key=BOB) == DATA


def test_a_sealed_file_may_stand_behind_other_bytes():
    source = io.BytesIO(b"before" + FILE)
    source.seek(6)
    assert open_sealed(source, key=ALICE).read_at(FIRST_PLAIN, 9) == DATA[FIRST_PLAIN:][:9]


class Counting(io.BytesIO):
    """Counts the bytes that are read."""

    count = 0

    def readinto(self, buffer):
        got = super().readinto(buffer)
        self.count += got
        return got


def test_only_the_segments_that_are_touched_are_read():
    source = Counting(FILE)
    reader = open_sealed(source, key=ALICE)
    assert source.count == 12_345 + 16 + 40  # the last segment, which fixes the size
    source.count = 0
    assert reader.read_at(FIRST_PLAIN - 1, 2) == DATA[FIRST_PLAIN - 1 :][:2]
    assert source.count == 2 * (1 << 20) - 40
    source.count = 0
    for place in range(FIRST_PLAIN, FIRST_PLAIN + 1000, 10):
        reader.read_at(place, 10)
    assert source.count == 0  # it is kept


def test_host_truncates_and_the_reader_does_not_open():
    parts = Parts.of(FILE)
    short = parts.with_(segments=parts.segments[:2]).encode()
    for data, code in (
        (short, "payload_truncated"),
        (FILE[:-1], "last_segment_not_authentic"),
        (FILE + b"\0", "last_segment_not_authentic"),
        (parts.header.encode() + parts.payload_header, "payload_truncated"),
        (parts.header.encode(), "payload_truncated"),
    ):
        with pytest.raises(Error) as caught:
            open_sealed(io.BytesIO(data), key=ALICE)
        assert caught.value.code == code


def test_host_changes_a_segment_and_only_reads_of_it_fail():
    parts = Parts.of(FILE)
    middle = bytes([parts.segments[1][0] ^ 1]) + parts.segments[1][1:]
    changed = parts.with_(segments=(parts.segments[0], middle, *parts.segments[2:])).encode()
    with open_sealed(io.BytesIO(changed), key=ALICE) as reader:
        assert reader.read_at(0, FIRST_PLAIN) == DATA[:FIRST_PLAIN]
        for offset, length in ((FIRST_PLAIN, 1), (FIRST_PLAIN, PLAIN), (0, len(DATA))):
            with pytest.raises(NotAuthentic) as caught:
                reader.read_at(offset, length)
            assert caught.value.code == "segment_not_authentic"
        assert reader.read_at(FIRST_PLAIN + PLAIN, 50) == DATA[FIRST_PLAIN + PLAIN :][:50]


def test_host_swaps_segments_and_reads_of_them_say_so():
    parts = Parts.of(FILE)
    swapped = (parts.segments[0], parts.segments[2], parts.segments[1], parts.segments[3])
    with (
        open_sealed(io.BytesIO(parts.with_(segments=swapped).encode()), key=ALICE) as reader,
        pytest.raises(NotAuthentic) as caught,
    ):
        reader.read_at(FIRST_PLAIN, 1)
    assert (caught.value.code, caught.value.got) == ("segment_moved", "segment 2")


def test_a_buffer_holds_nothing_of_a_segment_that_failed():
    parts = Parts.of(FILE)
    middle = parts.segments[1][:-1] + bytes([parts.segments[1][-1] ^ 1])
    changed = parts.with_(segments=(parts.segments[0], middle, *parts.segments[2:])).encode()
    buffer = bytearray(b"\xaa" * PLAIN)
    with open_sealed(io.BytesIO(changed), key=ALICE) as reader:
        reader.seek(FIRST_PLAIN)
        with pytest.raises(NotAuthentic):
            reader.readinto(buffer)
        assert reader.tell() == FIRST_PLAIN
    assert bytes(buffer) == bytes(PLAIN)


def test_host_shrinks_the_file_while_it_is_read():
    source = io.BytesIO(FILE)
    reader = open_sealed(source, key=ALICE)
    source.truncate(1 << 20)
    with pytest.raises(Malformed) as caught:
        reader.read_at(FIRST_PLAIN, 10)
    assert caught.value.code == "payload_truncated"


def test_places_and_ranges_that_are_none_are_refused(reader):
    for wrong in (
        lambda: reader.seek(-1),
        lambda: reader.seek(0, 7),
        lambda: reader.read_at(-1, 1),
        lambda: reader.read_at(0, -1),
    ):
        with pytest.raises(ValueError, match="no such"):
            wrong()
    assert reader.read_at(len(DATA) + 5, 10) == b""


def test_closing_a_reader_closes_the_sealed_file():
    source = io.BytesIO(FILE)
    with open_sealed(source, key=ALICE) as reader:
        assert reader.readable()
        assert reader.seekable()
        assert not reader.writable()
    assert source.closed
    with pytest.raises(ValueError, match="closed"):
        reader.read(1)
