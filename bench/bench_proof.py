"""How fast proofs are verified, opened and made, beside the signatures and hashes that they need.

The proof has 10,000 statements by 50 workloads, each made of up to eight others. Of the verifier's
work on one core the limit is one Ed25519 verify by libsodium and the hashes: of the payload, of the
entry's commitment, of its leaf, and of the tree above.
"""

from __future__ import annotations

import itertools
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

from nacl.bindings import crypto_sign, crypto_sign_open, crypto_sign_seed_keypair

from bench.measure import Figure, Row, beside, commands, rate
from teeproof.core.clock import to_epoch
from teeproof.proof.file import ProofFile
from teeproof.proof.links import Subject
from teeproof.proof.log.formats.entry import STATEMENT
from teeproof.proof.log.storage.log import Item, Log
from teeproof.proof.statement import Statement, Step
from teeproof.proof.verify import verify_proof
from teeproof.proof.workload import Identity
from tests.proof.bulk import file_of, many
from tests.proof.people import workload_named
from tests.proof.world import LATER, World

MANY, FEW = 10_000, 10
COMMIT = 256
ROUNDS = 5
CHILD = """
import sys
from pathlib import Path
if len(sys.argv) > 1:
    from teeproof.core.clock import from_epoch
    from teeproof.proof.file import ProofFile
    from teeproof.proof.log.formats.policy import TlogPolicy
    from teeproof.proof.verify import Trust, verify_proof
    logs = TlogPolicy.parse(Path(sys.argv[3]).read_bytes())
    with ProofFile.open(Path(sys.argv[1])) as proof:
        if sys.argv[4] == "verify":
            verify_proof(proof, now=from_epoch(int(sys.argv[2])), trust=Trust(logs=logs))
"""


def rows() -> Iterator[Row]:
    """Yield the rows."""
    world, last = many(MANY)
    file = file_of(world, last)
    yield from _verify(world, file)
    yield from _growth(world, file)
    folder = Path(tempfile.mkdtemp(dir=os.environ.get("TEEPROOF_BENCH_DISK")))
    try:
        yield from _processes(folder, world, file)
        yield from _seal(folder)
    finally:
        shutil.rmtree(folder)


def _verify(world: World, file: bytes) -> Iterator[Row]:
    proof, trust = ProofFile.from_bytes(file), world.trust()
    known: dict[Any, Any] = {}
    reads = [proof.read(one) for one in proof.statement_ids]
    signed = [
        (
            read.envelope.signatures[0].sig + read.envelope.signed,
            proof.record(read.author).statement_key,
            read.envelope.payload,
        )
        for read in reads
        if read is not None and read.envelope is not None and read.author is not None
    ]
    envelopes = [proof.statement(one) for one in proof.statement_ids]

    def verify() -> object:
        return verify_proof(proof, now=LATER, trust=trust, known=known)

    def opening() -> object:
        return ProofFile.from_bytes(file)

    def both() -> object:
        return verify_proof(ProofFile.from_bytes(file), now=LATER, trust=trust, known=known)

    def limit() -> None:
        for message, key, _ in signed:
            crypto_sign_open(message, key)
            for _ in range(3):  # commitment, leaf, and one node of the tree for each leaf
                sha256(message[:130]).digest()

    def hashes() -> None:
        for _, _, payload in signed:
            sha256(payload).digest()

    def digests() -> None:
        for envelope in envelopes:
            sha256(envelope or b"").digest()

    found = beside(verify, limit, opening, digests, both, hashes, rounds=ROUNDS)
    ours, bare, opened, read, whole, ids = found
    yield Row(
        "verify a statement and its place in the log",
        rate(ours, MANY), rate(bare, MANY), "1 Ed25519 verify, 3 SHA-256", goal=0.8, unit="1/s",
    )  # fmt: skip
    together = Figure(bare.value + ids.value, max(bare.noise, ids.noise))
    yield Row(
        "the same, with opening the file",
        rate(whole, MANY), rate(together, MANY), "1 Ed25519 verify, 4 SHA-256", unit="1/s",
    )  # fmt: skip
    yield Row(
        "open a proof file, per statement",
        rate(opened, MANY), rate(read, MANY), "1 SHA-256 of the envelope", unit="1/s",
    )  # fmt: skip


