"""Somebody has keys whose time is over, or sets the clocks of the machines that it hosts."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from teeproof.proof.log.formats.entry import STATEMENT
from teeproof.proof.statement import Statement
from teeproof.proof.workload import Identity
from tests.proof.attacks import tools
from tests.proof.attacks.tools import DAY, booted, found, holds
from tests.proof.people import NOW, attester, step, workload_named
from tests.proof.world import LATER, World

AUTHOR = workload_named("robbed")  # its keys live for 7 days from NOW
OTHER = workload_named("bystander")
EXPIRED = {("statement", "key-expiry", "keys_expired", "authenticity")}


def seen(
    *, identity_at: datetime = NOW, said_at: datetime = NOW, author: Identity = AUTHOR
) -> tuple[World, Statement]:
    """An identity, and what it says, which witnesses saw at the one and at the other time."""
    world = World()
    world.add(author)
    world.publish(at=identity_at)
    statement = world.say(step(author, "train", "model"), author)
    world.publish(at=said_at)
    return world, statement


@pytest.mark.parametrize("now", [LATER, NOW + 3000 * DAY])
def test_what_was_seen_before_the_keys_expired_holds_for_ever(now: datetime) -> None:
    world, statement = seen(said_at=NOW + 7 * DAY)
    verdict = world.verify(world.export(statement), now=max(now, NOW + 7 * DAY))
    assert holds(verdict)
    assert verdict.time == "2026-03-08T12:00:00Z"


def test_a_thief_of_old_keys_is_too_late() -> None:
    world, statement = seen(said_at=NOW + 7 * DAY + timedelta(seconds=1))
    assert found(world.verify(world.export(statement), now=NOW + 30 * DAY)) == EXPIRED


def test_a_thief_of_old_keys_who_avoids_the_log_is_too_late() -> None:
    world = World()
    world.add(AUTHOR)
    world.publish()
    statement = step(AUTHOR, "train", "model")
    unlogged = World()
    unlogged.source.log = None
    unlogged.add(AUTHOR)
    unlogged.say(statement, AUTHOR)
    file = unlogged.export(statement)
    now = NOW + 8 * DAY
    assert found(world.verify(file, now=now)) >= EXPIRED | {
        ("statement", "inclusion", "not_logged", "policy")
    }
    assert found(unlogged.verify(file, now=now, logs=None)) >= EXPIRED


def test_without_a_log_living_keys_are_enough_if_no_log_is_asked_for() -> None:
    world = World()
    world.source.log = None
    world.add(AUTHOR)
    statement = world.say(step(AUTHOR, "train", "model"), AUTHOR)
    verdict = world.verify(world.export(statement), logs=None)
    assert holds(verdict)
    assert verdict.time is None
    assert {c.state for c in verdict.statements[0].checks if c.name in ("time", "inclusion")} == {
        "not_checked"
    }
    assert found(world.verify(world.export(statement))) == {
        ("identity", "inclusion", "not_logged", "policy"),
        ("statement", "inclusion", "not_logged", "policy"),
    }


def test_a_thief_of_old_keys_cannot_cosign_for_their_owner() -> None:
    world = World()
    world.add(AUTHOR)
    world.publish()
    late = booted(at=NOW + 10 * DAY)
    world.add(late)
    joint = step(late, "decide", "act", cosigners=(AUTHOR.name,))
    world.say(joint, late, AUTHOR)
    world.publish(at=NOW + 10 * DAY)
    assert found(world.verify(world.export(joint), now=NOW + 11 * DAY)) == EXPIRED


def test_a_cosigner_with_living_keys_may() -> None:
    world = World()
    world.add(AUTHOR, OTHER)
    joint = step(OTHER, "decide", "act", cosigners=(AUTHOR.name,))
    world.say(joint, OTHER, AUTHOR)
    world.publish(at=NOW + 6 * DAY)
    assert holds(world.verify(world.export(joint), now=NOW + 11 * DAY))


def test_a_thief_of_old_keys_cannot_hand_over_to_itself() -> None:
    world = World()
    old = booted(store=world.source)
    world.publish()
    new = old.rotate(attester(at=NOW + 20 * DAY), now=lambda: NOW + 20 * DAY)
    statement = world.say(step(new, "train", "model"), new)
    world.publish(at=NOW + 20 * DAY)
    assert found(world.verify(world.export(statement), now=NOW + 21 * DAY)) == EXPIRED


def test_an_identity_that_nobody_saw_while_its_keys_lived_is_refused() -> None:
    world, statement = seen(identity_at=NOW + 8 * DAY, said_at=NOW + 8 * DAY)
    assert found(world.verify(world.export(statement), now=NOW + 9 * DAY)) == {
        ("identity", "key-dates", "keys_expired", "authenticity"),
        *EXPIRED,
    }


@pytest.mark.parametrize(
    ("ahead", "life", "refused"),
    [
        (timedelta(), 30 * DAY, False),
        (timedelta(minutes=5), 30 * DAY, False),
        (timedelta(minutes=5, seconds=1), 30 * DAY, True),
        (1 * DAY, 7 * DAY, True),
        (3650 * DAY, 1 * DAY, True),
    ],
)
def test_a_host_that_sets_the_clock_ahead_gains_no_more_than_five_minutes(
    ahead: timedelta, life: timedelta, refused: bool
) -> None:
    clock: Any = lambda: NOW + ahead  # noqa: E731
    author = Identity.boot(attester(), now=clock, lifetime=int(life.total_seconds()))
    world = World()
    world.add(author)
    statement = world.say(step(author, "train", "model"), author)
    world.publish(at=NOW)
    early = {
        ("identity", "key-dates", "keys_not_yet", "authenticity"),
        ("statement", "key-expiry", "keys_not_yet", "authenticity"),
    }
    verdict = world.verify(world.export(statement))
    assert found(verdict) == (early if refused else set())
    for check in verdict.failures:
        assert verdict.identities[0].not_before in (check.expected or "")
        assert verdict.identities[0].not_after in (check.expected or "")
        assert check.got == "2026-03-01T12:00:00Z"
    alone = World()
    alone.source.log = None
    alone.add(author)
    alone.say(statement, author)
    assert found(alone.verify(alone.export(statement), now=NOW, logs=None)) == (
        early if refused else set()
    )


@pytest.mark.parametrize(
    ("before", "refused"),
    [(timedelta(minutes=5), False), (timedelta(minutes=5, seconds=1), True), (3650 * DAY, True)],
)
def test_a_time_before_the_keys_were_made_is_refused(before: timedelta, refused: bool) -> None:
    """Without a log the verifier's own time, ``--at``, is the time in question."""
    world = World()
    world.source.log = None
    world.add(AUTHOR)
    statement = world.say(step(AUTHOR, "train", "model"), AUTHOR)
    verdict = world.verify(world.export(statement), now=NOW - before, logs=None)
    codes = {(fault.check.name, fault.check.code) for fault in verdict.faults}
    asked = {("key-dates", "keys_not_yet"), ("key-expiry", "keys_not_yet")}
    assert codes & asked == (asked if refused else set())
    states = {c.name: c.state for c in verdict.identities[0].checks}
    assert states["key-dates"] == ("failed" if refused else "passed")


