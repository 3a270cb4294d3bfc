"""Proofs as large, as deep and as tangled as a file may be: no recursion, no squares."""

from __future__ import annotations

import base64
import gc
import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from teeproof.core.digests import named, sha256
from teeproof.proof import canonical
from teeproof.proof.file import ProofFile
from teeproof.proof.links import Link
from teeproof.proof.statement import STATEMENT_TYPE
from teeproof.proof.verify import Trust, verify_proof
from teeproof.proof.verify.closure import MAX_MAKERS
from teeproof.proof.verify.structure import edges_of, order, paths
from tests.proof.attacks.tools import holds
from tests.proof.bulk import file_of, many
from tests.proof.file.scenes import ordered, pack
from tests.proof.people import workload_named
from tests.proof.world import LATER, World

MANY = 10_000


@pytest.fixture(scope="module")
def large() -> Iterator[tuple[World, bytes]]:
    """The proof of 10,000 statements by 50 workloads, all of whose signatures are real."""
    world, last = many(MANY)
    yield world, file_of(world, last)
    gc.collect()


def test_ten_thousand_statements_hold_in_one_call(large: tuple[World, bytes]) -> None:
    world, file = large
    told: list[tuple[int, int]] = []
    with ProofFile.from_bytes(file) as proof:
        verdict = verify_proof(
            proof, now=LATER, trust=world.trust(), progress=lambda *at: told.append(at)
        )
    assert holds(verdict)
    assert len(verdict.statements) == MANY
    assert len(verdict.identities) == 50
    assert told[-1] == (MANY, MANY)
    assert verdict.statements[-1].id == verdict.roots[0]


_PEAK = """
import resource, sys
from pathlib import Path
from teeproof.core.clock import from_epoch
from teeproof.proof.file import ProofFile
from teeproof.proof.verify import verify_proof
with ProofFile.open(Path(sys.argv[1])) as proof:
    verdict = verify_proof(proof, now=from_epoch(int(sys.argv[2])))
    assert len(verdict.statements) == len(proof.statement_ids)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
"""


def test_the_memory_of_a_verifier_is_a_few_times_the_file(
    large: tuple[World, bytes], tmp_path: Any
) -> None:
    peaks = []
    for name, file in (("small", file_of(*many(10))), ("large", large[1])):
        (tmp_path / name).write_bytes(file)
        when = str(int(LATER.timestamp()))
        command = [sys.executable, "-c", _PEAK, str(tmp_path / name), when]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        peaks.append(int(done.stdout))
    assert peaks[1] - peaks[0] < 8 * len(large[1])


def payload(*, output: str, inputs: tuple[tuple[str, str | None], ...], author: str) -> bytes:
    materials = [
        {"digest": {"sha256": digest}, "role": "part"} | ({"statement": made} if made else {})
        for digest, made in inputs
    ]
    predicate: dict[str, Any] = {"author": author, "step": "make"}
    if materials:
        predicate["materials"] = materials
    return canonical.encode(
        {
            "_type": STATEMENT_TYPE,
            "predicate": predicate,
            "predicateType": "urn:teeproof:step:v1",
            "subject": [{"digest": {"sha256": output}}],
        }
    )


def unsigned(said: bytes) -> bytes:
    """An envelope with 64 zero bytes where the signature belongs: cheap to make, and to refuse."""
    encoded = base64.b64encode(said).decode()
    return canonical.encode(
        {
            "payload": encoded,
            "payloadType": "application/vnd.in-toto+json",
            "signatures": [{"keyid": "", "sig": base64.b64encode(bytes(64)).decode()}],
        }
    )


def heap(payloads: list[bytes], root: bytes) -> bytes:
    """A file with these statements, all by one workload."""
    author = workload_named("digger")
    content = {
        "manifest.json": canonical.encode({"roots": [named(root)], "type": "urn:teeproof:proof:v1"})
    }
    for said in payloads:
        content[f"statements/{sha256(said).hex()}.json"] = unsigned(said)
    content[f"identities/{author.digest.hex()}.json"] = author.record.encode()
    for digest, data in author.blobs.items():
        content[f"blobs/{digest[7:]}"] = data
    return pack(ordered(content))


def chain(length: int) -> bytes:
    author = workload_named("digger").name
    payloads: list[bytes] = []
    digest, above = "0" * 64, None
    for number in range(length):
        inputs = ((digest, above),) if above else ()
        digest = f"{number:064x}"
        payloads.append(payload(output=digest, inputs=inputs, author=author))
        above = named(sha256(payloads[-1]))
    return heap(payloads, sha256(payloads[-1]))


def test_a_prover_with_a_chain_of_fifty_thousand_cannot_exhaust_the_stack() -> None:
    file = chain(50_000)
    with ProofFile.from_bytes(file) as proof:
        verdict = verify_proof(proof, now=LATER, trust=Trust(both_paths=False))
    assert verdict.exit_code == 2
    mine = [fault for fault in verdict.faults if fault.where == "statement"]
    assert len(mine) == 50_000
    assert {fault.check.code for fault in mine} == {"signature_mismatch"}
    # Paths are what would make this answer many times as long as the file.
    assert max(len(fault.path) for fault in mine) == 64
    assert sum(bool(fault.path) for fault in mine) == 1024
    assert [s.id for s in verdict.statements][-1] == verdict.roots[0]


def tangle(count: int) -> bytes:
    """Each statement makes the same data, of the same data; none says which one made it."""
    author = workload_named("digger").name
    data = "d" * 64
    payloads = [
        payload(output=data, inputs=((data, None), (f"{number:064x}", None)), author=author)
        for number in range(count)
    ]
    return heap(payloads, sha256(payloads[0]))


def test_a_prover_with_twenty_thousand_makers_of_one_thing_cannot_square_the_work() -> None:
    with ProofFile.from_bytes(tangle(20_000)) as proof:
        verdict = verify_proof(proof, now=LATER, trust=Trust(both_paths=False))
    assert ("acyclic", "cycle") in {(f.check.name, f.check.code) for f in verdict.faults}
    assert {len(one.inputs) for one in verdict.statements} == {0}
    assert len(json.dumps(verdict.to_json())) < 200 << 20


@pytest.mark.parametrize("count", [2, MAX_MAKERS, MAX_MAKERS + 1])
def test_the_makers_of_one_thing_are_listed_while_they_are_few(count: int) -> None:
    with ProofFile.from_bytes(tangle(count)) as proof:
        verdict = verify_proof(proof, now=LATER, trust=Trust(both_paths=False))
    listed = 0 if count > MAX_MAKERS else count - 1
    assert {len(one.inputs) for one in verdict.statements} == {listed}


def test_the_graph_of_shared_data_grows_with_the_file() -> None:
    ids = [number.to_bytes(32, "big") for number in range(3000)]
    made = ids[:1500]
    links = {one: [] if one in set(made) else [Link("x", "data", None, None)] for one in ids}
    outputs = {one: ("data",) if not links[one] else () for one in ids}
    edges = edges_of(links, outputs, lambda digest: made if digest == "data" else ())
    assert sum(len(below) for below in edges.values()) == 3000
    assert len(order(edges).ids) == 3000
    assert len(paths([ids[-1]], edges)) == 1501
