"""What the KMS does for those who are who they say they are."""

from __future__ import annotations

import pytest

from teeproof.cloud.job import Job
from teeproof.cloud.kms.challenges import AGAIN_SECONDS, CHALLENGE_SECONDS
from teeproof.cloud.kms.keeper import Refused
from teeproof.cloud.kms.workload import MACHINES
from teeproof.core.errors import NotAllowed, TooLarge, Unavailable, Usage
from teeproof.core.sealed import HYBRID
from teeproof.evidence.collect.simulated import opt_in_policy
from tests.cloud.keeping import (
    KMS,
    OTHER,
    OWNER,
    VALIDATOR,
    Kms,
    changed,
    job_of,
    platform,
    release_policy,
    unwrapped,
)


def test_a_trainer_that_committed_to_its_job_opens_the_files_in_it(kms):
    one, two = kms.file(b"one"), kms.file(b"two", owner=OTHER)
    keys = kms.train(one, two)
    assert [one.read(keys[one.id]), two.read(keys[two.id])] == [b"one", b"two"]


def test_a_release_says_who_got_what_for_which_job(kms):
    file = kms.file()
    job = job_of(file)
    me, challenge = kms.answer(job)
    granted = kms.ask(me, challenge, job, file)
    said = kms.said()[-1]
    assert (said.decision, said.code, said.job) == ("released", "ok", job)
    assert (said.workload, said.challenge) == (me.name, challenge.hex())
    assert [(one.file, one.recipient) for one in said.files] == [
        (file.id, file.recipient.digest.hex())
    ]
    assert said.author == kms.journal.me.name
    assert set(granted.grants) == {file.id}


def test_each_statement_has_a_later_number_than_the_one_before(kms):
    file = kms.file()
    kms.train(file)
    kms.withdraw(file)
    numbers = [said.state for said in kms.said()]
    assert len(numbers) == 3
    assert numbers == sorted(set(numbers))


def test_a_validator_with_a_standing_permission_opens_files_that_came_after_it_booted(kms):
    job = Job(purpose="validate")
    first = kms.file(b"first")
    me, challenge = kms.answer(job, manifest=VALIDATOR)
    kms.ask(me, challenge, job, first)
    kms.clock.pass_(days=2)
    late = kms.file(b"late")
    keys = unwrapped(kms.ask(me, challenge, job, late), me, job, [late])
    assert late.read(keys[late.id]) == b"late"


def test_a_standing_permission_ends_with_the_keys_of_whom_it_was_given(kms):
    job, file = Job(purpose="validate"), kms.file()
    me, challenge = kms.answer(job, manifest=VALIDATOR)
    kms.ask(me, challenge, job, file)
    kms.clock.pass_(days=8)
    with pytest.raises(Refused) as refused:
        kms.ask(me, challenge, job, file)
    assert refused.value.code == "keys_expired"


def test_whose_answer_was_lost_may_ask_again_for_ten_minutes_also_after_a_restart(kms):
    file = kms.file()
    job = job_of(file)
    me, challenge = kms.answer(job)
    kms.ask(me, challenge, job, file)
    kms.clock.pass_(seconds=AGAIN_SECONDS)
    kms.restart()
    keys = unwrapped(kms.ask(me, challenge, job, file), me, job, [file])
    assert file.read(keys[file.id]) == b"orders"
    kms.clock.pass_(seconds=AGAIN_SECONDS + 1)
    with pytest.raises(Refused) as refused:
        kms.ask(me, challenge, job, file)
    assert refused.value.code == "challenge_unknown"


def test_a_challenge_is_too_old_after_ten_minutes(kms):
    file = kms.file()
    job = job_of(file)
    me, challenge = kms.answer(job)
    kms.clock.pass_(seconds=CHALLENGE_SECONDS + 1)
    with pytest.raises(Refused) as refused:
        kms.ask(me, challenge, job, file)
    assert refused.value.code == "challenge_unknown"


