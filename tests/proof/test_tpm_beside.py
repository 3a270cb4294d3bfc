"""A workload on a machine with a TPM: its identity keeps all that its name is over."""

from __future__ import annotations

import msgspec
import pytest

from teeproof.evidence.naming import name_evidence
from teeproof.evidence.verify import verify
from teeproof.proof.blobs import attachments_of, blobs_of, evidence_of_blobs
from teeproof.proof.graph.labels import labels_of
from teeproof.proof.workload import Identity
from tests.evidence import scenes
from tests.proof.people import NOW, attester

TPM = Identity.boot(attester(state="tdx-with-tpm"), now=lambda: NOW, nonce="mine")


@pytest.mark.parametrize(
    "state", ["tdx-with-tpm", "tdx-firmware-log", "azure-tdx-in-order", "cca-in-order"]
)
def test_evidence_comes_back_with_what_lay_beside_the_quote(state: str) -> None:
    given = scenes.state(state)
    assert evidence_of_blobs(blobs_of(given), name=given.name) == given


def test_an_identity_has_the_name_of_the_evidence_that_it_hands_over() -> None:
    (stated,) = TPM.record.claim.evidence
    evidence = TPM.record.evidence(TPM.blobs.__getitem__)
    assert name_evidence(evidence) == (stated.kind, stated.id)
    assert verify(evidence, now=NOW).subject == stated.id
    assert labels_of(TPM.record.encode(), blob=TPM.blobs.get).problem is None


def test_operator_cannot_take_the_tpm_out_of_an_identity() -> None:
    (stated,) = TPM.record.claim.evidence
    parts = blobs_of(TPM.record.evidence(TPM.blobs.__getitem__))
    del parts["tpm"]
    attachments = attachments_of(parts)
    record = msgspec.structs.replace(TPM.record, attachments=attachments)
    blobs = {attachments[name]: data for name, data in parts.items()}
    assert name_evidence(record.evidence(blobs.__getitem__)) != (stated.kind, stated.id)
    assert labels_of(record.encode(), blob=blobs.get).problem is not None
