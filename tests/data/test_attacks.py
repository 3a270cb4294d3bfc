"""What contributors and hosts try against a pool, each named for who tries it."""

from __future__ import annotations

import io
import shutil
import sqlite3
from itertools import pairwise

import msgspec
import pytest

from teeproof.cloud.kms.policy import Permission, ReleasePolicy
from teeproof.core.digests import named, sha256
from teeproof.core.errors import Malformed, NotAllowed, NotAuthentic, Unavailable
from teeproof.core.sealed import parse_header
from teeproof.core.sealed.header import read_header
from teeproof.data import validation
from teeproof.data.continuity import accounted_for, same_history
from teeproof.data.records import Record
from teeproof.data.samples import file_of
from teeproof.data.submission import Submission, policy_for
from tests.data.scenes import (
    ALICE,
    BOB,
    CAROL,
    EVE,
    KMS,
    TIME,
    Place,
    honest,
    order,
    payout,
    send,
    submission,
    terms,
)


@pytest.fixture
def place(tmp_path):
    made = Place(tmp_path / "pool")
    made.folder.mkdir()
    yield made
    made.close()


def changed(sent: Submission, signer=EVE, /, **consent) -> Submission:
    """The same file with another consent, signed by whoever does this."""
    made = msgspec.structs.replace(sent.consent, **consent)
    return msgspec.structs.replace(sent, consent=made, signature=signer.sign_text(made))


def changed_owner(sent: Submission) -> Submission:
    """Somebody's file, as a thief would register it."""
    return changed(sent, EVE, owner=EVE.public, payout=payout(EVE))


def refusal(place: Place, sent: Submission) -> str:
    """Why a submission does not even get a place."""
    pool = place.open()
    with pytest.raises((Malformed, NotAllowed, NotAuthentic)) as caught:
        send(pool, sent)
    assert pool.entries == ()
    assert not list(place.folder.glob("files/*"))
    return caught.value.code


# Contributors.


def test_contributor_sends_a_copy_and_earns_nothing(place):
    pool = place.open()
    original = send(pool, submission(honest(1), ALICE))
    copy = send(pool, submission(honest(1), EVE))
    assert copy.said.decision == "copy"
    assert copy.said.weight == 0
    assert copy.said.copy_of == (original.consent.contribution,)
    assert [part.owner for part in pool.dataset().statement.predicate.parts] == [ALICE.public]


def test_contributor_sends_a_near_copy_and_learns_only_whose_id(place):
    pool = place.open()
    original = send(pool, submission(honest(1), ALICE))
    near = [Record(r.text.upper().replace(" ", "  ") + "!", r.order) for r in honest(1)[::-1]]
    copy = send(pool, submission(near, EVE))
    assert (copy.said.decision, copy.said.weight) == ("copy", 0)
    assert copy.said.copy_of == (original.consent.contribution,)
    for text in (ALICE.public, original.consent.file, payout(ALICE), original.consent.ciphertext):
        assert text.encode() not in copy.decided.envelope
        assert text not in str(copy.said)


def test_contributor_copies_his_own_file(place):
    pool = place.open()
    assert send(pool, submission(honest(1), ALICE)).said.weight > 0
    assert send(pool, submission(honest(1), ALICE)).said.weight == 0


def test_contributor_poisons_one_record_and_the_file_is_refused_as_a_whole(place):
    records = list(honest(1))
    records[6] = Record(records[6].text, records[7].order)
    records[30] = Record(records[30].text, records[33].order)
    pool = place.open()
    said = send(pool, submission(records, EVE)).said
    assert (said.decision, said.weight, said.scores) == ("refused", 0, None)
    assert [reason.line for reason in said.reasons] == [7, 31]
    assert all(reason.code.startswith("text_") for reason in said.reasons)
    assert not list(place.folder.glob("files/*"))
    with pytest.raises(NotAllowed):
        pool.dataset()
    # Nothing of it was taken in: the honest file is new.
    assert send(pool, submission(honest(1), ALICE)).said.scores.known == 0


