"""A source and a log in memory behave as those on disk do."""

from __future__ import annotations

import pytest

from teeproof.core.digests import named
from teeproof.core.errors import Malformed, Unavailable
from teeproof.proof.choosing import Chooser
from teeproof.proof.envelope import Envelope, Signature, pae
from teeproof.proof.foreign import SLSA_PROVENANCE
from teeproof.proof.identity import IdentityRecord
from teeproof.proof.links import Subject
from teeproof.proof.log.formats.checkpoint import verify_checkpoint
from teeproof.proof.log.formats.cosignature import Cosigner
from teeproof.proof.log.formats.entry import IDENTITY, RECEIPT, STATEMENT, Entry, commitment
from teeproof.proof.log.formats.merkle import inclusion_proof, leaf_hash, verify_inclusion
from teeproof.proof.memory import MemoryLog, MemorySource
from teeproof.proof.statement import Statement
from tests.proof.file import scenes
from tests.proof.log.http.httplog import unsigned
from tests.proof.people import step as people_step
from tests.proof.people import workload_named

ALICE = scenes.person("alice")


def logged() -> MemorySource:
    return scenes.source(ALICE, log=scenes.new_log())


def test_what_was_added_is_found():
    held = scenes.source(ALICE)
    envelope = scenes.step(ALICE, "a", "b")
    root = held.add_statement(envelope)
    assert held.statement(root) == envelope
    assert held.identity(ALICE.digest) == ALICE.record.encode()
    assert held.identity_of_keyset(ALICE.record.keyset_digest) == ALICE.digest
    assert held.blob(ALICE.record.attachments["quote"]) == b"quote of alice"
    assert list(held.producers(scenes.of("a"))) == list(held.producers(scenes.of("b"))) == [root]
    assert held.logged(root) is None


def test_what_was_not_added_is_not_found():
    held = MemorySource()
    assert held.statement(bytes(32)) is None
    assert held.identity(bytes(32)) is None
    assert held.blob("sha256:" + "0" * 64) is None
    assert held.identity_of_keyset("sha256:" + "0" * 64) is None
    assert list(held.producers(scenes.of("a"))) == []


def test_what_is_neither_a_statement_nor_an_identity_is_refused():
    held = MemorySource()
    with pytest.raises(Malformed):
        held.add_statement(ALICE.record.encode())
    with pytest.raises(Malformed):
        held.add_identity(scenes.step(ALICE, "a"))


def test_a_statement_added_twice_is_logged_once():
    held = logged()
    envelope = scenes.step(ALICE, "a")
    assert held.add_statement(envelope) == held.add_statement(envelope)
    assert held.log.size == 2
    assert len(list(held.producers(scenes.of("a")))) == 1


def test_each_kind_is_logged_as_what_it_is():
    held = logged()
    ids = [
        ALICE.digest,
        held.add_statement(scenes.step(ALICE, "a")),
        held.add_statement(scenes.receipt(ALICE, "b")),
    ]
    held.log.publish()
    assert [held.logged(one).kind for one in ids] == [IDENTITY, STATEMENT, RECEIPT]
    for one in ids:
        place = held.logged(one)
        entry = Entry(place.kind, commitment(place.salt, one, place.seal), ALICE.digest)
        verify_inclusion(
            leaf_hash(entry.encode()),
            index=place.index,
            size=3,
            proof=inclusion_proof(place.index, 3, place.node),
            root=place.checkpoint.checkpoint.root,
        )


def test_a_receipt_of_nobody_known_is_not_logged():
    held = MemorySource(scenes.new_log())
    with pytest.raises(Unavailable) as error:
        held.add_statement(scenes.receipt(ALICE, "a"))
    assert error.value.code == "identity_unknown"
    assert held.log.size == 0


def test_an_entry_has_a_place_once_it_is_published():
    held = logged()
    assert held.logged(ALICE.digest) is None
    with pytest.raises(Unavailable) as error:
        held.log.first_checkpoint(0)
    assert error.value.code == "not_published"
    first = held.log.publish()
    assert held.log.publish() is first
    held.add_statement(scenes.step(ALICE, "a"))
    held.log.publish()
    assert held.logged(ALICE.digest).checkpoint == first


def test_checkpoints_are_signed_by_the_log_and_gather_cosignatures():
    log = MemoryLog("log.example/m", seed=b"\1" * 32)
    log.append(STATEMENT, bytes(32), bytes(32), bytes(32))
    signed = log.publish()
    verify_checkpoint(signed, log.verifier)
    line = Cosigner("w.example", b"\2" * 32).cosign(signed.note.text, time=1)
    log.add_cosignatures(1, [line])
    assert line in log.first_checkpoint(0).note.signatures
    assert MemoryLog("log.example/m").verifier != log.verifier


