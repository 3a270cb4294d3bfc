"""Who would like a key and must not get one: hosts, workloads, clients, owners of other files."""

from __future__ import annotations

import base64
import dataclasses
import io
import sqlite3

import msgspec
import pytest

from teeproof.cloud.job import Job
from teeproof.cloud.kms.keeper import Refused
from teeproof.cloud.kms.policy import Permission
from teeproof.cloud.kms.requests import Asked, write_request
from teeproof.cloud.statements import Erasure
from teeproof.core.errors import (
    Malformed,
    NotAllowed,
    NotAuthentic,
    TooLarge,
    Unavailable,
)
from teeproof.core.sealed import Grant, PrivateRecipient, Recipient, seal, unwrap_grant
from teeproof.core.sealed.recipients import X25519
from teeproof.evidence.binding import job_nonce
from teeproof.evidence.collect.simulated import (
    Domain,
    Edition,
    Guest,
    Processor,
    SimulatedAttester,
    SimulatedPlatform,
    patched,
    publish,
)
from teeproof.proof.blobs import attachments_of, blobs_of
from teeproof.proof.workload import Identity
from tests.cloud.keeping import (
    NOW,
    OTHER,
    OWNER,
    TRAINER,
    VALIDATOR,
    Vaulted,
    asked,
    changed,
    job_of,
    platform,
    release_policy,
    request_of,
    withdrawal,
)


def refusal(kms, me, challenge, job, *files, **changes):
    """The code with which a request is refused; and that the log says so."""
    before = len(kms.said())
    with pytest.raises(Refused) as refused:
        kms.ask(me, challenge, job, *files, **changes)
    said = kms.said()[before:]
    assert [one.decision for one in said] == ["refused"]
    assert said[0].code == refused.value.code
    return refused.value.code


def refused_machine(kms, **machine):
    file = kms.file()
    job = job_of(file)
    me, challenge = kms.answer(job, **machine)
    return refusal(kms, me, challenge, job, file)


# the host, and what it starts


def test_host_swaps_the_image_and_the_other_code_gets_nothing(kms):
    swapped = changed(TRAINER, code="sha256:" + "ab" * 32)
    assert refused_machine(kms, manifest=swapped) == "code_not_granted"


def test_host_changes_an_argument(kms):
    other = changed(TRAINER, arguments=("--epochs", "4"))
    assert refused_machine(kms, manifest=other) == "code_not_granted"


def test_host_changes_the_environment(kms):
    other = changed(TRAINER, environment={"SEED": "8"})
    assert refused_machine(kms, manifest=other) == "code_not_granted"


def test_host_runs_the_code_outside_of_any_tee_with_a_vendor_of_its_own(kms):
    own = SimulatedPlatform(b"the host's own vendor".ljust(32, b"."))
    assert refused_machine(kms, vendor=own) == "simulated_root_not_accepted"


def test_host_runs_the_code_in_a_domain_that_it_can_look_into(kms):
    debug = Domain(tdattributes=(1 << 28 | 1).to_bytes(8, "little"))
    assert refused_machine(kms, domain=debug) == "debug_on"


def test_host_runs_another_firmware_that_claims_the_code(kms):
    other = Domain(mrtd=bytes(48))
    assert refused_machine(kms, domain=other) == "mrtd_mismatch"


def test_host_keeps_its_machine_out_of_date(kms):
    assert refused_machine(kms, processor=patched(4)) == "tcb_status"


def test_host_uses_a_machine_whose_vendor_revoked_it(kms):
    job = Job(purpose="train")
    file = kms.file()
    challenge, _ = kms.keeper.challenge()
    machine = platform().machine(guest=Guest(compose=TRAINER.compose()))
    edition = dataclasses.replace(
        Edition.at(NOW), revoked_by_pck_ca=(machine.pck.certificate.serial_number,)
    )

    class Told(SimulatedAttester):
        def attest(self, report_data):
            collateral = publish(platform().pki, edition)
            return machine.evidence(report_data, now=NOW, collateral=collateral)

    job = job_of(file)
    nonce = job_nonce(job.digest, nonce=challenge)
    me = Identity.boot(Told(platform(), now=kms.clock), roles=["seal"], nonce=nonce, now=kms.clock)
    assert refusal(kms, me, challenge, job, file) == "pck_revoked"


