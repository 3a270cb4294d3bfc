"""The formats beside those of ``dnsid``, which others wrote: each reads and checks the other's.

Where dnsid takes more than C2SP's text allows, we keep to the text; those tests say so.
"""

from __future__ import annotations

import random

import pytest
from dnsid.c2sp_tlog import checkpoint as their_checkpoint
from dnsid.c2sp_tlog import merkle as their_merkle
from dnsid.c2sp_tlog import policy as their_policy
from dnsid.c2sp_tlog import proof as their_proof
from dnsid.c2sp_tlog import signed_note as their_note
from dnsid.c2sp_tlog import tiles as their_tiles
from dnsid.c2sp_tlog.errors import C2spTlogError, C2spTlogVerificationError

from teeproof.core.errors import Malformed, NotAuthentic
from teeproof.proof.log.formats import merkle, tiles
from teeproof.proof.log.formats.checkpoint import SignedCheckpoint, verify_checkpoint
from teeproof.proof.log.formats.cosignature import Cosigner, cosigned_at
from teeproof.proof.log.formats.note import SignatureLine, VerifierKey
from teeproof.proof.log.formats.policy import TlogPolicy
from teeproof.proof.log.formats.tlogproof import TlogProof, verify
from tests.proof.log.formats.samples import (
    ENTRIES,
    LOG,
    NOW,
    ORIGIN,
    TREE,
    WITNESSES,
    checkpoint,
    cosigned,
    flipped,
    policy_text,
)
from tests.proof.log.formats.test_checkpoint import EXAMPLE
from tests.proof.log.formats.test_note import EXAMPLE as NOTE_EXAMPLE
from tests.proof.log.formats.test_note import EXAMPLE_KEY

SIGNED = cosigned({0: 100, 1: 200, 2: 300})
TEXT = SIGNED.encode().decode()
RULE = "group G 2 W0 W1 W2\nquorum G"


def their_key(key: VerifierKey) -> their_note.SignedNoteKey:
    return their_note.parse_signed_note_verifier_key(key.text())


def their_verdict(
    signed: SignedCheckpoint, rule: str = RULE
) -> their_policy.CheckpointPolicyResult:
    return their_policy.enforce_checkpoint_policy(
        their_checkpoint.parse_checkpoint(signed.encode().decode()),
        ORIGIN,
        their_policy.parse_c2sp_policy_file(policy_text(rule)),
        "testnet",
        NOW * 1000,
    )


def test_they_read_our_keys():
    for key in (LOG.verifier, WITNESSES[0].verifier):
        read = their_key(key)
        assert (read.name, read.key_id, read.key_bytes) == (key.name, key.key_id, key.public_key)
        assert read.signature_type == bytes([key.algorithm])


def test_both_read_the_key_of_the_specification():
    ours, read = (
        VerifierKey.parse(EXAMPLE_KEY),
        their_note.parse_signed_note_verifier_key(EXAMPLE_KEY),
    )
    assert (read.name, read.key_id, read.key_bytes) == (ours.name, ours.key_id, ours.public_key)


def test_they_verify_our_checkpoints_and_cosignatures():
    read = their_checkpoint.parse_checkpoint(TEXT)
    assert (read.origin, read.tree_size, read.root_hash) == (ORIGIN, 70, TREE.root(70))
    assert their_note.verify_checkpoint_signature(read, their_key(LOG.verifier))
    times = [
        their_note.verified_cosignature_timestamp(read, their_key(w.verifier)) for w in WITNESSES
    ]
    assert times == [100, 200, 300, None, None, None, None, None]


@pytest.mark.parametrize("example", [EXAMPLE, NOTE_EXAMPLE], ids=["checkpoint", "note"])
def test_both_see_the_same_lines_in_the_examples_of_the_specification(example):
    from teeproof.proof.log.formats.note import Note

    ours = Note.parse(example)
    lines = example.decode().partition("\n\n")[2].strip().split("\n")
    read = [their_checkpoint.parse_note_signature(line) for line in lines]
    assert [(s.name, s.key_hash, s.signature) for s in read] == [
        (s.name, s.key_id, s.signature) for s in ours.signatures
    ]


def test_we_verify_what_their_types_hold():
    """Their parsed lines, written again from their fields, are lines to us."""
    read = their_checkpoint.parse_checkpoint(TEXT)
    rebuilt = [SignatureLine(s.name, s.key_hash, s.signature) for s in read.signatures]
    data = f"{read.signed_text}\n".encode() + b"".join(line.encode() for line in rebuilt)
    signed = SignedCheckpoint.parse(data)
    assert signed == SIGNED
    verify_checkpoint(signed, LOG.verifier)
    key = their_key(WITNESSES[1].verifier)
    ours = VerifierKey(key.name, key.signature_type[0], key.key_bytes)
    assert cosigned_at(signed.note.text, signed.note.signatures[2], ours) == 200


