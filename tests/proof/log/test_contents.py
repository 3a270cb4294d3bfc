from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from teeproof.core.digests import named, parse_named
from teeproof.core.errors import Unavailable
from teeproof.proof.log.contents import Contents
from teeproof.proof.log.formats.checkpoint import SignedCheckpoint
from teeproof.proof.log.formats.entry import IDENTITY, STATEMENT
from teeproof.proof.log.formats.note import SignatureLine
from teeproof.proof.log.storage.log import Log
from tests.proof.attacks.tools import receipt
from tests.proof.people import digest, step, workload_named


def filled(directory: Path) -> Log:
    log = Log.create(directory / "log", origin="log.example/a")
    author = workload_named("author", "receipt")
    for data in author.blobs.values():
        log.put_blob(data)
    log.append(
        kind=IDENTITY, statement_id=author.digest, identity=author.digest,
        seal=author.record.seal, record=author.record.encode(),
    )  # fmt: skip
    for word in ("collect", "train"):
        statement = step(author, word, f"{word}ed")
        log.append(
            kind=STATEMENT, statement_id=statement.id, identity=author.digest,
            seal=author.sign(statement).seal(1), record=author.sign(statement).encode(),
        )  # fmt: skip
    log.publish()
    return log


def test_a_log_tells_what_made_a_digest_and_whose_keyset_one_is(tmp_path: Path) -> None:
    author = workload_named("author", "receipt")
    with filled(tmp_path) as log:
        contents = Contents(log)
        trained = step(author, "train", "trained")
        assert list(contents.producers("sha256:" + digest("trained"))) == [trained.id]
        assert list(contents.producers("sha256:" + digest("nothing"))) == []
        assert contents.identity_of_keyset(author.record.keyset_digest) == author.digest
        assert contents.identity_of_keyset(named(bytes(32))) is None
        assert contents.statement(trained.id) == author.sign(trained).encode()
        assert contents.statement(author.digest) is None
        assert contents.identity(author.digest) == author.record.encode()
        assert contents.identity(trained.id) is None
        assert contents.blob(author.record.attachments["quote"]) is not None
        assert contents.blob(named(bytes(32))) is None
        place = contents.logged(trained.id)
        assert place is not None
        assert (place.kind, place.index) == (STATEMENT, 2)
        assert contents.logged(bytes(32)) is None
        contents.close()


def test_what_is_appended_later_is_found(tmp_path: Path) -> None:
    author = workload_named("author", "receipt")
    with filled(tmp_path) as log:
        contents = Contents(log)
        assert not list(contents.producers("sha256:" + digest("late")))
        late = step(author, "answer", "late")
        log.append(
            kind=STATEMENT, statement_id=late.id, identity=author.digest,
            seal=author.sign(late).seal(1), record=author.sign(late).encode(),
        )  # fmt: skip
        assert list(contents.producers("sha256:" + digest("late"))) == [late.id]
        assert contents.logged(late.id) is None, "not yet published"
        contents.close()


@pytest.mark.parametrize("damage", [b"", b"garbage" * 100, None])
def test_an_index_that_is_lost_or_broken_is_made_anew(tmp_path: Path, damage: bytes | None) -> None:
    with filled(tmp_path) as log:
        first = Contents(log)
        before = list(first.producers("sha256:" + digest("trained")))
        first.close()
        path = log.directory / "links.db"
        path.unlink() if damage is None else path.write_bytes(damage)
        second = Contents(log)
        assert list(second.producers("sha256:" + digest("trained"))) == before
        second.close()


def test_host_puts_the_index_of_another_log_beside_this_one(tmp_path: Path) -> None:
    with filled(tmp_path / "one") as one, Log.create(tmp_path / "two", origin="b.example/b") as two:
        contents = Contents(one)
        assert list(contents.producers("sha256:" + digest("trained")))
        contents.close()
        (two.directory / "links.db").write_bytes((one.directory / "links.db").read_bytes())
        other = Contents(two)
        assert not list(other.producers("sha256:" + digest("trained")))
        other.close()


