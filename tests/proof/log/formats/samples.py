"""Keys, trees and checkpoints that the tests of the log's formats share."""

from __future__ import annotations

from teeproof.proof.log.formats.checkpoint import Checkpoint, SignedCheckpoint, sign_checkpoint
from teeproof.proof.log.formats.cosignature import Cosigner
from teeproof.proof.log.formats.merkle import Tree, leaf_hash
from teeproof.proof.log.formats.note import NoteSigner, SignatureLine, VerifierKey

ORIGIN = "log.example/main"
NOW = 1_800_000_000

LOG = NoteSigner(ORIGIN, b"\x01" * 32)
WITNESSES = [Cosigner(f"w{n}.example/witness", bytes([10 + n]) * 32) for n in range(8)]

ENTRIES = [b"entry %d" % n for n in range(100)]
TREE = Tree(map(leaf_hash, ENTRIES))


def checkpoint(size: int = 70, *, signer: NoteSigner = LOG) -> SignedCheckpoint:
    """The log's checkpoint at a size."""
    return sign_checkpoint(Checkpoint(signer.verifier.name, size, TREE.root(size)), signer)


def cosigned(times: dict[int, int], size: int = 70) -> SignedCheckpoint:
    """A checkpoint with a cosignature of each witness (by number) at its time."""
    signed = checkpoint(size)
    lines = [WITNESSES[n].cosign(signed.note.text, time=time) for n, time in times.items()]
    return signed.with_(*lines)


def policy_text(rule: str, *, witnesses: int = 4, logs: tuple[VerifierKey, ...] = ()) -> str:
    """A policy with the log, witnesses W0, W1, …, and what else it says."""
    lines = [f"log {key.text()}" for key in (LOG.verifier, *logs)]
    lines += [f"witness W{n} {WITNESSES[n].verifier.text()}" for n in range(witnesses)]
    return "\n".join([*lines, rule]) + "\n"


def with_signature(line: SignatureLine, signature: bytes) -> SignatureLine:
    """The same line with another signature."""
    return SignatureLine(line.name, line.key_id, signature)


def flipped(data: bytes, at: int, bit: int = 0) -> bytes:
    """The data with one bit the other way."""
    at %= len(data)
    return data[:at] + bytes([data[at] ^ 1 << bit]) + data[at + 1 :]