def test_one_flipped_bit_convinces_neither():
    source = random.Random(1)
    data = SIGNED.encode()
    for _ in range(150):
        bad = flipped(data, source.randrange(len(data)), source.randrange(8))
        try:
            ours = SignedCheckpoint.parse(bad)
            verify_checkpoint(ours, LOG.verifier)
        except (Malformed, NotAuthentic):
            ours = None
        try:
            read = their_checkpoint.parse_checkpoint(bad.decode())
            theirs = their_note.verify_checkpoint_signature(read, their_key(LOG.verifier))
        except (C2spTlogError, UnicodeDecodeError):
            theirs = False
        # What holds for us holds for them; the reverse is in the tests of differences below.
        assert theirs or ours is None


@pytest.mark.parametrize("index", [0, 1, 999, 1000, 1234067, 999_999_999_999])
@pytest.mark.parametrize("width", [None, 1, 255])
def test_paths_are_the_same(index, width):
    ours = width or 256
    assert their_tiles.tile_path("", 3, index, width) == "/" + tiles.tile_path(3, index, ours)
    assert their_tiles.entry_bundle_path("", index, width) == "/" + tiles.entries_path(index, ours)


def test_bundles_are_the_same():
    assert their_tiles.encode_entry_bundle(ENTRIES) == tiles.encode_entries(ENTRIES)
    assert their_tiles.parse_entry_bundle(tiles.encode_entries(ENTRIES)) == ENTRIES
    assert tiles.decode_entries(their_tiles.encode_entry_bundle(ENTRIES)) == ENTRIES


def test_roots_and_proofs_hold_for_both():
    for new in range(1, 101):
        assert their_merkle.merkle_root_from_entries(ENTRIES[:new]) == TREE.root(new)
        for index in (0, new // 3, new // 2, new - 1):
            proof = TREE.inclusion_proof(index, new)
            assert their_merkle.verify_inclusion(ENTRIES[index], index, new, TREE.root(new), proof)
        for old in range(new + 1):
            proof = TREE.consistency_proof(old, new)
            assert their_merkle.verify_consistency(old, new, TREE.root(old), TREE.root(new), proof)
            if proof:
                bad = [flipped(proof[0], 5), *proof[1:]]
                assert not their_merkle.verify_consistency(
                    old, new, TREE.root(old), TREE.root(new), bad
                )


def proof_of(index: int, extra: bytes | None = None) -> TlogProof:
    return TlogProof(extra, index, tuple(TREE.inclusion_proof(index, 70)), SIGNED)


@pytest.mark.parametrize("extra", [None, b"salt"])
@pytest.mark.parametrize("index", [0, 41, 69])
def test_they_verify_our_proofs_under_our_policies(index, extra):
    text = proof_of(index, extra).encode().decode()
    policy = their_policy.parse_c2sp_policy_file(policy_text(RULE))
    read = their_proof.verify_c2sp_tlog_proof(ENTRIES[index], text, policy, now_ms=NOW * 1000)
    assert (read.index, tuple(read.hashes)) == (index, proof_of(index).hashes)
    with pytest.raises(C2spTlogVerificationError):
        their_proof.verify_c2sp_tlog_proof(ENTRIES[5], text, policy, now_ms=NOW * 1000)


def test_we_verify_proofs_made_of_their_parts():
    read = their_proof.parse_tlog_proof_v1(proof_of(41, b"salt").encode().decode())
    signed = SignedCheckpoint.parse(SIGNED.encode())
    proof = TlogProof(b"salt", read.index, tuple(read.hashes), signed)
    policy = TlogPolicy.parse(policy_text(RULE))
    assert verify(proof, ENTRIES[41], policy=policy, now=NOW).time == 200


@pytest.mark.parametrize(
    "rule",
    [
        "quorum none",
        "quorum W0",
        "group G any W0 W1\nquorum G",
        "group G all W0 W1 W2\nquorum G",
        "group G 2 W0 W1 W2\nquorum G",
        "group G all W0 W1\ngroup H any W2 W3\ngroup Z 2 G H\nquorum Z",
        "group G all W0 W1\ngroup Z any G W3\nquorum Z",
    ],
)
def test_the_same_policies_accept_the_same_checkpoints(rule):
    policy = TlogPolicy.parse(policy_text(rule))
    for chosen in range(16):
        signed = cosigned({n: 100 * (n + 1) for n in range(4) if chosen >> n & 1})
        try:
            their_verdict(signed, rule)
            theirs = True
        except C2spTlogVerificationError:
            theirs = False
        assert policy.judge(signed, now=NOW).quorum == theirs


@pytest.mark.parametrize(
    "rule",
    [
        "",
        "quorum D",
        "quorum W0\nquorum W0",
        "group G 3 W0 W1\nquorum G",
        "group G 0 W0\nquorum G",
        "group G 01 W0\nquorum G",
        "group G any W0 W0\nquorum G",
        "group none any W0\nquorum none",
        "group W0 any W1\nquorum W0",
        "frobnicate\nquorum none",
        f"log {LOG.verifier.text()}\nquorum none",
        f"witness D {WITNESSES[0].verifier.text()}\nquorum none",
        f"witness D {LOG.verifier.text()}\nquorum none",
        "witness D "
        + VerifierKey("own.example", 4, LOG.verifier.public_key).text()
        + "\nquorum none",
    ],
)
def test_the_same_policies_are_refused(rule):
    with pytest.raises(Malformed):
        TlogPolicy.parse(policy_text(rule))
    with pytest.raises((C2spTlogError, ValueError)):
        their_policy.parse_c2sp_policy_file(policy_text(rule))


def test_the_time_of_a_quorum_is_the_same_where_a_majority_is_asked_for():
    judged = TlogPolicy.parse(policy_text(RULE)).judge(SIGNED, now=NOW)
    assert their_verdict(SIGNED).checkpoint_witness_time.timestamp() == judged.time == 200


# Differences. dnsid 0.30.0 does the second of each; the text of C2SP asks for the first.


def test_difference_time_is_the_kth_earliest_and_not_the_kth_latest():
    # Not in the text: both are bounds that k - 1 slow clocks cannot move back, ours is earlier.
    signed, rule = cosigned({0: 100, 1: 200, 2: 300, 3: 400}), "group G 2 W0 W1 W2 W3\nquorum G"
    assert TlogPolicy.parse(policy_text(rule)).judge(signed, now=NOW).time == 200
    assert their_verdict(signed, rule).checkpoint_witness_time.timestamp() == 300


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda text: text.replace("\n", "\r\n"), id="CRLF is no newline"),
        pytest.param(lambda text: text.replace("— ", "-- "), id="two hyphens are no dash"),
        pytest.param(lambda text: text[:-1], id="the last line ends"),
        pytest.param(lambda text: text + "\n", id="nothing follows"),
        pytest.param(lambda text: text.replace("=\n\n", "\n\n"), id="a root is padded"),
        pytest.param(lambda text: text.partition("\n\n")[0] + "\n\n", id="a note is signed"),
    ],
)
def test_difference_checkpoints_have_one_spelling(change):
    bad = change(TEXT)
    with pytest.raises(Malformed):
        SignedCheckpoint.parse(bad.encode())
    assert their_checkpoint.parse_checkpoint(bad).tree_size == 70


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda text: text.replace("log.example", "other.example"), id="its own id"),
        pytest.param(lambda text: f" {text}\n", id="no spaces around it"),
        pytest.param(
            lambda text: "+".join(
                [*text.split("+")[:1], text.split("+")[1].upper(), *text.split("+")[2:]]
            ),
            id="lower-case hex",
        ),
    ],
)
def test_difference_keys_have_one_spelling(change):
    bad = change(LOG.verifier.text())
    with pytest.raises(Malformed):
        VerifierKey.parse(bad)
    assert their_note.parse_signed_note_verifier_key(bad).key_bytes == LOG.verifier.public_key


