"""Seal straight into a log over HTTP, and save a proof that holds its place there."""

from __future__ import annotations

from datetime import timedelta

import pytest

from teeproof.core.clock import to_epoch
from teeproof.core.errors import NotAllowed, NotAuthentic, Unavailable, Usage
from teeproof.proof.envelope import Envelope, Signature
from teeproof.proof.file import ProofFile
from teeproof.proof.log.formats.cosignature import Cosigner
from teeproof.proof.log.formats.policy import TlogPolicy
from teeproof.proof.log.http.remote import RemoteStore
from teeproof.proof.verify import Trust, verify_proof
from teeproof.proof.workload import Identity
from tests.proof.log.http.httplog import ORIGIN, TOKEN, served
from tests.proof.people import NOW, attester, policy, step

LATER = NOW + timedelta(minutes=5)
WITNESS = Cosigner("witness.example/w", b"\x05" * 32)


def rules(log, *, quorum: str = "w") -> TlogPolicy:
    witness = f"witness w {WITNESS.verifier.text()}"
    return TlogPolicy.parse(f"log {log.log.verifier.text()}\n{witness}\nquorum {quorum}\n")


@pytest.fixture
def log(tmp_path):
    with served(tmp_path / "log") as made:
        yield made


def store_of(log, *, quorum: str = "w", sleep=lambda _: None, **options) -> RemoteStore:
    client = log.client(sleep=sleep, **options)
    return RemoteStore(client, logs=rules(log, quorum=quorum), now=lambda: LATER, timeout=60.0)


def boot(store) -> Identity:
    return Identity.boot(attester(), store=store, now=lambda: NOW)


def test_what_is_sealed_is_in_the_log_and_its_saved_proof_says_when(log, tmp_path):
    def witnessed(_seconds):
        signed = log.publisher.publish()
        line = WITNESS.cosign(signed.note.text, time=to_epoch(LATER))
        log.log.add_cosignatures(signed.checkpoint.size, [line])

    with store_of(log, sleep=witnessed) as store:
        me = boot(store)
        first = me.seal("train", outputs={"model": b"weights"})
        second = me.seal("answer", outputs={"answer": b"42"}, inputs={"model": first})
        assert log.log.size == 3, "each is durable in the log once it is sealed"
        second.save(tmp_path / "x.proof")
        again = me.seal("answer", outputs={"answer": b"43"}, inputs={"model": first})
        again.save(tmp_path / "y.proof")
        assert set(me.blobs) == {name for name in me.blobs if log.log.blob(name)}
    for name, size in (("x.proof", 3), ("y.proof", 4)):
        with ProofFile.open(tmp_path / name) as proof:
            assert [part.newest for part in proof.logs] == [size]
            verdict = verify_proof(proof, now=LATER, trust=Trust(policy=policy(), logs=rules(log)))
            assert verdict.ok, verdict
            assert proof.logged(proof.roots[0]).checkpoint.checkpoint.origin == ORIGIN


def test_log_that_publishes_nothing_yields_no_proof(log, tmp_path):
    ticks = iter(range(1000))
    with store_of(log, clock=lambda: next(ticks)) as store:
        sealed = boot(store).seal("train", outputs={"model": b"weights"})
        with pytest.raises(Unavailable) as late:
            sealed.save(tmp_path / "x.proof")
    assert late.value.code == "not_published"
    assert not (tmp_path / "x.proof").exists()


def test_log_without_the_quorum_yields_no_proof_and_without_one_asked_for_it_does(log, tmp_path):
    ticks = iter(range(1000))
    with store_of(log, clock=lambda: next(ticks)) as store:
        sealed = boot(store).seal("train", outputs={"model": b"weights"})
        log.publisher.publish()
        with pytest.raises(Unavailable) as unwitnessed:
            sealed.save(tmp_path / "x.proof")
    assert unwitnessed.value.code == "not_published"
    with store_of(log, quorum="none") as store:
        sealed = boot(store).seal("train", outputs={"model": b"weights"})
        log.publisher.publish()
        assert sealed.save(tmp_path / "x.proof").statements == 1


def test_log_that_puts_another_entry_in_place_is_caught(log, tmp_path):
    with store_of(log, quorum="none") as store:
        sealed = boot(store).seal("train", outputs={"model": b"weights"})
        with served(tmp_path / "other") as other:
            with other.client() as client:
                boot(RemoteStore(client)).seal("train", outputs={"model": b"others"})
            other.publisher.publish()
            log.between.change = lambda path, *_: (
                (200, (other.log.public / path[1:]).read_bytes())
                if path.startswith(("/tile", "/checkpoint"))
                else None
            )
            with pytest.raises(NotAuthentic) as lied:
                sealed.save(tmp_path / "x.proof")
    assert lied.value.code == "entry_mismatch"


def test_who_has_no_token_seals_nothing_there(log):
    with store_of(log, token=None) as store, pytest.raises(NotAllowed):
        boot(store)
    assert log.log.size == 0


def test_the_policy_says_which_log_is_at_an_address(log):
    text = rules(log).encode()
    with RemoteStore.connect(log.url, logs=text, token=TOKEN) as store:
        boot(store)
    assert log.log.size == 1
    with pytest.raises(Usage) as none:
        RemoteStore.connect(log.url, logs=b"quorum none\n", token=TOKEN)
    assert none.value.code == "log_ambiguous"


def test_a_token_holder_whose_store_was_given_bad_signatures_still_proves_what_holds(log):
    with store_of(log, quorum="none") as store:
        author = boot(store)
        made = step(author, "train", "model")
        honest, forged = author.sign(made), Envelope(made.payload, (Signature("", bytes(64)),))
        for envelope in (honest, forged):
            assert store.add_statement(envelope.encode()) == made.id
        log.publisher.publish()
        store.publish()
        assert store.statement(made.id) == honest.encode()
        place = store.logged(made.id)
        assert (place.index, place.seal) == (1, honest.seal(1))
        assert store.logged(bytes(32)) is None
