"""States of the event log and the compose file: what a host may write beside a true quote.

MRCONFIGID is zero in all of them, so that the log alone speaks for the application.

Trusts: nothing; it only describes.  Does not trust: nothing comes from outside.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace

from teeproof.evidence.record import Evidence
from teeproof.evidence.simulated.eventlog import Event, dstack_event, encode
from teeproof.evidence.simulated.guest import Guest, app_compose
from teeproof.evidence.simulated.states.state import Make, Scene, Setup, table

__all__ = ["STATES"]

_GOOD = Guest(mr_config=0)
_BAD = Guest(compose=app_compose("another"), mr_config=0)
_GOOD_COMPOSE = dstack_event("compose-hash", _GOOD.compose_hash)

Events = Sequence[Event]


def _told(
    change: Callable[[Events], Events], *, guest: Guest = _GOOD, compose: bytes = _GOOD.compose
) -> Make:
    """Return how to hand over another log and compose file than those that were measured."""

    def make(scene: Scene) -> Evidence:
        made = scene.evidence(Setup(guest=guest))
        log = encode(change(guest.events()))
        return Evidence(
            quote=made.quote, event_log=log, compose=compose, collateral=made.collateral
        )

    return make


def _measured(change: Callable[[Events], Events], *, guest: Guest = _GOOD) -> Make:
    """Return how to boot a guest that measures other events than dstack's does."""

    def make(scene: Scene) -> Evidence:
        made = scene.evidence(Setup(guest=guest, events=tuple(change(guest.events()))))
        return Evidence(
            quote=made.quote,
            event_log=made.event_log,
            compose=_GOOD.compose,
            collateral=made.collateral,
        )

    return make


def _same(events: Events) -> Events:
    return events


def _with(name: str, change: Callable[[Event], list[Event]]) -> Callable[[Events], Events]:
    """Return how to replace the event of this name."""
    return lambda events: [
        new for event in events for new in (change(event) if event.name == name else [event])
    ]


def _swapped(events: Events) -> Events:
    names = [event.name for event in events]
    first, second = names.index("app-id"), names.index("compose-hash")
    changed = list(events)
    changed[first], changed[second] = changed[second], changed[first]
    return changed


def _split_elsewhere(event: Event) -> list[Event]:
    # Version 1 joins name and payload by a colon, and a payload may contain one, too.
    head, _, tail = event.payload.partition(b":")
    return [replace(event, name=f"{event.name}:{head.decode()}", payload=tail)]


def _first_boot_event_named(events: Events) -> Events:
    renamed = replace(events[0], name="compose-hash", payload=_GOOD.compose_hash)
    return [renamed, *events[1:]]


def _in_another_register(events: Events) -> Events:
    return [dstack_event("compose-hash", _GOOD.compose_hash, register=2), *events]


_REFORMATTED = json.dumps(json.loads(_GOOD.compose), separators=(",", ":")).encode()

STATES = (
    *table(
        "accepted",
        (
            "app-event",
            "The application measured an event of its own after the system was ready.",
            _told(
                _same,
                guest=Guest(mr_config=0, more=(dstack_event("app-started", b"hello"),)),
            ),
        ),
    ),
    *table(
        "not-authentic",
        (
            "log-payload-forged",
            "The log shows another compose hash than its digest is of.",
            _told(
                _with("compose-hash", lambda e: [replace(e, payload=_GOOD.compose_hash)]),
                guest=_BAD,
            ),
        ),
        (
            "log-event-renamed",
            "The log shows an event under another name than its digest is of.",
            _told(_with("key-provider", lambda e: [replace(e, name="key-provider-old")])),
        ),
        (
            "log-event-removed",
            "The log leaves out an event that was measured.",
            _told(_with("key-provider", lambda e: [])),
        ),
        ("log-events-swapped", "The log shows two events in the wrong order.", _told(_swapped)),
        (
            "log-event-split-elsewhere",
            "The log cuts name and payload of an event of version 1 at another colon.",
            _told(_with("key-provider", _split_elsewhere)),
        ),
        (
            "log-boot-event-named",
            "The log gives a firmware event the name and payload of a compose hash.",
            _told(_first_boot_event_named, guest=_BAD),
        ),
        (
            "event-missing",
            "The guest never measured its application id.",
            _measured(_with("app-id", lambda e: [])),
        ),
        (
            "events-reordered",
            "The guest measured its compose hash before its application id.",
            _measured(_swapped),
        ),
        (
            "event-in-another-register",
            "The wanted compose hash was measured into RTMR2, the one that runs into RTMR3.",
            _measured(_in_another_register, guest=_BAD),
        ),
        (
            "event-twice",
            "After the system was ready, the application measured the compose hash of another.",
            _measured(_same, guest=replace(_BAD, more=(_GOOD_COMPOSE,))),
        ),
        (
            "compose-reformatted",
            "The compose file was reformatted after it was measured: same JSON, other bytes.",
            _told(_same, compose=_REFORMATTED),
        ),
        (
            "compose-of-another-app",
            "The compose file is not the one that was measured.",
            _told(_same, guest=_BAD),
        ),
    ),
)
