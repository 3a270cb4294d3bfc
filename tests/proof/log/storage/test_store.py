"""A log whose disk fails, fills up, or was changed by others."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress

import pytest

from teeproof.core.errors import NotAuthentic, Unavailable
from teeproof.proof.log.formats.checkpoint import Checkpoint, sign_checkpoint
from teeproof.proof.log.formats.note import NoteSigner
from teeproof.proof.log.storage import disk as disk_module
from tests.proof.log.storage.logs import ORIGIN, SEED, Model, crash, item, new, reopen
from tests.proof.log.storage.power import ForgetfulDisk


@pytest.fixture
def disk(tmp_path):
    return ForgetfulDisk(tmp_path)


def refused(code: str, action) -> Exception:
    with pytest.raises((Unavailable, NotAuthentic)) as refusal:
        action()
    assert refusal.value.code == code
    return refusal.value


def test_a_full_disk_acknowledges_nothing_and_the_log_goes_on_once_there_is_room(tmp_path, disk):
    with new(tmp_path, disk=disk) as log:
        model = Model()
        model.acknowledged([item(0)], log.append_many([item(0)]))
        disk.full = True
        refused("log_disk", lambda: log.append_many([item(at) for at in range(1, 600)]))
        assert log.submit(item(1)).exception().code == "log_disk"
        assert log.size == 1
        assert log.find(item(1).statement_id) is None
        refused("log_disk", log.publish)
        refused("log_disk", lambda: log.put_blob(b"evidence"))
        disk.full = False
        items = [item(at) for at in range(1, 600)]
        model.acknowledged(items, log.append_many(items))
        model.saw(log.publish())
        model.check(log)
    with reopen(tmp_path) as log:
        model.check(log)


def test_a_disk_that_fills_up_while_tiles_are_written_leaves_what_was_published(tmp_path, disk):
    with new(tmp_path, disk=disk) as log:
        model = Model()
        for size in (10, 300):
            items = [item(at) for at in range(log.size, log.size + size)]
            model.acknowledged(items, log.append_many(items))
            before = log.checkpoint()
            disk.full = True
            refused("log_disk", log.publish)
            assert log.checkpoint() == before
            disk.full = False
            model.saw(log.publish())
            model.check(log)


def test_a_sync_that_fails_stops_the_log_for_good(tmp_path, disk):
    log = new(tmp_path, disk=disk)
    model = Model()
    model.acknowledged([item(0)], log.append_many([item(0)]))
    disk.sick = True
    refused("log_poisoned", lambda: log.append_many([item(1)]))
    disk.sick = False
    refused("log_poisoned", lambda: log.append_many([item(2)]))
    assert log.size == 1
    assert log.find(item(1).statement_id) is None
    model.check(log)
    log.close()
    with reopen(tmp_path) as log:
        model.check(log)
        log.append_many([item(2)])


def test_all_who_wait_for_a_commit_that_fails_are_told(tmp_path, disk):
    log = new(tmp_path, disk=disk)
    disk.sick = True
    futures = [log.submit(item(0))]
    with suppress(Unavailable):
        futures += [log.submit(item(at)) for at in range(1, 700)]
    assert {future.exception().code for future in futures} == {"log_poisoned"}
    assert log.size == 0
    log.close()


def test_the_background_publisher_says_what_failed_and_tries_again(tmp_path, disk):
    import queue

    failures = queue.Queue()
    with new(tmp_path, disk=disk) as log:
        log.append_many([item(0)])
        disk.full = True
        log.start_publisher(0.005, failed=failures.put)
        assert failures.get().code == "log_disk"
        disk.full = False
        while log.published_size < 1:
            pass


def grown(tmp_path, *sizes: int) -> Model:
    model = Model()
    with new(tmp_path) as log:
        for size in sizes:
            items = [item(at) for at in range(log.size, log.size + size)]
            model.acknowledged(items, log.append_many(items))
            model.saw(log.publish())
    return model


def flip(path, at: int = -1) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


def test_a_changed_byte_anywhere_in_the_journal_is_found_when_the_index_is_new(tmp_path):
    grown(tmp_path, 3, 2)
    journal = tmp_path / "log" / "journal" / "00000000.journal"
    whole = journal.read_bytes()
    for at in range(0, len(whole), 37):
        flip(journal, at)
        (tmp_path / "log" / "index.sqlite").unlink(missing_ok=True)
        refused("log_corrupt", lambda: reopen(tmp_path))
        assert journal.stat().st_size == len(whole)
        journal.write_bytes(whole)


def test_a_changed_record_is_refused_with_its_commit_and_the_others_are_read(tmp_path):
    grown(tmp_path, 1, 1)
    journal = tmp_path / "log" / "journal" / "00000000.journal"
    flip(journal, journal.read_bytes().index(item(1).record))
    with reopen(tmp_path) as log:
        assert log.record(0) == item(0).record
        refused("log_corrupt", lambda: log.record(1))


def test_acknowledged_entries_that_are_missing_at_the_end_are_an_error(tmp_path):
    with new(tmp_path) as log:
        log.append_many([item(0)])
        log.append_many([item(1)])
        journal = tmp_path / "log" / "journal" / "00000000.journal"
        end = log._writing.committer.mark.last
    data = journal.read_bytes()
    journal.write_bytes(data[:end])
    refused("log_corrupt", lambda: reopen(tmp_path))
    assert journal.read_bytes() == data[:end]


def test_a_journal_that_is_older_than_what_was_published_is_an_error(tmp_path):
    with new(tmp_path) as log:
        log.append_many([item(0)])
    shutil.copytree(tmp_path / "log" / "journal", tmp_path / "old")
    with reopen(tmp_path) as log:
        log.append_many([item(1)])
        log.publish()
    shutil.rmtree(tmp_path / "log" / "journal")
    shutil.copytree(tmp_path / "old", tmp_path / "log" / "journal")
    refused("log_corrupt", lambda: reopen(tmp_path))
    (tmp_path / "log" / "index.sqlite").unlink()
    fewer = refused("log_corrupt", lambda: reopen(tmp_path))
    assert fewer.expected.startswith("size 2, ")
    assert "a journal of 1 entries" in fewer.got


def test_an_operator_who_puts_a_fork_in_place_of_the_checkpoint_is_caught_by_the_log(tmp_path):
    grown(tmp_path, 3)
    served = tmp_path / "log" / "public" / "checkpoint"
    fork = sign_checkpoint(Checkpoint(ORIGIN, 3, bytes(32)), NoteSigner(ORIGIN, SEED))
    served.write_bytes(fork.encode())
    caught = refused("log_corrupt", lambda: reopen(tmp_path))
    assert (bytes(32)).hex() in caught.expected
    flip(served, 10)
    refused("log_corrupt", lambda: reopen(tmp_path))


def test_a_checkpoint_that_is_not_served_is_served_again(tmp_path):
    model = grown(tmp_path, 3)
    (tmp_path / "log" / "public" / "checkpoint").unlink()
    with reopen(tmp_path) as log:
        model.check(log)


def test_tiles_that_are_missing_are_made_again(tmp_path):
    model = grown(tmp_path, 300, 300)
    shutil.rmtree(tmp_path / "log" / "public" / "tile")
    steps = []
    with reopen(tmp_path, progress=lambda *step: steps.append(step)) as log:
        model.check(log)
    assert steps[-1] == (600, 600)


@pytest.mark.parametrize("name", ["tile/0/002.p/88", "tile/1/000.p/2", "tile/entries/002.p/88"])
def test_a_tile_that_was_changed_is_an_error(tmp_path, name):
    grown(tmp_path, 300, 300)
    flip(tmp_path / "log" / "public" / name)
    refused("log_corrupt", lambda: reopen(tmp_path))


def test_a_full_tile_that_is_missing_or_short_is_an_error_for_the_proofs_that_need_it(tmp_path):
    grown(tmp_path, 600)
    tile = tmp_path / "log" / "public" / "tile/0/000"
    data = tile.read_bytes()
    tile.write_bytes(data[:-1])
    with reopen(tmp_path) as log:
        assert log.inclusion_proof(599)
        refused("log_corrupt", lambda: log.inclusion_proof(3))
        tile.unlink()
        refused("log_corrupt", lambda: log.inclusion_proof(3))
        tile.write_bytes(data)
        assert log.inclusion_proof(3)


def test_a_log_file_that_was_changed_is_an_error(tmp_path):
    grown(tmp_path, 1)
    about = tmp_path / "log" / "log.json"
    text = about.read_text()
    for changed in ("", "{}", text.replace(ORIGIN, "log.example/b", 1), text[:-3]):
        about.write_text(changed)
        refused("log_corrupt", lambda: reopen(tmp_path))


def test_files_that_were_not_done_are_removed(tmp_path):
    model = grown(tmp_path, 3)
    (tmp_path / "log" / "tmp" / "tile").write_bytes(b"half")
    with reopen(tmp_path) as log:
        model.check(log)
        assert list((tmp_path / "log" / "tmp").iterdir()) == []


def test_a_killed_writer_leaves_a_log_that_the_next_one_takes_over(tmp_path):
    log = new(tmp_path)
    model = Model()
    items = [item(at) for at in range(700)]
    model.acknowledged(items, log.append_many(items))
    crash(log)
    with reopen(tmp_path) as log:
        model.saw(log.publish())
        model.check(log)


@pytest.mark.parametrize("flag", [disk_module._DSYNC, 0], ids=["one call", "write, then sync"])
def test_a_write_that_the_system_cuts_short_is_finished(tmp_path, monkeypatch, flag):
    real, calls = os.pwritev, []

    def short(descriptor, parts, offset, flags=0):
        calls.append(flags)
        return real(descriptor, [b"".join(parts)[:5]], offset, flags)

    monkeypatch.setattr(disk_module, "_DSYNC", flag)
    monkeypatch.setattr(os, "pwritev", short)
    disk = disk_module.Disk()
    descriptor = disk.open(tmp_path / "a")
    disk.append(descriptor, [b"12345678", b"9abcdef"], 2)
    disk.close(descriptor)
    assert (tmp_path / "a").read_bytes() == b"\0\x00123456789abcdef"
    assert set(calls) == {flag}


def test_a_log_on_the_machines_own_disk_loses_nothing(tmp_path):
    model = Model()
    with new(tmp_path, disk=disk_module.Disk()) as log:
        items = [item(at) for at in range(300)]
        model.acknowledged(items, log.append_many(items))
        model.saw(log.publish())
        log.put_blob(b"evidence")
        crash(log)
    with reopen(tmp_path, disk=disk_module.Disk()) as log:
        model.check(log)