def test_host_sends_collateral_of_last_year(kms):
    file = kms.file()
    job = job_of(file)
    me, challenge = kms.answer(job)
    kms.clock.pass_(days=6)
    kms.keeper._challenges._open[challenge] = 1 << 40
    assert kms.ask(me, challenge, job, file)
    kms.clock.pass_(days=40)
    kms.keeper._challenges._open[challenge] = 1 << 40
    assert refusal(kms, me, challenge, job, file) == "crl_expired"


def test_host_leaves_out_the_collateral(kms):
    file = kms.file()
    job = job_of(file)
    me, challenge = kms.answer(job)
    name = me.record.attachments["collateral"]
    rest = {digest: data for digest, data in me.blobs.items() if digest != name}
    assert refusal(kms, me, challenge, job, file, blobs=rest) == "blob_missing"


def test_host_replays_a_challenge(kms):
    file, next_file = kms.file(), kms.file()
    job, next_job = job_of(file), job_of(next_file)
    me, challenge = kms.answer(job)
    kms.ask(me, challenge, job, file)
    # A second boot of the trainer answers the old challenge for another job.
    from tests.cloud.keeping import boot

    again = boot(next_job, challenge, now=kms.clock)
    assert refusal(kms, again, challenge, next_job, next_file) == "challenge_unknown"


def test_host_makes_a_challenge_up(kms):
    from tests.cloud.keeping import boot

    file = kms.file()
    job = job_of(file)
    me = boot(job, bytes(32), now=kms.clock)
    assert refusal(kms, me, bytes(32), job, file) == "challenge_unknown"


def test_host_replays_evidence_that_answered_another_challenge(kms):
    file = kms.file()
    job = job_of(file)
    me, _ = kms.answer(job)
    fresh, _ = kms.keeper.challenge()
    assert refusal(kms, me, fresh, job, file) == "job_nonce_mismatch"


def test_host_uses_evidence_without_any_nonce(kms):
    file = kms.file()
    job = job_of(file)
    me, challenge = kms.answer(job, nonce="something else")
    assert refusal(kms, me, challenge, job, file) == "job_nonce_mismatch"


def test_host_restarts_the_kms_to_use_a_challenge_twice(kms):
    file = kms.file()
    job = job_of(file)
    me, challenge = kms.answer(job)
    kms.restart()
    assert refusal(kms, me, challenge, job, file) == "challenge_unknown"


def test_host_relays_another_machines_evidence_under_keys_of_its_own(kms):
    file = kms.file()
    job = job_of(file)
    honest, challenge = kms.answer(job)
    own, _ = kms.answer(job, vendor=SimulatedPlatform(b"host".ljust(32, b".")))
    parts = blobs_of(honest.record.evidence(honest.blobs.__getitem__))
    relayed = msgspec.structs.replace(own.record, attachments=attachments_of(parts))
    own.record, own.blobs = relayed, honest.blobs
    nonce_of_own = own.record.claim.nonce
    assert nonce_of_own != honest.record.claim.nonce
    assert refusal(kms, own, challenge, job, file) == "evidence_of_another"


def test_host_relays_an_honest_identity_and_cannot_open_the_grants(kms):
    file = kms.file()
    job = job_of(file)
    me, challenge = kms.answer(job)
    granted = kms.ask(me, challenge, job, file)  # the host sends it, and gets the answer
    grant = Grant.parse(granted.grants[file.id])
    own = PrivateRecipient.new()
    with pytest.raises(NotAllowed) as refused:
        unwrap_grant(grant, key=own, header=file.header, expected_job_digest=job.digest)
    assert refused.value.code == "grant_other_recipient"
    forged = dataclasses.replace(grant, recipient=own.public.digest)
    with pytest.raises(NotAuthentic):
        unwrap_grant(forged, key=own, header=file.header, expected_job_digest=job.digest)