def test_a_cosigner_whose_keys_came_later_than_the_words_is_caught() -> None:
    late = booted(at=NOW + DAY)
    world = World()
    world.add(AUTHOR, late)
    joint = step(AUTHOR, "decide", "act", cosigners=(late.name,))
    world.say(joint, AUTHOR, late)
    world.publish(at=NOW)
    assert found(world.verify(world.export(joint), now=NOW + 2 * DAY)) >= {
        ("statement", "key-expiry", "keys_not_yet", "authenticity")
    }


def test_a_prover_who_shows_a_later_checkpoint_only_looks_younger() -> None:
    world = World()
    world.add(AUTHOR)
    statement = world.say(step(AUTHOR, "train", "model"), AUTHOR)
    world.publish(at=NOW + 6 * DAY)
    early = world.export(statement)
    assert holds(world.verify(early, now=NOW + 11 * DAY))
    world.say(step(AUTHOR, "more", "noise"), AUTHOR)
    world.publish(at=NOW + 10 * DAY)
    del world.log._archive[min(world.log._archive)]
    late = world.export(statement)
    assert tools.part_names(late) != tools.part_names(early)
    assert found(world.verify(late, now=NOW + 11 * DAY)) == {
        ("identity", "key-dates", "keys_expired", "authenticity"),
        *EXPIRED,
    }


def test_a_later_checkpoint_beside_the_first_moves_no_time() -> None:
    world = World()
    world.add(AUTHOR, OTHER)
    statement = world.say(step(AUTHOR, "train", "model"), AUTHOR)
    world.publish(at=NOW + 1 * DAY)
    last = world.say(step(OTHER, "test", "report", of=[("model", "model", statement)]), OTHER)
    world.publish(at=NOW + 2 * DAY)
    file = world.export(last)
    verdict = world.verify(file, now=NOW + 11 * DAY)
    assert len([name for name in tools.part_names(file) if "checkpoints/" in name]) == 2
    assert holds(verdict)
    assert verdict.statement(statement.name).time == "2026-03-02T12:00:00Z"
    assert verdict.statement(last.name).time == verdict.time == "2026-03-03T12:00:00Z"


def test_a_thief_of_old_keys_cannot_sign_words_that_were_entered_in_time() -> None:
    world = World()
    world.add(AUTHOR)
    statement = step(AUTHOR, "train", "model")
    index = world.log.append(STATEMENT, statement.id, AUTHOR.digest, bytes(32))
    world.publish(at=NOW)
    world.source.log = None  # the theft comes later: nothing more can be entered in time
    world.put(AUTHOR.sign(statement))
    world.source.log = world.log
    verdict = world.verify(world.export(statement), now=NOW + 30 * DAY)
    assert index == 1
    assert "inclusion_mismatch" in {fault.check.code for fault in verdict.faults}
