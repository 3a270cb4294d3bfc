"""The index follows from the journal, and from nothing else."""

from __future__ import annotations

import os
import sqlite3

import msgspec
import pytest

from teeproof.core.errors import NotAuthentic, Unavailable
from teeproof.proof.log.formats.cosignature import Cosigner
from teeproof.proof.log.storage import index as index_module
from teeproof.proof.log.storage.bloom import Bloom, prefix_of
from teeproof.proof.log.storage.log import Log
from teeproof.proof.log.storage.segments import Mark
from tests.proof.log.storage.logs import Model, crash, item, new, reopen


def grown(tmp_path) -> tuple[Model, dict]:
    model = Model()
    with new(tmp_path) as log:
        for size in (1, 40, 300, 7):
            items = [item(at) for at in range(log.size, log.size + size)]
            model.acknowledged(items, log.append_many(items))
            model.saw(log.publish())
            line = Cosigner("w.example", bytes(32)).cosign(log.checkpoint().note.text, time=size)
            log.add_cosignatures(log.size, [line])
        log.append_many([item(at) for at in range(1000, 1005)])
        log._writing.sync()
        return model, log._index.dump()


def test_an_index_that_was_deleted_is_made_anew_and_says_the_same(tmp_path):
    model, before = grown(tmp_path)
    (tmp_path / "log" / "index.sqlite").unlink()
    steps = []
    with reopen(tmp_path, progress=lambda *step: steps.append(step)) as log:
        assert log._index.dump() == before
        model.check(log)
    assert steps[-1] == (353, 353)


def test_an_index_is_made_anew_on_demand_and_says_the_same(tmp_path):
    model, before = grown(tmp_path)
    with reopen(tmp_path) as log:
        log.rebuild_index()
        assert log._index.dump() == before
        model.check(log)


def test_an_index_that_lags_behind_is_brought_up_to_date(tmp_path):
    _, before = grown(tmp_path)
    with reopen(tmp_path) as log:
        more = [item(at) for at in range(2000, 2400)]
        log.append_many(more)
        crash(log)
    with reopen(tmp_path) as log:
        behind = log._index.dump()
        assert len(behind["ids"]) == len(before["ids"]) + 400
        assert log.append_many(more)[0].index == 353
        log.rebuild_index()
        assert log._index.dump() == behind


@pytest.mark.parametrize(
    "content", [b"", b"no database", b"SQLite format 3\0" + bytes(4080)], ids=["0", "text", "zeros"]
)
def test_a_file_that_is_no_index_is_replaced(tmp_path, content):
    model, before = grown(tmp_path)
    (tmp_path / "log" / "index.sqlite").write_bytes(content)
    with reopen(tmp_path) as log:
        assert log._index.dump() == before
        model.check(log)


def test_the_index_of_another_log_is_replaced(tmp_path):
    _, before = grown(tmp_path)
    other = tmp_path / "other"
    other.mkdir()
    with Log.create(other / "log", origin="other.example") as log:
        log.append_many([item(1)])
    path = tmp_path / "log" / "index.sqlite"
    path.write_bytes((other / "log" / "index.sqlite").read_bytes())
    with reopen(tmp_path) as log:
        assert log._index.dump() == before


def test_an_index_that_lies_about_a_place_is_caught_by_the_journal(tmp_path):
    grown(tmp_path)
    database = sqlite3.connect(tmp_path / "log" / "index.sqlite")
    database.execute("UPDATE frames SET offset = offset + 1")
    database.commit()
    database.close()
    with reopen(tmp_path) as log:
        with pytest.raises(NotAuthentic) as caught:
            log.record(0)
        assert caught.value.code == "log_corrupt"
        log.rebuild_index()
        assert log.record(0) == item(0).record


def changed(tmp_path, *statements: str) -> None:
    database = sqlite3.connect(tmp_path / "log" / "index.sqlite")
    for statement in statements:
        database.execute(statement)
    database.commit()
    database.close()


def damaged_schema(tmp_path) -> None:
    """Names that are no text: SQLite says them in an error that Python cannot decode."""
    changed(tmp_path, "PRAGMA wal_checkpoint(TRUNCATE)")
    path = tmp_path / "log" / "index.sqlite"
    path.write_bytes(path.read_bytes().replace(b"CREATE TABLE meta", b"CR\xc5\xc5TE TABLE meta"))


def read(tmp_path) -> tuple[bytes, int]:
    with reopen(tmp_path, read_only=True) as log:
        return log.record(0), log.first_checkpoint(0).checkpoint.size


BREAKS = {
    "text": lambda path: (path / "log" / "index.sqlite").write_bytes(b"no database, only text"),
    "zeros": lambda path: (path / "log" / "index.sqlite").write_bytes(
        b"SQLite format 3\0" + bytes(4080)
    ),
    "cut": lambda path: os.truncate(path / "log" / "index.sqlite", 3000),
    "names": damaged_schema,
    "no table": lambda path: changed(path, "DROP TABLE frames"),
    "mark": lambda path: changed(path, "UPDATE meta SET value = x'93' WHERE key = 'mark'"),
    "mark below 0": lambda path: changed(
        path, f"UPDATE meta SET value = x'{BELOW.hex()}' WHERE key = 'mark'"
    ),
    "mark as text": lambda path: changed(path, "UPDATE meta SET value = 'a' WHERE key = 'mark'"),
    "notes": lambda path: changed(path, "UPDATE checkpoints SET note = x'00'"),
    "notes as text": lambda path: changed(path, "UPDATE checkpoints SET note = 'a'"),
}
BELOW = msgspec.msgpack.encode(Mark(-1, -1, 0, bytes(32), 0))


