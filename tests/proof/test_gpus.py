"""A workload on a machine with GPUs: its identity names both, and nobody takes one away."""

from __future__ import annotations

import msgspec
import pytest

from teeproof.core.errors import Malformed
from teeproof.evidence.naming import name_evidence
from teeproof.evidence.nvidia.nonce import gpu_nonce
from teeproof.evidence.verify import verify
from teeproof.proof.blobs import attachments_of, blobs_of, evidence_of_blobs
from teeproof.proof.identity import IdentityRecord
from teeproof.proof.memory import MemorySource
from teeproof.proof.workload import Identity
from tests.proof.attacks import tools
from tests.proof.people import NOW, attester, policy, step, workload_named
from tests.proof.world import World

GPUS = Identity.boot(attester(state="gpus-beside"), now=lambda: NOW, nonce="mine")
EVIDENCE = GPUS.record.evidence(GPUS.blobs.__getitem__)
PLAIN = workload_named("plain")


def with_parts(**changes: bytes | None) -> Identity:
    """Return the identity with other parts of its evidence attached."""
    parts = blobs_of(EVIDENCE) | changes
    kept = {name: data for name, data in parts.items() if data is not None}
    attachments = attachments_of(kept)
    record = msgspec.structs.replace(GPUS.record, attachments=attachments)
    blobs = {attachments[name]: data for name, data in kept.items()}
    return Identity(
        record, blobs=blobs, keyring=GPUS.keyring, store=MemorySource(), now=lambda: NOW
    )


def found(identity: Identity) -> set[tools.Found]:
    world = World()
    world.add(identity)
    statement = world.say(step(identity, "train", "model"), identity)
    world.publish()
    return tools.found(world.verify(world.export(statement)))


def test_a_proof_of_a_machine_with_gpus_holds_with_all_of_its_evidence() -> None:
    world = World()
    world.add(GPUS)
    statement = world.say(step(GPUS, "train", "model"), GPUS)
    world.publish()
    assert tools.holds(world.verify(world.export(statement)))
    (name,) = GPUS.record.claim.evidence
    assert (name.kind, name.id) == name_evidence(EVIDENCE)
    assert {"gpus", "manifest.0", "manifest.1", "ocsp.0"} <= GPUS.record.attachments.keys()
    verdict = verify(EVIDENCE, policy=policy(), now=NOW)
    assert verdict.facts["gpus"]["nonce"] == gpu_nonce(GPUS.record.report_data[:32]).hex()
    assert verdict.check("gpu-nonce").state == "passed"


def test_evidence_comes_back_from_its_parts_as_it_was() -> None:
    back = evidence_of_blobs(blobs_of(EVIDENCE), name=EVIDENCE.name)
    assert back == EVIDENCE
    assert len(back.ocsp) > 1


@pytest.mark.parametrize("part", ["manifest", "manifest.", "manifest.01", "ocsp.-1", "gpus.0", "x"])
def test_a_part_of_another_name_is_refused(part: str) -> None:
    with pytest.raises(Malformed):
        evidence_of_blobs({"quote": b"", part: b""}, name="x")
    record = msgspec.structs.replace(GPUS.record, attachments={part: "sha256:" + "00" * 32})
    with pytest.raises(Malformed):
        IdentityRecord.parse(record.encode())


def test_operator_takes_the_gpus_out_of_an_identity() -> None:
    assert found(with_parts(gpus=None)) == {
        ("identity", "evidence-name", "evidence_of_another", "authenticity")
    }


def test_operator_puts_the_gpus_of_another_machine_into_an_identity() -> None:
    other = Identity.boot(attester(state="gpus-beside"), now=lambda: NOW, nonce="mine")
    stolen = other.record.evidence(other.blobs.__getitem__).gpus
    codes = {code for _, _, code, _ in found(with_parts(gpus=stolen))}
    assert "gpu_nonce_mismatch" in codes
    assert "evidence_of_another" in codes


def test_host_boots_a_workload_on_gpus_without_a_machine() -> None:
    with pytest.raises(Malformed):
        Identity.boot(attester(state="gpu-good"), now=lambda: NOW)
