"""A monitor follows an honest log quietly, and proves a dishonest one bad."""

from __future__ import annotations

import pytest

from teeproof.core import strictjson
from teeproof.core.errors import Malformed, NotAuthentic, Unavailable, Usage
from teeproof.proof.log.formats.note import NoteSigner
from teeproof.proof.log.formats.text import to_base64
from teeproof.proof.log.formats.tiles import encode_entries
from teeproof.proof.log.storage.disk import Disk
from teeproof.proof.monitor.again import some
from teeproof.proof.monitor.fork import ForkProof, verify_fork
from teeproof.proof.monitor.monitor import Monitor
from teeproof.proof.monitor.store import MAX_DOUBTS, Damaged, Unwritable
from teeproof.proof.witness.app import App
from teeproof.proof.witness.request import AddCheckpoint
from tests.proof.monitor.served import Clock, Served, by_code, monitor_of, open_store
from tests.proof.witness.scenes import (
    ORIGIN,
    OTHER_LOG,
    SIGNER,
    STRANGER,
    Book,
    call,
    entry,
    open_witness,
)

KEYS = {ORIGIN: SIGNER.verifier}


@pytest.fixture
def store(tmp_path):
    with open_store(tmp_path) as opened:
        yield opened


def proven(report, store, code, *, index=None):
    """The log is accused, and a stranger who has the file alone agrees."""
    assert report.exit_code == 2
    assert report.findings[0].code == code
    assert report.findings[0].level == "fork"
    fork = verify_fork(store.proof_path.read_bytes(), keys=KEYS)
    assert fork == report.fork
    assert fork.index == index
    return fork


def not_accused(report, store, code, exit_code):
    assert report.fork is None
    assert not store.proof_path.exists()
    assert code in by_code(report), report
    assert report.exit_code == exit_code
    return by_code(report)[code]


def test_an_honest_log_is_followed_as_it_grows(store):
    book = Book.of(700)
    served = Served(book, 0)
    monitor = monitor_of(store, served)
    before = None
    for size in (0, 1, 2, 255, 256, 257, 511, 512, 512, 700):
        served.show(book, size)
        report = monitor.look()
        assert (report.size, report.before, report.findings) == (size, before, ())
        assert report.root == book.tree.root(size)
        assert report.exit_code == 0
        before = size


def test_what_was_verified_is_remembered(tmp_path):
    book = Book.of(700)
    with open_store(tmp_path) as store:
        monitor_of(store, Served(book, 300)).look()
    with open_store(tmp_path) as store:
        assert store.root(300) == book.tree.root(300)
        assert monitor_of(store, Served(book, 700)).look().before == 300


def test_only_new_entries_are_read_and_a_few_old_ones_again(store):
    book = Book.of(5000)
    served = Served(book, 4000)
    monitor_of(store, served, again=lambda _: ()).look()
    served.show(book, 5000).asked.clear()
    monitor_of(store, served, again=lambda _: ()).look()
    assert len([path for path in served.asked if "entries" in path]) == 5
    served.asked.clear()
    monitor_of(store, served, again=some).look()
    assert len([path for path in served.asked if "entries" in path]) == 4


FORKS = {
    "log_rewrote": lambda e: [*e[:100], entry(1, by=7), *e[101:]],
    "log_dropped": lambda e: [*e[:100], *e[101:], entry(1, by=7)],
    "log_inserted": lambda e: [*e[:100], entry(1, by=7), *e[100:]],
    "log_reordered": lambda e: [*e[:100], e[101], e[100], *e[102:]],
    "log_forked": lambda e: [*e[:100], *(entry(n, by=7) for n in range(100, len(e)))],
}


@pytest.mark.parametrize("code", FORKS)
@pytest.mark.parametrize("size", [150, 300, 301, 600])
def test_log_that_changes_its_past_is_proven_bad(store, code, size):
    book = Book.of(700)
    served = Served(book, 300)
    monitor = monitor_of(store, served)
    monitor.look()
    served.show(Book(FORKS[code](book.entries)), size)
    report = monitor.look()
    proven(report, store, code, index=100)
    assert report.size == 300, "the forked tree is not followed"


