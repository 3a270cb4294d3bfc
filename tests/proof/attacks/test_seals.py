"""Entries commit to signatures and quotes: who changes one later, or enters words first, is caught.

The log knows no keys, so anybody who may append can enter anything: what counts is that no other
bytes can take the place of those that were entered.
"""

from __future__ import annotations

import io
from pathlib import Path

import msgspec
import pytest

from teeproof.core.errors import Malformed
from teeproof.evidence.naming import name_evidence
from teeproof.proof.blobs import attachments_of, blobs_of
from teeproof.proof.envelope import Envelope, Signature, pae
from teeproof.proof.file import ProofFile, export, merge
from teeproof.proof.identity import (
    Claim,
    EvidenceName,
    IdentityRecord,
    identity_payload,
)
from teeproof.proof.log.contents import Contents
from teeproof.proof.log.formats.entry import STATEMENT
from teeproof.proof.log.storage.log import Log
from teeproof.proof.opening import verify
from teeproof.proof.statement import Statement
from teeproof.proof.verify import verify_proof
from teeproof.proof.workload import Identity
from tests.proof.attacks import tools
from tests.proof.attacks.tools import booted, found, holds
from tests.proof.file.scenes import members, ordered, pack
from tests.proof.people import NOW, attester, policy, step, workload_named
from tests.proof.world import World

ALICE, BOB = workload_named("alice"), workload_named("bob")
SERVER = workload_named("server", "receipt")
BROKEN = {("log", "inclusion", "inclusion_mismatch", "authenticity")}
FORGED = Signature("", bytes(64))


def scene() -> tuple[World, Statement]:
    world = World()
    world.add(ALICE, BOB)
    statement = world.say(step(ALICE, "train", "model"), ALICE)
    world.publish()
    return world, statement


def test_a_host_that_swaps_the_quote_for_a_twin_after_it_was_entered_is_caught() -> None:
    """The twin has the same name and verifies alike: only the entry knows which one was there."""
    world, statement = scene()
    file = world.export(statement)
    quote = ALICE.record.attachments["quote"]
    twin = ALICE.blobs[quote] + bytes(16)
    record = tools.with_attachments(ALICE, quote=tools.name_of(twin))
    changes: dict[str, bytes | None] = {
        tools.identity_member(ALICE): record.encode(),
        f"blobs/{quote.removeprefix('sha256:')}": None,
        f"blobs/{tools.name_of(twin).removeprefix('sha256:')}": twin,
    }
    assert holds(world.verify(file))
    assert found(world.verify(tools.rewritten(file, changes))) == BROKEN


def test_a_prover_who_leaves_out_parts_of_the_evidence_is_caught() -> None:
    """The entry commits to all that lies beside an identity, and so does its record."""
    world, statement = scene()
    record = msgspec.structs.replace(
        ALICE.record, attachments={"quote": ALICE.record.attachments["quote"]}
    )
    assert record.seal != ALICE.record.seal
    file = world.export(statement)
    gone: dict[str, bytes | None] = {
        f"blobs/{digest.removeprefix('sha256:')}": None
        for name, digest in ALICE.record.attachments.items()
        if name != "quote"
    }
    less = tools.rewritten(file, {tools.identity_member(ALICE): record.encode(), **gone})
    assert found(world.verify(less)) & BROKEN


@pytest.mark.parametrize("name", ["event_log", "collateral"])
def test_a_client_who_enters_a_copy_with_parts_that_nobody_has_takes_no_place(
    name: str, tmp_path: Path
) -> None:
    copied = ALICE.record.attachments | {name: "sha256:" + "0" * 64}
    copy = msgspec.structs.replace(ALICE.record, attachments=copied)
    with Log.create(tmp_path / "log", origin="log.example/a") as log:
        contents = Contents(log)
        contents.add_identity(copy.encode(), {})
        contents.add_identity(ALICE.record.encode(), ALICE.blobs)
        statement = step(ALICE, "train", "model")
        contents.add_statement(ALICE.sign(statement).encode())
        contents.publish()
        assert log.size == 3
        assert contents.identity(ALICE.digest) == ALICE.record.encode()
        target = io.BytesIO()
        assert export(contents, [statement.id], target).identities == 1
        contents.close()
    trust = World().trust(logs=None)
    with ProofFile.from_bytes(target.getvalue()) as proof:
        assert verify_proof(proof, now=NOW, trust=trust).ok


def joint() -> tuple[World, Statement, Envelope, Envelope]:
    """Words that two must sign: with the first signature, and with both."""
    world = World()
    world.add(ALICE, BOB)
    statement = step(ALICE, "decide", "act", cosigners=(BOB.name,))
    alone = ALICE.sign(statement)
    return world, statement, alone, BOB.cosign(alone)


def test_a_thief_who_adds_a_cosignature_to_what_was_entered_without_it_is_caught() -> None:
    world, statement, alone, both = joint()
    world.put(alone)
    world.publish()
    file = world.export(statement)
    missing = {("statement", "cosigners", "cosignature_missing", "authenticity")}
    assert found(world.verify(file)) == missing
    assert found(world.verify(tools.with_envelope(file, statement, both))) == BROKEN


def test_what_was_entered_again_once_all_had_signed_holds() -> None:
    world, statement, alone, both = joint()
    world.put(alone)
    world.publish(at=NOW)
    world.put(both)
    world.publish(at=NOW + tools.DAY)
    verdict = world.verify(world.export(statement), now=NOW + 2 * tools.DAY)
    assert holds(verdict)
    assert verdict.time == "2026-03-02T12:00:00Z", "no earlier than when all had signed"