def test_contributor_finds_a_fault_of_the_pool_and_nobody_waits_behind_him(place, monkeypatch):
    pool = place.open()
    measure = validation.measure

    def faulty(records, **given):
        if records == honest(1):
            raise ZeroDivisionError
        return measure(records, **given)

    monkeypatch.setattr(validation, "measure", faulty)
    said = send(pool, submission(honest(1), EVE)).said
    assert (said.decision, said.reasons[0].code) == ("refused", "judge_failed")
    assert send(pool, submission(honest(2), ALICE)).state == "accepted"


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"PK\x03\x04" + bytes(100), "file_compressed"),
        (b"", "records_too_few"),
        (file_of(honest(1)[:19]), "records_too_few"),
        (b'{"text": ' + b"[" * 400 + b"]" * 400 + b"}", "json_too_deep"),
        (b"x" * 5000, "line_long"),
        (file_of(honest(1)) + b"\x00\n", "json_malformed"),
        (file_of(honest(1)) + b"\xff\xfe\n", "json_malformed"),
        (b"\n" * 20_001, "records_too_many"),
        (b" " * (4 << 20) + b" ", "file_too_large"),
    ],
    ids=["zip", "empty", "few", "deep", "long line", "NUL", "not UTF-8", "many", "large"],
)
def test_contributor_sends_rubbish_and_the_reason_is_stated(place, data, code):
    said = send(place.open(), submission(data, EVE)).said
    assert said.decision == "refused"
    assert {reason.code for reason in said.reasons} == {code}


def test_contributor_claims_anothers_file(place):
    """The ciphertext is bound to a policy, and the policy names its owner."""
    stolen = submission(honest(1), ALICE)
    for_me = msgspec.structs.replace(stolen.consent, payout=payout(EVE))
    for signer in (EVE, BOB):
        signed = msgspec.structs.replace(stolen, consent=for_me, signature=signer.sign_text(for_me))
        assert refusal(place, signed) == "owner_signature"
    assert refusal(place, changed_owner(stolen)) == "owner_other"


def test_contributor_front_runs_with_a_file_that_he_saw_on_the_wire(place):
    seen = submission(honest(1), ALICE)
    pool = place.open()
    with pytest.raises(NotAllowed) as caught:
        send(pool, changed_owner(seen))
    assert caught.value.code == "owner_other"
    entry = send(pool, seen)
    assert (entry.sequence, entry.said.decision) == (1, "accepted")


def test_contributor_front_runs_with_a_policy_of_his_own(place):
    seen = submission(honest(1), ALICE)
    mine = policy_for(terms(), owner=EVE.public, not_after=TIME + 86400)
    sent = msgspec.structs.replace(changed_owner(seen), policy=mine)
    pool = place.open()
    for given in (sent, changed(sent, EVE, owner=EVE.public, policy=mine.name)):
        with pytest.raises(NotAllowed) as caught:
            send(pool, given)
        assert caught.value.code == "consent_other_policy"
    # Nor with a header that names it: whoever holds no data key cannot make one.
    header = read_header(io.BytesIO(seen.sealed))
    rest = seen.sealed[len(header.encode()) :]
    fake = header.encode().replace(seen.policy.digest, mine.digest) + rest
    assert parse_header(fake[: len(header.encode())]).policy_digest == mine.digest
    consent = {"owner": EVE.public, "policy": mine.name, "ciphertext": named(sha256(fake))}
    squat = msgspec.structs.replace(seen, policy=mine, sealed=fake)
    entry = send(pool, changed(squat, EVE, **consent))
    assert entry.said.decision == "refused"
    assert entry.said.reasons[0].code == "wrapped_key_not_authentic"
    assert send(pool, seen).said.weight > 0


def test_contributor_front_runs_by_sending_the_whole_of_anothers_submission(place):
    """It arrives in the other's name and for the other's account: nothing is won."""
    seen = submission(honest(1), ALICE)
    pool = place.open()
    first = send(pool, seen)
    assert send(pool, seen) is first
    assert first.said.payout == payout(ALICE)


