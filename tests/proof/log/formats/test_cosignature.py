"""Cosignatures: which text, by whom, and when; Ed25519 and ML-DSA-44."""

from __future__ import annotations

import base64
import struct
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import mldsa
from hypothesis import given
from hypothesis import strategies as st

from teeproof.core.errors import Malformed, Unavailable, Usage
from teeproof.proof.log.formats.checkpoint import Checkpoint, SignedCheckpoint
from teeproof.proof.log.formats.cosignature import (
    Cosigner,
    claimed_time,
    cosigned_at,
    subtree_message,
)
from teeproof.proof.log.formats.note import (
    COSIGNATURE,
    COSIGNATURE_MLDSA,
    SignatureLine,
    VerifierKey,
    verify_line,
)
from teeproof.proof.log.formats.vkey import ed25519_pair, ed25519_sign
from tests.proof.log.formats.samples import (
    LOG,
    TREE,
    WITNESSES,
    checkpoint,
    flipped,
    with_signature,
)
from tests.proof.log.formats.test_checkpoint import EXAMPLE

TEXT = checkpoint().note.text
WITNESS = WITNESSES[0]
TIME = 1_700_000_000
LINE = WITNESS.cosign(TEXT, time=TIME)


def resigned(time: int, message: bytes) -> SignatureLine:
    """A line by the witness's key with this time over this message."""
    secret = ed25519_pair(bytes([10]) * 32)[1]
    return with_signature(LINE, time.to_bytes(8, "big") + ed25519_sign(message, secret))


def test_a_cosignature_states_its_time():
    assert cosigned_at(TEXT, LINE, WITNESS.verifier) == TIME
    assert claimed_time(LINE) == TIME
    assert len(LINE.signature) == 72


def test_the_example_of_the_specification_claims_the_time_that_it_says():
    line = SignedCheckpoint.parse(EXAMPLE).note.signatures[1]
    assert claimed_time(line) == 1679315147


def test_what_is_signed_is_what_the_specification_shows():
    line = resigned(TIME, b"cosignature/v1\ntime %d\n" % TIME + TEXT)
    assert line == LINE
    assert cosigned_at(TEXT, line, WITNESS.verifier) == TIME


@pytest.mark.parametrize(
    "message",
    [
        pytest.param(TEXT, id="no header"),
        pytest.param(b"cosignature/v1\ntime %d\n\n" % TIME + TEXT, id="a blank line"),
        pytest.param(b"cosignature/v2\ntime %d\n" % TIME + TEXT, id="another version"),
        pytest.param(b"cosignature/v1\ntime 0%d\n" % TIME + TEXT, id="a leading zero"),
        pytest.param(b"cosignature/v1\ntime %d\n" % (TIME + 1) + TEXT, id="another time"),
        pytest.param(b"cosignature/v1\ntime %d\n" % TIME + TEXT[:-1], id="no last newline"),
    ],
)
def test_witness_a_signature_over_another_message_does_not_hold(message):
    assert cosigned_at(TEXT, resigned(TIME, message), WITNESS.verifier) is None


@given(st.integers(0, 71), st.integers(0, 7))
def test_network_one_flipped_bit_does_not_hold(at, bit):
    bad = with_signature(LINE, flipped(LINE.signature, at, bit))
    assert cosigned_at(TEXT, bad, WITNESS.verifier) is None


def test_network_a_moved_time_does_not_hold():
    moved = with_signature(LINE, (TIME - 1000).to_bytes(8, "big") + LINE.signature[8:])
    assert claimed_time(moved) == TIME - 1000
    assert cosigned_at(TEXT, moved, WITNESS.verifier) is None


def test_log_a_cosignature_of_another_checkpoint_does_not_hold():
    assert cosigned_at(checkpoint(71).note.text, LINE, WITNESS.verifier) is None


def test_witness_a_cosignature_under_another_name_is_not_by_this_key():
    other = VerifierKey("other.example", COSIGNATURE, WITNESS.verifier.public_key)
    assert cosigned_at(TEXT, LINE, other) is None
    renamed = SignatureLine("other.example", LINE.key_id, LINE.signature)
    assert cosigned_at(TEXT, renamed, WITNESS.verifier) is None


def test_witness_a_key_with_the_same_id_cannot_stand_in():
    mallory = Cosigner(WITNESS.verifier.name, b"\x55" * 32).cosign(TEXT, time=TIME)
    forged = with_signature(LINE, mallory.signature)
    assert cosigned_at(TEXT, forged, WITNESS.verifier) is None


def test_a_plain_signature_and_a_cosignature_do_not_pass_for_each_other():
    assert not verify_line(TEXT, LINE, WITNESS.verifier)
    assert cosigned_at(TEXT, LOG.sign(TEXT), LOG.verifier) is None
    as_cosigner = VerifierKey(LOG.verifier.name, COSIGNATURE, LOG.verifier.public_key)
    plain = SignatureLine(as_cosigner.name, as_cosigner.key_id, LOG.sign(TEXT).signature)
    assert cosigned_at(TEXT, plain, as_cosigner) is None


@pytest.mark.parametrize("time", [0, 1 << 63, (1 << 64) - 1])
def test_witness_a_time_of_zero_or_beyond_the_bound_is_no_time(time):
    line = resigned(time, b"cosignature/v1\ntime %d\n" % time + TEXT)
    assert cosigned_at(TEXT, line, WITNESS.verifier) is None


@pytest.mark.parametrize("time", [1, (1 << 63) - 1])
def test_the_first_and_the_last_time_hold(time):
    assert cosigned_at(TEXT, WITNESS.cosign(TEXT, time=time), WITNESS.verifier) == time


