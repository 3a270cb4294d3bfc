"""The whole of it over HTTP, with a real KMS: contribute, prove, take back; and what is refused."""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path

import httpx
import msgspec
import pytest

from teeproof.cloud.job import Job
from teeproof.cloud.kms.requests import WithdrawRequest
from teeproof.cloud.manifest import Manifest
from teeproof.core.clock import from_epoch
from teeproof.core.errors import Malformed, NotAllowed, NotAuthentic, TooLarge, Unavailable, Usage
from teeproof.core.sealed.header import read_header
from teeproof.data import workload
from teeproof.data.contribute import LIFETIME, contribute, send, withdraw
from teeproof.data.heldout import SealedHeldOut, seal_held_out
from teeproof.data.keys import KmsKeys
from teeproof.data.records import Record
from teeproof.data.samples import file_of
from teeproof.data.snapshot import open_part
from teeproof.data.submission import MAX_SUBMISSION_BYTES, policy_for, submit
from teeproof.data.usage import models_of, used_by
from teeproof.evidence.binding import job_nonce
from teeproof.proof import canonical
from teeproof.proof.graph import Graph
from teeproof.proof.links import Material, Subject
from teeproof.proof.statement import Statement, Step
from teeproof.proof.verify import Trust
from tests.data.scenes import ALICE, BOB, CAROL, EVE, NOW, TIME, honest, order, payout
from tests.data.served import OPERATOR, TRAINER, Town, machines
from tests.proof.people import policy


@pytest.fixture
def town(tmp_path):
    made = Town(tmp_path)
    with made.kms() as kms:
        made.prepare(kms)
        made.client = kms
        yield made


@pytest.fixture
def pool(town):
    with town.pool() as client:
        yield client


def sealed_for(town: Town, records: tuple[Record, ...] | bytes, owner=ALICE):
    """A submission that is sealed for the real KMS, without the contributor's own check."""
    rules = policy_for(town.terms, owner=owner.public, not_after=TIME + 86400)
    return submit(
        records if isinstance(records, bytes) else file_of(records),
        owner=owner, terms=town.terms, policy=rules, payout=payout(owner), time=TIME,
        recipient=town.client.recipient(rules, owner=owner).recipient,
    )  # fmt: skip


def train(town: Town, dataset) -> dict[str, tuple[Record, ...]]:
    """What a trainer does: commit to a job, get the keys, open every part. In another machine."""
    files = sorted(part.file for part in dataset.said.parts)
    job = Job(purpose="train", files=tuple(files))
    challenge = town.client.challenge()
    inside = town.inside("trainer", TRAINER)
    me = inside.boot(roles=["seal"], nonce=job_nonce(job.digest, nonce=challenge))
    with contextlib.closing(town.client_of()) as pool:
        blobs = {part.file: pool.sealed_file(part.ciphertext) for part in dataset.said.parts}
    asked = [
        (
            read_header(io.BytesIO(blobs[part.file])),
            policy_for(town.terms, owner=part.owner, not_after=TIME + LIFETIME),
        )
        for part in dataset.said.parts
    ]
    keys = town.client.release(me, job, challenge=challenge, files=asked)
    return {
        part.contribution: open_part(part, blobs[part.file], key=keys[part.file])
        for part in dataset.said.parts
    }


def test_a_contributor_gets_a_proof_and_the_trainer_gets_the_records(town, pool):
    assert pool.terms() == town.terms
    made = [town.contribute(honest(n), o, pool, town.client) for n, o in ((1, ALICE), (2, BOB))]
    assert [one.sequence for one in made] == [1, 2]
    assert all(one.weight > 0 and one.proof.verdict.ok for one in made)
    dataset = pool.dataset()
    assert dataset.said.weight == sum(one.weight for one in made)
    records = train(town, dataset)
    assert [records[one.contribution] for one in made] == [honest(1), honest(2)]


