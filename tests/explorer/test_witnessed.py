"""Pages of a log whose witnesses see only some of its checkpoints, and see them late."""

from __future__ import annotations

from datetime import timedelta

import pytest

from teeproof.core.clock import to_epoch
from teeproof.explorer.log.content import Book
from teeproof.explorer.log.together import Verifying
from teeproof.proof.log.formats.cosignature import Cosigner
from teeproof.proof.log.formats.policy import TlogPolicy
from teeproof.proof.log.storage.log import Log
from teeproof.proof.verify import Trust
from teeproof.proof.workload import Identity
from tests.proof.people import NOW, attester, policy

WITNESS = Cosigner("witness.example/late", b"\7" * 32)


@pytest.fixture
def scene(tmp_path):
    """A log of two checkpoints; nobody has cosigned either of them."""
    with Log.create(tmp_path / "log", origin="log.example/late") as log:
        author = Identity.boot(attester(), store=log, now=lambda: NOW)
        sealed = author.seal("answer", outputs={"answer": b"42"})
        log.publish()
        author.seal("answer", outputs={"answer": b"43"})
        log.publish()
        lines = f"log {log.verifier.text()}\nwitness w {WITNESS.verifier.text()}\nquorum w\n"
        trust = Trust(policy=policy(), logs=TlogPolicy.parse(lines.encode()))
        yield log, sealed, Book(tmp_path / "log", trust=trust, now=lambda: NOW)


def cosign(log):
    """Cosign the newest checkpoint only, as a witness does that was asked late."""
    newest = log.checkpoint()
    line = WITNESS.cosign(newest.note.text, time=to_epoch(NOW - timedelta(seconds=5)))
    log.add_cosignatures(newest.checkpoint.size, [line])


def codes(faults):
    return {fault.check.code for fault in faults}


def test_a_statement_is_shown_under_the_checkpoint_that_witnesses_saw(scene):
    log, sealed, book = scene
    cosign(log)
    assert book.page(sealed.id).verdict.faults == ()
    assert Verifying(book).of([sealed.id.hex()]).verdict.faults == ()


def test_what_was_shown_before_a_witness_saw_it_is_not_shown_after(scene):
    log, sealed, book = scene
    together = Verifying(book)
    assert codes(book.page(sealed.id).verdict.faults) == {"quorum_missed"}
    assert codes(together.of([sealed.id.hex()]).verdict.faults) == {"quorum_missed"}
    cosign(log)
    assert book.page(sealed.id).verdict.faults == ()
    assert together.of([sealed.id.hex()]).verdict.faults == ()


def test_a_page_is_made_again_once_its_reader_trusts_somebody_else(scene):
    _, sealed, book = scene
    trust = [Trust(policy=policy())]
    growing = Book(book.log, trust=lambda: trust[0], now=lambda: NOW)
    before = growing.page(sealed.id)
    assert growing.page(sealed.id) is before
    trust[0] = book.trust
    assert codes(growing.page(sealed.id).verdict.faults) == {"quorum_missed"}