def test_log_that_forks_is_proven_bad_with_both_checkpoints(store):
    book = Book.of(300)
    served = Served(book)
    monitor = monitor_of(store, served)
    monitor.look()
    served.show(book.fork(299))
    fork = proven(monitor.look(), store, "log_forked", index=299)
    assert set(fork.checkpoints) == {book.signed(), book.fork(299).signed()}


@pytest.mark.parametrize("size", [200, 300])
def test_log_that_forks_and_serves_no_tiles_of_it_is_proven_bad_all_the_same(store, size):
    book = Book.of(300)
    served = Served(book)
    monitor_of(store, served).look()
    served.show(book.fork(100), size).gone = lambda path: path != "checkpoint"
    proven(monitor_of(store, served).look(), store, "log_forked")


def test_log_that_was_proven_bad_stays_so(tmp_path):
    book = Book.of(300)
    served = Served(book)
    with open_store(tmp_path) as store:
        monitor_of(store, served).look()
        served.show(book.fork(100))
        monitor_of(store, served).look()
        first = store.proof_path.read_bytes()
    with open_store(tmp_path) as store:
        served.show(book).asked.clear()
        proven(monitor_of(store, served).look(), store, "log_forked", index=100)
        assert served.asked == []
        assert store.proof_path.read_bytes() == first


def test_network_a_replayed_checkpoint_is_no_accusation(store):
    book = Book.of(300)
    served = Served(book)
    monitor_of(store, served).look()
    served.show(book, 200)
    finding = not_accused(monitor_of(store, served).look(), store, "checkpoint_replayed", 3)
    assert finding.got == "200"
    assert monitor_of(store, served.show(book, 300)).look().exit_code == 0


def test_log_that_drops_its_last_entries_and_grows_again_is_proven_bad(store):
    book = Book.of(300)
    served = Served(book)
    monitor_of(store, served).look()
    other = Book(book.entries[:200])
    not_accused(monitor_of(store, served.show(other)).look(), store, "checkpoint_replayed", 3)
    served.show(other.grow(150, by=4))
    proven(monitor_of(store, served).look(), store, "log_forked", index=200)


@pytest.mark.parametrize(
    ("signed", "code"),
    [
        (lambda b: Book.of(400, signer=STRANGER).signed().encode(), "log_unknown"),
        (lambda b: Book.of(400, signer=OTHER_LOG).signed().encode(), "log_unknown"),
        (lambda b: b.signed().encode().replace(b"\n300\n", b"\n301\n"), "checkpoint_signature"),
        (lambda b: b"<html>", "note_malformed"),
        (lambda b: b"", "note_malformed"),
    ],
)
def test_network_a_checkpoint_that_the_log_did_not_sign_is_no_accusation(store, signed, code):
    book = Book.of(300)
    served = Served(book)
    monitor_of(store, served).look()
    served.alter = lambda path, data: signed(book) if path == "checkpoint" else data
    report = monitor_of(store, served).look()
    not_accused(report, store, code, 2)
    assert report.size == 300


@pytest.mark.parametrize(
    ("kind", "code"), [("tile/0/", "tile_mismatch"), ("tile/entries/", "entries_mismatch")]
)
@pytest.mark.parametrize("first", [True, False])
def test_network_altered_tiles_are_no_accusation(store, kind, code, first):
    book = Book.of(700)
    served = Served(book, 300)
    if not first:
        monitor_of(store, served).look()
    before = store.verified
    served.show(book, 700)
    served.alter = lambda path, data: data[:-1] + b"\7" if path.startswith(kind) else data
    report = monitor_of(store, served).look()
    not_accused(report, store, code, 2)
    assert store.verified == before
    served.alter = lambda path, data: data
    assert monitor_of(store, served).look().exit_code == 0
    assert store.doubts == ()