def test_a_withdrawn_contribution_opens_for_no_trainer_and_leaves_the_next_dataset(town, pool):
    first = town.contribute(honest(1), ALICE, pool, town.client)
    second = town.contribute(honest(2), BOB, pool, town.client)
    before = pool.dataset()
    done = withdraw(second.contribution, owner=BOB, pool=pool, kms=town.client)
    assert done.erasure.statement.predicate.order == done.receipt.said.order
    assert done.receipt.said.datasets == (before.statement.name,)
    with pytest.raises((NotAllowed, Unavailable)) as caught:
        train(town, before)
    assert caught.value.code in ("withdrawn", "file_unknown")
    after = pool.dataset()
    assert [part.contribution for part in after.said.parts] == [first.contribution]
    assert after.said.withdrawn == (second.contribution,)
    assert train(town, after)[first.contribution] == honest(1)
    again = withdraw(second.contribution, owner=BOB, pool=pool, kms=town.client)
    assert again.receipt.statement == done.receipt.statement


def test_what_already_used_a_contribution_is_listed(town, pool):
    made = town.contribute(honest(1), ALICE, pool, town.client)
    other = town.contribute(honest(2), BOB, pool, town.client)
    dataset = pool.dataset()
    trainer = town.inside("trainer", TRAINER).boot()
    material = Material(
        digest=dataset.statement.subjects[0].digest, role="dataset",
        statement=dataset.statement.name,
    )  # fmt: skip
    model = trainer.keep(
        Statement.of(
            Step(author=trainer.name, step="train", materials=(material,)),
            subjects=(Subject({"sha256": "77" * 32}, name="model"),),
        )
    )
    graph = Graph.of(town.store, roots=[model.id])
    for one in (made, other):
        found = used_by(graph, one.proof.statement.id)
        assert found["urn:teeproof:dataset:v1"] == (dataset.statement.name,)
        assert found["urn:teeproof:step:v1"] == (model.name,)
        assert models_of(graph, one.proof.statement.id) == ()  # a step is no training statement
    with pytest.raises(Usage):
        used_by(graph, b"\0" * 32)


def test_contributor_withdraws_what_is_anothers(town, pool):
    made = town.contribute(honest(1), ALICE, pool, town.client)
    with pytest.raises(NotAuthentic) as caught:
        withdraw(made.contribution, owner=EVE, pool=pool, kms=town.client)
    assert caught.value.code == "owner_signature"
    assert pool.contribution(made.contribution).state == "accepted"


def test_a_bad_file_does_not_leave_the_contributors_machine(town, pool, tmp_path):
    path = tmp_path / "bad.jsonl"
    path.write_bytes(file_of(honest(1)) + b"{}\n")
    arguments = {
        "owner": ALICE, "pool": pool, "kms": town.client, "terms": town.terms,
        "payout": payout(ALICE), "now": lambda: NOW,
    }  # fmt: skip
    with pytest.raises(Malformed, match="line 121") as caught:
        contribute(path, **arguments)
    assert caught.value.code == "records_refused"
    path.write_bytes(b"x" * ((4 << 20) + 1))
    with pytest.raises(TooLarge):
        contribute(path, **arguments)
    path.write_bytes(file_of(honest(1)))
    with pytest.raises(Malformed):
        contribute(path, **(arguments | {"payout": "0xABC"}))
    assert httpx.get(f"{town.pool_url}/v1/contributions", timeout=60).json() == []


def test_contributor_sends_poison_past_his_own_check(town, pool):
    records = list(honest(1))
    records[4] = Record(records[4].text, records[5].order)
    sent = sealed_for(town, tuple(records), EVE)
    with pytest.raises(NotAllowed, match="line 5: text_") as caught:
        send(sent, pool=pool)
    assert caught.value.code == "contribution_refused"
    decision = pool.contribution(sent.consent.contribution)
    assert decision.state == "refused"
    assert pool.prove(decision.statement).said.weight == 0


def test_contributor_sends_a_copy_over_http(town, pool):
    original = town.contribute(honest(1), ALICE, pool, town.client)
    copy = town.contribute(honest(1), EVE, pool, town.client)
    assert (copy.decision, copy.weight) == ("copy", 0)
    assert copy.said.copy_of == (original.contribution,)


def test_everything_can_be_proved_again_after_a_start(town):
    with town.pool() as pool:
        made = town.contribute(honest(1), ALICE, pool, town.client)
        dataset = pool.dataset()
    with town.pool() as pool:
        assert pool.contribution(made.contribution).state == "accepted"
        assert pool.prove(made.proof.statement).statement == made.proof.statement
        assert pool.dataset().statement == dataset.statement
        later = town.contribute(honest(2), BOB, pool, town.client)
        assert later.sequence == 2
        assert later.said.previous == made.proof.statement.name
        assert later.said.author != made.said.author  # keys are new at each start
        assert pool.dataset().verdict.ok


