"""A witness cosigns what extends all it cosigned before, and nothing else."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from teeproof.core.errors import Error, Malformed, NotAuthentic, TooLarge, Unavailable, Usage
from teeproof.proof.log.formats.cosignature import cosigned_at
from teeproof.proof.log.formats.note import MAX_NOTE_BYTES, NoteSigner
from teeproof.proof.log.storage.disk import Disk
from teeproof.proof.witness.request import AddCheckpoint
from teeproof.proof.witness.state import origin_hash
from teeproof.proof.witness.witness import CLOCK_TOLERANCE, Conflict
from tests.proof.witness.scenes import (
    COSIGNER,
    NOW,
    ORIGIN,
    OTHER_LOG,
    SIGNER,
    STRANGER,
    Book,
    open_witness,
)


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def witness(tmp_path, clock):
    with open_witness(tmp_path, now=clock, logs=[SIGNER.verifier, OTHER_LOG.verifier]) as opened:
        yield opened


def refused(witness, request, kind=NotAuthentic):
    before = dict(witness._state.records)
    with pytest.raises(kind) as caught:
        witness.add(request)
    assert dict(witness._state.records) == before
    return caught.value


def time_of(line, signed):
    return cosigned_at(signed.note.text, line, COSIGNER.verifier)


def test_a_log_that_grows_is_cosigned_at_each_size(witness, clock):
    book, old = Book.of(300), 0
    for size in (0, 1, 2, 255, 256, 256, 300):
        clock.now += 1
        request = book.request(old, size)
        line = witness.add(request)
        assert time_of(line, request.signed) == clock.now
        assert witness.last(ORIGIN) == request.signed.with_(line)
        old = size


def test_each_log_is_remembered_by_itself(witness):
    witness.add(Book.of(7).request(0))
    assert witness.add(Book.of(3, signer=OTHER_LOG).request(0))
    assert witness.last(ORIGIN).checkpoint.size == 7


def test_what_was_cosigned_is_remembered_by_the_next_process(tmp_path):
    with open_witness(tmp_path) as first:
        first.add(Book.of(7).request(0))
    with open_witness(tmp_path) as second:
        assert second.checkpoint(origin_hash(ORIGIN)).checkpoint.size == 7
        assert refused(second, Book.of(9).request(0), Conflict).size == 7
        second.add(Book.of(9).request(7))


def test_a_second_process_is_kept_out(tmp_path):
    with open_witness(tmp_path), pytest.raises(Unavailable) as caught:
        open_witness(tmp_path)
    assert caught.value.code == "witness_running"
    open_witness(tmp_path).close()


def test_a_closed_witness_cosigns_nothing(tmp_path):
    witness = open_witness(tmp_path)
    witness.close()
    with pytest.raises(Unavailable):
        witness.add(Book.of(1).request(0))


def test_lines_of_strangers_are_not_kept(witness):
    request = Book.of(7).request(0)
    stranger = STRANGER.sign(request.signed.note.text)
    line = witness.add(AddCheckpoint(0, (), request.signed.with_(stranger)))
    assert witness.last(ORIGIN).note.signatures == (*request.signed.note.signatures, line)


def test_a_log_may_have_two_keys(tmp_path):
    with open_witness(tmp_path, logs=[SIGNER.verifier, STRANGER.verifier]) as witness:
        witness.add(Book.of(3).request(0))
        witness.add(Book.of(4, signer=STRANGER).request(3))


def test_log_a_false_line_by_its_other_key_is_refused(tmp_path):
    with open_witness(tmp_path, logs=[SIGNER.verifier, STRANGER.verifier]) as witness:
        book = Book.of(3)
        false = STRANGER.sign(book.fork(1).signed().note.text)
        request = AddCheckpoint(0, (), book.signed().with_(false))
        assert refused(witness, request).code == "checkpoint_signature"
        true = STRANGER.sign(book.signed().note.text)
        assert witness.add(AddCheckpoint(0, (), book.signed().with_(true)))


def test_log_a_checkpoint_that_leaves_no_room_for_a_cosignature_is_refused(witness, tmp_path):
    book = Book.of(9)
    room = MAX_NOTE_BYTES - len(book.signed(9, "x").encode()) + 1
    error = refused(witness, AddCheckpoint(0, (), book.signed(9, "x" * room)), TooLarge)
    assert "fewer extension lines" in error.detail
    assert witness.add(AddCheckpoint(0, (), book.signed(9, "x" * (room - 200))))
    witness.close()
    open_witness(tmp_path).close()


def test_log_two_roots_for_one_size_are_told_with_both_checkpoints(tmp_path):
    told = []
    with open_witness(tmp_path, on_fork=lambda *pair: told.append(pair)) as witness:
        book = Book.of(7)
        line = witness.add(book.request(0))
        fork = book.fork(3)
        error = refused(witness, AddCheckpoint(7, (), fork.signed()))
        assert error.code == "equal_size_other_root"
    assert told == [(book.signed().with_(line), fork.signed())]


def test_who_is_told_of_a_fork_cannot_stop_the_refusal(tmp_path):
    def fail(*_):
        raise OSError("full")

    with open_witness(tmp_path, on_fork=fail) as witness:
        witness.add(Book.of(7).request(0))
        fork = AddCheckpoint(7, (), Book.of(7).fork(3).signed())
        assert refused(witness, fork).code == "equal_size_other_root"


def test_log_a_fork_of_another_size_is_refused(witness):
    book = Book.of(300)
    witness.add(book.request(0, 200))
    error = refused(witness, book.fork(100).request(200))
    assert error.code == "consistency_mismatch"


def test_log_a_smaller_tree_is_refused(witness):
    book = Book.of(300)
    witness.add(book.request(0))
    assert refused(witness, book.request(200, 200), Conflict).size == 300
    smaller = AddCheckpoint(300, (), book.signed(200))
    assert refused(witness, smaller, Malformed).code == "old_size_above"


def test_client_an_old_size_is_answered_with_the_latest(witness):
    book = Book.of(300)
    witness.add(book.request(0, 200))
    error = refused(witness, book.request(100))
    assert (error.code, error.size) == ("old_size_conflict", 200)


def test_client_an_old_size_that_was_never_cosigned_is_answered_with_the_latest(witness):
    book = Book.of(300)
    witness.add(book.request(0, 200))
    assert refused(witness, book.request(250), Conflict).size == 200


@pytest.mark.parametrize("old", [0, 200, 300])
def test_client_a_superfluous_proof_is_refused(witness, old):
    book = Book.of(300)
    if old:
        witness.add(book.request(0, old))
    proof = (*book.request(old).proof, bytes(32))
    assert refused(witness, AddCheckpoint(old, proof, book.signed())).code == (
        "consistency_mismatch"
    )


def test_stranger_an_unknown_log_is_refused(witness):
    unknown = Book.of(3, signer=NoteSigner("log.example/three", bytes(32)))
    assert refused(witness, unknown.request(0)).code == "origin_unknown"


def test_stranger_an_unknown_key_for_a_known_log_is_refused(witness):
    assert refused(witness, Book.of(3, signer=STRANGER).request(0)).code == "log_unknown"


def test_network_an_altered_checkpoint_is_refused(witness):
    body = Book.of(3).request(0).encode().replace(b"\n3\n", b"\n4\n")
    assert refused(witness, AddCheckpoint.parse(body)).code == "checkpoint_signature"


def test_log_one_false_line_beside_a_true_one_is_refused(witness):
    book = Book.of(3)
    other = book.fork(1).signed().note.signatures
    request = AddCheckpoint(0, (), book.signed().with_(*other))
    assert refused(witness, request).code == "checkpoint_signature"


def test_network_a_replay_gets_the_same_line_and_writes_nothing(witness, monkeypatch):
    request = Book.of(7).request(0)
    line = witness.add(request)
    monkeypatch.setattr(witness._state, "replace", None)
    assert witness.add(Book.of(7).request(7)) == line


def test_the_same_checkpoint_later_gets_a_later_time(witness, clock):
    book = Book.of(7)
    witness.add(book.request(0))
    clock.now += 100
    assert time_of(witness.add(book.request(7)), book.signed()) == NOW + 100


def test_extension_lines_are_no_fork(witness):
    book = Book.of(7)
    witness.add(book.request(0))
    assert witness.add(AddCheckpoint(7, (), book.signed(None, "more")))


def test_host_a_clock_set_back_a_little_is_held(witness, clock):
    book = Book.of(300)
    witness.add(book.request(0, 200))
    clock.now -= CLOCK_TOLERANCE
    other = Book.of(3, signer=OTHER_LOG)
    assert time_of(witness.add(book.request(200)), book.signed()) == NOW
    assert time_of(witness.add(other.request(0)), other.signed()) == NOW


@pytest.mark.parametrize("now", [NOW - CLOCK_TOLERANCE - 1, 0, -5])
def test_host_a_clock_set_back_further_stops_the_witness(witness, clock, now):
    book = Book.of(300)
    witness.add(book.request(0, 200))
    clock.now = now
    assert refused(witness, book.request(200), Unavailable).code == "clock_backwards"
    clock.now = NOW
    assert witness.add(book.request(200))


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data[:-1],
        lambda data: data.replace(b"\n7\n", b"\n8\n"),
        lambda data: b"",
        lambda data: Book.of(7).signed().encode(),
    ],
    ids=["cut", "altered", "empty", "without the cosignature"],
)
def test_host_a_damaged_memory_is_an_error_and_never_a_fresh_start(tmp_path, change):
    with open_witness(tmp_path) as witness:
        witness.add(Book.of(7).request(0))
    path = tmp_path / "checkpoints" / origin_hash(ORIGIN)
    good = path.read_bytes()
    path.write_bytes(change(good))
    with pytest.raises(NotAuthentic) as caught:
        open_witness(tmp_path)
    assert caught.value.code == "witness_state"
    path.rename(path.with_name(origin_hash("log.example/two")))
    path.with_name(origin_hash("log.example/two")).write_bytes(good)
    with pytest.raises(NotAuthentic, match="another log"):
        open_witness(tmp_path)


def test_a_cosigner_s_key_is_no_log_s_key(tmp_path):
    with pytest.raises(Usage) as caught:
        open_witness(tmp_path, logs=[COSIGNER.verifier])
    assert caught.value.code == "log_key_type"


class Slow(Disk):
    """A disk that lets others go ahead."""

    def sync(self, descriptor):
        time.sleep(0.005)
        super().sync(descriptor)


def test_log_two_forks_at_once_are_never_both_cosigned(tmp_path):
    book = Book.of(200)
    forks = [book.fork(100, by=by).grow(by) for by in range(1, 9)]
    codes = set()
    with open_witness(tmp_path, disk=Slow()) as witness:
        witness.add(book.request(0, 100))

        def one(fork):
            try:
                return fork, witness.add(fork.request(100))
            except Error as error:
                codes.add(error.code)
                return None

        with ThreadPoolExecutor(8) as pool:
            ((fork, line),) = [found for found in pool.map(one, forks * 2) if found]
    assert codes == {"old_size_conflict"}
    with open_witness(tmp_path) as again:
        assert again.last(ORIGIN) == fork.signed().with_(line)
