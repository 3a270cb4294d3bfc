"""What a log takes in: three kinds of record, each with an id and an author, and nothing else."""

from __future__ import annotations

import json

import pytest

from teeproof.core.digests import parse_named
from teeproof.core.errors import Malformed, TooLarge, Unavailable
from teeproof.proof.envelope import Envelope, Signature, seal_of
from teeproof.proof.foreign import IDENTITY_URN, SLSA_PROVENANCE
from teeproof.proof.links import Subject
from teeproof.proof.log.admission import MAX_BYTES, read_record, read_records, require_possession
from teeproof.proof.log.formats.entry import IDENTITY, RECEIPT, STATEMENT, commitment
from teeproof.proof.receipt import Receipt
from teeproof.proof.statement import Statement
from tests.proof.log.http.httplog import (
    AUTHOR,
    identity,
    receipt,
    statement,
    statement_id,
    unsigned,
)


def nobody(_keyset: str) -> None:
    return None


def foreign(builder: str) -> bytes:
    made = Statement.of_foreign(
        SLSA_PROVENANCE,
        {"buildDefinition": {}, "runDetails": {"builder": {"id": builder}}},
        subjects=(Subject({"sha256": "00" * 32}),),
    )
    return Envelope(made.payload, (Signature("", b"s" * 64),)).encode()


def test_a_statement_is_known_by_its_payload_and_its_author():
    record = read_record(statement(), identity_of_keyset=nobody)
    assert (record.kind, record.id) == (STATEMENT, statement_id(statement()))
    assert record.identity == parse_named(AUTHOR)
    entry = record.entry(b"s" * 32)
    assert entry.commitment == commitment(b"s" * 32, record.id, record.seal)
    assert record.seal == seal_of(b"s" * 64)
    assert entry.identity == record.identity


def test_the_same_statement_in_other_wrapping_is_the_same_statement():
    pretty = json.dumps(json.loads(statement()), indent=1).encode()
    assert pretty != statement()
    found = read_record(pretty, identity_of_keyset=nobody)
    assert found.id == statement_id(statement())
    assert found.data == pretty


def test_an_identity_is_its_own_author():
    who = identity()
    record = read_record(who.encode(), identity_of_keyset=nobody)
    assert (record.kind, record.id, record.identity) == (IDENTITY, who.digest, who.digest)
    assert record.keyset == who.keyset_digest


def test_a_receipt_has_the_author_whose_keyset_it_names():
    who = identity()
    paper = receipt(who.keyset_digest)
    record = read_record(paper, identity_of_keyset={who.keyset_digest: who.digest}.get)
    assert (record.kind, record.id) == (RECEIPT, Receipt.parse(paper).id)
    assert record.identity == who.digest
    with pytest.raises(Unavailable) as error:
        read_record(paper, identity_of_keyset=nobody)
    assert error.value.code == "identity_unknown"


def test_anothers_predicate_needs_an_identity_of_ours_as_its_author():
    record = read_record(foreign(IDENTITY_URN + AUTHOR), identity_of_keyset=nobody)
    assert record.identity == parse_named(AUTHOR)
    with pytest.raises(Malformed) as error:
        read_record(foreign("https://builder.example/1"), identity_of_keyset=nobody)
    assert error.value.code == "author_missing"


def test_in_a_batch_an_identity_vouches_for_receipts_behind_it_and_not_before():
    who = identity()
    lines = [who.encode(), receipt(who.keyset_digest)]
    found = read_records(b"\n".join(lines), most=2, identity_of_keyset=nobody)
    assert [record.kind for record in found] == [IDENTITY, RECEIPT]
    with pytest.raises(Unavailable, match="line 1"):
        read_records(b"\n".join(reversed(lines)), most=2, identity_of_keyset=nobody)


def test_a_batch_has_an_end():
    line = statement() + b"\n"
    assert len(read_records(line * 3, most=3, identity_of_keyset=nobody)) == 3
    with pytest.raises(TooLarge):
        read_records(line * 4, most=3, identity_of_keyset=nobody)
    with pytest.raises(Malformed, match="line 2"):
        read_records(line + b"\n", most=3, identity_of_keyset=nobody)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"null",
        b"7",
        b"[]",
        b"{}",
        b'"payload"',
        b"\xff",
        b"{" * 100_000,
        b'{"payload"',
        b'{"envelope":{}}',
        b'{"api_version":"aci/1"}',
    ],
)
def test_anything_else_is_refused(data):
    with pytest.raises(Malformed) as error:
        read_record(data, identity_of_keyset=nobody)
    assert error.value.code == "record_unknown"


def test_a_record_beyond_the_bound_is_not_looked_at():
    with pytest.raises(TooLarge):
        read_record(b"{" + b" " * MAX_BYTES, identity_of_keyset=nobody)


def test_prover_cannot_hide_one_kind_of_record_in_another():
    mixed = json.loads(statement()) | {"event_log": [], "attachments": {}}
    with_both = json.dumps(mixed).encode()
    record = read_record(with_both, identity_of_keyset=nobody)
    assert record.kind == STATEMENT, "DSSE ignores what it does not know"
    assert record.id == statement_id(statement())
    doubled = statement()[:-1] + b',"payload":"e30="}'
    with pytest.raises(Malformed):
        read_record(doubled, identity_of_keyset=nobody)


def test_a_token_holder_who_copies_a_key_document_does_not_get_its_keyset():
    who, thief = identity(), unsigned(identity())
    assert thief.keyset_digest == who.keyset_digest
    taken = read_record(thief.encode(), identity_of_keyset=nobody)
    assert (taken.kind, taken.keyset) == (IDENTITY, None)
    lines = (thief.encode(), who.encode(), receipt(who.keyset_digest))
    found = read_records(b"\n".join(lines), most=3, identity_of_keyset=nobody)
    assert found[2].identity == who.digest
    with pytest.raises(Unavailable) as caught:
        read_records(b"\n".join(lines[::2]), most=3, identity_of_keyset=nobody)
    assert caught.value.code == "identity_unknown"


def test_a_token_holder_who_sends_an_identity_that_its_keys_did_not_sign_is_refused():
    for record in (identity().encode(), statement()):
        require_possession(read_record(record, identity_of_keyset=nobody))
    with pytest.raises(Malformed) as caught:
        require_possession(read_record(unsigned(identity()).encode(), identity_of_keyset=nobody))
    assert caught.value.code == "possession_unproven"
