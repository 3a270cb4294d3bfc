"""Fuzz targets for the log's formats: what is accepted is the one encoding of what it says."""

from __future__ import annotations

from contextlib import suppress

from teeproof.core.errors import Malformed, NotAllowed, NotAuthentic, Usage
from teeproof.proof.log.formats import merkle, tiles
from teeproof.proof.log.formats.checkpoint import Checkpoint, SignedCheckpoint, verify_checkpoint
from teeproof.proof.log.formats.cosignature import claimed_time, cosigned_at
from teeproof.proof.log.formats.entry import STATEMENT, Entry
from teeproof.proof.log.formats.note import Note, SignatureLine, VerifierKey, verify_line
from teeproof.proof.log.formats.policy import TlogPolicy
from teeproof.proof.log.formats.tlogproof import TlogProof, verify
from tests.proof.log.formats.samples import (
    ENTRIES,
    LOG,
    NOW,
    TREE,
    WITNESSES,
    checkpoint,
    cosigned,
    policy_text,
)

RULE = "group G 2 W0 W1 W2\ngroup Z any G W3\nquorum Z"
POLICY = TlogPolicy.parse(policy_text(RULE))
SIGNED = cosigned({0: 100, 1: 200})
INDEX = 41
EMPTY = checkpoint(0)
SIGNED_TEXTS = (SIGNED.note.text, EMPTY.note.text, b"a\n\nb\n")  # all that the log's key signed
PROOF = TlogProof(b"salt", INDEX, tuple(TREE.inclusion_proof(INDEX, 70)), SIGNED)


def fuzz_vkey(data: bytes) -> None:
    """What is accepted is the one spelling of its key, and the key owns no line of the log."""
    with suppress(Malformed):
        text = data.decode("utf-8", "surrogateescape")
        key = VerifierKey.parse(text)
        assert key.text() == text
        line = LOG.sign(b"text\n")
        assert not verify_line(b"text\n", line, key) or key == LOG.verifier


def fuzz_note(data: bytes) -> None:
    """What is accepted is its own encoding, and lines can be added to it."""
    with suppress(Malformed):
        note = Note.parse(data)
        assert note.encode() == data
        assert note.text.endswith(b"\n")
        more = note.with_(*note.signatures)
        assert more == note
        for line in note.signatures:
            assert not verify_line(note.text, line, LOG.verifier) or note.text in SIGNED_TEXTS


def fuzz_signature_lines(data: bytes) -> None:
    """What is accepted is its own encoding; a time is claimed or not, and never raises."""
    with suppress(Malformed):
        lines = SignatureLine.parse_lines(data)
        assert b"".join(line.encode() for line in lines) == data
        for line in lines:
            time = cosigned_at(SIGNED.note.text, line, WITNESSES[0].verifier)
            assert time in (None, claimed_time(line))


def fuzz_checkpoint(data: bytes) -> None:
    """What is accepted is its own encoding."""
    with suppress(Malformed):
        found = Checkpoint.parse(data)
        assert found.encode() == data


def fuzz_signed_checkpoint(data: bytes) -> None:
    """What is accepted is its own encoding; only the log's own checkpoint holds."""
    with suppress(Malformed):
        signed = SignedCheckpoint.parse(data)
        assert signed.encode() == data
        judged = POLICY.judge(signed, now=NOW)
        with suppress(NotAuthentic):
            verify_checkpoint(signed, LOG.verifier)
            assert signed.note.text in SIGNED_TEXTS
            assert judged.log is True
        assert (judged.time is not None) == judged.quorum


def fuzz_tile_path(data: bytes) -> None:
    """What is accepted is the one spelling of its place."""
    with suppress(Malformed):
        path = data.decode("utf-8", "surrogateescape")
        kind, level, index, width = tiles.parse_path(path)
        tile = tiles.tile_path(level, index, width)
        assert path == (tile if kind == "tile" else tiles.entries_path(index, width))
        assert ".." not in path


def fuzz_entries(data: bytes) -> None:
    """What is accepted is its own encoding."""
    with suppress(Malformed):
        assert tiles.encode_entries(tiles.decode_entries(data)) == data


