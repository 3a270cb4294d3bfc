"""The journal's bytes: what is torn is cut, what is damaged is an error, nothing else passes."""

from __future__ import annotations

from zlib import crc32

import pytest

from teeproof.core.errors import Malformed, NotAuthentic
from teeproof.proof.log.storage import frames, segments
from teeproof.proof.log.storage.disk import Disk
from teeproof.proof.log.storage.frames import (
    SEGMENT_BYTES,
    Segment,
    encode_head,
    encode_table,
    parse_frame,
)
from teeproof.proof.log.storage.journal import Journal
from teeproof.proof.log.storage.segments import START, entries_in
from teeproof.proof.log.storage.stored import ENTRY

LOG = bytes(range(32))
SEGMENT = Segment(0, 0, bytes(range(16)), LOG, bytes(32))


def frame(contents: list[bytes], *, offset: int = SEGMENT_BYTES, first: int = 0) -> bytes:
    table = encode_table(bytes([ENTRY]) * len(contents), [len(one) for one in contents])
    data = b"".join(contents)
    head, _ = encode_head(
        SEGMENT, offset, first=first, table=table, length=len(data), crc=crc32(data)
    )
    return head + data


def journal(folder, *, limit: int = 1 << 20) -> Journal:
    (folder / "j").mkdir(exist_ok=True)
    return Journal(folder / "j", LOG, disk=Disk(), scratch=folder, limit=limit)


def written(folder, commits: list[list[bytes]], *, limit: int = 1 << 20) -> Journal:
    made = journal(folder, limit=limit)
    made.create()
    for contents in commits:
        append(made, contents)
    made.close()
    return made


def append(made: Journal, contents: list[bytes]) -> None:
    table = encode_table(bytes([ENTRY]) * len(contents), [len(one) for one in contents])
    made.append(table, contents, crc32(b"".join(contents)), entries=len(contents))


def opened(folder) -> Journal:
    found = journal(folder)
    found.open()
    assert all(found.recover())
    return found


def contents(found: Journal) -> list[bytes]:
    return [one for _, frame in found.scan(START, found.mark) for one in entries_in(frame)]


COMMITS = [[b"one"], [b"two", b"three"], [b"four" * 10]]
ALL = [one for commit in COMMITS for one in commit]


def test_a_frame_reads_back_as_it_was_written():
    data = frame([b"a", b"", b"ccc"])
    found = parse_frame(data, SEGMENT, SEGMENT_BYTES)
    assert [content for _, content in found.records] == [b"a", b"", b"ccc"]
    assert (found.offset, found.end) == (SEGMENT_BYTES, SEGMENT_BYTES + len(data))


def test_every_byte_of_a_frame_is_under_a_checksum():
    data = frame([b"a", b"bb"])
    for at in range(len(data)):
        for bit in (1, 128):
            changed = data[:at] + bytes([data[at] ^ bit]) + data[at + 1 :]
            with pytest.raises(Malformed):
                parse_frame(changed, SEGMENT, SEGMENT_BYTES)


def test_a_frame_that_is_cut_anywhere_is_refused():
    data = frame([b"a", b"bb"])
    for length in range(len(data)):
        with pytest.raises(Malformed):
            parse_frame(data[:length], SEGMENT, SEGMENT_BYTES)


def test_a_frame_passes_neither_at_another_place_nor_in_another_segment():
    data = frame([b"a"])
    with pytest.raises(Malformed):
        parse_frame(data, SEGMENT, SEGMENT_BYTES + 1)
    other = Segment(0, 0, SEGMENT.nonce[:8] + bytes(8), LOG, bytes(32))
    with pytest.raises(Malformed):
        parse_frame(data, other, SEGMENT_BYTES)


def test_lengths_and_counts_beyond_the_bounds_are_refused_before_anything_is_read():
    head = SEGMENT.marker + (frames.MAX_RECORDS + 1).to_bytes(4, "big") + bytes(44)
    with pytest.raises(Malformed):
        parse_frame(head, SEGMENT, SEGMENT_BYTES)
    long = SEGMENT.marker + bytes(3) + b"\1" + (frames.MAX_BODY_BYTES + 1).to_bytes(4, "big")
    with pytest.raises(Malformed):
        frames.frame_bytes(long + bytes(40), SEGMENT)


