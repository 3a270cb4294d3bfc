"""Proofs as texts: one spelling each, and each step of their verification can say no."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from teeproof.core.errors import Error, Malformed, NotAllowed, NotAuthentic, TooLarge
from teeproof.proof.log.formats.checkpoint import Checkpoint, SignedCheckpoint
from teeproof.proof.log.formats.merkle import leaf_hash, node_hash
from teeproof.proof.log.formats.note import Note, NoteSigner
from teeproof.proof.log.formats.policy import TlogPolicy
from teeproof.proof.log.formats.tlogproof import MAX_EXTRA_BYTES, MAX_PROOF_BYTES, TlogProof, verify
from tests.proof.log.formats.samples import (
    ENTRIES,
    NOW,
    ORIGIN,
    TREE,
    checkpoint,
    cosigned,
    flipped,
    policy_text,
)

POLICY = TlogPolicy.parse(policy_text("group G 2 W0 W1 W2 W3\nquorum G"))
SIGNED = cosigned({0: 100, 1: 200})
INDEX = 41


def proof_of(index=INDEX, size=70, *, signed=SIGNED, extra=None):
    return TlogProof(extra, index, tuple(TREE.inclusion_proof(index, size)), signed)


PROOF = proof_of(extra=b"salt")


def code_of(proof, entry=ENTRIES[INDEX], *, policy=POLICY):
    with pytest.raises(Error) as caught:
        verify(proof, entry, policy=policy, now=NOW)
    return caught.value.code


def test_a_proof_holds_for_its_entry_and_says_when():
    judged = verify(PROOF, ENTRIES[INDEX], policy=POLICY, now=NOW)
    assert (judged.log, judged.quorum, judged.time) == (True, True, 200)


@pytest.mark.parametrize("extra", [None, b"x", bytes(MAX_EXTRA_BYTES)])
@pytest.mark.parametrize("index", [0, 41, 69])
def test_a_proof_reads_back(extra, index):
    proof = proof_of(index, extra=extra)
    assert TlogProof.parse(proof.encode()) == proof


def test_a_proof_has_the_lines_of_the_specification():
    lines = PROOF.encode().split(b"\n")
    assert lines[:3] == [b"c2sp.org/tlog-proof@v1", b"extra c2FsdA==", b"index 41"]
    assert lines[3 + len(PROOF.hashes) : 6 + len(PROOF.hashes)] == [b"", ORIGIN.encode(), b"70"]


def test_a_tree_of_one_has_an_empty_path():
    proof = proof_of(0, 1, signed=cosigned({0: 1, 1: 1}, size=1))
    assert proof.hashes == ()
    assert TlogProof.parse(proof.encode()) == proof
    assert verify(proof, ENTRIES[0], policy=POLICY, now=NOW).quorum


GOOD = PROOF.encode()
HASH = GOOD.split(b"\n")[3]


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(GOOD.replace(b"@v1", b"@v2"), id="another version"),
        pytest.param(GOOD.replace(b"c2sp.org", b" c2sp.org", 1), id="a space before"),
        pytest.param(b"\n" + GOOD, id="a line before"),
        pytest.param(GOOD.replace(b"\n", b"\r\n"), id="CRLF"),
        pytest.param(GOOD.replace(b"extra c2FsdA==", b"extra "), id="empty extra data"),
        pytest.param(GOOD.replace(b"extra c2FsdA==", b"extra"), id="extra without a space"),
        pytest.param(GOOD.replace(b"extra c2FsdA==", b"extra c2FsdA"), id="no padding"),
        pytest.param(GOOD.replace(b"extra c2FsdA==", b"extra c2FsdB=="), id="ignored bits"),
        pytest.param(GOOD.replace(b"extra ", b"extra  "), id="two spaces after extra"),
        pytest.param(GOOD.replace(b"extra ", b"Extra "), id="a capital"),
        pytest.param(GOOD.replace(b"extra c2FsdA==", b"extra c2E=\nextra c2E="), id="two extras"),
        pytest.param(GOOD.replace(b"index 41", b"index 041"), id="a leading zero"),
        pytest.param(GOOD.replace(b"index 41", b"index -1"), id="a minus"),
        pytest.param(GOOD.replace(b"index 41", b"index "), id="no number"),
        pytest.param(GOOD.replace(b"index 41", b"index 9223372036854775808"), id="2 to the 63rd"),
        pytest.param(GOOD.replace(b"index 41", b"index 41\nindex 41"), id="two indexes"),
        pytest.param(GOOD.replace(b"index 41\n", b""), id="no index"),
        pytest.param(GOOD.replace(b"index 41", b"index 41 "), id="a space after"),
        pytest.param(GOOD.replace(HASH, HASH[:-1]), id="a hash without padding"),
        pytest.param(GOOD.replace(HASH, b"AAAA"), id="a short hash"),
        pytest.param(GOOD.replace(HASH, b" " + HASH), id="a space before a hash"),
        pytest.param(GOOD.replace(b"\n\n", b"\n", 1), id="no blank line"),
        pytest.param(GOOD.replace(b"\n\n", b"\n\n\n", 1), id="two blank lines"),
        pytest.param(GOOD[:-1], id="no last newline"),
        pytest.param(GOOD + b"\n", id="a blank line after"),
        pytest.param(GOOD.replace(b"index 41", b"index 41" + (b"\n" + HASH) * 60), id="64 hashes"),
        pytest.param(GOOD.split(b"\n\n")[0] + b"\n\n", id="no checkpoint"),
    ],
)
def test_prover_a_text_that_is_no_proof_is_refused(data):
    with pytest.raises(Malformed):
        TlogProof.parse(data)


def test_prover_a_text_beyond_all_bounds_is_refused():
    with pytest.raises(TooLarge):
        TlogProof.parse(GOOD + b"a" * MAX_PROOF_BYTES)
    assert len(proof_of(extra=bytes(MAX_EXTRA_BYTES)).encode()) <= MAX_PROOF_BYTES


@pytest.mark.parametrize(
    "fields",
    [
        (b"", 0, ()),
        (bytes(MAX_EXTRA_BYTES + 1), 0, ()),
        (None, -1, ()),
        (None, 1 << 63, ()),
        (None, 0, (bytes(31),)),
        (None, 0, (bytes(32),) * 64),
    ],
)
def test_a_proof_that_could_not_be_read_cannot_be_made(fields):
    with pytest.raises(Malformed):
        TlogProof(*fields, SIGNED)


def test_prover_another_entry_is_refused():
    assert code_of(PROOF, ENTRIES[INDEX + 1]) == "inclusion_mismatch"
    assert code_of(PROOF, ENTRIES[INDEX] + b"\0") == "inclusion_mismatch"


def test_prover_another_index_is_refused():
    moved = TlogProof(None, INDEX + 1, PROOF.hashes, SIGNED)
    assert code_of(moved) == "inclusion_mismatch"
    assert code_of(TlogProof(None, 70, PROOF.hashes, SIGNED)) == "inclusion_mismatch"


def test_prover_hashes_too_many_or_too_few_are_refused():
    for hashes in (PROOF.hashes[:-1], (*PROOF.hashes, bytes(32)), ()):
        assert code_of(TlogProof(None, INDEX, hashes, SIGNED)) == "inclusion_mismatch"


def test_prover_an_inner_node_as_an_entry_is_refused():
    # The pair above entries 40 and 41, shown as an entry at its own place in a tree of half.
    pair = leaf_hash(ENTRIES[40]) + leaf_hash(ENTRIES[41])
    assert node_hash(pair[:32], pair[32:]) == TREE.node(1, 20)
    for index, size in ((20, 35), (20, 70), (40, 70)):
        half = checkpoint(size) if size == 70 else SIGNED
        assert half.checkpoint.size == 70
        proof = TlogProof(None, index, PROOF.hashes[1:], SIGNED)
        assert code_of(proof, pair) == "inclusion_mismatch"


def test_log_an_empty_log_holds_nothing():
    empty = TlogProof(None, 0, (), cosigned({0: 1, 1: 1}, size=0))
    assert code_of(empty, ENTRIES[0]) == "inclusion_mismatch"


def test_log_that_the_policy_does_not_name_is_refused():
    other = NoteSigner("other.example/log", b"\x41" * 32)
    assert code_of(proof_of(signed=checkpoint(signer=other))) == "log_unknown"


def test_log_a_checkpoint_that_it_did_not_sign_is_refused():
    impostor = NoteSigner(ORIGIN, b"\x77" * 32)
    assert code_of(proof_of(signed=checkpoint(signer=impostor))) == "checkpoint_signature"


def test_log_a_checkpoint_with_another_root_is_refused():
    forged = Checkpoint(ORIGIN, 70, bytes(32))
    signed = SignedCheckpoint(forged, Note(forged.encode(), SIGNED.note.signatures))
    assert code_of(proof_of(signed=signed)) == "checkpoint_signature"


def test_log_too_few_witnesses_are_not_allowed():
    proof = proof_of(signed=cosigned({0: 100}))
    with pytest.raises(NotAllowed) as caught:
        verify(proof, ENTRIES[INDEX], policy=POLICY, now=NOW)
    assert caught.value.code == "quorum_missed"
    assert (caught.value.expected, caught.value.got) == ("the quorum G", "W0: it holds")


def test_a_policy_without_a_quorum_accepts_and_gives_no_time():
    lax = TlogPolicy.parse(policy_text("quorum none"))
    assert verify(proof_of(signed=checkpoint()), ENTRIES[INDEX], policy=lax, now=NOW).time is None


def test_extra_data_is_nobodys_word():
    other = proof_of(extra=b"anything")
    assert verify(other, ENTRIES[INDEX], policy=POLICY, now=NOW).quorum


@given(st.integers(0, len(GOOD) - 1), st.integers(0, 7))
def test_network_one_flipped_bit_outside_the_extra_data_is_caught(at, bit):
    data = flipped(GOOD, at, bit)
    try:
        proof = TlogProof.parse(data)
    except Malformed:
        return
    assert proof.encode() == data
    if proof.index == PROOF.index and (proof.hashes, proof.checkpoint) == (
        PROOF.hashes,
        PROOF.checkpoint,
    ):
        assert proof.extra != PROOF.extra
        return
    with pytest.raises((NotAuthentic, NotAllowed)):
        verify(proof, ENTRIES[INDEX], policy=POLICY, now=NOW)
