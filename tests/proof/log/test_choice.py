"""Who may append enters things first, often, or under others' names: the honest are still found."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from teeproof.core.digests import named
from teeproof.core.errors import Unavailable
from teeproof.proof.choosing import Chooser
from teeproof.proof.envelope import Envelope, Signature
from teeproof.proof.identity import IdentityRecord, identity_payload
from teeproof.proof.log.contents import Contents
from teeproof.proof.log.storage.log import Log
from teeproof.proof.log.storage.stored import Stored
from tests.proof.attacks.tools import receipt
from tests.proof.people import digest, step, workload_named

ALICE = workload_named("alice")
SERVER = workload_named("server", "receipt")
FORGED = Signature("", bytes(64))


@pytest.fixture
def contents(tmp_path: Path) -> Iterator[Contents]:
    with Log.create(tmp_path / "log", origin="log.example/a") as log:
        held = Contents(log)
        yield held
        held.close()


def squatter(nonce: str = "evil") -> IdentityRecord:
    """The server's keys in another identity, which they never signed."""
    claim = msgspec.structs.replace(SERVER.record.claim, nonce=nonce)
    signatures = (FORGED,) * len(SERVER.record.envelope.signatures)
    return IdentityRecord(
        envelope=Envelope(identity_payload(claim), signatures),
        attachments=SERVER.record.attachments,
    )


def twin(number: int) -> IdentityRecord:
    """Alice's identity with signatures that are none."""
    bad = (Signature("", number.to_bytes(64, "big")),) * len(ALICE.record.envelope.signatures)
    return msgspec.structs.replace(
        ALICE.record, envelope=Envelope(ALICE.record.envelope.payload, bad)
    )


def quoting(name: str) -> IdentityRecord:
    """Alice's identity as she signed it, beside another quote."""
    attachments = ALICE.record.attachments | {"quote": name}
    return msgspec.structs.replace(ALICE.record, attachments=attachments)


@pytest.fixture
def judged(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """All records that were verified since."""
    seen: list[bytes] = []
    judge: Callable[..., int] = Chooser.judge

    def counting(self: Chooser, data: bytes, *, is_identity: bool) -> int:
        seen.append(data)
        return judge(self, data, is_identity=is_identity)

    monkeypatch.setattr(Chooser, "judge", counting)
    return seen


def test_a_log_client_that_enters_bad_twins_of_an_identity_has_each_verified_once(
    contents: Contents, judged: list[bytes]
) -> None:
    for number in range(20):
        contents.add_identity(twin(number).encode(), {})
    contents.add_identity(ALICE.record.encode(), ALICE.blobs)
    made = [step(ALICE, "train", f"model {number}") for number in range(10)]
    for one in made:
        contents.add_statement(Envelope(one.payload, (FORGED,)).encode())
        contents.add_statement(ALICE.sign(one).encode())
    contents.publish()
    for _ in range(3):
        for one in made:
            assert contents.statement(one.id) == ALICE.sign(one).encode()
            assert contents.identity(ALICE.digest) == ALICE.record.encode()
            assert contents.logged(one.id) is not None
    assert len(judged) == 21 + 2 * len(made)


def test_a_log_client_whose_twins_all_fail_has_them_verified_once_until_the_log_grows(
    contents: Contents, judged: list[bytes]
) -> None:
    for number in range(5):
        contents.add_identity(twin(number).encode(), {})
    for _ in range(3):
        assert contents.identity(ALICE.digest) == twin(0).encode()
    assert len(judged) == 5
    contents.add_identity(ALICE.record.encode(), ALICE.blobs)
    assert contents.identity(ALICE.digest) == ALICE.record.encode()


@pytest.mark.parametrize("at_hand", [False, True])
def test_a_log_client_that_enters_an_identity_beside_another_quote_does_not_take_its_place(
    contents: Contents, at_hand: bool
) -> None:
    other = contents.log.put_blob(b"no quote") if at_hand else named(bytes(32))
    contents.add_identity(quoting(other).encode(), {})
    assert contents.identity(ALICE.digest) == quoting(other).encode(), "nobody else is there"
    contents.add_identity(ALICE.record.encode(), ALICE.blobs)
    contents.publish()
    assert contents.identity(ALICE.digest) == ALICE.record.encode()
    place = contents.logged(ALICE.digest)
    assert place is not None
    assert (place.index, place.seal) == (1, ALICE.record.seal)


def test_a_log_client_that_enters_an_identity_beside_anothers_genuine_quote_is_passed_over(
    contents: Contents,
) -> None:
    theirs = SERVER.record.attachments["quote"]
    contents.add_identity(SERVER.record.encode(), SERVER.blobs)
    contents.add_identity(quoting(theirs).encode(), {})
    contents.add_identity(ALICE.record.encode(), ALICE.blobs)
    assert contents.identity(ALICE.digest) == ALICE.record.encode()


def test_a_log_client_that_enters_forged_signatures_then_a_missing_quote_leaves_the_better(
    contents: Contents,
) -> None:
    """Without the evidence, what the keys signed is still better than what they did not."""
    contents.add_identity(twin(1).encode(), {})
    contents.add_identity(quoting(named(bytes(32))).encode(), {})
    assert contents.identity(ALICE.digest) == quoting(named(bytes(32))).encode()


def test_a_log_client_that_copies_a_key_document_does_not_get_its_keyset(
    contents: Contents,
) -> None:
    thief = squatter()
    keyset = SERVER.record.keyset_digest
    contents.add_identity(thief.encode(), {})
    assert contents.identity_of_keyset(keyset) is None
    with pytest.raises(Unavailable) as caught:
        contents.add_statement(receipt(SERVER, "hello"))
    assert caught.value.code == "identity_unknown"
    contents.add_identity(SERVER.record.encode(), SERVER.blobs)
    assert contents.identity_of_keyset(keyset) == SERVER.digest != thief.digest
    answer = contents.add_statement(receipt(SERVER, "hello"))
    contents.publish()
    place = contents.logged(answer)
    assert place is not None
    assert place.identity == SERVER.digest


def test_a_log_client_that_claims_anothers_output_is_not_among_those_who_made_it(
    contents: Contents, judged: list[bytes]
) -> None:
    name = "sha256:" + digest("model")
    contents.add_identity(ALICE.record.encode(), ALICE.blobs)
    poison = step(ALICE, "poison", "model")
    contents.add_statement(Envelope(poison.payload, (FORGED,)).encode())
    assert list(contents.producers(name)) == []
    honest = step(ALICE, "train", "model")
    contents.add_statement(ALICE.sign(honest).encode())
    unknown = step(SERVER, "train", "model")  # by somebody whose identity is not in the log
    contents.add_statement(SERVER.sign(unknown).encode())
    assert list(contents.producers(name)) == [honest.id]
    judged.clear()
    for _ in range(3):
        assert list(contents.producers(name)) == [honest.id]
    assert not judged
    contents.add_statement(ALICE.sign(poison).encode())
    assert sorted(contents.producers(name)) == sorted((honest.id, poison.id))


def test_a_place_is_that_of_the_entry_which_holds(contents: Contents) -> None:
    contents.add_identity(ALICE.record.encode(), ALICE.blobs)
    made = step(ALICE, "train", "model")
    for envelope in (Envelope(made.payload, (FORGED,)), ALICE.sign(made)):
        contents.add_statement(envelope.encode())
    placed = contents.placed(made.id)
    assert placed is not None
    stored: Stored = contents.log.stored(2)
    assert (placed.index, placed.salt) == (2, stored.salt)
    assert contents.placed(bytes(32)) is None