def test_a_segments_head_reads_back_and_with_any_byte_changed_it_is_refused():
    data = SEGMENT.encode()
    assert Segment.parse(data) == SEGMENT
    assert len(data) == SEGMENT_BYTES
    for at in range(len(data)):
        with pytest.raises(Malformed):
            Segment.parse(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
    with pytest.raises(Malformed):
        Segment.parse(data[:-1])


@pytest.mark.parametrize("limit", [1 << 20, 1], ids=["one segment", "a segment for each commit"])
def test_a_journal_reads_back_what_was_appended(tmp_path, limit):
    mark = written(tmp_path, COMMITS, limit=limit).mark
    found = opened(tmp_path)
    assert found.mark == mark
    assert contents(found) == ALL
    found.check(mark)


@pytest.mark.parametrize("limit", [1 << 20, 1], ids=["one segment", "a segment for each commit"])
def test_every_changed_byte_before_the_last_commit_is_an_error_and_cuts_nothing(tmp_path, limit):
    written(tmp_path, COMMITS, limit=limit)
    paths = sorted((tmp_path / "j").iterdir())
    last = opened(tmp_path).mark.last
    for path in paths:
        data = path.read_bytes()
        end = last if path == paths[-1] else len(data)
        for at in range(end):
            path.write_bytes(data[:at] + bytes([data[at] ^ 0x10]) + data[at + 1 :])
            with pytest.raises(NotAuthentic) as damaged:
                opened(tmp_path)
            assert damaged.value.code == "log_corrupt"
            assert path.stat().st_size == len(data)
        path.write_bytes(data)


def test_a_last_commit_that_is_cut_anywhere_is_cut_off_and_the_rest_stays(tmp_path):
    written(tmp_path, COMMITS)
    found = opened(tmp_path)
    path = found.path(0)
    data = path.read_bytes()
    for length in range(found.mark.last, len(data)):
        for hole in (False, True):
            torn = data[:length]
            path.write_bytes(torn.ljust(len(data), b"\0") if hole else torn)
            again = opened(tmp_path)
            again.settle()
            again.close()
            assert contents(again) == ALL[:-1]
            assert path.read_bytes() == data[: found.mark.last]
    again = opened(tmp_path)
    append(again, [b"x"])
    again.close()
    assert contents(opened(tmp_path)) == [*ALL[:-1], b"x"]


def test_a_changed_byte_in_the_last_commit_is_an_error_for_who_knows_of_it(tmp_path):
    mark = written(tmp_path, COMMITS).mark
    path = journal(tmp_path).path(0)
    data = path.read_bytes()
    for at in range(mark.last, len(data)):
        path.write_bytes(data[:at] + bytes([data[at] ^ 0x10]) + data[at + 1 :])
        found = journal(tmp_path)
        found.open()
        with pytest.raises(NotAuthentic) as damaged:
            found.check(mark)
        assert damaged.value.code == "log_corrupt"


def test_content_that_looks_like_a_frame_passes_for_none(tmp_path):
    """Whoever submits it does not know the segment's nonce; even with it, the place is wrong."""
    made = written(tmp_path, [[b"one"]])
    path = made.path(0)
    inner = frame([b"forged"])
    made = opened(tmp_path)
    append(made, [inner])
    made.close()
    data = path.read_bytes()
    path.write_bytes(data[:-1])
    assert contents(opened(tmp_path)) == [b"one"]


def test_a_missing_segment_is_an_error(tmp_path):
    written(tmp_path, COMMITS, limit=1)
    paths = sorted((tmp_path / "j").iterdir())
    middle = paths[1].read_bytes()
    paths[1].unlink()
    with pytest.raises(NotAuthentic) as missing:
        opened(tmp_path)
    assert missing.value.code == "log_corrupt"
    paths[1].write_bytes(middle[:-1])
    with pytest.raises(NotAuthentic):
        opened(tmp_path)
    paths[1].write_bytes(middle[:SEGMENT_BYTES])
    with pytest.raises(NotAuthentic) as short:
        opened(tmp_path)
    assert "does not end where the next begins" in short.value.detail


def test_a_missing_last_segment_is_an_error_for_who_knows_of_it(tmp_path):
    mark = written(tmp_path, COMMITS, limit=1).mark
    sorted((tmp_path / "j").iterdir())[-1].unlink()
    found = opened(tmp_path)
    with pytest.raises(NotAuthentic):
        found.check(mark)


def test_a_segment_of_another_log_is_an_error(tmp_path):
    written(tmp_path, COMMITS)
    other = Journal(tmp_path / "j", bytes(32), disk=Disk(), scratch=tmp_path)
    with pytest.raises(NotAuthentic) as foreign:
        other.open()
    assert "another log" in foreign.value.detail


def test_one_entry_of_a_frame_is_read_and_none_of_a_damaged_one(tmp_path):
    made = written(tmp_path, [[b"%d" % at for at in range(700)], [b"next"]])
    assert made.entry(0, SEGMENT_BYTES, 699) == b"699"
    with pytest.raises(NotAuthentic):
        made.entry(0, SEGMENT_BYTES, 700)
    data = made.path(0).read_bytes()
    made.path(0).write_bytes(data.replace(b"699", b"69x", 1))
    assert made.entry(0, SEGMENT_BYTES, 698) == b"698", "it was whole when it was read"
    again = journal(tmp_path)
    again.open()
    with pytest.raises(NotAuthentic) as damaged:
        again.entry(0, SEGMENT_BYTES, 0)
    assert damaged.value.code == "log_corrupt"
    assert again.entry(0, made.mark.last, 0) == b"next"


def test_a_bounded_number_of_frames_is_kept_and_no_large_one(tmp_path, monkeypatch):
    made = written(tmp_path, [[b"%d" % at] for at in range(40)])
    marks = []
    offset = SEGMENT_BYTES
    for _ in range(40):
        marks.append(offset)
        assert made.entry(0, offset, 0) == b"%d" % (len(marks) - 1)
        offset = made.frame(0, offset).end
    assert list(made._near) == [(0, offset) for offset in marks[-segments._NEAR :]]
    monkeypatch.setattr(segments, "_NEAR_BYTES", 8)
    made._near.clear()
    assert made.entry(0, marks[3], 0) == b"3"
    assert not made._near
