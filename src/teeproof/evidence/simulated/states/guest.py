"""States of what runs in the domain: another application, image or key provider than expected.

Trusts: nothing; it only describes.  Does not trust: nothing comes from outside.
"""

from __future__ import annotations

from teeproof.evidence.record import Evidence
from teeproof.evidence.simulated.guest import DEVELOPMENT_IMAGE, Guest, KeyProvider, app_compose
from teeproof.evidence.simulated.states.state import Scene, Setup, booted, table

__all__ = ["LISTED", "STATES"]


def _keys_from(provider: KeyProvider) -> Guest:
    return Guest(compose=app_compose(key_provider=provider), key_provider=provider)


_NO_KEYS, _LOCAL_KEYS = _keys_from("none"), _keys_from("local-sgx")
_NEWER_LOG = Guest(compose=app_compose(log_version=2), log_version=2)
_MUTABLE = Guest(compose=app_compose(image="simulated.invalid/hello:latest"))

LISTED = (Guest(), _NEWER_LOG, _NO_KEYS, _LOCAL_KEYS, _MUTABLE)
"""Guests whose application the reference policy lists, whatever else is wrong with them."""


def _config_of_another_app(scene: Scene) -> Evidence:
    honest = Guest()
    machine = scene.machine(
        Setup(guest=Guest(compose=app_compose("another")), events=honest.events())
    )
    made = machine.evidence(scene.report_data, now=scene.now)
    return Evidence(
        quote=made.quote,
        event_log=made.event_log,
        compose=honest.compose,
        collateral=made.collateral,
    )


STATES = (
    *table(
        "accepted",
        ("up-to-date", "Everything is in order: quote version 4.", booted(Setup())),
        (
            "up-to-date-v5",
            "Everything is in order: quote version 5 with a TD report 1.5.",
            booted(Setup(version=5)),
        ),
        (
            "up-to-date-v5-td10",
            "Everything is in order: quote version 5 with a TD report 1.0.",
            booted(Setup(version=5, body="1.0")),
        ),
        (
            "event-log-v2",
            "Everything is in order, with an event log of version 2.",
            booted(Setup(guest=_NEWER_LOG)),
        ),
        (
            "mr-config-zero",
            "Everything is in order, and the host set no MRCONFIGID.",
            booted(Setup(guest=Guest(mr_config=0))),
        ),
        (
            "mr-config-v2",
            "Everything is in order, and MRCONFIGID has dstack's form 2.",
            booted(Setup(guest=Guest(mr_config=2))),
        ),
        (
            "mr-config-v3",
            "Everything is in order, and MRCONFIGID has dstack's form 3.",
            booted(Setup(guest=Guest(mr_config=3))),
        ),
    ),
    *table(
        "not-allowed",
        (
            "key-provider-none",
            "The application got no keys from anybody.",
            booted(Setup(guest=_NO_KEYS)),
        ),
        (
            "key-provider-local",
            "The application got its keys from the machine instead of the KMS.",
            booted(Setup(guest=_LOCAL_KEYS)),
        ),
        (
            "development-image",
            "The operating system is a development image, which lets its operator log in.",
            booted(Setup(guest=Guest(image=DEVELOPMENT_IMAGE))),
        ),
        (
            "another-app",
            "The machine runs an application that the policy does not list.",
            booted(Setup(guest=Guest(compose=app_compose("another")))),
        ),
        (
            "mutable-image-tag",
            "The compose file names a container image by a tag, which may change.",
            booted(Setup(guest=_MUTABLE)),
        ),
    ),
    *table(
        "not-authentic",
        (
            "mr-config-of-another-app",
            "MRCONFIGID was set for another application than the one in the event log.",
            _config_of_another_app,
        ),
    ),
)