def test_where_the_kms_wants_fresh_evidence_the_pools_identity_is_followed_by_another(town):
    """A first question that is refused uses its challenge up."""
    sent = sealed_for(town, honest(1))
    town.client.withdraw(sent.consent.recipient, owner=ALICE, file=sent.consent.file)
    inside = town.pool_inside()
    keys = KmsKeys(town.client, terms=town.terms, boot=inside.boot, now=inside.now)
    with pytest.raises(NotAllowed) as caught:
        keys.open(read_header(io.BytesIO(sent.sealed)), sent.policy)
    assert caught.value.code == "withdrawn"
    first = keys.identity()
    held = read_header(io.BytesIO(town.held.blob))
    assert keys.open(held, town.held.policy)
    second = keys.identity()
    assert second.record.keys.previous == first.name
    assert keys.open(held, town.held.policy)
    assert keys.identity() is second


def test_a_pool_whose_keys_are_about_to_expire_goes_on_with_others(town):
    clock = [NOW]
    inside = town.pool_inside()
    keys = KmsKeys(town.client, terms=town.terms, boot=inside.boot, now=lambda: clock[0])
    first = keys.identity()
    assert keys.identity() is first
    clock[0] = from_epoch(first.record.keys.not_after - 60)
    assert keys.identity().record.keys.previous == first.name


def test_host_gives_the_pool_another_held_out_file(town):
    other = seal_held_out(
        file_of(honest(5)), owner=OPERATOR, kms=town.client,
        validators=(town.pool_code.compose_hash,), trainers=(TRAINER.compose_hash,),
        not_after=TIME + 86400,
    )  # fmt: skip
    town.held = SealedHeldOut(other.blob, other.policy)
    with pytest.raises(NotAuthentic) as caught, town.pool():
        pass
    assert caught.value.code == "held_out_other"


def test_host_runs_other_code_as_the_pool_and_gets_no_key(town):
    other = Manifest("pool", "teeproof.data.other", environment=town.pool_code.environment)
    with pytest.raises(Unavailable) as caught, town.pool(town.pool_inside(other, "other")):
        pass
    assert caught.value.code == "code_not_granted"


def test_host_names_another_kms(town):
    """Whom the pool believes is measured: with another name it is other code, and gets no key."""
    stranger = machines("00" * 32)
    code = Manifest("pool", "teeproof.data.workload", environment={workload.KMS: stranger})
    with pytest.raises(Unavailable) as caught, town.pool(town.pool_inside(code, "other")):
        pass
    assert caught.value.code == "code_not_granted"


def test_host_runs_another_kms_and_the_pool_takes_no_key_of_it(tmp_path):
    town = Town(tmp_path)
    stranger = machines("00" * 32)
    town.pool_code = Manifest(
        "pool", "teeproof.data.workload", environment={workload.KMS: stranger}
    )
    with town.kms() as kms:
        town.prepare(kms)
        with pytest.raises(Unavailable) as caught, town.pool():
            pass
    assert "compose" in caught.value.code


def test_an_input_that_is_missing_is_named(town):
    inside = town.pool_inside()
    (inside.inputs / workload.HELD_OUT).unlink()
    with pytest.raises(Unavailable, match=r"held-out\.sealed"), town.pool(inside):
        pass


def test_a_client_believes_no_pool_whose_machine_its_policy_does_not_accept(town, pool):
    made = town.contribute(honest(1), ALICE, pool, town.client)
    for trust in (Trust(), Trust(policy=msgspec.structs.replace(policy(), simulated_roots=()))):
        with (
            contextlib.closing(town.client_of(trust)) as stranger,
            pytest.raises((NotAllowed, NotAuthentic)),
        ):
            stranger.prove(made.proof.statement)


# The routes.


def post(town: Town, path: str, body: bytes) -> tuple[int, dict]:
    answer = httpx.post(f"{town.pool_url}/{path}", content=body, timeout=60)
    return answer.status_code, answer.json()


