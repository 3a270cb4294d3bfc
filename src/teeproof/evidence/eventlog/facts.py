"""What the events of RTMR3 establish about the application, once the log replays.

Anyone in the guest may extend RTMR3, the application too. So the rules are:

    1. every event of RTMR3 is a runtime event: under another type a real event could be hidden
    2. no runtime event stands in another register
    3. the system speaks until ``system-ready``; only what stands before it is a fact
    4. each fact is given once; behind ``system-ready`` no event bears a name of the system's
    5. app-id, compose-hash and instance-id are there, in this order, with their lengths

A log without ``system-ready`` comes from a boot that had not ended, or from a guest older than
dstack 0.5: nothing in it marks where the application begins to speak, so no fact is taken from it.

Source: dstack-util, ``system_setup.rs``.

Trusts: the guest image (that it says ``system-ready`` before it starts the application).
Does not trust: the host that hands over the log, the application.
"""

from __future__ import annotations

import re

import msgspec

from teeproof.core import strictjson
from teeproof.core.errors import Malformed, NotAuthentic
from teeproof.core.text import legible
from teeproof.evidence.eventlog.event import Event

__all__ = ["SYSTEM_READY", "AppFacts", "KeyProvider", "app_facts"]

SYSTEM_READY = "system-ready"
MAX_INIT_SCRIPTS = 5  # dstack-types, MAX_INIT_SCRIPTS
MAX_KEY_PROVIDER_BYTES = 4096

_APP_RTMR = 3
# The system's own events and the order in which dstack 0.5 and 0.6 emit them; equal ranks may swap.
_RANK = {
    "system-preparing": 0,
    "app-id": 1,
    "compose-hash": 2,
    "init-script-hash": 3,
    "gpu-policy-hash": 3,
    "gpu-attestation": 3,
    "instance-id": 4,
    "boot-mr-done": 5,
    "os-image-hash": 6,
    "key-provider": 7,
    "storage-fs": 8,
    SYSTEM_READY: 9,
}
_REQUIRED = ("app-id", "compose-hash", "instance-id")
_LENGTHS = {
    "app-id": (20,),
    "compose-hash": (32,),
    "init-script-hash": (32,),
    "gpu-policy-hash": (32,),
    "instance-id": (0, 20),
    "os-image-hash": (32,),
}
_PROVIDER_NAME = re.compile(r"[a-z0-9-]{1,32}")


class KeyProvider(msgspec.Struct, frozen=True):
    """Who gave the application its keys.

    Attributes:
        name: ``kms``, ``local-sgx``, ``tpm`` or ``none``.
        id: of a KMS its CA's public key (DER), of ``local-sgx`` the enclave's measurement.
    """

    name: str
    id: bytes


class AppFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What a dstack guest measured about its application before it started it.

    Attributes:
        app_id: 20 bytes: the first of the compose hash, or a contract's address.
        compose_hash: 32 bytes, SHA-256 of app-compose.json.
        instance_id: 20 bytes, or empty where the application asked for none.
        os_image_hash: 32 bytes as the KMS named the image; None where no KMS did.
        key_provider: who gave the keys; None if the guest does not say.
        key_provider_info: the event's exact bytes; ``derived.mr_system`` needs them.
        init_script_hashes: SHA-256 of each script that ran before the application.
        gpu_policy_hash: 32 bytes, SHA-256 of the GPU policy; None if not measured.
        system_events: names of the events up to ``system-ready``, in order.
        app_events: names of the events behind it: what the application says of itself.
    """

    app_id: bytes
    compose_hash: bytes
    instance_id: bytes
    os_image_hash: bytes | None = None
    key_provider: KeyProvider | None = None
    key_provider_info: bytes | None = None
    init_script_hashes: tuple[bytes, ...] = ()
    gpu_policy_hash: bytes | None = None
    system_events: tuple[str, ...] = ()
    app_events: tuple[str, ...] = ()


def app_facts(events: tuple[Event, ...]) -> AppFacts | None:
    """Return what the log establishes, or None if it has no ``system-ready``.

    The events must have passed ``check_payloads`` and replayed to a verified quote's RTMR3.

    Raises:
        NotAuthentic: a rule of this module is broken; the code says which.
        Malformed: the key provider is not ``{"name", "id"}``.
    """
    app = tuple(event for event in events if event.imr == _APP_RTMR)
    _check_registers(events, app)
    end = next((i + 1 for i, event in enumerate(app) if event.name == SYSTEM_READY), None)
    if end is None:
        return None
    system, later = app[:end], app[end:]
    _check_later(later)
    _check_order(system)
    given = {event.name: event.payload for event in system if event.name in _RANK}
    _check_given(system, given)
    info = given.get("key-provider")
    return AppFacts(
        app_id=given["app-id"],
        compose_hash=given["compose-hash"],
        instance_id=given["instance-id"],
        os_image_hash=given.get("os-image-hash"),
        key_provider=None if info is None else _key_provider(info),
        key_provider_info=info,
        init_script_hashes=tuple(e.payload for e in system if e.name == "init-script-hash"),
        gpu_policy_hash=given.get("gpu-policy-hash"),
        system_events=tuple(event.name for event in system),
        app_events=tuple(event.name for event in later),
    )


def _check_registers(events: tuple[Event, ...], app: tuple[Event, ...]) -> None:
    for event in events:
        if event.is_runtime and event.imr != _APP_RTMR:
            raise NotAuthentic(
                f'event {event.index} ("{event.name}") is a runtime event in {event.register}:'
                " dstack writes them to RTMR3 only",
                code="runtime_event_outside_rtmr3",
                expected="RTMR3",
                got=event.register,
            )
    if not any(event.is_runtime for event in app):
        return
    for event in app:
        if not event.is_runtime:
            raise NotAuthentic(
                f"event {event.index} extends RTMR3 under type {event.type:#x}: what it measured"
                " cannot be seen, and a real event could be hidden so",
                code="event_hidden_in_rtmr3",
                expected="a runtime event",
                got=f"{event.type:#x}",
            )


def _check_later(later: tuple[Event, ...]) -> None:
    for event in later:
        if event.name in _RANK:
            raise NotAuthentic(
                f'event {event.index} ("{event.name}") stands behind system-ready: the application'
                " speaks in the system's name",
                code="event_after_system_ready",
                got=f"{event.name}: {event.payload.hex()[:80]}",
            )


def _check_order(system: tuple[Event, ...]) -> None:
    seen: dict[str, Event] = {}
    last: Event | None = None
    for event in system:
        if event.name not in _RANK:
            continue
        if event.name in seen and event.name != "init-script-hash":
            raise NotAuthentic(
                f'event {event.index} ("{event.name}") is given twice',
                code="event_duplicate",
                expected=seen[event.name].payload.hex()[:80],
                got=event.payload.hex()[:80],
            )
        if last is not None and _RANK[event.name] < _RANK[last.name]:
            raise NotAuthentic(
                f'event {event.index} ("{event.name}") stands behind "{last.name}": no dstack guest'
                " measures in this order",
                code="event_order_wrong",
                expected=f"{event.name}, then {last.name}",
                got=f"{last.name}, then {event.name}",
            )
        seen[event.name] = last = event


def _check_given(system: tuple[Event, ...], given: dict[str, bytes]) -> None:
    missing = [name for name in _REQUIRED if name not in given]
    if missing:
        raise NotAuthentic(
            f"the log has no {missing[0]} before system-ready",
            code="event_missing",
            expected=missing[0],
        )
    for event in system:
        lengths = _LENGTHS.get(event.name)
        if lengths is not None and len(event.payload) not in lengths:
            raise NotAuthentic(
                f'event {event.index} ("{event.name}") has a payload of {len(event.payload)} bytes',
                code="event_payload_length",
                expected=f"{lengths[-1]} bytes",
                got=f"{len(event.payload)} bytes",
            )
    scripts = sum(event.name == "init-script-hash" for event in system)
    if scripts > MAX_INIT_SCRIPTS:
        raise NotAuthentic(
            "the log has more init-script-hash events than a dstack guest writes",
            code="event_duplicate",
            expected=f"at most {MAX_INIT_SCRIPTS}",
            got=str(scripts),
        )


def _key_provider(info: bytes) -> KeyProvider:
    value = strictjson.loads(info, limit=MAX_KEY_PROVIDER_BYTES, what="key-provider event")
    if not isinstance(value, dict) or set(value) != {"name", "id"}:
        raise _provider_malformed('{"name", "id"}', info)
    name, identity = value["name"], value["id"]
    if not isinstance(name, str) or not _PROVIDER_NAME.fullmatch(name):
        raise _provider_malformed("a name such as kms", info)
    try:
        raw = bytes.fromhex(identity)
    except (TypeError, ValueError):
        raise _provider_malformed("an id in hex", info) from None
    if raw.hex() != identity:
        raise _provider_malformed("an id in lower-case hex", info)
    return KeyProvider(name, raw)


def _provider_malformed(expected: str, info: bytes) -> Malformed:
    return Malformed(
        f"the key-provider event is malformed: expected {expected}",
        code="key_provider_malformed",
        expected=expected,
        got=legible(info[:120]),
    )
