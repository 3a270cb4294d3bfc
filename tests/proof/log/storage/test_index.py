"""The index follows from the journal, and from nothing else."""

from __future__ import annotations

import sqlite3

import pytest

from teeproof.core.errors import NotAuthentic, Unavailable
from teeproof.proof.log.formats.cosignature import Cosigner
from teeproof.proof.log.storage import index as index_module
from teeproof.proof.log.storage.bloom import Bloom, prefix_of
from teeproof.proof.log.storage.log import Log
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


def test_an_index_that_cannot_be_used_says_so(tmp_path):
    grown(tmp_path)
    database = sqlite3.connect(tmp_path / "log" / "index.sqlite")
    database.execute("DROP TABLE frames")
    database.commit()
    database.close()
    with pytest.raises(Unavailable) as unusable:
        reopen(tmp_path)
    assert unusable.value.code == "log_index"


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
