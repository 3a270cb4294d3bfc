"""A pool keeps the order of arrival, says each thing once, and survives being killed anywhere."""

from __future__ import annotations

import io
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from teeproof.cloud.kms.requests import WithdrawRequest
from teeproof.core.digests import named
from teeproof.core.errors import NotAllowed, NotAuthentic, TooLarge, Unavailable
from teeproof.core.sealed import parse_header, unwrap_key
from teeproof.core.sealed.header import read_header
from teeproof.data import pool as pools
from teeproof.data.parts import dataset_root
from teeproof.data.pool import Pool
from teeproof.data.snapshot import open_part, part_root, prove_record, verify_record
from teeproof.data.vault import MAX_SEALED_BYTES
from teeproof.proof import canonical
from teeproof.proof.log.formats.policy import TlogPolicy
from teeproof.proof.log.http.remote import RemoteStore
from tests.data.scenes import (
    ALICE,
    BOB,
    CAROL,
    EVE,
    KMS,
    Place,
    honest,
    order,
    payout,
    send,
    submission,
    terms,
    validator,
)
from tests.data.victim import POINTS
from tests.proof.log.http.httplog import TOKEN, served
from tests.vectors import ROOT

OWNERS = (ALICE, BOB, CAROL)


@pytest.fixture
def place(tmp_path):
    made = Place(tmp_path)
    yield made
    made.close()


def three(pool: Pool):
    return [send(pool, submission(honest(n), who)) for n, who in enumerate(OWNERS, 1)]


def test_three_contributions_are_accepted_and_weighed(place):
    pool = place.open()
    entries = three(pool)
    assert [entry.state for entry in entries] == ["accepted"] * 3
    assert [entry.sequence for entry in entries] == [1, 2, 3]
    assert len({entry.said.weight for entry in entries}) == 3
    first, second, _ = entries
    assert first.said.previous is None
    assert second.said.previous == first.decided.statement.name
    assert first.said.payout == payout(ALICE)
    assert all(entry.said.author == validator().name for entry in entries)


def test_a_dataset_lists_its_parts_and_its_root_follows_from_them(place):
    pool = place.open()
    entries = three(pool)
    send(pool, submission(honest(1), EVE))
    send(pool, submission(b"no orders", EVE))
    said = pool.dataset().statement
    data = said.predicate
    assert [part.contribution for part in data.parts] == [
        entry.consent.contribution for entry in entries
    ]
    assert (data.through, data.copies, data.refused, data.withdrawn) == (5, 1, 1, ())
    assert data.records == 360
    assert data.weight == sum(entry.said.weight for entry in entries)
    assert said.subjects[0].digest["sha256"] == dataset_root(data.parts).hex()
    assert pool.dataset().statement.id == said.id  # nothing has changed


def test_a_pool_without_an_accepted_contribution_has_no_dataset(place):
    pool = place.open()
    send(pool, submission(b"no orders", EVE))
    with pytest.raises(NotAllowed) as caught:
        pool.dataset()
    assert caught.value.code == "dataset_empty"


def test_a_part_opens_to_the_records_that_were_accepted_and_to_no_others(place):
    pool = place.open()
    one, other = submission(honest(1), ALICE), submission(honest(2), BOB)
    send(pool, one)
    send(pool, other)
    first, second = pool.dataset().statement.predicate.parts
    blob = pool.sealed_file(one.consent.ciphertext)
    key = unwrap_key(read_header(io.BytesIO(blob)), KMS)
    assert open_part(first, blob, key=key) == honest(1)
    with pytest.raises(NotAuthentic) as caught:
        open_part(second, blob, key=key)
    assert caught.value.code == "part_mismatch"


def test_one_record_can_be_proved_to_be_in_a_dataset(place):
    pool = place.open()
    sent = submission(honest(2), BOB)
    send(pool, submission(honest(1), ALICE))
    send(pool, sent)
    said = pool.dataset().statement
    parts, root = said.predicate.parts, bytes.fromhex(said.subjects[0].digest["sha256"])
    key = unwrap_key(read_header(io.BytesIO(sent.sealed)), KMS)
    proof = prove_record(honest(2), 7, key=key, parts=parts, part=1)
    verify_record(honest(2)[7], proof, parts=parts, root=root)
    for record, changed in (
        (honest(2)[8], proof),
        (honest(2)[7], prove_record(honest(2), 8, key=key, parts=parts, part=1)),
    ):
        with pytest.raises(NotAuthentic) as caught:
            verify_record(record, changed, parts=parts, root=root)
        assert caught.value.code == "inclusion_mismatch"