def test_a_prover_who_puts_signatures_in_another_order_is_caught() -> None:
    world, statement, _, both = joint()
    world.put(both)
    world.publish()
    file = world.export(statement)
    swapped = Envelope(both.payload, both.signatures[::-1])
    assert holds(world.verify(file))
    assert found(world.verify(tools.with_envelope(file, statement, swapped))) == BROKEN | {
        ("statement", "signature", "signature_mismatch", "authenticity"),
        ("statement", "cosigners", "cosignature_missing", "authenticity"),
    }


def test_what_was_entered_in_another_order_fails_even_where_the_log_fits() -> None:
    world, statement, _, both = joint()
    world.put(Envelope(both.payload, both.signatures[::-1]))
    world.publish()
    assert found(world.verify(world.export(statement))) == {
        ("statement", "signature", "signature_mismatch", "authenticity"),
        ("statement", "cosigners", "cosignature_missing", "authenticity"),
    }


def again(one: Identity) -> tuple[IdentityRecord, dict[str, bytes]]:
    """A second identity over the same keys, with evidence of its own: both hold."""
    evidence = attester(state="out-of-date").attest(one.record.report_data)
    claim = Claim(keys=one.record.keys, evidence=(EvidenceName(*name_evidence(evidence)),))
    payload = identity_payload(claim)
    signatures = tuple(
        Signature("", one.keyring.prove_possession(key, pae(payload)))
        for key in one.record.keys.signing
    )
    parts = blobs_of(evidence)
    record = IdentityRecord(
        envelope=Envelope(payload, signatures), attachments=attachments_of(parts)
    )
    return record, {record.attachments[name]: data for name, data in parts.items()}


def test_a_prover_who_moves_a_receipt_to_another_identity_with_its_keyset_is_caught() -> None:
    """Which machine answered is what the entry says, and not whichever has the keyset."""
    world = World()
    world.add(SERVER)

    class Root:
        id = world.source.add_statement(tools.receipt(SERVER, "hello"))

    world.publish()
    record, blobs = again(SERVER)
    assert record.keyset_digest == SERVER.record.keyset_digest
    assert record.digest != SERVER.digest
    also: dict[str, bytes | None] = {tools.identity_member(record): record.encode()}
    also |= {f"blobs/{digest.removeprefix('sha256:')}": data for digest, data in blobs.items()}
    file = tools.rewritten(world.export(Root), also)  # type: ignore[arg-type]
    honest = world.verify(file)
    assert honest.statements[0].author == SERVER.name
    assert not found(honest) & BROKEN
    rows = tools.entries_of(file)
    rows[1]["identity"] = record.digest.hex()
    moved = world.verify(tools.with_entries(file, rows))
    assert moved.statements[0].author == record.name
    assert found(moved) >= BROKEN


def test_a_prover_whose_own_log_names_another_author_of_a_receipt_is_refused() -> None:
    """A part of a log that nobody trusts fails nothing, so it may not choose an author either."""
    world, evil = World(), World(origin="aaa.evil/x", seed=b"\x66" * 32)
    world.add(SERVER)
    receipt = tools.receipt(SERVER, "hello")

    class Root:
        id = world.source.add_statement(receipt)

    world.publish()
    record, blobs = again(SERVER)
    evil.source.add_identity(record.encode(), blobs)
    evil.source.add_statement(receipt)
    evil.log.publish()
    honest, strange = world.export(Root), evil.export(Root)  # type: ignore[arg-type]
    both = dict(members(strange)) | dict(members(honest))
    with pytest.raises(Malformed) as refused:
        ProofFile.from_bytes(pack(ordered(both)))
    assert refused.value.code == "receipt_authors_differ"
    with ProofFile.from_bytes(honest) as one, ProofFile.from_bytes(strange) as two:
        with pytest.raises(Malformed) as refused:
            merge([one, two], io.BytesIO())
        assert refused.value.code == "receipt_authors_differ"


@pytest.mark.parametrize("honest_first", [True, False])
def test_somebody_who_enters_words_before_their_author_does_not_take_their_place(
    honest_first: bool,
) -> None:
    world = World()
    world.add(ALICE)
    statement = step(ALICE, "train", "model")
    honest, forged = ALICE.sign(statement), Envelope(statement.payload, (FORGED,))
    for envelope in (honest, forged) if honest_first else (forged, honest):
        world.put(envelope)
        world.publish()
    assert world.log.size == 3
    assert holds(world.verify(world.export(statement)))


@pytest.mark.parametrize("honest_first", [True, False])
def test_on_disk_the_entry_that_its_author_signed_is_found(
    tmp_path: Path, honest_first: bool
) -> None:
    with Log.create(tmp_path / "log", origin="log.example/a") as log:
        me = booted(store=log)
        statement = step(me, "train", "model")
        forged = Envelope(statement.payload, (FORGED,)).encode()
        enter = [
            lambda: me.keep(statement).id,
            lambda: me.store.add_statement(forged),
        ]
        for act in enter if honest_first else enter[::-1]:
            assert act() == statement.id
        assert log.size == 3
        contents = Contents(log)
        log.publish()
        place = contents.logged(statement.id)
        assert place is not None
        assert (place.kind, place.index) == (STATEMENT, 1 if honest_first else 2)
        assert contents.statement(statement.id) == me.sign(statement).encode()
        assert verify(me.keep(statement), policy=policy(), now=NOW).ok
        assert log.size == 3
        for store in (contents, me.store):
            store.close()  # type: ignore[attr-defined]