@pytest.mark.parametrize("path", ["tile/0/", "tile/entries/", "tile/1/"])
@pytest.mark.parametrize("data", [b"", b"\0", bytes(9000)])
def test_network_tiles_of_another_length_are_no_accusation(store, path, data):
    served = Served(Book.of(700), 700)
    served.alter = lambda asked, good: data if asked.startswith(path) else good
    report = monitor_of(store, served).look()
    assert (report.exit_code, report.fork, report.size) == (2, None, None)


def test_log_that_signs_one_tree_and_serves_another_is_refused_and_not_accused(store):
    book = Book.of(300)
    served = Served(book)
    monitor_of(store, served).look()
    book.grow(100)
    served.show(book)
    served.book = book.fork(100)
    not_accused(monitor_of(store, served).look(), store, "tile_mismatch", 2)


def test_log_that_serves_a_rewritten_entry_under_an_old_root_is_noticed(store):
    book = Book.of(700)
    served = Served(book)
    monitor_of(store, served).look()
    served.book = Book(FORKS["log_rewrote"](book.entries))
    served.book.tree = book.tree
    report = monitor_of(store, served).look()
    finding = not_accused(report, store, "entries_mismatch", 2)
    assert "index 100" in finding.got


def test_log_with_an_entry_that_is_none_is_followed_and_reported(store):
    book = Book.of(300)
    book.add(b"\x02" + entry(300)[1:])
    report = monitor_of(store, Served(book)).look()
    assert report.size == 301
    assert "entry 300" in not_accused(report, store, "entry_malformed", 2).detail


def test_a_log_of_other_software_can_be_followed_without_reading_its_entries(store):
    book = Book([b"anything", b""])
    assert monitor_of(store, Served(book), check=len).look().exit_code == 0


def test_tiles_that_come_late_are_awaited_for_a_while(store):
    book, clock = Book.of(300), Clock()
    served = Served(book)
    served.gone = lambda path: path.startswith("tile/")
    monitor = monitor_of(store, served, now=clock, delay=60)
    not_accused(monitor.look(), store, "tiles_awaited", 0)
    clock.now += 61
    not_accused(monitor.look(), store, "tiles_overdue", 3)
    served.gone = lambda path: False
    assert monitor.look().findings == ()


def test_network_that_is_down_is_no_accusation(store):
    served = Served(Book.of(300))
    monitor_of(store, served).look()
    served.gone = lambda path: True
    report = monitor_of(store, served).look()
    assert (report.exit_code, report.fork, report.size) == (3, None, 300)


def test_log_that_shows_two_trees_to_two_askers_is_proven_bad(store):
    book = Book.of(300)
    here, there = Served(book), Served(book.fork(100).grow(50), name="https://b")
    report = monitor_of(store, here, others=[there]).look()
    proven(report, store, "split_view", index=100)
    assert report.findings[0].source == "https://b"


@pytest.mark.parametrize("size", [200, 300])
def test_log_that_shows_two_trees_of_a_smaller_size_is_proven_bad(store, size):
    book = Book.of(300)
    there = Served(book.fork(100), size, name="https://b")
    proven(monitor_of(store, Served(book), others=[there]).look(), store, "split_view", index=100)


def test_vantage_points_that_lag_or_lead_are_no_accusation(store):
    book = Book.of(700)
    others = [Served(book, 200, name="https://b"), Served(book, 700, name="https://c")]
    report = monitor_of(store, Served(book, 300), others=others).look()
    assert report.fork is None
    assert report.size == 700
    assert report.exit_code == 0
    report = monitor_of(store, Served(book, 700), others=others).look()
    assert not_accused(report, store, "vantage_behind", 0).source == "https://b"


class FromWitness:
    """A witness's monitoring prefix: a cosigned checkpoint, and no tiles."""

    name = "https://w"

    def __init__(self, witness):
        self.witness, self.asked = witness, []

    def read(self, path):
        self.asked.append(path)
        signed = self.witness.last(ORIGIN)
        if path != "checkpoint" or signed is None:
            raise Unavailable("no", code="route_unknown")
        return signed.encode()