def test_salts_keep_equal_records_apart():
    """Without the data key nobody can tell that two people wrote the same sentence."""
    keys = [
        unwrap_key(read_header(io.BytesIO(submission(honest(1), who).sealed)), KMS)
        for who in (ALICE, BOB)
    ]
    roots = {part_root(honest(1), key=key) for key in keys}
    assert len(roots) == 2
    assert part_root([honest(1)[0]] * 2, key=keys[0]) != part_root([honest(1)[0]], key=keys[0])


def test_the_same_contribution_sent_twice_is_one(place):
    pool = place.open()
    sent = submission(honest(1))
    assert send(pool, sent) is send(pool, sent)
    assert len(pool.entries) == 1
    assert len(said(place)) == 1


def test_what_arrives_at_once_gets_places_without_gaps(place):
    pool = place.open()
    many = [submission(honest(n, 30), OWNERS[n % 3]) for n in range(8)]
    with ThreadPoolExecutor(8) as threads:
        entries = list(threads.map(lambda sent: send(pool, sent), many))
    assert sorted(entry.sequence for entry in entries) == list(range(1, 9))
    chain = [entry.decided.statement for entry in pool.entries]
    assert [s.predicate.previous for s in chain[1:]] == [s.name for s in chain[:-1]]


def test_novelty_follows_the_order_of_arrival_and_not_of_judging(place):
    """Both are there before either is judged; the one that came first is the original."""
    pool = place.open()
    first, second = submission(honest(1), ALICE), submission(honest(1), EVE)
    for sent in (first, second):
        pool.arrive(sent.consent, sent.signature, policy=sent.policy, blob=sent.sealed)
    pool = place.open()
    pool.settle()
    assert [entry.state for entry in pool.entries] == ["accepted", "copy"]


def test_a_withdrawn_contribution_leaves_the_next_dataset_and_the_disk(place):
    pool = place.open()
    sent = submission(honest(2), BOB)
    send(pool, submission(honest(1), ALICE))
    entry = send(pool, sent)
    before = pool.dataset().statement
    receipt = pool.withdraw(sent.consent.contribution, *order(sent, BOB)).statement.predicate
    assert receipt.datasets == (before.name,)
    assert entry.state == "withdrawn"
    after = pool.dataset().statement.predicate
    assert [part.sequence for part in after.parts] == [1]
    assert after.withdrawn == (sent.consent.contribution,)
    assert after.through == 2
    assert not list(place.folder.glob(f"files/{sent.consent.ciphertext[7:]}*"))
    with pytest.raises(Unavailable):
        pool.sealed_file(sent.consent.ciphertext)
    again = pool.withdraw(sent.consent.contribution, *order(sent, BOB, time=9)).statement.predicate
    assert again == receipt
    with pytest.raises(NotAllowed) as caught:
        send(pool, sent)
    assert caught.value.code == "contribution_withdrawn"


def test_everything_is_there_again_after_a_start(place):
    pool = place.open()
    three(pool)
    sent = submission(honest(4), EVE)
    send(pool, sent)
    pool.withdraw(sent.consent.contribution, *order(sent, EVE))
    dataset, before = pool.dataset(), [(e.state, e.decided) for e in pool.entries]
    count = len(said(place))
    pool = place.open()
    assert [(e.state, e.decided) for e in pool.entries] == before
    assert pool.dataset() == dataset
    assert send(pool, submission(honest(1), EVE)).state == "copy"
    assert send(pool, submission(honest(4), EVE)).state == "accepted"
    assert len(said(place)) == count + 2


