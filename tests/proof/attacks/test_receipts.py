"""Receipts: whose keyset, which key, which inputs."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from teeproof.evidence.policy import parse_policy
from teeproof.proof.statement import Statement
from teeproof.proof.verify import ProofVerdict
from tests.proof.attacks import tools
from tests.proof.attacks.tools import found, holds, receipt
from tests.proof.people import digest, platform, step, workload_named
from tests.proof.world import World, failures

SERVER = workload_named("server", "receipt")
OTHER = workload_named("other server", "receipt")
TRAINER = workload_named("trainer")


def judged(*receipts: bytes, model: Statement | None = None) -> ProofVerdict:
    """The verdict on the last of these receipts, with all three workloads known."""
    world = World()
    world.add(SERVER, OTHER, TRAINER)
    if model is not None:
        world.say(model, TRAINER)
    ids = [world.source.add_statement(data) for data in receipts]
    world.publish()

    class Root:
        id = ids[-1]

    return world.verify(world.export(Root))  # type: ignore[arg-type]


def model() -> Statement:
    return step(TRAINER, "train", "model")


def test_a_receipt_by_the_receipt_key_of_its_keyset_holds() -> None:
    made = model()
    of = (("model", "sha256:" + digest("model"), made),)
    verdict = judged(receipt(SERVER, "hello", of=of), model=made)
    assert holds(verdict)
    last = verdict.statements[-1]
    assert (last.type, last.author, last.inputs) == ("aci/1", SERVER.name, (made.name,))


@pytest.mark.parametrize(
    "sign",
    [
        SERVER.keyring.sign,
        OTHER.keyring.sign_receipt,
        TRAINER.keyring.sign,
        lambda data: bytes(64),
    ],
    ids=["its statement key", "another's receipt key", "another's statement key", "nobody"],
)
def test_a_prover_whose_receipt_is_signed_by_another_key_is_caught(sign: Any) -> None:
    assert found(judged(receipt(SERVER, "hello", sign=sign))) == {
        ("statement", "signature", "signature_mismatch", "authenticity")
    }


@pytest.mark.parametrize("key_id", ["statement", "receipt-2", ""])
def test_a_receipt_that_names_another_key_is_caught(key_id: str) -> None:
    assert failures(judged(receipt(SERVER, "hello", key_id=key_id))) == {
        "signature": "receipt_key_unknown"
    }


def test_a_server_without_a_receipt_key_gives_no_receipts() -> None:
    data = receipt(TRAINER, "hello", sign=TRAINER.keyring.sign)
    assert failures(judged(data)) == {"signature": "receipt_key_unknown"}


def test_a_prover_who_shows_a_receipt_under_anothers_keyset_is_caught() -> None:
    data = receipt(OTHER, "hello", keyset=SERVER.record.keyset_digest)
    verdict = judged(data)
    assert failures(verdict) == {"signature": "signature_mismatch"}
    assert verdict.statements[-1].author == SERVER.name


def test_a_receipt_whose_keyset_nobody_here_has_is_a_hole() -> None:
    world = World()
    world.source.log = None
    world.add(SERVER)

    class Root:
        id = world.source.add_statement(receipt(SERVER, "hello", keyset="sha256:" + "5" * 64))

    verdict = world.verify(world.export(Root, allow_missing=True), logs=None)  # type: ignore[arg-type]
    assert found(verdict) == {("statement", "signature", "author_missing", "availability")}
    assert verdict.statements[0].author is None
    assert verdict.exit_code == 3


def test_a_server_that_names_another_model_than_was_trained_is_caught() -> None:
    made = model()
    of = (("model", "sha256:" + digest("cheaper model"), made),)
    assert failures(judged(receipt(SERVER, "hello", of=of), model=made)) == {
        "inputs": "edge_mismatch"
    }


def test_an_answer_changed_after_signing_is_another_receipt() -> None:
    data = msgspec.json.decode(receipt(SERVER, "hello"))
    data["event_log"][0]["body_hash"] = "sha256:" + "1" * 64
    changed = msgspec.json.Encoder(order="sorted").encode(data)
    assert failures(judged(changed)) == {"signature": "signature_mismatch"}


def test_an_author_that_is_expected_is_expected_of_receipts_too() -> None:
    world = World()
    world.add(SERVER)

    class Root:
        id = world.source.add_statement(receipt(SERVER, "hello"))

    world.publish()
    root = f'roots = []\nsimulated_roots = ["{platform().root_fingerprint}"]\n'
    other = parse_policy(root + f'mrtd = ["{"ab" * 48}"]')
    file = world.export(Root)  # type: ignore[arg-type]
    assert failures(world.verify(file, author_policy=other)) == {"author-policy": "mrtd_mismatch"}
    assert tools.holds(world.verify(file))