def test_contributor_replays_consent_for_another_pool(place):
    other = submission(honest(1), ALICE, terms=terms(name="other orders"))
    assert refusal(place, other) == "consent_other_pool"


def test_contributor_replays_consent_for_another_file(place):
    mine, other = submission(honest(1), ALICE), submission(honest(2), ALICE)
    assert (
        refusal(place, msgspec.structs.replace(mine, sealed=other.sealed)) == "consent_other_file"
    )


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("payout", payout(EVE), "owner_signature"),
        ("salt", "00" * 32, "owner_signature"),
        ("time", 0, "owner_signature"),
        ("payout", payout(EVE).upper(), "consent_malformed"),
        ("salt", "00", "consent_malformed"),
        ("owner", "00", "owner_malformed"),
        ("purposes", ("train",), "consent_malformed"),
        ("ciphertext", "sha256:00", "digest_malformed"),
        ("file", "zz", "consent_malformed"),
    ],
)
def test_contributor_changes_a_consent_that_another_signed(place, field, value, code):
    sent = submission(honest(1), ALICE)
    consent = msgspec.structs.replace(sent.consent, **{field: value})
    assert refusal(place, msgspec.structs.replace(sent, consent=consent)) == code


@pytest.mark.parametrize("field", ["file", "policy", "recipient"])
def test_contributor_consents_to_another_file_than_is_sealed(place, field):
    value = {"file": "00" * 16, "policy": "sha256:" + "00" * 32, "recipient": "00" * 32}[field]
    sent = changed(submission(honest(1), ALICE), ALICE, **{field: value})
    assert refusal(place, sent) == f"consent_other_{field}"


def test_contributor_grants_other_code_than_the_terms_name(place):
    """A file that the trainers could not open would earn for nothing."""
    asked = policy_for(terms(), owner=ALICE.public, not_after=TIME + 86400)
    validate, train = asked.grants
    for grants in (
        (validate,),
        (validate, Permission(purpose="train", compose_hash=("00" * 32,))),
        (msgspec.structs.replace(validate, standing=False), train),
        (validate, msgspec.structs.replace(train, standing=True)),
        (validate, train, Permission(purpose="sell", compose_hash=("00" * 32,))),
    ):
        policy = ReleasePolicy(owner=ALICE.public, grants=grants, not_after=TIME + 86400)
        sent = submission(honest(1), ALICE, policy=policy)
        assert refusal(place, sent) == "policy_other_code"


def test_contributor_forges_a_withdrawal(place):
    pool = place.open()
    sent, other = submission(honest(1), ALICE), submission(honest(2), EVE)
    send(pool, sent)
    send(pool, other)
    wanted = sent.consent.contribution
    asked, signature = order(sent, EVE)
    with pytest.raises(NotAuthentic) as caught:
        pool.withdraw(wanted, asked, signature)
    assert caught.value.code == "owner_signature"
    with pytest.raises(NotAllowed) as caught:
        pool.withdraw(wanted, *order(other, EVE))
    assert caught.value.code == "withdrawal_other_file"
    later = msgspec.structs.replace(asked, time=TIME + 1)
    with pytest.raises(NotAuthentic):
        pool.withdraw(wanted, later, order(sent, ALICE)[1])
    with pytest.raises(Unavailable):
        pool.withdraw("00" * 32, asked, signature)
    assert [entry.state for entry in pool.entries] == ["accepted", "accepted"]


def test_contributor_withdraws_and_sends_the_same_again(place):
    """A copy that came before stays a copy; what is sealed anew counts as new."""
    pool = place.open()
    sent = submission(honest(1), ALICE)
    send(pool, sent)
    copy = send(pool, submission(honest(1), EVE))
    pool.withdraw(sent.consent.contribution, *order(sent, ALICE))
    assert copy.state == "copy"
    assert send(pool, submission(honest(1), ALICE)).state == "accepted"


