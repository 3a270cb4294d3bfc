"""An identity whose machine is a Nitro enclave: booted, sealed, carried in a proof, verified."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import UTC, datetime

import msgspec
import pytest

import teeproof as tp
from teeproof.cli.proofs import _write_strength
from teeproof.cli.screen import Screen
from teeproof.core.errors import Malformed
from teeproof.evidence.collect.simulated import SimulatedPlatform, nitro_opt_in_policy
from teeproof.evidence.nitro.document import parse
from teeproof.evidence.policy import parse_policy
from teeproof.evidence.record import Evidence
from teeproof.evidence.simulated.nitro import Enclave
from teeproof.proof.graph.labels import labels_of
from teeproof.proof.workload import Identity
from tests.proof.people import attester, platform, policy

ACCEPTING = parse_policy(nitro_opt_in_policy(platform()))


class Enclaves:
    """An attester that gives an enclave's document over the first bytes of what it is handed."""

    name = "enclaves"

    def __init__(self, size: int = 64, *, flip: int = 0) -> None:
        self.size, self.flip = size, flip

    def attest(self, report_data: bytes) -> Evidence:
        data = bytes([report_data[0] ^ self.flip]) + report_data[1 : self.size]
        enclave = replace(Enclave(), user_data=data)
        return Evidence(quote=platform().nitro.document(enclave, now=datetime.now(UTC)))


def sealed(identity, folder):
    path = folder / "answer.proof"
    identity.seal("answer", outputs={"answer.txt": b"42"}).save(path)
    return path


@pytest.fixture(scope="module")
def enclave() -> Identity:
    return Identity.boot(attester(at=datetime.now(UTC), state="nitro-in-order"))


def test_a_proof_carries_the_document_and_holds(enclave, tmp_path):
    path = sealed(enclave, tmp_path)
    verdict = tp.verify(path, policy=ACCEPTING)
    assert (verdict.exit_code, verdict.level) == (0, "simulated")
    (identity,) = verdict.identities
    assert next(c for c in identity.checks if c.name == "key-binding").state == "passed"
    assert tp.verify(path, policy=policy()).exit_code == 4
    another = parse_policy(nitro_opt_in_policy(SimulatedPlatform(b"\6" * 32)))
    assert tp.verify(path, policy=another).exit_code == 4


@pytest.mark.parametrize("size", [32, 64])
def test_an_enclave_may_give_the_binding_with_or_without_zeros_behind(size, tmp_path):
    path = sealed(Identity.boot(Enclaves(size)), tmp_path)
    assert tp.verify(path, policy=ACCEPTING).exit_code == 0


@pytest.mark.parametrize("attests", [Enclaves(31), Enclaves(33), Enclaves(flip=1)])
def test_an_enclave_that_binds_something_else_does_not_boot(attests):
    with pytest.raises(Malformed) as refused:
        Identity.boot(attests)
    assert refused.value.code == "attester_ignored_report_data"


def test_operator_puts_his_keys_beside_another_enclave_s_document(enclave, tmp_path, monkeypatch):
    class Stolen:
        name = "stolen"

        def attest(self, report_data):
            return Evidence(quote=enclave.blobs[enclave.record.attachments["quote"]])

    with pytest.raises(Malformed):
        Identity.boot(Stolen())
    # He leaves that out in his own copy of the program; the verifier does not.
    monkeypatch.setattr("teeproof.proof.booting.report_data_of", lambda _: _Any())
    verdict = tp.verify(sealed(Identity.boot(Stolen()), tmp_path), policy=ACCEPTING)
    faults = [(f.where, f.check.name, f.check.code) for f in verdict.faults]
    assert ("identity", "key-binding", "key_binding_mismatch") in faults
    assert verdict.exit_code == 2


class _Any:
    def __eq__(self, other: object) -> bool:
        return True

    def __ne__(self, other: object) -> bool:
        return False

    __hash__ = None


def test_the_graph_knows_the_enclave_by_its_registers_and_names_no_instance(enclave):
    document = parse(enclave.blobs[enclave.record.attachments["quote"]])
    labels = labels_of(enclave.record.encode(), blob=enclave.blobs.get)
    assert (labels.kind, labels.problem) == ("nitro", None)
    assert labels.values == {f"pcr{i}": document.pcrs[i].hex() for i in (0, 1, 2, 4)}
    assert document.module_id not in str(labels)
    other = Identity.boot(Enclaves())
    lent = msgspec.structs.replace(enclave.record, attachments=other.record.attachments)
    assert labels_of(lent.encode(), blob=other.blobs.get).values == {}


def test_the_screen_says_whom_an_enclave_is_closed_to(enclave, tmp_path):
    found = tp.verify(sealed(enclave, tmp_path), policy=ACCEPTING)
    genuine = msgspec.structs.replace(found, level="hardware", confidential=True)
    stream = io.StringIO()
    _write_strength(Screen(stream, color=False, width=200), genuine)
    said = next(line for line in stream.getvalue().splitlines() if "confidential" in line)
    assert "no instance can read the memory of an enclave beside it, if AWS" in said
    assert "no machine's host" not in said