def test_host_puts_a_seal_key_of_its_own_into_the_identity(kms):
    file = kms.file()
    job = job_of(file)
    me, challenge = kms.answer(job)
    payload = me.record.envelope.payload
    theirs = me.record.key("seal").public_key.encode()
    own = PrivateRecipient.new().public.public_key.hex().encode()
    forged = msgspec.structs.replace(me.record.envelope, payload=payload.replace(theirs, own))
    me.record = msgspec.structs.replace(me.record, envelope=forged)
    with pytest.raises((Refused, Malformed)) as refused:
        kms.ask(me, challenge, job, file)
    assert refused.value.code in ("identity_malformed", "possession_unproven")


def test_host_gives_a_grant_of_one_job_to_another(kms):
    file = kms.file()
    job, other = job_of(file), Job(purpose="train", files=(file.id,), parameters={"seed": "8"})
    me, challenge = kms.answer(job)
    granted = kms.ask(me, challenge, job, file)
    key = PrivateRecipient(X25519, me.keyring.secret("seal"))
    with pytest.raises(NotAllowed) as refused:
        unwrap_grant(
            Grant.parse(granted.grants[file.id]),
            key=key, header=file.header, expected_job_digest=other.digest,
        )  # fmt: skip
    assert refused.value.code == "grant_other_job"


# workloads that are what they say, and ask for more


def test_workload_asks_for_another_jobs_files(kms):
    mine, theirs = kms.file(), kms.file(owner=OTHER)
    job = job_of(mine)
    me, challenge = kms.answer(job)
    assert refusal(kms, me, challenge, job, mine, theirs) == "file_not_in_job"


def test_workload_asks_for_a_job_that_it_did_not_commit_to(kms):
    mine, theirs = kms.file(), kms.file(owner=OTHER)
    me, challenge = kms.answer(job_of(mine))
    assert refusal(kms, me, challenge, job_of(mine, theirs), theirs) == "job_nonce_mismatch"


def test_workload_with_another_purpose(kms):
    file = kms.file()
    for purpose in ("sell", "trai", "train "):
        job = job_of(file, purpose=purpose)
        me, challenge = kms.answer(job)
        assert refusal(kms, me, challenge, job, file) == "purpose_not_granted"


def test_workload_with_the_purpose_of_other_code(kms):
    file = kms.file()
    job = job_of(file, purpose="validate")
    me, challenge = kms.answer(job, manifest=TRAINER)
    assert refusal(kms, me, challenge, job, file) == "code_not_granted"
    job = job_of(file, purpose="train")
    me, challenge = kms.answer(job, manifest=VALIDATOR)
    assert refusal(kms, me, challenge, job, file) == "code_not_granted"


def test_workload_without_a_key_for_grants(kms):
    file = kms.file()
    job = job_of(file)
    me, challenge = kms.answer(job, roles=["receipt"])
    assert refusal(kms, me, challenge, job, file) == "seal_key_missing"


def test_workload_whose_policy_has_expired(kms):
    policy = release_policy(not_after=int(NOW.timestamp()) + 60)
    file = kms.file(policy=policy)
    assert file.read(kms.train(file)[file.id]) == b"orders"
    kms.clock.pass_(seconds=61)
    job = job_of(file)
    me, challenge = kms.answer(job)
    assert refusal(kms, me, challenge, job, file) == "policy_expired"


def test_workload_shows_a_policy_that_does_not_match_the_header(kms):
    file = kms.file()
    kinder = msgspec.structs.replace(
        file.policy,
        grants=(Permission(purpose="sell", compose_hash=(TRAINER.compose_hash,), standing=True),),
    )
    job = job_of(file, purpose="sell")
    me, challenge = kms.answer(job)
    assert refusal(kms, me, challenge, job, file, policies=(kinder,)) == "policy_other"
    me, challenge = kms.answer(job)
    assert refusal(kms, me, challenge, job, file, policies=()) == "policy_other"


def test_workload_seals_a_copied_recipient_under_a_policy_of_its_own(kms):
    file = kms.file()
    own = release_policy(owner=OTHER)
    sealed = io.BytesIO()
    header = seal(
        io.BytesIO(b"mine"), sealed, recipients=[file.recipient], policy_digest=own.digest
    )
    copied = Vaulted(header, own, file.recipient, sealed.getvalue())
    job = job_of(copied)
    me, challenge = kms.answer(job)
    assert refusal(kms, me, challenge, job, copied) == "policy_other"