@pytest.mark.parametrize("value", [10**12, "text", b"short", None])
def test_host_writes_what_is_no_id_into_the_index(tmp_path: Path, value: object) -> None:
    with filled(tmp_path) as log:
        contents = Contents(log)
        wanted = "sha256:" + digest("trained")
        assert list(contents.producers(wanted))
        contents._links._index.execute("DELETE FROM made")
        contents._links._index.execute("DROP TABLE made")
        contents._links._index.execute("CREATE TABLE made (digest, id)")
        contents._links._index.execute(
            "INSERT INTO made VALUES (?, ?)", (parse_named(wanted), value)
        )
        contents._makers.clear()  # what it answered before is remembered
        with pytest.raises(Unavailable) as refused:
            contents.producers(wanted)
        assert refused.value.code == "log_index"
        contents.close()


@pytest.mark.parametrize("position", [-5, "x", None])
def test_host_moves_the_index_to_a_place_that_is_none(tmp_path: Path, position: object) -> None:
    with filled(tmp_path) as log:
        contents = Contents(log)
        assert list(contents.producers("sha256:" + digest("trained")))
        contents._links._index.execute("DELETE FROM made")
        contents._links._index.execute("REPLACE INTO meta VALUES ('position', ?)", (position,))
        assert list(contents.producers("sha256:" + digest("trained")))
        contents.close()


def test_host_gives_a_keyset_to_another_identity_in_the_index(tmp_path: Path) -> None:
    """A receipt is entered under its author: the index alone does not say who that is."""
    author, other = workload_named("author", "receipt"), workload_named("other")
    for swap in (other.digest, bytes(32)):
        with filled(tmp_path / swap.hex()[:8]) as log:
            contents = Contents(log)
            contents.add_identity(other.record.encode(), other.blobs)
            list(contents.producers(named(bytes(32))))
            contents._links._index.execute("UPDATE keysets SET identity = ?", (swap,))
            with pytest.raises(Unavailable) as refused:
                contents.identity_of_keyset(author.record.keyset_digest)
            assert refused.value.code == "log_index"
            size = log.size
            with pytest.raises(Unavailable):
                contents.add_statement(receipt(author, "answer"))
            assert log.size == size
            contents.close()


def test_the_first_checkpoint_that_is_accepted_is_taken_and_otherwise_the_first(
    tmp_path: Path,
) -> None:
    with filled(tmp_path) as log:
        late = step(workload_named("author", "receipt"), "answer", "late")
        log.append(
            kind=STATEMENT, statement_id=late.id, identity=bytes(32), seal=bytes(32), record=b"{}",
        )  # fmt: skip
        log.publish()
        trained = step(workload_named("author", "receipt"), "train", "trained").id
        for accept, size in (
            (None, 3), (lambda s: s.checkpoint.size == 4, 4), (lambda s: False, 3),
        ):  # fmt: skip
            contents = Contents(log, accept=accept)
            place = contents.logged(trained)
            assert place is not None
            assert place.checkpoint.checkpoint.size == size
            contents.close()


def test_an_index_that_two_processes_bring_up_to_date_at_once_is_whole(tmp_path: Path) -> None:
    with filled(tmp_path) as log:
        found: list[list[bytes]] = []

        def ask() -> None:
            contents = Contents(log)
            found.append(list(contents.producers("sha256:" + digest("trained"))))
            contents.close()

        threads = [threading.Thread(target=ask) for _ in range(6)]
        for one in threads:
            one.start()
        for one in threads:
            one.join()
        assert len(found) == 6
        assert len({tuple(one) for one in found}) == 1
        assert found[0]