def test_every_route_answers_in_json_and_says_what_is_wrong(town, pool):
    made = town.contribute(honest(1), ALICE, pool, town.client)
    base = town.pool_url
    wanted = {
        "v1/nothing": (404, "route_unknown"),
        "v1/contributions/00": (404, "contribution_unknown"),
        "v1/dataset/sha256:00": (404, "statement_unknown"),
        "v1/proofs/sha256:00": (404, "statement_unknown"),
        f"v1/files/{'00' * 32}": (404, "file_unknown"),
        "v1/files/xx": (400, "digest_malformed"),
        "v1/files/../../etc/passwd": (404, "route_unknown"),
        "": (404, "route_unknown"),
    }
    for path, (status, code) in wanted.items():
        answer = httpx.get(f"{base}/{path}", timeout=60)
        assert (answer.status_code, answer.json()["error"]) == (status, code), path
        assert answer.json()["ok"] is False
    assert httpx.delete(f"{base}/v1/pool").status_code == 405
    listed = httpx.get(f"{base}/v1/contributions", timeout=60).json()
    assert listed == [{"contribution": made.contribution, "sequence": 1, "state": "accepted"}]
    spoken = pool.dataset().statement
    assert httpx.get(f"{base}/v1/dataset/{spoken.name}", timeout=60).json()["id"] == spoken.name


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 400, "json_malformed"),
        (b"[]", 400, "contribution_malformed"),
        (b"{}", 400, "contribution_malformed"),
        (b'{"consent": 1, "consent": 2}', 400, "json_duplicate_key"),
        (b"[" * 100_000, 400, "json_too_many"),
        (b"\xff", 400, "json_malformed"),
    ],
)
def test_client_sends_a_strange_body(town, pool, body, status, code):
    assert post(town, "v1/contributions", body)[0] == status
    assert post(town, "v1/contributions", body)[1]["error"] == code


def test_client_sends_too_large_a_body(town, pool):
    status, answer = post(town, "v1/contributions", b"x" * (MAX_SUBMISSION_BYTES + 1))
    assert (status, answer["error"]) == (413, "too_large")
    status, answer = post(town, f"v1/contributions/{'00' * 32}/withdrawal", b"x" * 10_000)
    assert (status, answer["error"]) == (413, "too_large")


def test_client_sends_extra_fields_or_bytes_that_are_no_sealed_file(town, pool):
    sent = sealed_for(town, honest(1))
    value = json.loads(sent.encode())
    status, answer = post(town, "v1/contributions", json.dumps(value | {"more": 1}).encode())
    assert (status, answer["error"]) == (400, "contribution_malformed")
    for blob, code in ((b"", "not_sealed"), (sent.sealed[:60], "header_truncated")):
        odd = msgspec.structs.replace(sent, sealed=blob)
        status, answer = post(town, "v1/contributions", odd.encode())
        assert (status, answer["error"]) == (400, code)
    cut = msgspec.structs.replace(sent, sealed=sent.sealed[:-1])
    status, answer = post(town, "v1/contributions", cut.encode())
    assert (status, answer["error"]) == (403, "consent_other_file")


def test_client_sends_a_strange_withdrawal(town, pool):
    made = town.contribute(honest(1), ALICE, pool, town.client)
    path = f"v1/contributions/{made.contribution}/withdrawal"
    assert post(town, path, b"{}")[0] == 400
    sent = sealed_for(town, honest(2), BOB)
    asked = WithdrawRequest(*order(sent, BOB))
    status, answer = post(town, path, canonical.encode(asked))
    assert (status, answer["error"]) == (403, "withdrawal_other_file")


def test_contributor_seals_once_and_sends_again_after_a_lost_answer(town, pool):
    sent = sealed_for(town, honest(1), CAROL)
    first, again = send(sent, pool=pool), send(sent, pool=pool)
    assert first.proof.statement == again.proof.statement
    assert again.sequence == 1


def test_operators_log_names_no_secret_and_no_plaintext(tmp_path: Path):
    town = Town(tmp_path)
    with town.kms() as kms:
        town.prepare(kms)
        town.client = kms
        inside = town.pool_inside()
        with town.pool(inside) as pool:
            town.contribute(honest(1), ALICE, pool, kms)
            with pytest.raises(NotAllowed):
                send(sealed_for(town, b"rosebud", EVE), pool=pool)
        said = inside.said.getvalue()
    lines = [json.loads(line) for line in said.splitlines()]
    assert [line.get("decision") for line in lines] == [None, "accepted", "refused"]
    assert "rosebud" not in said
    assert not any(record.text in said for record in honest(1))