def _growth(world: World, file: bytes) -> Iterator[Row]:
    few_world, few_last = many(FEW)
    few = file_of(few_world, few_last)

    def verifying(where: World, data: bytes) -> Callable[[], object]:
        proof, trust = ProofFile.from_bytes(data), where.trust()
        known: dict[Any, Any] = {}
        return lambda: verify_proof(proof, now=LATER, trust=trust, known=known)

    found = beside(verifying(world, file), verifying(few_world, few), rounds=ROUNDS)
    large, small = found[0].value / MANY, found[1].value / FEW
    yield Row(
        f"verify, per statement of {MANY:,}",
        Figure(large, found[0].noise),
        Figure(small, found[1].noise),
        f"per statement of {FEW}, where each has a workload of its own",
    )
    # What evidence weighs does not grow with what is said: so it is left out of the size.
    yield Row(
        "proof file, per statement",
        Figure(_weight(file) / MANY, 0),
        Figure(_payloads(file) / MANY, 0),
        "the payload alone",
        unit="B",
    )


def _weight(file: bytes) -> float:
    with ProofFile.from_bytes(file) as proof:
        blobs = sum(len(proof.blob(digest) or b"") for digest in proof.blob_digests)
        return len(file) - blobs


def _payloads(file: bytes) -> float:
    with ProofFile.from_bytes(file) as proof:
        reads = (proof.read(one) for one in proof.statement_ids)
        return sum(len(read.envelope.payload) for read in reads if read and read.envelope)


def _processes(folder: Path, world: World, file: bytes) -> Iterator[Row]:
    path, policy = folder / "large.proof", folder / "logs.policy"
    path.write_bytes(file)
    logs = world.trust().logs
    assert logs is not None
    policy.write_bytes(logs.encode())
    arguments = [path, str(to_epoch(LATER)), policy]
    command = [sys.executable, "-c", CHILD]
    verified, opened, idle = commands(
        [[*command, *arguments, "verify"], [*command, *arguments, "open"], [*command]], rounds=3
    )
    size = Figure(len(file) + idle.memory.value, 0)
    what = "an idle Python, and the file's bytes"
    yield Row("peak memory, verify 10,000 statements", verified.memory, size, what, unit="B")
    yield Row("peak memory, open 10,000 statements", opened.memory, size, what, unit="B")


def _seal(folder: Path) -> Iterator[Row]:
    """Seal in batches, each durable before the next; the limit has the payloads at hand."""
    author = workload_named("sealing")
    counter = itertools.count()
    payload = _statement(author, 0).payload
    envelope = author.sign(_statement(author, 0)).encode()
    secret = crypto_sign_seed_keypair(author.keyring.secret("statement"))[1]
    raw = os.open(folder / "raw", os.O_RDWR | os.O_CREAT | os.O_APPEND)

    def limit() -> None:
        for _ in range(COMMIT):
            sha256(payload).digest()
            crypto_sign(payload, secret)
        os.write(raw, envelope * COMMIT)
        os.fdatasync(raw)

    with Log.create(folder / "log", origin="log.example/bench") as log:

        def seal() -> None:
            items = []
            for _ in range(COMMIT):
                statement = _statement(author, next(counter))
                signed = author.sign(statement)
                record = signed.encode()
                items.append(Item(STATEMENT, statement.id, author.digest, signed.seal(1), record))
            log.append_many(items)

        ours, bare = beside(seal, limit)
    os.close(raw)
    yield Row(
        "seal a statement, batches of 256",
        rate(ours, COMMIT), rate(bare, COMMIT),
        "SHA-256, Ed25519 sign, raw write + fdatasync", goal=0.6, unit="1/s",
    )  # fmt: skip


def _statement(author: Identity, number: int) -> Statement:
    subject = Subject({"sha256": f"{number:064x}"}, name="answer")
    return Statement.of(Step(author=author.name, step="answer"), subjects=(subject,))
