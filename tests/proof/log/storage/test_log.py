"""A log on disk: what was acknowledged is there, what is served fits what was signed."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import stat
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from teeproof.core.errors import NotAuthentic, TooLarge, Unavailable, Usage
from teeproof.proof.log.formats import rfc6962
from teeproof.proof.log.formats.cosignature import Cosigner
from teeproof.proof.log.formats.entry import Entry, commitment
from teeproof.proof.log.storage.log import Item, Log
from tests.proof.log.storage.logs import (
    AUTHORS,
    ORIGIN,
    SEED,
    Model,
    QuickDisk,
    check_tree,
    item,
    new,
    reopen,
)


@pytest.fixture
def log(tmp_path):
    with new(tmp_path) as log:
        yield log


def grown(log: Log, *sizes: int) -> Model:
    model, number = Model(), 0
    for size in sizes:
        items = [item(at) for at in range(number, number + size)]
        model.acknowledged(items, log.append_many(items))
        model.saw(log.publish())
        number += size
    return model


def test_an_entry_is_found_by_its_id_with_its_place_its_salt_and_its_record(log):
    thing = item(1)
    done = log.append(
        kind=thing.kind,
        statement_id=thing.statement_id,
        identity=thing.identity,
        seal=thing.seal,
        record=thing.record,
    )
    assert (done.index, len(done.salt), log.size) == (0, 32, 1)
    assert log.find(thing.statement_id) == done
    assert log.record(0) == thing.record
    entry = Entry(thing.kind, commitment(done.salt, thing.statement_id, thing.seal), thing.identity)
    assert log.entry(0) == entry.encode()
    assert log.find(bytes(32)) is None


def test_a_new_log_serves_the_checkpoint_of_the_empty_tree(log):
    assert log.checkpoint().checkpoint.size == log.size == log.published_size == 0
    assert (log.public / "checkpoint").read_bytes() == log.checkpoint().encode()


def test_every_size_has_tiles_proofs_and_a_checkpoint_that_fit(log):
    model = grown(log, 1, 1, 253, 1, 1, 511, 3, 600)
    model.check(log)


def test_partial_tiles_are_removed_one_checkpoint_after_they_became_full(log):
    grown(log, 100, 200)
    assert (log.public / "tile/0/000.p/100").is_file()
    assert (log.public / "tile/entries/000.p/100").is_file()
    log.append_many([item(1000)])
    log.publish()
    assert not (log.public / "tile/0/000.p").exists()
    assert not (log.public / "tile/entries/000.p").exists()
    assert (log.public / "tile/0/001.p/44").is_file()


def test_publishing_nothing_new_signs_nothing_new(log):
    log.append_many([item(1)])
    assert log.publish() is log.publish()


def test_what_is_not_published_is_not_served_yet(log):
    log.append_many([item(1)])
    assert (log.size, log.published_size) == (1, 0)
    assert not (log.public / "tile").exists()
    with pytest.raises(Usage) as refusal:
        log.inclusion_proof(0)
    assert refusal.value.code == "outside_tree"
    with pytest.raises(Unavailable) as none:
        log.first_checkpoint(0)
    assert none.value.code == "checkpoint_unknown"


def test_nothing_secret_or_guessable_lies_in_the_public_folder(log):
    items = [item(at, size=400) for at in range(300)]
    done = log.append_many(items)
    log.publish()
    served = b"".join(path.read_bytes() for path in log.public.rglob("*") if path.is_file())
    for thing, appended in zip(items, done, strict=True):
        for secret in (thing.statement_id, appended.salt, thing.record[:32]):
            assert secret not in served
    assert SEED not in served


def test_the_key_file_is_for_its_owner_only(tmp_path):
    with Log.create(tmp_path / "log", origin=ORIGIN):
        path = tmp_path / "log" / "key"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert len(path.read_bytes()) == 32


def test_a_statement_that_is_appended_again_keeps_its_first_place(log):
    first = log.append_many([item(1), item(2), item(1)])
    assert first[0] == first[2]
    assert [done.index for done in first] == [0, 1, 0]
    assert log.append_many([item(2)]) == [first[1]]
    log.publish()
    log.rebuild_index()
    assert log.append_many([item(2), item(3)])[0] == first[1]
    assert log.size == 3
    with Log.open(log.directory, read_only=True) as reader:
        assert reader.find(item(2).statement_id) == first[1]


def test_the_first_record_of_a_statement_stays(log):
    log.append_many([item(1)])
    log.append_many([Item(1, item(1).statement_id, bytes(32), item(1).seal, b"another")])
    assert log.record(0) == item(1).record


def test_two_statements_whose_ids_begin_alike_are_kept_apart(log):
    one, two = bytes(32), bytes(31) + b"\1"
    a, b = log.append_many(
        [Item(1, one, AUTHORS[0], bytes(32), b"a"), Item(1, two, AUTHORS[0], bytes(32), b"b")]
    )
    log.publish()
    assert (log.find(one), log.find(two)) == (a, b)
    assert log.append_many([Item(1, two, AUTHORS[0], bytes(32), b"b")]) == [b]
    assert log.find(bytes(8) + b"\2" * 24) is None


def test_duplicates_are_known_after_the_log_was_closed(tmp_path):
    with new(tmp_path) as log:
        done = log.append_many([item(at) for at in range(20)])
    with reopen(tmp_path) as log:
        assert log.append_many([item(at) for at in range(20)]) == done
        assert log.size == 20


def test_many_threads_append_at_once_and_each_entry_has_one_place(log):
    items = [item(at % 150) for at in range(300)]

    def one(thing):
        return log.append(
            kind=thing.kind,
            statement_id=thing.statement_id,
            identity=thing.identity,
            seal=thing.seal,
            record=thing.record,
        )

    with ThreadPoolExecutor(16) as pool:
        found = list(pool.map(one, items))
    model = Model()
    model.acknowledged(items, found)
    assert sorted({done.index for done in found}) == list(range(150))
    log.publish()
    model.check(log)


def test_submitted_entries_come_back_in_futures(log):
    futures = [log.submit(item(at % 40)) for at in range(80)]
    done = [future.result() for future in futures]
    assert done[:40] == done[40:]
    assert log.size == 40


class GatedDisk(QuickDisk):
    """Each commit waits for a permit."""

    def __init__(self) -> None:
        self.permits = threading.Semaphore(1)  # for the first checkpoint
        self.begun = threading.Semaphore(0)

    def append(self, descriptor, parts, offset):
        self.begun.release()
        self.permits.acquire()
        super().append(descriptor, parts, offset)


def test_a_duplicate_is_acknowledged_no_sooner_than_its_first_copy_is_durable(tmp_path):
    disk = GatedDisk()
    with new(tmp_path, disk=disk) as log:
        disk.begun.acquire()
        one = log.submit(item(1))
        disk.begun.acquire()
        two, again = log.submit(item(2)), log.submit(item(2))
        disk.permits.release()
        one.result()
        assert not two.done()
        assert not again.done()
        assert log.find(item(2).statement_id) is None
        disk.permits.release()
        assert again.result() == two.result()
        assert log.find(item(2).statement_id) == two.result()


def test_the_entries_of_an_author_are_listed_in_order(log):
    log.append_many([item(at) for at in range(10)])
    assert log.entries_by(AUTHORS[0]) == [0, 2, 4, 6, 8]
    assert log.entries_by(AUTHORS[1], start=4, limit=2) == [5, 7]
    assert log.entries_by(bytes(32)) == []


@pytest.mark.parametrize(
    "thing",
    [
        pytest.param(Item(0, bytes(32), bytes(32), bytes(32), b""), id="kind"),
        pytest.param(Item(1, bytes(31), bytes(32), bytes(32), b""), id="statement id"),
        pytest.param(Item(1, bytes(32), bytes(33), bytes(32), b""), id="identity"),
    ],
)
def test_an_item_of_another_form_is_refused_and_nothing_of_its_chunk_is_appended(log, thing):
    with pytest.raises(Usage) as refusal:
        log.append_many([item(1), thing])
    assert refusal.value.code == "log_item"
    assert log.size == 0


def test_a_record_of_one_mebibyte_is_taken_and_one_byte_more_is_refused(log):
    largest = Item(1, bytes(32), bytes(32), bytes(32), bytes(1 << 20))
    log.append_many([largest])
    assert log.record(0) == largest.record
    with pytest.raises(TooLarge):
        log.append_many([Item(1, bytes(31) + b"1", bytes(32), bytes(32), bytes((1 << 20) + 1))])
    assert log.size == 1


def test_large_records_do_not_make_a_commit_too_large(log):
    items = [
        Item(1, item(at).statement_id, bytes(32), bytes(32), bytes(1 << 20)) for at in range(12)
    ]
    log.append_many(items)
    assert len(log.record(11)) == 1 << 20


def test_an_entry_that_is_not_there_is_refused_with_the_size(log):
    log.append_many([item(1)])
    for index in (-1, 1):
        with pytest.raises(Usage) as refusal:
            log.entry(index)
        assert refusal.value.code == "outside_log"


def test_proofs_between_published_sizes_hold_and_to_unpublished_ones_are_refused(log):
    model = grown(log, 5, 300)
    old, new_ = log.first_checkpoint(0).checkpoint, log.checkpoint().checkpoint
    rfc6962.verify_consistency(
        old_size=5,
        old_root=old.root,
        new_size=305,
        new_root=new_.root,
        proof=log.consistency_proof(5),
    )
    leaf = rfc6962.leaf_hash(log.entry(3))
    rfc6962.verify_inclusion(leaf, index=3, size=5, proof=log.inclusion_proof(3, 5), root=old.root)
    for refused in (lambda: log.inclusion_proof(3, 306), lambda: log.consistency_proof(5, 306)):
        with pytest.raises(Usage) as refusal:
            refused()
        assert refusal.value.code == "outside_tree"
    assert log.node(8, 0) == log.node(8, 0)
    with pytest.raises(Usage):
        log.node(9, 0)
    model.check(log)


def witnesses(count: int) -> list[Cosigner]:
    return [Cosigner(f"w{at}.example", bytes([at]) * 32) for at in range(count)]


def test_the_first_checkpoint_that_is_accepted_is_the_earliest_with_what_is_asked(log):
    grown(log, 1, 1, 1, 1)
    lines = {
        size: witness.cosign(log.first_checkpoint(size - 1).note.text, time=1000 + size)
        for size, witness in zip((2, 4), witnesses(2), strict=True)
    }
    log.add_cosignatures(4, [lines[4]])
    log.add_cosignatures(2, [lines[2]])
    log.add_cosignatures(2, [lines[2]])

    def has(size):
        return lambda signed: lines[size] in signed.note.signatures

    assert log.first_checkpoint(0).checkpoint.size == 1
    assert log.first_checkpoint(0, accept=has(2)).checkpoint.size == 2
    assert log.first_checkpoint(0, accept=has(4)).checkpoint.size == 4
    assert log.first_checkpoint(2, accept=has(4)).checkpoint.size == 4
    with pytest.raises(Unavailable) as none:
        log.first_checkpoint(2, accept=has(2))
    assert none.value.code == "checkpoint_unknown"
    assert lines[4] in log.checkpoint().note.signatures
    assert (log.public / "checkpoint").read_bytes() == log.checkpoint().encode()


def test_cosignatures_of_a_checkpoint_that_was_not_published_are_refused(log):
    grown(log, 2)
    with pytest.raises(Unavailable) as refusal:
        log.add_cosignatures(1, [witnesses(1)[0].cosign(log.checkpoint().note.text, time=1)])
    assert refusal.value.code == "checkpoint_unknown"


def test_more_cosignatures_than_a_note_may_have_are_refused(log):
    grown(log, 1)
    lines = [w.cosign(log.checkpoint().note.text, time=1) for w in witnesses(64)]
    with pytest.raises(TooLarge) as refusal:
        log.add_cosignatures(1, lines)
    assert refusal.value.code == "cosignatures_too_many"
    log.add_cosignatures(1, lines[:63])
    assert len(log.checkpoint().note.signatures) == 64


def test_cosignatures_outlive_the_log_that_took_them(tmp_path):
    with new(tmp_path) as log:
        grown(log, 2)
        (line,) = [w.cosign(log.checkpoint().note.text, time=1) for w in witnesses(1)]
        log.add_cosignatures(2, [line])
    (tmp_path / "log" / "index.sqlite").unlink()
    with reopen(tmp_path) as log:
        assert line in log.checkpoint().note.signatures
        assert line in log.first_checkpoint(0).note.signatures


def test_the_background_publisher_covers_each_entry_without_being_asked(log):
    log.start_publisher(0.005)
    for at in range(10):
        log.append_many([item(at)])
    waiting = threading.Event()
    while log.published_size < 10:
        waiting.wait(0.005)
    check_tree(log, {})
    with pytest.raises(Usage) as twice:
        log.start_publisher()
    assert twice.value.code == "log_publisher"


def test_a_blob_is_kept_by_its_digest_and_a_changed_one_is_refused(log):
    digest = log.put_blob(b"evidence")
    assert log.put_blob(b"evidence") == digest
    assert log.blob(digest) == b"evidence"
    path = log.directory / "blobs" / digest[7:9] / digest[7:]
    path.write_bytes(b"Evidence")
    with pytest.raises(NotAuthentic) as changed:
        log.blob(digest)
    assert changed.value.code == "log_corrupt"
    assert log.put_blob(b"evidence") == digest
    assert log.blob(digest) == b"evidence"
    with pytest.raises(Unavailable) as none:
        log.blob("sha256:" + "0" * 64)
    assert none.value.code == "blob_unknown"


def test_a_second_writer_is_refused_and_a_reader_is_not(log):
    grown(log, 3)
    with pytest.raises(Unavailable) as refusal:
        Log.open(log.directory)
    assert refusal.value.code == "log_locked"
    with Log.open(log.directory, read_only=True) as reader:
        assert (reader.origin, reader.size) == (ORIGIN, 3)
        check_tree(reader, {})
        log.append_many([item(at) for at in range(3, 300)])
        assert reader.size == 3
        log.publish()
        assert reader.size == 300
        check_tree(reader, {})
        assert reader.find(item(299).statement_id).index == 299
        assert reader.entries_by(AUTHORS[1], start=297) == [297, 299]
        with pytest.raises(Usage) as writing:
            reader.append_many([item(1)])
        assert writing.value.code == "log_read_only"


def _try_to_open(directory, answer):
    try:
        Log.open(directory)
    except Unavailable as error:
        answer.put(error.code)
    else:
        answer.put("opened")


def test_a_writer_in_another_process_is_refused(log):
    context = multiprocessing.get_context("spawn")
    answer = context.Queue()
    child = context.Process(target=_try_to_open, args=(log.directory, answer))
    child.start()
    assert answer.get() == "log_locked"
    child.join()
    answer.close()
    answer.join_thread()


def test_a_closed_log_says_so_and_another_may_write(log):
    log.append_many([item(1)])
    log.close()
    log.close()
    with pytest.raises(Usage) as closed:
        log.append_many([item(2)])
    assert closed.value.code == "log_closed"
    with Log.open(log.directory) as again:
        assert again.size == 1


def test_a_log_is_not_made_over_another_nor_over_other_files(log, tmp_path):
    with pytest.raises(Usage) as refusal:
        Log.create(log.directory, origin=ORIGIN)
    assert refusal.value.code == "log_exists"
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.txt").touch()
    with pytest.raises(Usage):
        Log.create(tmp_path / "other", origin=ORIGIN)
    with pytest.raises(Unavailable) as missing:
        Log.open(tmp_path / "other")
    assert missing.value.code == "log_missing"


def test_an_empty_directory_becomes_a_log(tmp_path):
    (tmp_path / "log").mkdir()
    with new(tmp_path) as log:
        assert log.verifier.name == ORIGIN


def test_another_secret_key_than_the_logs_is_refused(tmp_path):
    with new(tmp_path) as log:
        directory = log.directory
    (directory / "key").write_bytes(bytes(32))
    with pytest.raises(NotAuthentic) as refusal:
        Log.open(directory)
    assert refusal.value.code == "log_corrupt"


def test_the_first_million_bytes_of_journal_lie_in_many_segments_if_they_are_small(tmp_path):
    with new(tmp_path):
        pass
    model = Model()
    with reopen(tmp_path, segment_limit=2000) as log:
        for at in range(0, 200, 10):
            items = [item(number, size=100) for number in range(at, at + 10)]
            model.acknowledged(items, log.append_many(items))
            model.saw(log.publish())
        assert len(os.listdir(log.directory / "journal")) > 10
        model.check(log)
    with reopen(tmp_path, segment_limit=2000) as log:
        model.check(log)


def test_folders_that_a_copy_by_file_left_out_are_made_anew(tmp_path):
    new(tmp_path).close()
    for name in ("tmp", "blobs", "public"):
        shutil.rmtree(tmp_path / "log" / name)
    with reopen(tmp_path) as log:
        log.put_blob(b"evidence")
        log.append_many([item(1)])
        assert log.publish().checkpoint.size == 1


def test_a_reader_of_a_log_whose_served_files_are_gone_is_told_so(tmp_path):
    with new(tmp_path) as log:
        log.append_many([item(at) for at in range(300)])
        signed = log.publish()
    shutil.rmtree(tmp_path / "log" / "public")
    with reopen(tmp_path, read_only=True) as log:
        with pytest.raises(Unavailable, match="teeproof log publish") as gone:
            log.checkpoint()
        assert (gone.value.code, gone.value.expected) == (
            "served_missing",
            "a checkpoint of 300 entries",
        )
    reopen(tmp_path).close()
    with reopen(tmp_path, read_only=True) as log:
        assert log.checkpoint() == signed


@pytest.mark.parametrize("read_only", [True, False])
def test_a_segment_that_is_a_link_to_nothing_is_missing(tmp_path, read_only):
    with new(tmp_path) as log:
        grown(log, 3)
    segment = tmp_path / "log" / "journal" / "00000000.journal"
    kept = segment.rename(tmp_path / "kept")
    segment.symlink_to("nowhere")
    with pytest.raises(NotAuthentic, match="segment 0 of the journal is missing") as missing:
        reopen(tmp_path, read_only=read_only)
    assert missing.value.code == "log_corrupt"
    kept.replace(segment)
    with reopen(tmp_path, read_only=read_only) as log:
        assert log.record(2) == item(2).record


@pytest.mark.parametrize("read_only", [True, False])
def test_a_segment_that_is_a_folder_cannot_be_read(tmp_path, read_only):
    with new(tmp_path) as log:
        grown(log, 3)
    segment = tmp_path / "log" / "journal" / "00000000.journal"
    segment.unlink()
    segment.mkdir()
    with pytest.raises(Unavailable, match="restore the log's directory") as unread:
        reopen(tmp_path, read_only=read_only)
    assert (unread.value.code, unread.value.got) == ("log_disk", str(segment))


def test_a_segment_that_goes_while_a_reader_reads_is_missing(tmp_path):
    with new(tmp_path) as log:
        grown(log, 3)
    with reopen(tmp_path, read_only=True) as log:
        (tmp_path / "log" / "journal" / "00000000.journal").unlink()
        for read in (lambda: log.record(0), lambda: list(log.iterate())):
            with pytest.raises(NotAuthentic, match="segment 0") as missing:
                read()
            assert missing.value.code == "log_corrupt"


def test_a_folder_in_place_of_the_served_checkpoint_is_for_the_owner_to_remove(tmp_path):
    with new(tmp_path) as log:
        before = grown(log, 3) and log.checkpoint()
    served = tmp_path / "log" / "public" / "checkpoint"
    served.unlink()
    served.mkdir()
    with (
        reopen(tmp_path, read_only=True) as log,
        pytest.raises(Unavailable, match="or remove it: it is made anew") as reading,
    ):
        log.checkpoint()
    with pytest.raises(Unavailable) as writing:
        reopen(tmp_path)
    for error in (reading, writing):
        assert (error.value.code, error.value.got) == ("log_disk", str(served))
    served.rmdir()
    reopen(tmp_path).close()
    with reopen(tmp_path, read_only=True) as log:
        assert log.checkpoint() == before