@pytest.mark.parametrize("way", BREAKS)
def test_a_broken_index_is_made_anew_by_a_writer_and_named_to_a_reader(tmp_path, way):
    model, before = grown(tmp_path)
    BREAKS[way](tmp_path)
    with pytest.raises(Unavailable, match="teeproof log publish") as broken:
        read(tmp_path)
    assert broken.value.code == "log_index"
    with reopen(tmp_path) as log:
        assert log._index.dump() == before
        model.check(log)
    assert read(tmp_path) == (item(0).record, 1)


@pytest.mark.parametrize("value", ["-1", "'a'", "x'00'"])
def test_a_place_that_is_no_number_is_a_broken_index_and_not_read_from(tmp_path, value):
    _, before = grown(tmp_path)
    changed(tmp_path, f"UPDATE frames SET offset = {value}, segment = {value}")
    with pytest.raises(Unavailable) as broken:
        read(tmp_path)
    assert broken.value.code == "log_index"
    with reopen(tmp_path) as log:
        assert log._index.dump() == before


def test_an_index_that_is_found_broken_at_work_is_made_anew_by_the_next_writer(tmp_path):
    _, before = grown(tmp_path)
    with reopen(tmp_path) as log:
        changed(tmp_path, "UPDATE ids SET entry = -1 WHERE entry = 5")
        with pytest.raises(Unavailable) as broken:
            log.find(item(5).statement_id)
        assert broken.value.code == "log_index"
    with reopen(tmp_path) as log:
        assert log.find(item(5).statement_id).index == 5
        assert log._index.dump() == before


def test_an_index_that_gives_a_frame_another_first_entry_is_caught_by_the_journal(tmp_path):
    grown(tmp_path)
    changed(tmp_path, "UPDATE frames SET first = 2 WHERE first = 1")
    with reopen(tmp_path) as log, pytest.raises(NotAuthentic) as caught:
        log.record(2)
    assert caught.value.code == "log_corrupt"


def test_a_folder_in_place_of_the_index_is_for_the_owner_to_remove(tmp_path):
    _, before = grown(tmp_path)
    path = tmp_path / "log" / "index.sqlite"
    path.unlink()
    path.mkdir()
    for read_only in (True, False):
        with pytest.raises(Unavailable) as broken:
            reopen(tmp_path, read_only=read_only)
        assert broken.value.code == "log_index"
    assert "remove it by hand" in broken.value.detail
    path.rmdir()
    with reopen(tmp_path) as log:
        assert log._index.dump() == before


def test_two_checkpoints_of_one_size_in_a_journal_are_an_error(tmp_path):
    from teeproof.proof.log.formats.checkpoint import Checkpoint, sign_checkpoint
    from teeproof.proof.log.formats.note import NoteSigner
    from teeproof.proof.log.storage.stored import CHECKPOINT
    from tests.proof.log.storage.logs import ORIGIN, SEED

    grown(tmp_path)
    with reopen(tmp_path) as log:
        fork = sign_checkpoint(Checkpoint(ORIGIN, 348, bytes(32)), NoteSigner(ORIGIN, SEED))
        log._writing.committer.commit(CHECKPOINT, fork.encode())
        crash(log)
    with pytest.raises(NotAuthentic) as caught:
        reopen(tmp_path)
    assert caught.value.code == "log_corrupt"


def test_the_filter_before_the_index_is_kept_and_knows_each_id(tmp_path, monkeypatch):
    monkeypatch.setattr(index_module, "_SAVE_AFTER", 100)
    ids = [item(at).statement_id for at in range(730)]
    with new(tmp_path) as log:
        for at in range(0, 730, 73):
            log.append_many([item(number) for number in range(at, at + 73)])
            log.publish()
        assert all(prefix_of(one) in log._index.known for one in ids)
    database = sqlite3.connect(tmp_path / "log" / "index.sqlite")
    assert database.execute("SELECT count(*) FROM meta WHERE key = 'known'").fetchone() == (1,)
    assert database.execute("SELECT count(*) FROM recent").fetchone()[0] < 200
    database.close()
    with reopen(tmp_path) as log:
        assert all(prefix_of(one) in log._index.known for one in ids)
        strangers = [item(at).statement_id for at in range(5000, 6000)]
        assert sum(prefix_of(one) in log._index.known for one in strangers) < 20


def test_a_filter_that_is_full_is_made_roomier():
    small = Bloom(bytes(16))
    assert small.is_full(17)
    assert not small.is_full(16)
    roomy = Bloom.roomy(1 << 20)
    assert not roomy.is_full(4 << 20)
    assert prefix_of(bytes(32)) not in roomy
    roomy.update([prefix_of(b"\xff" * 32)])
    assert prefix_of(b"\xff" * 32) in roomy


def test_a_reader_without_an_index_is_told_what_makes_it_anew(tmp_path):
    grown(tmp_path)
    (tmp_path / "log" / "index.sqlite").unlink()
    with pytest.raises(Unavailable, match="teeproof log publish") as missing:
        reopen(tmp_path, read_only=True)
    assert missing.value.code == "log_index"
    reopen(tmp_path).close()
    reopen(tmp_path, read_only=True).close()
