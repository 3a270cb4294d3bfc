"""A lease pays for proved time and for nothing else: the arithmetic, second by second."""

from __future__ import annotations

import pytest

from teeproof.network.escrow import CLOSING_REASONS, Meter
from tests.network.scenes import terms

TERMS = terms(beat=5, window=15, pause_after=60, close_after=300, accept_within=60)


def meter(**changes: int | None) -> Meter:
    given: dict[str, int | None] = {"rate": 10, "deposit": 100_000, "opened": 0, "until": 600}
    return Meter(**(given | changes))  # type: ignore[arg-type]


def beats(start: Meter, *times: int) -> Meter:
    for at in times:
        start = start.beaten(at, TERMS)
    return start


def test_nothing_is_owed_before_the_first_heartbeat():
    assert meter().standing(60, TERMS).state == "waiting"
    assert beats(meter(), 30).earned == 0


def test_time_between_heartbeats_is_paid_to_the_second():
    assert beats(meter(), 10, 15, 22).seconds == 12
    assert beats(meter(), 10, 15, 22).earned == 120


def test_a_gap_as_long_as_the_window_is_paid_and_one_second_more_is_not():
    assert beats(meter(), 10, 25).seconds == 15
    assert beats(meter(), 10, 26).seconds == 0
    assert beats(meter(), 10, 26, 30).seconds == 4


def test_time_behind_the_last_heartbeat_is_not_owed():
    running = beats(meter(), 10, 20)
    assert running.standing(35, TERMS).state == "running"
    assert running.standing(36, TERMS).state == "suspect"
    assert running.standing(1000, TERMS).reason == "heartbeats_missed"
    assert running.earned == 100


def test_a_suspect_node_is_paid_again_from_its_next_heartbeat():
    suspect = beats(meter(), 10, 50)
    assert suspect.standing(50, TERMS).state == "running"
    assert beats(suspect, 60).seconds == 10


def test_a_paused_node_is_paid_again_only_behind_fresh_evidence():
    paused = beats(meter(), 10, 80, 90, 100)
    assert paused.seconds == 0
    assert paused.standing(100, TERMS).state == "paused"
    proved = paused.attested(110, 710, TERMS)
    assert proved.standing(110, TERMS).state == "running"
    assert beats(proved, 120).seconds == 10


def test_stale_evidence_ends_the_pay_at_its_very_second():
    running = beats(meter(until=30), 10, 20, 29, 40, 50)
    assert running.seconds == 20
    assert running.standing(50, TERMS).state == "paused"


def test_evidence_renewed_in_time_leaves_no_gap():
    running = beats(meter(until=30), 10, 20).attested(25, 625, TERMS)
    assert beats(running, 35).seconds == 25


def test_evidence_renewed_too_late_leaves_its_gap_unpaid():
    running = beats(meter(until=30), 10, 20, 28).attested(40, 640, TERMS)
    assert running.seconds == 20
    assert beats(running, 50).seconds == 30


@pytest.mark.parametrize(
    ("given", "now", "reason"),
    [
        (meter(), 61, "node_never_came"),
        (meter(until=20), 20, "node_never_came"),
        (beats(meter(), 10), 311, "heartbeats_missed"),
        (beats(meter(), 10, *range(80, 320, 10)), 311, "evidence_stale"),
        (beats(meter(until=30), *range(10, 340, 10)), 331, "evidence_stale"),
        (beats(meter(deposit=50), 10, 15), 15, "deposit_spent"),
    ],
)
def test_a_lease_that_is_due_says_why_and_not_a_second_earlier(given, now, reason):
    assert given.standing(now, TERMS).reason == reason
    assert CLOSING_REASONS[reason] == given.standing(now, TERMS).detail
    assert given.deadline(TERMS) <= now
    if reason != "deposit_spent":
        assert given.standing(now - 1, TERMS).reason is None
        assert given.deadline(TERMS) > now - 1


def test_the_deposit_is_the_most_that_is_ever_paid():
    spent = beats(meter(deposit=55), 10, 20)
    assert (spent.earned, spent.rest) == (55, 0)


def test_whoever_ends_a_running_lease_pays_until_that_moment():
    running = beats(meter(), 10, 20)
    assert running.ended(27, TERMS).seconds == 17
    assert running.ended(36, TERMS).seconds == 10  # suspect: the gap is not paid
    assert meter().ended(27, TERMS).seconds == 0