def test_workload_wants_a_file_that_was_sealed_for_somebody_else(kms):
    policy, sealed = release_policy(), io.BytesIO()
    stranger = PrivateRecipient.new().public
    header = seal(io.BytesIO(b"x"), sealed, recipients=[stranger], policy_digest=policy.digest)
    job = Job(purpose="train", files=(header.file_id.hex(),))
    me, challenge = kms.answer(job)
    file = Vaulted(header, policy, stranger, sealed.getvalue())
    assert refusal(kms, me, challenge, job, file) == "recipient_unknown"


def test_workload_wants_a_file_without_a_policy(kms):
    file, sealed = kms.file(), io.BytesIO()
    header = seal(io.BytesIO(b"x"), sealed, recipients=[file.recipient])
    loose = Vaulted(header, file.policy, file.recipient, sealed.getvalue())
    job = job_of(loose)
    me, challenge = kms.answer(job)
    assert refusal(kms, me, challenge, job, loose) == "policy_other"


def test_workload_moves_a_wrapped_key_into_another_header(kms):
    gone, mine = kms.file(b"gone"), kms.file(b"mine", owner=OTHER)
    spliced = dataclasses.replace(mine.header, recipients=gone.header.recipients)
    file = Vaulted(spliced, mine.policy, gone.recipient, mine.data)
    job = job_of(file)
    me, challenge = kms.answer(job)
    assert refusal(kms, me, challenge, job, file) == "policy_other"
    same_policy = kms.file(b"other")
    spliced = dataclasses.replace(gone.header, file_id=same_policy.header.file_id)
    file = Vaulted(spliced, gone.policy, gone.recipient, gone.data)
    job = job_of(file)
    me, challenge = kms.answer(job)
    assert refusal(kms, me, challenge, job, file) == "wrapped_key_not_authentic"


def test_one_file_that_is_refused_keeps_all_others_closed(kms):
    good, gone = kms.file(b"good"), kms.file(b"gone")
    kms.withdraw(gone)
    job = job_of(good, gone)
    me, challenge = kms.answer(job)
    assert refusal(kms, me, challenge, job, good, gone) == "withdrawn"


# who signs for owners


def test_client_forges_a_withdrawal(kms):
    file = kms.file()
    order = withdrawal(file)
    with pytest.raises(NotAuthentic) as refused:
        kms.keeper.withdraw(order, OTHER.sign_text(order))
    assert refused.value.code == "owner_signature"
    later = msgspec.structs.replace(order, time=order.time + 1)
    with pytest.raises(NotAuthentic):
        kms.keeper.withdraw(later, OWNER.sign_text(order))
    assert kms.train(file)


def test_client_forges_a_second_withdrawal_of_what_is_withdrawn(kms):
    file = kms.file()
    kms.withdraw(file)
    with pytest.raises(NotAuthentic):
        kms.withdraw(file, owner=OTHER)


def test_client_withdraws_with_a_signature_under_the_policy(kms):
    file = kms.file()
    with pytest.raises(NotAuthentic):
        kms.keeper.withdraw(withdrawal(file), OWNER.sign_text(file.policy))


def test_client_withdraws_a_recipient_of_another_owner(kms):
    theirs = kms.file(owner=OTHER)
    with pytest.raises(NotAuthentic):
        kms.withdraw(theirs, owner=OWNER)


def test_client_withdraws_what_nobody_made(kms):
    file = kms.file()
    stranger = PrivateRecipient.new().public
    order = withdrawal(Vaulted(file.header, file.policy, stranger, b""))
    with pytest.raises(Unavailable) as refused:
        kms.keeper.withdraw(order, OWNER.sign_text(order))
    assert refused.value.code == "recipient_unknown"
    for recipient in ("", "zz" * 32, "../" * 21 + "x", "AB" * 32):
        odd = msgspec.structs.replace(order, recipient=recipient)
        with pytest.raises(Malformed):
            kms.keeper.withdraw(odd, OWNER.sign_text(odd))


def test_client_asks_for_a_recipient_in_somebody_elses_name(kms):
    policy = release_policy(owner=OWNER)
    with pytest.raises(NotAuthentic) as refused:
        kms.keeper.recipient(policy, OTHER.sign_text(policy))
    assert refused.value.code == "owner_signature"
    for signature in ("", "zz" * 64, "00" * 64, OWNER.sign_text(policy).upper()):
        with pytest.raises((Malformed, NotAuthentic)):
            kms.keeper.recipient(policy, signature)