@pytest.mark.parametrize(
    ("size", "codes"), [(300, []), (200, ["vantage_behind"]), (350, ["tiles_awaited"])]
)
def test_an_honest_witness_level_behind_or_ahead_is_asked_for_no_tiles(
    store, tmp_path, size, codes
):
    book = Book.of(350)
    with open_witness(tmp_path / "w") as witness:
        witness.add(AddCheckpoint(0, (), book.signed(size)))
        seen = FromWitness(witness)
        monitor = monitor_of(store, served := Served(book, 300), witnesses=[seen])
        report = monitor.look()
        assert (report.exit_code, report.size) == (0, 300)
        assert [finding.code for finding in report.findings] == codes
        assert monitor_of(store, served.show(book), witnesses=[seen]).look().exit_code == 0
    assert set(seen.asked) == {"checkpoint"}


def test_log_that_shows_a_witness_another_tree_is_proven_bad(store, tmp_path):
    book = Book.of(300)
    fork = book.fork(100).grow(50)
    with open_witness(tmp_path / "w") as witness:
        witness.add(fork.request(0))
        served = Served(book)
        monitor = monitor_of(store, served, witnesses=[FromWitness(witness)])
        not_accused(monitor.look(), store, "tiles_awaited", 0)
        served.show(book.grow(100))
        fork_found = proven(monitor.look(), store, "split_view")
    assert fork_found.sizes == (350, 400)


def test_log_that_signs_two_roots_beyond_our_view_is_proven_bad(store, tmp_path):
    book = Book.of(300)
    with open_witness(tmp_path / "1") as one, open_witness(tmp_path / "2") as two:
        one.add(book.fork(100).request(0))
        two.add(book.fork(99).request(0))
        witnesses = [FromWitness(one), FromWitness(two)]
        report = monitor_of(store, Served(book, 50), witnesses=witnesses).look()
    fork = proven(report, store, "split_view")
    assert fork.sizes == (300, 300)


def test_a_witness_that_saw_more_than_the_log_shows_is_reported(store, tmp_path):
    clock = Clock()
    with open_witness(tmp_path / "w") as witness:
        witness.add(Book.of(300).request(0))
        monitor = monitor_of(
            store, Served(Book.of(300), 50), witnesses=[FromWitness(witness)], now=clock
        )
        monitor.look()
        clock.now += 1000
        assert not_accused(monitor.look(), store, "tiles_overdue", 3).source == "https://w"


def test_a_witness_that_sees_a_fork_can_prove_it(tmp_path):
    told = []
    with open_witness(tmp_path, on_fork=lambda *pair: told.append(pair)) as witness:
        app, book = App(witness), Book.of(9)
        witness.add(book.request(0))
        body = AddCheckpoint(9, (), book.fork(3).signed()).encode()
        assert call(app, "POST", "/add-checkpoint", body)[0] == 422
    assert verify_fork(ForkProof.of(*told[0]).encode(), keys=KEYS).sizes == (9, 9)


def test_log_that_signs_without_end_and_serves_nothing_fills_no_memory(store):
    book = Book.of(MAX_DOUBTS + 5)
    served = Served(book)
    served.gone = lambda path: path.startswith("tile/")
    for size in range(1, MAX_DOUBTS + 6):
        report = monitor_of(store, served.show(book, size)).look()
    assert len(store.doubts) == MAX_DOUBTS
    not_accused(report, store, "doubts_too_many", 3)


def test_network_lines_that_strangers_added_are_not_kept(store):
    book = Book.of(300)
    served = Served(book)
    strangers = (NoteSigner(f'"{n}[', bytes(32)) for n in range(60))
    served.signed = served.signed.with_(*(x.sign(served.signed.note.text) for x in strangers))
    assert monitor_of(store, served).look().exit_code == 0
    assert store.held == book.signed()


def test_log_no_text_that_it_signs_damages_the_memory(tmp_path):
    book = Book.of(300)
    served = Served(book)
    for size in (200, 300):
        served.signed = book.signed(size, "[" * 200_000)
        with open_store(tmp_path) as store:
            assert monitor_of(store, served).look().exit_code == 0
            served.gone = lambda path: path.startswith("tile/")
    with open_store(tmp_path) as store:
        assert (store.verified, len(store.doubts)) == (200, 1)


