"""How fast Merkle trees grow, prove and are checked: beside the bare hashes that each step needs.

Trees of 10^3 to 10^6 leaves show how costs grow; the rows of one size stand together. A bare hash
is ``hashlib.sha256`` over the 65 bytes of a node, in a list comprehension: what Python can do.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Iterator
from itertools import cycle

from bench.measure import Row, beside, rate
from teeproof.proof.log.formats.checkpoint import Checkpoint, sign_checkpoint
from teeproof.proof.log.formats.cosignature import Cosigner
from teeproof.proof.log.formats.merkle import Tree, multiproof, roots, verify_inclusion
from teeproof.proof.log.formats.note import NoteSigner
from teeproof.proof.log.formats.policy import TlogPolicy
from teeproof.proof.log.formats.vkey import ed25519_holds

SIZES = (1_000, 10_000, 100_000, 1_000_000)
MANY = 10_000  # leaves of one multiproof
BATCH = 256  # proofs in one call
NOW = 1_800_000_000


def rows() -> Iterator[Row]:
    """Yield the rows."""
    for size in SIZES:
        leaves = [hashlib.sha256(b"%d" % n).digest() for n in range(size)]
        tree = Tree(leaves)
        yield _extend(leaves)
        yield from _single(tree, leaves)
    yield _append()
    yield from _many(tree, leaves)
    yield from _checkpoints()


def _extend(leaves: list[bytes]) -> Row:
    size = len(leaves)
    ours, limit = beside(lambda: Tree(leaves), _hashes(size - 1), rounds=_rounds(size))
    what = f"leaves/s into a tree of {size:,}"
    return Row(what, rate(ours, size), rate(limit, size), _bare(size - 1), goal=0.6, unit="1/s")


def _append() -> Row:
    size = 10_000
    leaves = [bytes(32)] * size

    def one_by_one() -> None:
        tree = Tree()
        for leaf in leaves:
            tree.append(leaf)

    ours, limit = beside(one_by_one, _hashes(size - 1))
    what = f"leaves/s one by one, to {size:,}"
    return Row(what, rate(ours, size), rate(limit, size), _bare(size - 1), unit="1/s")


def _single(tree: Tree, leaves: list[bytes]) -> Iterator[Row]:
    size = tree.size
    picked = [random.Random(1).randrange(size) for _ in range(BATCH)]
    root = tree.root()
    proofs = [tree.inclusion_proof(index) for index in picked]
    hashes = sum(map(len, proofs))

    def prove() -> None:
        for index in picked:
            tree.inclusion_proof(index)

    def verify() -> None:
        for index, proof in zip(picked, proofs, strict=True):
            verify_inclusion(leaves[index], index=index, size=size, proof=proof, root=root)

    proving, verifying, limit = beside(prove, verify, _hashes(hashes))
    words = f"{hashes / BATCH:.1f} bare hashes each"
    for what, ours in (("made", proving), ("verified", verifying)):
        name = f"inclusion proofs/s {what}, of {size:,}"
        yield Row(name, rate(ours, BATCH), rate(limit, BATCH), words, goal=_goal(what), unit="1/s")


def _goal(what: str) -> float | None:
    return 0.55 if what == "verified" else None  # making a proof looks up, and hashes little


def _many(tree: Tree, leaves: list[bytes]) -> Iterator[Row]:
    size = tree.size
    picked = sorted(random.Random(2).sample(range(size), MANY))
    sizes = [size]
    wanted = multiproof(picked, sizes)
    nodes = {node: tree.node(*node) for node in wanted}
    known = {index: leaves[index] for index in picked}
    assert roots(known, nodes, sizes)[size] == tree.root()
    hashes = len(wanted) + MANY - 1
    apart = [(index, tree.inclusion_proof(index)) for index in picked]
    root = tree.root()

    def each_alone() -> None:
        for index, proof in apart:
            verify_inclusion(leaves[index], index=index, size=size, proof=proof, root=root)

    finding, checking, alone, limit = beside(
        lambda: multiproof(picked, sizes),
        lambda: roots(known, nodes, sizes),
        each_alone,
        _hashes(hashes),
        rounds=5,
    )
    name = f"{MANY:,} of {size:,} leaves"
    yield Row(f"find the nodes for {name}", finding, limit, _bare(hashes))
    yield Row(f"roots from {name}", checking, limit, _bare(hashes), at_most=0.3)
    yield Row(f"the same, a proof for each of {MANY:,}", alone, limit, _bare(hashes))


def _checkpoints() -> Iterator[Row]:
    log = NoteSigner("log.example/main", bytes(32))
    witnesses = [Cosigner(f"w{n}.example", bytes([n]) * 32) for n in range(1, 4)]
    signed = sign_checkpoint(Checkpoint("log.example/main", 5, bytes(32)), log)
    signed = signed.with_(*(w.cosign(signed.note.text, time=NOW) for w in witnesses))
    lines = [f"log {log.verifier.text()}"]
    lines += [f"witness W{n} {w.verifier.text()}" for n, w in enumerate(witnesses)]
    text = "\n".join([*lines, "group G 2 W0 W1 W2", "quorum G", ""])
    policy = TlogPolicy.parse(text)
    line, key = signed.note.signatures[0], log.verifier.public_key
    messages = cycle([signed.note.text])

    def four() -> None:
        for _ in range(4):
            ed25519_holds(next(messages), line.signature, key)

    assert policy.judge(signed, now=NOW).quorum
    data = signed.encode()

    def judge() -> None:
        policy.judge(type(signed).parse(data), now=NOW)

    ours, limit = beside(judge, four)
    yield Row("read and judge a checkpoint", ours, limit, "4 Ed25519 verifies", goal=0.7)


def _hashes(count: int) -> Callable[[], object]:
    """Return a function that hashes as many nodes, and keeps what it hashed, as a tree must."""
    sha256, data = hashlib.sha256, b"\x01" * 65

    def work() -> object:
        return [sha256(data).digest() for _ in range(count)]

    return work


def _bare(count: int) -> str:
    return f"{count:,} bare hashes"


def _rounds(size: int) -> int:
    return 3 if size >= 1_000_000 else 9
