"""Judging checkpoints: who counts, who does not and why, and the time that nobody can move."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from teeproof.proof.log.formats.checkpoint import Checkpoint, SignedCheckpoint
from teeproof.proof.log.formats.cosignature import Cosigner
from teeproof.proof.log.formats.judge import CLOCK_TOLERANCE, same_operator
from teeproof.proof.log.formats.note import Note, NoteSigner, SignatureLine
from teeproof.proof.log.formats.policy import TlogPolicy
from tests.proof.log.formats.samples import (
    LOG,
    NOW,
    ORIGIN,
    WITNESSES,
    checkpoint,
    cosigned,
    flipped,
    policy_text,
    with_signature,
)
from tests.proof.log.formats.test_cosignature import PQ, mldsa_line, resigned

TWO_OF_FOUR = TlogPolicy.parse(policy_text("group G 2 W0 W1 W2 W3\nquorum G"))


def whys(judgement):
    return {cosigned.name: cosigned.why for cosigned in judgement.cosignatures}


def test_a_quorum_has_the_time_of_its_last_member():
    judged = TWO_OF_FOUR.judge(cosigned({0: 100, 1: 200, 2: 300}), now=NOW)
    assert (judged.log, judged.quorum, judged.time) == (True, True, 200)
    assert [(c.name, c.time, c.counted) for c in judged.cosignatures] == [
        ("W0", 100, True),
        ("W1", 200, True),
        ("W2", 300, True),
    ]
    assert judged.cosignatures[0].key == WITNESSES[0].verifier.name


def test_a_missed_quorum_has_no_time():
    judged = TWO_OF_FOUR.judge(cosigned({3: 100}), now=NOW)
    assert (judged.log, judged.quorum, judged.time) == (True, False, None)
    assert judged.cosignatures[0].counted


def test_without_a_quorum_there_is_no_time_whoever_cosigned():
    policy = TlogPolicy.parse(policy_text("quorum none"))
    judged = policy.judge(cosigned({0: 100}), now=NOW)
    assert (judged.quorum, judged.time) == (True, None)
    assert judged.cosignatures[0].counted


def test_witness_a_clock_that_is_slow_cannot_date_a_checkpoint_back():
    times = {0: 1, 1: 1_000, 2: 1_001}
    assert TWO_OF_FOUR.judge(cosigned(times), now=NOW).time == 1_000
    alone = TlogPolicy.parse(policy_text("group G any W0 W1 W2\nquorum G"))
    assert alone.judge(cosigned(times), now=NOW).time == 1  # any one witness is believed


@given(st.data())
@settings(max_examples=60)
def test_witness_fewer_liars_than_the_threshold_never_move_the_time_before_the_honest(data):
    threshold = data.draw(st.integers(1, 4))
    policy = TlogPolicy.parse(policy_text(f"group G {threshold} W0 W1 W2 W3\nquorum G"))
    liars = data.draw(st.sets(st.integers(0, 3), max_size=threshold - 1))
    seen = data.draw(st.sets(st.integers(0, 3)))
    lies = st.integers(1, NOW)
    times = {n: data.draw(lies) if n in liars else 10_000 + n for n in seen}
    time = policy.judge(cosigned(times), now=NOW).time
    assert time is None or time >= 10_000


@given(st.data())
@settings(max_examples=60)
def test_the_time_is_the_first_moment_at_which_the_quorum_held(data):
    rule = data.draw(
        st.sampled_from(
            [
                "group G 3 W0 W1 W2 W3\nquorum G",
                "group G any W0 W1\ngroup H all W2 W3\ngroup Z all G H\nquorum Z",
                "group G all W0 W1\ngroup Z any G W2 W3\nquorum Z",
            ]
        )
    )
    policy = TlogPolicy.parse(policy_text(rule))
    times = data.draw(st.dictionaries(st.integers(0, 3), st.integers(1, 50)))
    whole = policy.judge(cosigned(times), now=NOW)
    held = [
        moment
        for moment in range(1, 51)
        if policy.judge(cosigned({n: t for n, t in times.items() if t <= moment}), now=NOW).quorum
    ]
    assert whole.time == (held[0] if held else None)
    assert whole.quorum == bool(held)


def test_groups_count_once_each_however_many_members_cosigned():
    rule = "group X any W0 W1 W2\ngroup Z 2 X W3\nquorum Z"
    policy = TlogPolicy.parse(policy_text(rule))
    assert not policy.judge(cosigned({0: 1, 1: 2, 2: 3}), now=NOW).quorum
    assert policy.judge(cosigned({2: 3, 3: 9}), now=NOW).time == 9


def test_network_a_repeated_line_counts_once():
    signed = cosigned({0: 100})
    line = signed.note.signatures[1]
    many = Note(signed.note.text, (*signed.note.signatures, line, line))
    judged = TWO_OF_FOUR.judge(SignedCheckpoint(signed.checkpoint, many), now=NOW)
    assert not judged.quorum
    assert len(judged.cosignatures) == 1


def test_witness_that_cosigned_twice_counts_once_and_by_its_earlier_time():
    signed = cosigned({0: 300}).with_(WITNESSES[0].cosign(checkpoint().note.text, time=200))
    judged = TWO_OF_FOUR.judge(signed, now=NOW)
    assert not judged.quorum
    assert [(c.time, c.counted) for c in judged.cosignatures] == [(300, False), (200, True)]
    assert judged.cosignatures[0].why == "it cosigned earlier"


def test_lines_by_unknown_witnesses_are_ignored():
    stranger = Cosigner("stranger.example", b"\x66" * 32)
    same_name = Cosigner(WITNESSES[1].verifier.name, b"\x66" * 32)
    signed = cosigned({0: 100})
    lines = [w.cosign(signed.note.text, time=100) for w in (stranger, same_name)]
    judged = TWO_OF_FOUR.judge(signed.with_(*lines), now=NOW)
    assert [c.name for c in judged.cosignatures] == ["W0"]
    assert not judged.quorum


def test_network_a_bad_line_by_a_known_witness_voids_the_quorum():
    good = cosigned({0: 100, 1: 200, 2: 300})
    line = good.note.signatures[1]
    bad = SignatureLine(line.name, line.key_id, flipped(line.signature, 20))
    judged = TWO_OF_FOUR.judge(good.with_(bad), now=NOW)
    assert (judged.log, judged.quorum, judged.time) == (True, False, None)
    assert judged.cosignatures[-1].why == "the signature does not hold for this checkpoint"


def test_network_a_bad_line_by_a_known_witness_voids_even_a_policy_without_a_quorum():
    policy = TlogPolicy.parse(policy_text("quorum none"))
    good = cosigned({0: 100})
    bad = with_signature(good.note.signatures[1], bytes(72))
    late = with_signature(good.note.signatures[1], bytes(7) + b"\1" + bytes(64))
    assert policy.judge(good, now=NOW).quorum
    assert policy.judge(good.with_(bad), now=NOW).quorum  # it states no time, and is left out
    assert not policy.judge(good.with_(late), now=NOW).quorum


def test_witness_a_line_that_holds_no_time_voids_the_quorum():
    good = cosigned({0: 100, 1: 200})
    bad = with_signature(good.note.signatures[1], b"short")
    judged = TWO_OF_FOUR.judge(good.with_(bad), now=NOW)
    assert (judged.quorum, judged.cosignatures[-1].time) == (False, None)


def test_witness_a_time_of_zero_is_not_counted():
    text = checkpoint().note.text
    line = resigned(0, b"cosignature/v1\ntime 0\n" + text)
    judged = TWO_OF_FOUR.judge(cosigned({1: 200}).with_(line), now=NOW)
    assert (judged.quorum, whys(judged)["W0"]) == (False, "it states no time")


@pytest.mark.parametrize(("ahead", "counted"), [(0, True), (CLOCK_TOLERANCE, True),
                                                (CLOCK_TOLERANCE + 1, False)])  # fmt: skip
def test_witness_a_time_in_the_future_is_not_counted(ahead, counted):
    judged = TWO_OF_FOUR.judge(cosigned({0: NOW + ahead, 1: 200}), now=NOW)
    assert judged.quorum is counted
    assert judged.cosignatures[0].counted is counted
    if not counted:
        assert judged.cosignatures[0].why == "its time lies in the future"


def own_witness(name: str) -> tuple[TlogPolicy, SignedCheckpoint]:
    witness = Cosigner(name, b"\x31" * 32)
    text = f"log {LOG.verifier.text()}\nwitness own {witness.verifier.text()}\nquorum own\n"
    signed = checkpoint()
    return TlogPolicy.parse(text), signed.with_(witness.cosign(signed.note.text, time=100))


@pytest.mark.parametrize(
    "name",
    [
        "log.example/main",
        "log.example/witness",
        "log.example",
        "LOG.example/witness",
        "log.example:8443/witness",
        "log.example./witness",
        "witness.log.example/w1",
        "example/witness",
    ],
)
def test_log_a_witness_run_by_its_operator_is_never_counted(name):
    policy, signed = own_witness(name)
    judged = policy.judge(signed, now=NOW)
    assert (judged.log, judged.quorum, judged.time) == (True, False, None)
    assert judged.cosignatures[0].why == "the witness is run by the log's operator"


@pytest.mark.parametrize("name", ["witness.example/w1", "blog.example/w", "w/log.example", "ample"])
def test_a_witness_on_another_host_counts(name):
    policy, signed = own_witness(name)
    assert policy.judge(signed, now=NOW).time == 100


def test_object_identifiers_are_not_hosts():
    assert not same_operator("oid/1.3.6.1.4.1.1", "oid/1.3.6.1.4.1.2")
    assert same_operator("oid/1.3.6.1.4.1.1", "oid/1.3.6.1.4.1.1")


def test_a_witness_of_one_logs_operator_counts_for_another_log():
    other = NoteSigner("other.example/log", b"\x41" * 32)
    witness = Cosigner("log.example/witness", b"\x31" * 32)
    text = policy_text(f"witness own {witness.verifier.text()}\nquorum own", logs=(other.verifier,))
    signed = checkpoint(signer=other)
    signed = signed.with_(witness.cosign(signed.note.text, time=7))
    assert TlogPolicy.parse(text).judge(signed, now=NOW).time == 7


def test_a_witness_outside_the_quorum_is_named_and_not_counted():
    policy = TlogPolicy.parse(policy_text("group G any W0\nquorum G"))
    judged = policy.judge(cosigned({0: 100, 1: 50}), now=NOW)
    assert judged.time == 100
    assert whys(judged)["W1"] == "the quorum does not mention this witness"


def test_log_without_a_key_for_its_origin_is_neither_good_nor_bad():
    other = NoteSigner("other.example/log", b"\x41" * 32)
    signed = checkpoint(signer=other)
    signed = signed.with_(*(w.cosign(signed.note.text, time=5) for w in WITNESSES[:2]))
    judged = TWO_OF_FOUR.judge(signed, now=NOW)
    assert (judged.log, judged.quorum, judged.time) == (None, True, 5)


def test_log_signed_by_another_key_of_its_name_does_not_hold():
    impostor = NoteSigner(ORIGIN, b"\x77" * 32)
    assert TWO_OF_FOUR.judge(checkpoint(signer=impostor), now=NOW).log is False
    line = impostor.sign(checkpoint().note.text)
    collision = SignatureLine(ORIGIN, LOG.verifier.key_id, line.signature)
    signed = checkpoint()
    note = Note(signed.note.text, (collision,))
    assert TWO_OF_FOUR.judge(SignedCheckpoint(signed.checkpoint, note), now=NOW).log is False
    mixed = signed.with_(collision)
    assert TWO_OF_FOUR.judge(mixed, now=NOW).log is False
    assert TWO_OF_FOUR.judge(signed.with_(line), now=NOW).log is True


def test_log_with_two_keys_may_sign_by_either():
    second = NoteSigner(ORIGIN, b"\x77" * 32)
    policy = TlogPolicy.parse(policy_text("quorum none", logs=(second.verifier,)))
    for signer in (LOG, second):
        assert policy.judge(checkpoint(signer=signer), now=NOW).log is True
    bad = SignatureLine(ORIGIN, second.verifier.key_id, bytes(64))
    assert policy.judge(checkpoint().with_(bad), now=NOW).log is False


def test_a_witness_with_a_key_of_ml_dsa_counts():
    text = f"log {LOG.verifier.text()}\nwitness P {PQ.text()}\nquorum P\n"
    judged = TlogPolicy.parse(text).judge(checkpoint().with_(mldsa_line(time=77)), now=NOW)
    assert (judged.quorum, judged.time) == (True, 77)


def test_the_judgement_does_not_depend_on_the_order_of_lines():
    signed = cosigned({0: 100, 1: 200, 2: 300})
    found = set()
    for lines in itertools.permutations(signed.note.signatures):
        shuffled = SignedCheckpoint(signed.checkpoint, Note(signed.note.text, lines))
        judged = TWO_OF_FOUR.judge(shuffled, now=NOW)
        found.add((judged.log, judged.quorum, judged.time))
    assert found == {(True, True, 200)}


def test_names_that_are_no_text_are_shown_in_hex():
    text = b"witness \xff\xfe %b\nquorum \xff\xfe\n" % WITNESSES[0].verifier.text().encode()
    judged = TlogPolicy.parse(text).judge(cosigned({0: 100}), now=NOW)
    assert judged.cosignatures[0].name == "\\xff\\xfe"
    assert judged.time == 100


def test_network_extensions_or_sizes_that_were_not_cosigned_do_not_hold():
    good = cosigned({0: 100, 1: 200})
    seen = good.checkpoint
    for other in (
        Checkpoint(seen.origin, seen.size + 1, seen.root),
        Checkpoint(seen.origin, seen.size, seen.root, ("more",)),
    ):
        moved = SignedCheckpoint(other, Note(other.encode(), good.note.signatures))
        judged = TWO_OF_FOUR.judge(moved, now=NOW)
        assert (judged.log, judged.quorum, judged.time) == (False, False, None)