def test_what_is_in_doubt_is_remembered_by_the_next_process(tmp_path):
    book = Book.of(300)
    served = Served(book.fork(100))
    with open_store(tmp_path) as store:
        served.gone = lambda path: path.startswith("tile/")
        monitor_of(store, served).look()
    with open_store(tmp_path) as store:
        proven(monitor_of(store, Served(book)).look(), store, "log_forked")


def test_a_memory_serves_one_monitor_of_one_log(tmp_path):
    with open_store(tmp_path) as store:
        monitor_of(store, Served(Book.of(9))).look()
        with pytest.raises(Unavailable) as caught:
            open_store(tmp_path)
        assert caught.value.code == "monitor_running"
        with pytest.raises(NotAuthentic) as unknown:
            Monitor(store, [STRANGER.verifier], Served(Book.of(9)), now=Clock())
        assert unknown.value.code == "log_unknown"
    with pytest.raises(Usage) as other:
        type(store)(tmp_path, origin="log.example/two")
    assert other.value.code == "monitor_other_log"


def other_checkpoint(data):
    value = strictjson.loads(data, limit=len(data))
    value["checkpoint"] = to_base64(Book.of(309).fork(3).signed().encode()).decode()
    return strictjson.dumps(value).encode()


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("tree/00", lambda d: d[:-32]),
        ("tree/04", lambda d: d[:-1] + bytes([d[-1] ^ 1])),
        ("monitor.json", lambda d: d[:-3]),
        ("monitor.json", other_checkpoint),
        ("monitor.json", lambda d: b"{}"),
    ],
)
def test_host_a_damaged_memory_is_an_error(tmp_path, name, change):
    with open_store(tmp_path) as store:
        monitor_of(store, Served(Book.of(309))).look()
    path = tmp_path / name
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(Damaged):
        open_store(tmp_path)


def test_host_a_tree_that_was_damaged_makes_no_false_accusation(tmp_path):
    book = Book.of(300)
    with open_store(tmp_path) as store:
        monitor_of(store, Served(book)).look()
    path = tmp_path / "tree" / "00"
    path.write_bytes(bytes(32) + path.read_bytes()[32:])
    with open_store(tmp_path) as store:
        with pytest.raises(Damaged):
            monitor_of(store, Served(book, 1)).look()
        assert not store.proof_path.exists()


def test_log_that_forks_is_proven_bad_even_if_an_old_leaf_was_damaged_here(tmp_path):
    book = Book.of(300)
    with open_store(tmp_path) as store:
        monitor_of(store, Served(book)).look()
    path = tmp_path / "tree" / "00"
    path.write_bytes(path.read_bytes()[: 100 * 32] + bytes(32) + path.read_bytes()[101 * 32 :])
    with open_store(tmp_path) as store:
        report = monitor_of(store, Served(book.fork(100).grow(9))).look()
        proven(report, store, report.findings[0].code)


def test_a_changed_fork_proof_is_an_error(store):
    store.proof_path.write_bytes(b"{}\n")
    with pytest.raises(Malformed):
        monitor_of(store, Served(Book.of(9))).look()


class Full(Disk):
    full = False

    def write(self, descriptor, parts, offset):
        if self.full:
            raise OSError(28, "No space left on device")
        super().write(descriptor, parts, offset)


def test_a_full_disk_stops_the_monitor_and_loses_nothing(tmp_path):
    book, disk = Book.of(700), Full()
    with open_store(tmp_path, disk=disk) as store:
        monitor = monitor_of(store, Served(book, 300))
        monitor.look()
        disk.full = True
        with pytest.raises(Unwritable):
            monitor_of(store, Served(book, 700)).look()
        disk.full = False
        assert monitor_of(store, Served(book, 700)).look().size == 700
    with open_store(tmp_path) as store:
        assert store.root(700) == book.tree.root(700)


def test_entries_are_read_by_their_own_bundles(store):
    served = Served(Book.of(300))
    served.alter = lambda p, d: encode_entries([b"x"] * 256)[:-1] if "entries" in p else d
    assert monitor_of(store, served).look().exit_code == 2
