"""All entries one after the other: each once, in order, to where the log ended when asked."""

from __future__ import annotations

import os

import pytest

from teeproof.core.errors import NotAuthentic, Usage
from teeproof.proof.log.storage import publisher, reader
from teeproof.proof.log.storage.log import Log
from tests.proof.log.storage.logs import crash, item, new, reopen


@pytest.fixture(params=[1, 3000, 1 << 20], ids=["many segments", "some segments", "one segment"])
def log(request, tmp_path):
    """A log of commits of many sizes, with checkpoints between them, not all of it published."""
    new(tmp_path).close()
    with reopen(tmp_path, segment_limit=request.param) as log:
        for count in (1, 300, 2, 20):
            log.append_many([item(at) for at in range(log.size, log.size + count)])
            log.publish()
        log.append_many([item(at) for at in range(log.size, log.size + 7)])
        yield log


def ids(found) -> list[bytes]:
    return [stored.statement_id for stored in found]


def expected(start: int, stop: int) -> list[bytes]:
    return [item(at).statement_id for at in range(start, stop)]


def test_a_writer_sees_each_durable_entry_once_and_in_order(log):
    assert log.size == 330
    for start in (0, 1, 2, 255, 300, 301, 322, 323, 324, 329, 330, 400):
        assert ids(log.iterate(start)) == expected(start, 330)
    assert next(log.iterate(5)) == log.stored(5)


def test_a_reader_sees_what_is_published(log):
    with Log.open(log.directory, read_only=True) as other:
        for start in (0, 299, 322, 323):
            assert ids(other.iterate(start)) == expected(start, 323)
        log.publish()
        assert ids(other.iterate(320)) == expected(320, 330)


def test_entries_that_the_index_does_not_have_yet_are_seen(log):
    log._index.clear()
    assert ids(log.iterate()) == expected(0, 330)


def test_what_is_appended_meanwhile_waits_for_the_next_time(log):
    found = log.iterate()
    next(found)
    log.append_many([item(at) for at in range(330, 700)])
    assert ids(found) == expected(1, 330)
    assert ids(log.iterate(690)) == expected(690, 700)


def test_an_empty_log_has_no_entries(tmp_path):
    with new(tmp_path) as log:
        assert list(log.iterate()) == []
        with pytest.raises(Usage) as refusal:
            log.iterate(-1)
        assert refusal.value.code == "outside_log"


def test_a_changed_entry_is_an_error_and_those_before_it_are_seen(tmp_path):
    log = new(tmp_path)
    for at in range(3):
        log.append_many([item(at)])
    path = log._writing.journal.path(0)
    path.write_bytes(path.read_bytes().replace(item(1).record, bytes(40)))
    found = log.iterate()
    assert next(found).record == item(0).record
    with pytest.raises(NotAuthentic) as damaged:
        next(found)
    assert damaged.value.code == "log_corrupt"
    crash(log)


@pytest.mark.parametrize("kept", [0, 1, 100], ids=["nothing", "a byte", "half a frame"])
def test_a_journal_that_ends_too_early_is_an_error(tmp_path, kept):
    log = new(tmp_path)
    log.append_many([item(0)])
    end = log._writing.journal.mark.offset
    log.append_many([item(1)])
    os.truncate(log._writing.journal.path(0), end + kept)
    with pytest.raises(NotAuthentic) as short:
        list(log.iterate())
    assert short.value.code == "log_corrupt"
    crash(log)


@pytest.fixture
def verified(monkeypatch):
    """Count how often a served checkpoint is verified."""
    seen = []

    def served(*arguments):
        seen.append(1)
        return publisher.served(*arguments)

    monkeypatch.setattr(reader, "served", served)
    return seen


def older(path) -> None:
    """Make a file look as if it were written a second earlier."""
    found = path.stat()
    os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns - 10**9))


def test_a_reader_verifies_a_checkpoint_once_and_the_next_one_again(tmp_path, verified):
    with new(tmp_path) as log:
        log.append_many([item(0), item(1)])
        log.publish()
        older(log.public / "checkpoint")
        with Log.open(log.directory, read_only=True) as other:
            for at in (0, 1, 0, 1):
                assert other.stored(at).statement_id == item(at).statement_id
            assert len(verified) == 1
            log.append_many([item(2)])
            log.publish()
            assert other.published_size == 3
            assert len(verified) == 2


def test_a_checkpoint_that_was_just_written_is_looked_at_again(tmp_path, verified):
    """Another one of the same length may have the same time, and the same place on the disk."""
    with new(tmp_path) as log:
        log.publish()
        later = log.public / "checkpoint"
        found = later.stat()
        os.utime(later, ns=(found.st_atime_ns, found.st_mtime_ns + 10**12))
        with Log.open(log.directory, read_only=True) as other:
            assert other.published_size == other.published_size == 0
        assert len(verified) == 2


def test_a_checkpoint_that_was_changed_in_its_place_is_refused(tmp_path):
    with new(tmp_path) as log:
        log.append_many([item(0)])
        log.publish()
        path = log.public / "checkpoint"
        older(path)
        with Log.open(log.directory, read_only=True) as other:
            assert other.published_size == 1
            path.write_bytes(path.read_bytes().replace(b"\n1\n", b"\n9\n"))
            with pytest.raises(NotAuthentic):
                other.checkpoint()