def test_a_kms_that_cannot_be_reached_keeps_the_place(place):
    pool = place.open()

    def unreachable() -> None:
        raise Unavailable("no answer")

    place.keys.before = unreachable
    sent = submission(honest(1))
    with pytest.raises(Unavailable):
        send(pool, sent)
    assert [entry.state for entry in pool.entries] == ["waiting"]
    place.keys.before = lambda: None
    assert send(pool, sent).state == "accepted"


def test_a_pool_says_when_it_is_full(place, monkeypatch):
    monkeypatch.setattr(pools, "MAX_PARTS", 2)
    pool = place.open()
    send(pool, submission(honest(1), ALICE))
    send(pool, submission(b"refused files take no room", EVE))
    send(pool, submission(honest(2), BOB))
    with pytest.raises(NotAllowed) as caught:
        send(pool, submission(honest(3), CAROL))
    assert caught.value.code == "pool_full"


def test_a_pool_says_when_too_many_wait(place, monkeypatch):
    monkeypatch.setattr(pools, "MAX_WAITING", 1)
    pool = place.open()
    one, other = submission(honest(1), ALICE), submission(honest(2), BOB)
    pool.arrive(one.consent, one.signature, policy=one.policy, blob=one.sealed)
    with pytest.raises(Unavailable) as caught:
        pool.arrive(other.consent, other.signature, policy=other.policy, blob=other.sealed)
    assert caught.value.code == "pool_busy"


def test_state_of_a_pool_with_other_terms_is_not_taken(place):
    place.open()
    place.rules = terms(name="other orders")
    with pytest.raises(NotAllowed) as caught:
        place.open()
    assert caught.value.code == "state_other_pool"


@pytest.mark.parametrize("point", POINTS)
def test_a_pool_killed_anywhere_goes_on_where_it_was(place, point):
    sent = submission(honest(1))
    (place.folder / "sent.json").write_bytes(sent.encode())
    asked = WithdrawRequest(*order(sent, ALICE))
    (place.folder / "order.json").write_bytes(canonical.encode(asked))
    command = [sys.executable, "-m", "tests.data.victim", str(place.folder), point]
    died = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
    assert died.returncode == -9, died.stderr
    pool = place.open()
    pool.settle()
    (entry,) = pool.entries
    assert entry.state == ("withdrawn" if point == "withdrawing" else "accepted")
    assert send_again(pool, sent, point) is entry
    # What the killed one may have said is said again with the same bytes, and nothing else is.
    assert len(said(place)) == (2 if point == "withdrawing" else 1)
    assert named(entry.decided.statement.id) in {named(read.id) for read in said(place)}
    assert place.open().entries[0].decided == entry.decided


def send_again(pool: Pool, sent, point: str):
    if point == "withdrawing":
        return pool.entry(sent.consent.contribution)
    return send(pool, sent)


def said(place: Place):
    """All that the pool's store was told."""
    from teeproof.proof.source import read_record

    return [
        read_record(data) for seals in place.store._statements.values() for data in seals.values()
    ]


def test_a_sealed_file_beyond_every_bound_is_refused_before_it_is_kept(place):
    pool = place.open()
    sent = submission(b"x" * (MAX_SEALED_BYTES + 1))
    with pytest.raises(TooLarge):
        send(pool, sent)
    assert pool.entries == ()


def test_headers_of_sealed_files_are_parsed_strictly(place):
    sent = submission(honest(1))
    header = read_header(io.BytesIO(sent.sealed))
    assert parse_header(header.encode()) == header


def test_a_pool_that_starts_again_adds_nothing_to_its_log_that_is_there(place):
    """What was said before can be proved again, and has no second entry."""
    with served(place.folder / "log", every=0.2) as log:
        policy = TlogPolicy.parse(f"log {log.log.verifier.text()} {log.url}\nquorum none\n")
        sizes = []
        for number in (1, 2):
            with RemoteStore.connect(log.url, logs=policy, token=TOKEN) as store:
                place.store = store
                pool = place.open()
                pool.settle()
                send(pool, submission(honest(number), OWNERS[number]))
                spoken = pool.dataset()
                assert len(pool.proof(spoken)) > 10_000
                sizes.append(log.log.size)
    first, second = sizes
    assert first == 3  # an identity, a contribution, a dataset
    assert second == 5
