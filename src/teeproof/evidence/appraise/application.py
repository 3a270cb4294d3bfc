"""Hold a dstack application against a policy: what runs, on which image, with keys from whom.

Trusts: a verified quote and a log that replays to it.  Does not trust: the application.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from teeproof.evidence.appraise.expect import any_of
from teeproof.evidence.eventlog import AppFacts, derived
from teeproof.evidence.eventlog.images import check_images
from teeproof.evidence.policy import Policy
from teeproof.evidence.tdx.layout import TdReport10
from teeproof.evidence.verdict import Check, failed, not_checked, passed

__all__ = ["checks", "describe"]

_ADVICE = ": give the event log of this quote"


def checks(
    body: TdReport10,
    app: AppFacts | None,
    policy: Policy,
    *,
    log_checks: Sequence[Check],
    compose: bytes | None,
) -> list[Check]:
    """Return the checks of what the event log establishes.

    Args:
        body: the verified TD report.
        app: what the log establishes; None without a log, or if it failed.
        policy: expectations.
        log_checks: the checks that the log went through.
        compose: bytes of app-compose.json, believed only if the check ``compose`` passed.
    """
    states = {check.name: check.state for check in log_checks}
    if "failed" in states.values():
        why = "not reached: the event log or a file that it measures did not hold"
        return [not_checked("application", why, "policy")]
    advice = "" if app else _ADVICE
    provider = app.key_provider if app else None
    return [
        _event_log(policy, states),
        _guest_image(policy),
        any_of(
            "compose-hash",
            policy.compose_hash,
            _hex(app.compose_hash if app else None),
            what="application (compose hash)",
            advice=advice,
        ),
        _images(policy, states, compose),
        any_of(
            "app-id", policy.app_id, _hex(app.app_id if app else None), what="app id", advice=advice
        ),
        any_of(
            "instance-id",
            policy.instance_id,
            _hex(app.instance_id if app else None),
            what="instance id",
            advice=advice,
        ),
        any_of(
            "os-image",
            policy.os_image_hash,
            _hex(app.os_image_hash if app else None),
            what="OS image",
            advice=advice,
        ),
        any_of(
            "key-provider",
            policy.key_provider,
            provider.name if provider else None,
            what="key provider",
            advice=advice,
        ),
        any_of(
            "key-provider-id",
            policy.key_provider_id,
            _hex(provider.id if provider else None),
            what="key provider's identity",
            advice=advice,
        ),
        any_of(
            "mr-system", policy.mr_system, _mr_system(body, app), what="mr_system", advice=advice
        ),
        any_of(
            "mr-aggregated",
            policy.mr_aggregated,
            derived.mr_aggregated(body).hex(),
            what="mr_aggregated",
        ),
    ]


def describe(body: TdReport10, app: AppFacts | None) -> dict[str, Any] | None:
    """Return what is established about the application, for people and programs."""
    if app is None:
        return None
    provider = app.key_provider
    return {
        "app_id": app.app_id.hex(),
        "compose_hash": app.compose_hash.hex(),
        "instance_id": app.instance_id.hex() or None,
        "os_image_hash": _hex(app.os_image_hash),
        "key_provider": {"name": provider.name, "id": provider.id.hex()} if provider else None,
        "key_provider_info": _hex(app.key_provider_info),
        "mr_system": _mr_system(body, app),
        "mr_aggregated": derived.mr_aggregated(body).hex(),
        "events_of_the_application": list(app.app_events),
    }


def _event_log(policy: Policy, states: Mapping[str, str]) -> Check:
    if policy.event_log is None:
        return not_checked("event-log", "the policy does not ask for one", "policy")
    missing = [
        name
        for name in ("event-log-replay", "event-log-order", "event-log-payloads")
        if states.get(name) != "passed"
    ]
    if missing:
        return failed(
            "event-log",
            "event_log_missing",
            "the policy asks for an event log that explains all four registers: give it together "
            "with the quote",
            "policy",
            expected="event-log-payloads, event-log-replay and event-log-order passed",
            got=", ".join(
                f"{name} {states.get(name, 'not checked').replace('_', ' ')}" for name in missing
            ),
        )
    return passed("event-log", "an event log explains the registers, as the policy asks", "policy")


def _guest_image(policy: Policy) -> Check:
    """Check that the policy knows the guest whose word it takes.

    Whatever runs in a domain can extend RTMR3 with any events. Only a guest image that is known by
    its measurements makes them mean something: firmware, kernel, command line and initrd.
    """
    told = policy.told_by_guest
    if not told:
        return not_checked(
            "guest-image", "the policy takes nothing from what the guest says of itself", "policy"
        )
    if policy.pins_guest:
        return passed(
            "guest-image", "the policy pins the guest whose event log it believes", "policy"
        )
    return failed(
        "guest-image",
        "guest_image_unpinned",
        f"the policy believes {told[0]} from the event log of a guest that it does not pin, and "
        "any guest can write any log: pin its image too",
        "policy",
        expected="mrtd, rtmr1 and rtmr2, or mr_system, or mr_aggregated",
        got="none of them",
    )


def _images(policy: Policy, states: Mapping[str, str], compose: bytes | None) -> Check:
    if policy.compose_images_pinned is None:
        return not_checked("compose-images", "the policy does not ask for pinned images", "policy")
    if compose is None or states.get("compose") != "passed":
        return failed(
            "compose-images",
            "compose_missing",
            "the policy asks for pinned images, which only the measured compose file can show: "
            "give it",
            "policy",
            expected="the app-compose.json that was measured",
        )
    check = check_images(compose)
    if check.state == "not_checked":
        return failed("compose-images", "compose_images_unknown", check.detail, "policy")
    return check


def _mr_system(body: TdReport10, app: AppFacts | None) -> str | None:
    if app is None:
        return None
    return derived.mr_system(body, key_provider_info=app.key_provider_info).hex()


def _hex(value: bytes | None) -> str | None:
    return value.hex() if value else None