# Hosts.


def rows(place: Place, table: str) -> list[tuple]:
    place.close()
    with sqlite3.connect(place.database) as database:
        return list(database.execute(f"SELECT * FROM {table} ORDER BY 1"))


def edit(place: Place, *statements: str, values: tuple = ()) -> None:
    place.close()
    with sqlite3.connect(place.database) as database:
        for statement in statements:
            database.execute(statement, values)


def restore(place: Place, kept) -> None:
    """Put a copy of the state in the place of the one that is there."""
    place.close()
    for path in place.folder.glob("pool.sqlite*"):
        path.unlink()
    shutil.copy(kept, place.database)


def filled(place: Place) -> None:
    pool = place.open()
    for number, owner in enumerate((ALICE, BOB, CAROL), 1):
        send(pool, submission(honest(number), owner))
    pool.dataset()


def test_host_edits_the_state_file(place):
    """One bit of any row, a row left out or put in: each is found at the next start."""
    filled(place)
    place.close()
    kept = place.folder.parent / "kept.sqlite"
    shutil.copy(place.database, kept)
    events = rows(place, "events")
    last = len(events)
    changes = []
    for number, sealed in events:
        flipped = sealed[:20] + bytes([sealed[20] ^ 1]) + sealed[21:]
        changes.append((f"UPDATE events SET sealed = ? WHERE number = {number}", (flipped,)))
        if number != last:
            changes.append((f"DELETE FROM events WHERE number = {number}", ()))
        changes.append((f"UPDATE events SET sealed = x'' WHERE number = {number}", ()))
    changes.append((f"UPDATE events SET number = number + 1 WHERE number = {last}", ()))
    changes.append((f"INSERT INTO events VALUES ({last + 1}, ?)", (events[0][1],)))
    changes.append(("INSERT INTO events VALUES (0, ?)", (events[0][1],)))
    changes.append(("DELETE FROM sketches WHERE sequence = 2", ()))
    changes.append(("UPDATE sketches SET sequence = 9 WHERE sequence = 1", ()))
    changes.append(("UPDATE sketches SET sealed = ? WHERE sequence = 1", (b"x" * 40,)))
    changes.append(("DROP TABLE events", ()))
    for statement, values in changes:
        restore(place, kept)
        edit(place, statement, values=values)
        with pytest.raises(NotAuthentic) as caught:
            place.open()
        assert caught.value.code == "state_edited", statement
    restore(place, kept)
    assert len(place.open().entries) == 3


def test_host_puts_the_state_of_another_machine_in_its_place(place):
    filled(place)
    with pytest.raises(NotAuthentic) as caught:
        place.open(key=b"another key of thirty-two bytes.")
    assert caught.value.code == "state_edited"


def test_host_reads_the_disk_and_finds_no_plaintext_and_no_sketch(place):
    filled(place)
    pool = place.open()
    sent = submission(b"refused, but secret: rosebud", EVE)
    send(pool, sent)
    place.close()
    everything = b"".join(
        path.read_bytes() for path in sorted(place.folder.rglob("*")) if path.is_file()
    )
    assert len(everything) > 20_000
    for record in (*honest(1), *honest(2)):
        assert record.text.encode() not in everything
        assert record.order.text.encode() not in everything
    assert b"rosebud" not in everything
    from teeproof.data.novelty import Sketches
    from tests.data.scenes import SEED

    for row in Sketches.of([record.text for record in honest(1)], seed=SEED).rows:
        assert row.tobytes() not in everything
        assert b"".join(n.to_bytes(4, "big") for n in row[:2]) not in everything


def test_host_reads_the_statements_and_finds_no_plaintext(place):
    filled(place)
    pool = place.open()
    said = [entry.decided.envelope for entry in pool.entries] + [pool.dataset().envelope]
    payloads = b"".join(msgspec.json.decode(data)["payload"].encode() for data in said)
    import base64

    text = b"".join(base64.b64decode(msgspec.json.decode(data)["payload"]) for data in said)
    for record in honest(1):
        assert record.text.encode() not in text + payloads
        assert sha256(record.encode()).hex().encode() not in text
        assert sha256(record.text.encode()).hex().encode() not in text