def fuzz_entry(data: bytes) -> None:
    """What is accepted is its own encoding."""
    with suppress(Malformed):
        assert Entry.parse(data).encode() == data


def fuzz_tlogproof(data: bytes) -> None:
    """What is accepted is its own encoding; only the entry's own place verifies."""
    with suppress(Malformed):
        proof = TlogProof.parse(data)
        assert proof.encode() == data
        with suppress(NotAuthentic, NotAllowed):
            verify(proof, ENTRIES[INDEX], policy=POLICY, now=NOW)
            assert (proof.index, proof.hashes) == (PROOF.index, PROOF.hashes)
            assert proof.checkpoint.checkpoint == SIGNED.checkpoint


def fuzz_tlog_policy(data: bytes) -> None:
    """What is accepted has a canonical text that means the same."""
    with suppress(Malformed):
        policy = TlogPolicy.parse(data)
        text = policy.encode()
        again = TlogPolicy.parse(text)
        assert again.encode() == text
        assert again.digest == policy.digest
        signed = cosigned({0: 100, 1: 200})
        first, second = policy.judge(signed, now=NOW), again.judge(signed, now=NOW)
        assert first == second


def fuzz_multiproof(data: bytes) -> None:
    """Nodes, leaves and sizes of any kind: the right roots, or a refusal."""
    sizes = {size % 101 for size in data[:3]}
    picked = list(data[3:11])
    try:
        nodes = merkle.multiproof(picked, sizes)
    except Usage:
        assert any(index >= max(sizes, default=0) for index in picked)
        return
    have = {node: TREE.node(*node) for node in nodes}
    leaves = {index: TREE.node(0, index) for index in picked}
    assert merkle.roots(leaves, have, sizes) == {size: TREE.root(size) for size in sizes}
    strange = dict(have)
    for at in range(11, len(data) - 1, 2):
        node = (data[at] % 8, data[at + 1] % 101)
        if strange.pop(node, None) is None:
            strange[node] = bytes(32)
    if strange.keys() != have.keys():
        with suppress(Malformed):
            merkle.roots(leaves, strange, sizes)
            raise AssertionError("another list of nodes was accepted")


def _plain_policy() -> list[bytes]:
    return [
        policy_text(RULE).encode(),
        b"# \xff\n\nquorum none\n",
        f"witness K {WITNESSES[0].verifier.text()} https://w.example/\nquorum K\n".encode(),
    ]


SEEDS = {
    "fuzz_vkey": lambda: [LOG.verifier.text().encode(), WITNESSES[0].verifier.text().encode()],
    "fuzz_note": lambda: [SIGNED.encode(), b"a\n\nb\n\n" + LOG.sign(b"a\n\nb\n").encode()],
    "fuzz_signature_lines": lambda: [b"".join(s.encode() for s in SIGNED.note.signatures), b""],
    "fuzz_checkpoint": lambda: [SIGNED.note.text, SIGNED.note.text + b"more\n"],
    "fuzz_signed_checkpoint": lambda: [SIGNED.encode(), EMPTY.encode()],
    "fuzz_tile_path": lambda: [b"tile/0/x001/x234/067.p/7", b"tile/entries/000", b"tile/63/999"],
    "fuzz_entries": lambda: [tiles.encode_entries([b"", b"a", bytes(300)]), bytes(512)],
    "fuzz_entry": lambda: [Entry(STATEMENT, bytes(32), bytes(range(32))).encode()],
    "fuzz_tlogproof": lambda: [
        PROOF.encode(),
        TlogProof(None, 0, (), cosigned({0: 1, 1: 1}, size=1)).encode(),
    ],
    "fuzz_tlog_policy": _plain_policy,
    "fuzz_multiproof": lambda: [
        bytes([70, 64, 3, 1, 2, 3, 40, 41, 1, 1, 1]),
        bytes([100, 99, 98, 97, 0, 5, 5, 5, 5, 5, 5, 0, 4, 6, 0]),
    ],
}