def test_disk_fails_while_the_index_is_brought_up_to_date(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing of a step that failed is kept, and the next question is answered."""
    with filled(tmp_path) as log:
        contents = Contents(log)
        iterate = log.iterate

        def failing(start: int) -> Iterator[object]:
            for index, found in enumerate(iterate(start), start):
                if index == 2:
                    raise Unavailable("the disk does not answer", code="disk")
                yield found

        monkeypatch.setattr(log, "iterate", failing)
        for _ in range(2):
            with pytest.raises(Unavailable) as refused:
                contents.producers("sha256:" + digest("trained"))
            assert refused.value.code == "disk"
        monkeypatch.setattr(log, "iterate", iterate)
        assert len(list(contents.producers("sha256:" + digest("trained")))) == 1
        contents.close()


def test_a_record_that_nobody_can_read_stops_no_index(tmp_path: Path) -> None:
    author = workload_named("author", "receipt")
    with filled(tmp_path) as log:
        for kind in (STATEMENT, IDENTITY):
            log.append(
                kind=kind, statement_id=bytes([kind]) * 32, identity=author.digest, seal=bytes(32),
                record=b"junk",
            )  # fmt: skip
        late = step(author, "answer", "late")
        log.append(
            kind=STATEMENT, statement_id=late.id, identity=author.digest,
            seal=author.sign(late).seal(1), record=author.sign(late).encode(),
        )  # fmt: skip
        contents = Contents(log)
        assert list(contents.producers("sha256:" + digest("late"))) == [late.id]
        assert len(list(contents.statements())) == 4
        assert len(list(contents.identities())) == 2
        contents.close()


COSIGNED = SignatureLine("witness.example/w", bytes(4), bytes(72))


@pytest.mark.parametrize("counting", [{4, 9}, {12}, {1}, set(), set(range(1, 13))])
def test_each_entry_stands_under_the_first_checkpoint_that_counts(
    tmp_path: Path, counting: set[int]
) -> None:
    author = workload_named("author", "receipt")
    looked: list[int] = []

    def accept(signed: SignedCheckpoint) -> bool:
        looked.append(signed.checkpoint.size)
        return signed.checkpoint.size in counting

    with Log.create(tmp_path / "log", origin="log.example/a") as log:
        ids = []
        for number in range(12):
            one = step(author, "train", f"{number}")
            log.append(
                kind=STATEMENT, statement_id=one.id, identity=author.digest,
                seal=author.sign(one).seal(1), record=author.sign(one).encode(),
            )  # fmt: skip
            log.publish()
            log.add_cosignatures(number + 1, [COSIGNED])
            ids.append(one.id)
        contents = Contents(log, accept=accept)
        for index in Random(7).sample(range(12), 12) * 2:
            place = contents.logged(ids[index])
            assert place is not None
            best = min((size for size in counting if size > index), default=index + 1)
            assert (place.index, place.checkpoint.checkpoint.size) == (index, best)
        contents.close()
    assert len(looked) <= 4 * 12  # of the 24 that were asked for, not each anew


def test_log_publishes_checkpoints_that_never_count_and_few_of_them_are_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those that only the log signed are not read; of others, some, and then the newest of all."""
    monkeypatch.setattr("teeproof.proof.log.contents._MOST_REFUSED", 3)
    author, looked, counting = workload_named("author", "receipt"), list[int](), {24}

    def accept(signed: SignedCheckpoint) -> bool:
        looked.append(signed.checkpoint.size)
        return signed.checkpoint.size in counting

    with Log.create(tmp_path / "log", origin="log.example/a") as log:
        ids = []
        for number in range(24):
            one = step(author, "train", f"{number}")
            log.append(
                kind=STATEMENT, statement_id=one.id, identity=author.digest,
                seal=author.sign(one).seal(1), record=author.sign(one).encode(),
            )  # fmt: skip
            log.publish()
            if number % 2:
                log.add_cosignatures(number + 1, [COSIGNED])
            ids.append(one.id)
        for wanted in (24, None):
            contents = Contents(log, accept=accept)
            first = contents.logged(ids[0])
            later = contents.logged(ids[7])
            contents.close()
            assert first is not None
            assert later is not None
            assert first.checkpoint.checkpoint.size == (wanted or 1)
            assert later.checkpoint.checkpoint.size == (wanted or 8)
            assert looked in ([2, 4, 6, 24, 8, 24], [2, 4, 6, 24])
            looked.clear()
            counting.clear()