def test_grants_may_be_wrapped_for_a_key_that_holds_against_quantum_computers(kms):
    file = kms.file()
    job = job_of(file)
    me, challenge = kms.answer(job, roles=[("seal", "mlkem768-x25519")])
    grant = kms.ask(me, challenge, job, file).grants[file.id]
    assert grant[90] == HYBRID.number


def test_a_withdrawn_file_is_refused_before_and_after_a_restart_and_nothing_else_is(kms):
    gone, stays = kms.file(b"gone"), kms.file(b"stays")
    kms.train(gone, stays)
    kms.withdraw(gone)
    for _ in range(2):
        with pytest.raises(Refused, match="has withdrawn it") as refused:
            kms.train(gone, stays)
        assert (refused.value.code, kms.said()[-1].decision) == ("withdrawn", "refused")
        assert stays.read(kms.train(stays)[stays.id]) == b"stays"
        kms.restart()


def test_a_withdrawn_secret_is_not_in_the_state_any_more(kms):
    file = kms.file()
    places = f"recipient/{file.recipient.digest.hex()}", f"withdrawn/{file.recipient.digest.hex()}"
    state = kms.keeper._state
    assert (state.get(places[0]) is None, state.get(places[1]) is None) == (False, True)
    kms.withdraw(file)
    assert (state.get(places[0]) is None, state.get(places[1]) is None) == (True, False)


def test_who_withdraws_twice_gets_the_same_statement(kms):
    file = kms.file()
    first = kms.withdraw(file)
    kms.restart()
    kms.clock.pass_(hours=1)
    assert kms.withdraw(file).encode() == first.encode()


def test_a_refusal_is_a_statement_whose_subject_is_the_request(kms):
    file = kms.file()
    kms.withdraw(file)
    with pytest.raises(Refused) as refused:
        kms.train(file)
    said = kms.said()[-1]
    assert (said.code, said.decision) == ("withdrawn", "refused")
    assert "withdrawn it" in said.detail
    assert refused.value.statement.id


def test_a_policy_has_at_most_256_recipients(kms):
    policy = release_policy()
    signature = OWNER.sign_text(policy)
    kms.keeper._state.change({f"policy/{policy.digest.hex()}": 256})
    with pytest.raises(TooLarge) as refused:
        kms.keeper.recipient(policy, signature)
    assert refused.value.code == "recipients_too_many"


def test_challenges_that_nobody_answers_are_bounded_and_make_room_when_they_are_old(kms):
    for _ in range(10_000):
        kms.keeper._challenges.issue(1000)
    with pytest.raises(Unavailable) as busy:
        kms.keeper._challenges.issue(1000)
    assert busy.value.code == "kms_busy"
    assert kms.keeper._challenges.issue(1001 + CHALLENGE_SECONDS)


def test_a_kms_whose_policy_pins_no_guest_does_not_start(tmp_path):
    loose = changed(KMS, environment={MACHINES: opt_in_policy(platform())})
    with pytest.raises(Usage) as refused:
        Kms(tmp_path, manifest=loose)
    assert refused.value.code == "guest_image_unpinned"


def test_a_kms_without_a_policy_for_machines_does_not_start(tmp_path):
    with pytest.raises(Usage) as refused:
        Kms(tmp_path, manifest=changed(KMS, environment={}))
    assert (refused.value.code, refused.value.expected) == ("setting_missing", MACHINES)


def test_time_never_goes_back_behind_what_the_kms_has_seen(kms):
    policy = release_policy(not_after=int(kms.clock().timestamp()) + 3600)
    file = kms.file(policy=policy)
    kms.train(file)
    kms.clock.pass_(hours=2)
    with pytest.raises(Refused):
        kms.train(file)
    kms.restart()
    kms.clock.pass_(hours=-2)  # the host sets its clock back
    with pytest.raises(NotAllowed) as refused:
        kms.train(file)
    assert refused.value.code == "policy_expired"


def test_an_identity_is_followed_by_another_before_its_keys_expire(kms):
    file = kms.file()
    before = kms.journal.me
    kms.clock.pass_(days=6, hours=1)
    kms.train(file)
    after = kms.journal.me
    assert after.name != before.name
    assert kms.said()[-1].author == after.name
    assert after.record.keys.previous == before.name