def test_a_log_in_memory_takes_what_logs_take():
    payload = {"runDetails": {"builder": {"id": "https://example.com/builder"}}}
    subjects = (Subject({"sha256": "1" * 64}),)
    foreign = Statement.of_foreign(SLSA_PROVENANCE, payload, subjects=subjects)
    envelope = scenes.signed(foreign, ALICE).encode()
    held = logged()
    with pytest.raises(Malformed) as error:
        held.add_statement(envelope)
    assert error.value.code == "author_missing"
    assert held.statement(foreign.id) is None
    assert held.log.size == 1
    alone = MemorySource()
    assert alone.statement(alone.add_statement(envelope)) == envelope


@pytest.mark.parametrize("honest_first", [True, False])
def test_of_a_statement_entered_twice_the_one_that_its_author_signed_is_found(honest_first):
    held = logged()
    honest = scenes.step(ALICE, "a")
    read = Envelope.parse(honest)
    forged = Envelope(read.payload, (Signature("", bytes(64)),)).encode()
    for envelope in (honest, forged) if honest_first else (forged, honest):
        root = held.add_statement(envelope)
    held.publish()
    assert held.statement(root) == honest
    assert held.logged(root).index == (1 if honest_first else 2)
    assert held.logged(root).seal == read.seal(1)
    assert held.log.size == 3


def test_of_a_statement_that_nobody_signed_the_first_is_found():
    held = logged()
    payload = Envelope.parse(scenes.step(ALICE, "a")).payload
    first, second = (Envelope(payload, (Signature("", one * 64),)).encode() for one in (b"1", b"2"))
    root = held.add_statement(first)
    assert held.add_statement(second) == root
    held.publish()
    assert held.statement(root) == first
    assert held.logged(root).index == 1


@pytest.mark.parametrize("honest_first", [True, False])
def test_of_a_statement_with_cosigners_the_one_that_all_signed_is_found(honest_first):
    """Its author's signature alone can be had by anyone who asked for it."""
    bob = scenes.person("bob")
    held = logged()
    held.add_identity(bob.record.encode(), bob.blobs)
    alone = Envelope.parse(scenes.step(ALICE, "a", cosigners=[bob]))
    both = (*alone.signatures, Signature("", bob.keyring.sign(pae(alone.payload))))
    forged = (*alone.signatures, Signature("", bytes(64)))
    honest = Envelope(alone.payload, both).encode()
    wrong = Envelope(alone.payload, forged).encode()
    for envelope in (honest, wrong) if honest_first else (wrong, honest):
        root = held.add_statement(envelope)
    assert held.statement(root) == honest


def test_of_an_identity_entered_twice_the_one_whose_keys_signed_is_found():
    envelope = ALICE.record.envelope
    bare = Envelope(envelope.payload, (Signature("", bytes(64)),))
    other = IdentityRecord(envelope=bare, attachments=ALICE.record.attachments)
    for records in ((other, ALICE.record), (ALICE.record, other)):
        held = MemorySource(scenes.new_log())
        for record in records:
            held.add_identity(record.encode(), ALICE.blobs)
        held.publish()
        assert held.identity(ALICE.digest) == ALICE.record.encode()
        assert held.logged(ALICE.digest).seal == ALICE.record.seal


def test_a_token_holder_who_enters_an_identity_beside_another_quote_does_not_take_its_place():
    who = workload_named("alice")
    attachments = who.record.attachments | {"quote": named(bytes(32))}
    other = IdentityRecord(envelope=who.record.envelope, attachments=attachments)
    held = MemorySource(scenes.new_log())
    held.add_identity(other.encode())
    assert held.identity(who.digest) == other.encode()
    held.add_identity(who.record.encode(), who.blobs)
    held.publish()
    assert held.identity(who.digest) == who.record.encode()
    assert held.logged(who.digest).seal == who.record.seal


def test_a_token_holder_who_copies_a_key_document_does_not_get_its_keyset():
    keyset = ALICE.record.keyset_digest
    held = MemorySource()
    thief = unsigned(ALICE.record)
    held.add_identity(thief.encode(), ALICE.blobs)
    assert thief.keyset_digest == keyset
    assert held.identity_of_keyset(keyset) is None
    held.add_identity(ALICE.record.encode(), ALICE.blobs)
    assert held.identity_of_keyset(keyset) == ALICE.digest


def test_a_token_holder_who_enters_bad_twins_has_each_verified_once(monkeypatch):
    who, seen, judge = workload_named("alice"), [], Chooser.judge

    def counting(self, data, *, is_identity):
        seen.append(data)
        return judge(self, data, is_identity=is_identity)

    monkeypatch.setattr(Chooser, "judge", counting)
    held, payload = MemorySource(), who.record.envelope.payload
    for number in range(20):
        bad = Envelope(payload, (Signature("", bytes([number]) * 64),))
        twin = IdentityRecord(envelope=bad, attachments=who.record.attachments)
        held.add_identity(twin.encode())
    held.add_identity(who.record.encode(), who.blobs)
    made = [people_step(who, "train", f"model {number}") for number in range(10)]
    for one in made:
        held.add_statement(Envelope(one.payload, (Signature("", bytes(64)),)).encode())
        held.add_statement(who.sign(one).encode())
    for one in made * 3:
        assert held.statement(one.id) == who.sign(one).encode()
    assert len(seen) == 21 + 2 * len(made)