def test_client_asks_for_a_recipient_under_a_policy_that_has_expired(kms):
    policy = release_policy(not_after=int(NOW.timestamp()) - 1)
    with pytest.raises(NotAllowed) as refused:
        kms.keeper.recipient(policy, OWNER.sign_text(policy))
    assert refused.value.code == "policy_expired"


def test_each_recipient_is_another_even_for_the_same_policy(kms):
    policy = release_policy()
    texts = {kms.keeper.recipient(policy, OWNER.sign_text(policy))[0] for _ in range(3)}
    assert len({Recipient.parse(text).digest for text in texts}) == 3


# bytes that are no request


def valid(kms):
    file = kms.file()
    job = job_of(file)
    me, challenge = kms.answer(job)
    return request_of(me, challenge, job, file), (me, challenge, job, file)


def test_a_request_reads_back_and_its_twin_with_one_more_key_does_not(kms):
    request, parts = valid(kms)
    data = write_request(request)
    assert Asked.parse(data) == asked(*parts)
    for known, unknown in (
        (b'{"blobs":', b'{"asap":true,"blobs":'),
        (b'"job":{"files":', b'"job":{"asap":true,"files":'),
        (b'"policies":[{"grants":', b'"policies":[{"allow":"all","grants":'),
        (b'"challenge":', b'"challenge": '),
        (b'"purpose":"train"}],"not', b'"purpose":"train","standing":false}],"not'),
    ):
        assert known in data
        with pytest.raises(Malformed):
            Asked.parse(data.replace(known, unknown, 1))
    with pytest.raises(Malformed):
        Asked.parse(data + b" ")
    with pytest.raises(Malformed):
        Asked.parse(data[:-1])


def test_an_oversize_request_is_refused_unread(kms):
    request, _ = valid(kms)
    large = msgspec.structs.replace(request, blobs={"sha256:" + "0" * 64: bytes(2 << 20)})
    with pytest.raises(TooLarge):
        Asked.parse(write_request(large))


def test_requests_for_no_file_for_one_twice_and_for_too_many_are_refused(kms):
    request, _ = valid(kms)
    one = request.headers[0]
    for headers in ((), (one, one), (one,) * 257):
        with pytest.raises(Malformed):
            Asked.parse(write_request(msgspec.structs.replace(request, headers=headers)))


def test_headers_and_challenges_that_are_none_are_refused(kms):
    request, _ = valid(kms)
    for changes in (
        {"headers": (b"",)},
        {"headers": (request.headers[0] + b"\0",)},
        {"challenge": "00" * 31},
        {"challenge": "AB" * 32},
        {"challenge": base64.b64encode(bytes(32)).decode()},
    ):
        with pytest.raises(Malformed):
            Asked.parse(write_request(msgspec.structs.replace(request, **changes)))


def test_processors_name_other_machines_of_the_same_vendor_and_may_train_too(kms):
    file = kms.file()
    assert file.read(kms.train(file, processor=Processor(name="machine 2"))[file.id]) == b"orders"


def test_host_puts_the_old_state_back_under_a_running_kms(kms):
    file = kms.file()
    old = kms.state.read_bytes()
    kms.withdraw(file)
    kms.state.write_bytes(old)
    with pytest.raises((Refused, NotAuthentic)) as caught:
        kms.train(file)
    assert caught.value.code == "state_not_authentic"


def test_host_plants_a_trigger_so_that_a_withdrawn_secret_stays(kms):
    file = kms.file()
    assert file.read(kms.train(file)[file.id]) == b"orders"
    with sqlite3.connect(kms.state) as connection:
        connection.execute(
            "CREATE TRIGGER t BEFORE DELETE ON sealed WHEN OLD.place LIKE 'recipient/%'"
            " BEGIN SELECT RAISE(IGNORE); END"
        )
    connection.close()
    with pytest.raises(NotAuthentic) as caught:
        kms.withdraw(file)  # no statement says that it was erased
    assert caught.value.code == "state_not_authentic"
    assert not [one for one in kms.said() if isinstance(one, Erasure)]