def test_difference_a_known_keys_bad_line_voids_the_note():
    line = SIGNED.note.signatures[0]
    mixed = SIGNED.with_(SignatureLine(line.name, line.key_id, bytes(64)))
    with pytest.raises(NotAuthentic):
        verify_checkpoint(mixed, LOG.verifier)
    read = their_checkpoint.parse_checkpoint(mixed.encode().decode())
    assert their_note.verify_checkpoint_signature(read, their_key(LOG.verifier))


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(
            policy_text("group G any W0 W1\ngroup H any W0 W2\nquorum H"),
            id="a name is a member once, in one group",
        ),
        pytest.param(policy_text("quorum none")[:-1], id="the last line ends"),
        pytest.param("# a\x7fb\n" + policy_text("quorum none"), id="delete is no character"),
    ],
)
def test_difference_policies_are_read_as_the_text_says(text):
    with pytest.raises(Malformed):
        TlogPolicy.parse(text)
    assert ORIGIN in their_policy.parse_c2sp_policy_file(text).origins


def test_difference_a_witness_of_the_logs_operator_is_not_counted():
    own = Cosigner("log.example/witness", b"\x31" * 32)
    rule = f"witness own {own.verifier.text()}\nquorum own"
    signed = checkpoint()
    signed = signed.with_(own.cosign(signed.note.text, time=100))
    assert not TlogPolicy.parse(policy_text(rule)).judge(signed, now=NOW).quorum
    assert their_verdict(signed, rule).accepted_witness_timestamps == [100]


def test_difference_a_path_has_no_hash_too_many():
    long = [*TREE.inclusion_proof(3, 4), bytes(32)]
    root = their_merkle.inclusion_root(merkle.leaf_hash(ENTRIES[3]), 3, 4, long)
    assert their_merkle.verify_inclusion(ENTRIES[3], 3, 4, root, long)
    with pytest.raises(NotAuthentic):
        merkle.verify_inclusion(
            merkle.leaf_hash(ENTRIES[3]), index=3, size=4, proof=long, root=root
        )