@pytest.mark.parametrize("time", [0, -1, 1 << 63])
def test_a_witness_does_not_sign_a_time_that_is_none(time):
    with pytest.raises(Usage):
        WITNESS.cosign(TEXT, time=time)


def test_log_a_witness_signs_nothing_but_checkpoints():
    for text in (b"hello\n", b"", TEXT[:-1], TEXT + b"\n", b"time 5\n" + TEXT[:9]):
        with pytest.raises(Malformed):
            WITNESS.cosign(text, time=TIME)


@pytest.mark.parametrize("size", [0, 8, 64, 71, 73])
def test_a_signature_of_another_length_claims_no_time(size):
    line = with_signature(LINE, bytes(size))
    assert claimed_time(line) is None
    assert cosigned_at(TEXT, line, WITNESS.verifier) is None


NAME = "pq.example/witness"
SECRET = mldsa.MLDSA44PrivateKey.from_seed_bytes(bytes(32))
PQ = VerifierKey(NAME, COSIGNATURE_MLDSA, SECRET.public_key().public_bytes_raw())


def mldsa_line(
    text: bytes = TEXT,
    *,
    time: int = TIME,
    name: str = NAME,
    start: int = 0,
    label: bytes = b"subtree/v1\n\0",
) -> SignatureLine:
    """A cosignature as the specification's structure has it, field by field."""
    seen = Checkpoint.parse(text)
    origin = seen.origin.encode()
    message = label + bytes([len(name)]) + name.encode() + struct.pack(">Q", time)
    message += bytes([len(origin)]) + origin + struct.pack(">QQ", start, seen.size) + seen.root
    return SignatureLine(NAME, PQ.key_id, struct.pack(">Q", time) + SECRET.sign(message))


def test_a_cosignature_of_ml_dsa_states_its_time():
    assert VerifierKey.parse(PQ.text()) == PQ
    assert cosigned_at(TEXT, mldsa_line(), PQ) == TIME


def test_a_cosignature_of_ml_dsa_does_not_cover_extensions():
    plain = checkpoint().checkpoint
    extended = Checkpoint(plain.origin, plain.size, plain.root, ("more",))
    assert cosigned_at(extended.encode(), mldsa_line(), PQ) == TIME


@pytest.mark.parametrize(
    "line",
    [
        pytest.param(mldsa_line(name="other.example/witness"), id="another name"),
        pytest.param(mldsa_line(start=1), id="a subtree"),
        pytest.param(mldsa_line(label=b"subtree/v2\n\0"), id="another label"),
        pytest.param(mldsa_line(checkpoint(69).note.text), id="another size"),
        pytest.param(mldsa_line(time=0), id="no time"),
        pytest.param(with_signature(mldsa_line(), bytes(2428)), id="zeros"),
        pytest.param(with_signature(mldsa_line(), LINE.signature), id="Ed25519"),
    ],
)
def test_witness_a_cosignature_of_ml_dsa_over_something_else_does_not_hold(line):
    assert cosigned_at(TEXT, line, PQ) is None


def test_the_published_cosignature_of_a_subtree_is_over_our_message():
    # github.com/transparency-dev/formats, note/note_cosigv1_test.go: key and line by Torchwood
    vkey, line = (Path(__file__).parent / "torchwood.txt").read_bytes().splitlines()
    key = VerifierKey.parse(vkey.decode())
    (signed,) = SignatureLine.parse_lines(line + b"\n")
    assert key.owns(signed)
    assert claimed_time(signed) == 0
    root = base64.b64decode("E7ERCtFloiK1fdb+B6/dLG0pM1nmIR0ETKBSauCjtVw=")
    message = subtree_message(key.name, "example.com/log", time=0, start=8, end=13, root=root)
    public = mldsa.MLDSA44PublicKey.from_public_bytes(key.public_key)
    public.verify(signed.signature[8:], message)
    with pytest.raises(InvalidSignature):
        public.verify(signed.signature[8:], flipped(message, 40))
    # It states no time and is of no whole tree, so it is no cosignature of a checkpoint.
    text = Checkpoint("example.com/log", 13, root).encode()
    assert cosigned_at(text, signed, key) is None


def test_published_witness_keys_and_times_are_read():
    # From the same file.
    key = VerifierKey.parse("remora.n621.de+da77ade7+BOvN63jn/bLvkieywe8R6UYAtVtNbZpXh34x7onlmtw2")
    assert key.algorithm == COSIGNATURE
    raw = base64.b64decode(
        "ZGhGuQAAAABm/qTPeyKXD+R2rzyQsxPiP8mXum7qq/iF0u4vanlqJyocWODBt97w9uL+8qT7S5gxEHWWOworDcFiEBYJ"
        "XORmnFBOBA=="
    )
    assert claimed_time(SignatureLine("w", raw[:4], raw[4:])) == 1727964367


def test_names_that_do_not_fit_the_structure_do_not_hold():
    long = VerifierKey("n" * 256, COSIGNATURE_MLDSA, PQ.public_key)
    line = SignatureLine(long.name, long.key_id, mldsa_line().signature)
    assert cosigned_at(TEXT, line, long) is None
    far = Checkpoint("o" * 256, 3, TREE.root(3)).encode()
    assert cosigned_at(far, mldsa_line(), PQ) is None


def test_a_machine_without_ml_dsa_says_so(monkeypatch):
    class Missing:
        @staticmethod
        def from_public_bytes(_: bytes) -> None:
            raise UnsupportedAlgorithm("no ML-DSA here")

    monkeypatch.setattr(mldsa, "MLDSA44PublicKey", Missing)
    with pytest.raises(Unavailable) as caught:
        cosigned_at(TEXT, mldsa_line(), PQ)
    assert caught.value.code == "mldsa_unavailable"