def test_host_keeps_what_was_withdrawn_and_the_state_has_forgotten_it(place):
    pool = place.open()
    sent = submission(honest(1), ALICE)
    send(pool, sent)
    (sketch,) = rows(place, "sketches")
    pool = place.open()
    pool.withdraw(sent.consent.contribution, *order(sent, ALICE))
    assert rows(place, "sketches") == []
    for path in place.folder.rglob("*"):
        assert not path.is_file() or sketch[1][:64] not in path.read_bytes()


def test_host_loses_a_file_that_waits_and_nobody_else_waits_for_it(place):
    pool = place.open()
    sent = submission(honest(1), ALICE)
    pool.arrive(sent.consent, sent.signature, policy=sent.policy, blob=sent.sealed)
    for path in place.folder.glob("files/*"):
        path.unlink()
    assert send(pool, submission(honest(2), BOB)).state == "accepted"
    lost = pool.entry(sent.consent.contribution).said
    assert (lost.decision, lost.reasons[0].code) == ("refused", "file_unknown")


def test_host_changes_a_sealed_file_on_the_disk(place):
    filled(place)
    pool = place.open()
    for path in place.folder.glob("files/*"):
        path.write_bytes(path.read_bytes()[:-1] + b"x")
    for entry in pool.entries:
        with pytest.raises(Unavailable) as caught:
            pool.sealed_file(entry.consent.ciphertext)
        assert caught.value.code == "file_unknown"


def test_host_drops_a_contribution_and_the_dataset_shows_it(place):
    """An old copy of the state is put back: what was accepted since is in no later dataset."""
    pool = place.open()
    first = send(pool, submission(honest(1), ALICE))
    place.close()
    old = place.folder.parent / "old.sqlite"
    shutil.copy(place.database, old)
    pool = place.open()
    dropped = send(pool, submission(honest(2), BOB))
    place.close()
    restore(place, old)
    pool = place.open()
    other = send(pool, submission(honest(3), CAROL))
    dataset = pool.dataset().statement
    assert accounted_for(dataset, first.decided.statement) == "part"
    assert accounted_for(dataset, other.decided.statement) == "part"
    with pytest.raises(NotAuthentic) as caught:
        accounted_for(dataset, dropped.decided.statement)
    assert caught.value.code == "contribution_dropped"
    same_history(first.decided.statement, other.decided.statement)
    with pytest.raises(NotAuthentic) as caught:
        same_history(dropped.decided.statement, other.decided.statement)
    assert caught.value.code == "history_forked"


def test_where_a_dataset_has_each_contribution(place):
    pool = place.open()
    withdrawn = submission(honest(2), BOB)
    entries = [send(pool, submission(honest(1), ALICE)), send(pool, withdrawn)]
    entries += [send(pool, submission(honest(1), EVE)), send(pool, submission(b"x", EVE))]
    pool.withdraw(withdrawn.consent.contribution, *order(withdrawn, BOB))
    dataset = pool.dataset().statement
    entries.append(send(pool, submission(honest(3), CAROL)))
    found = [accounted_for(dataset, entry.decided.statement) for entry in entries]
    assert found == ["part", "withdrawn", "copy", "refused", "later"]
    for one, other in pairwise(entries):
        same_history(one.decided.statement, other.decided.statement)
        same_history(other.decided.statement, one.decided.statement)
        same_history(one.decided.statement, one.decided.statement)


def test_host_sends_a_file_that_is_sealed_for_another_kms(place):
    from teeproof.core.sealed import PrivateRecipient

    other = PrivateRecipient.new().public
    said = send(place.open(), submission(honest(1), ALICE, recipient=other)).said
    assert said.decision == "refused"
    assert said.reasons[0].code == "not_a_recipient"
    assert KMS.public.digest != other.digest
