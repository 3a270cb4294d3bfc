"""An identity whose machine is an SEV-SNP guest: sealed, carried in a proof, verified from it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

import teeproof as tp
from teeproof.core.digests import sha256
from teeproof.evidence.collect.simulated import SimulatedPlatform, snp_opt_in_policy
from teeproof.evidence.policy import parse_policy
from teeproof.evidence.sev_snp import report
from teeproof.proof.graph.labels import labels_of
from teeproof.proof.workload import Identity
from tests.proof.people import attester, platform, policy


@pytest.fixture(scope="module")
def guest() -> Identity:
    return Identity.boot(attester(at=datetime.now(UTC), state="snp-not-revoked"))


def test_a_proof_carries_report_and_certificates_and_holds(guest, tmp_path):
    path = tmp_path / "answer.proof"
    guest.seal("answer", outputs={"answer.txt": b"42"}).save(path)
    accepting = parse_policy(snp_opt_in_policy(platform()))
    assert tp.verify(path, policy=accepting).exit_code == 0
    assert tp.verify(path, policy=policy()).exit_code == 4
    another = parse_policy(snp_opt_in_policy(SimulatedPlatform(b"\6" * 32)))
    assert tp.verify(path, policy=another).exit_code == 4


def test_the_graph_knows_the_machine_by_its_digest_and_the_chip_id_appears_nowhere(guest):
    body = report.parse(guest.blobs[guest.record.attachments["quote"]]).body
    labels = labels_of(guest.record.encode(), blob=guest.blobs.get)
    assert (labels.kind, labels.problem) == ("sev-snp", None)
    assert labels.values["platform"] == sha256(body.chip_id).hex()
    assert labels.values["measurement"] == body.measurement.hex()
    assert body.chip_id.hex() not in str(labels)


def test_an_identity_names_the_certificates_by_digest(guest):
    assert {"quote", "certificates"} <= set(guest.record.attachments)
