"""Parse a dstack event log: JSON bytes to events, strictly. Nothing is believed here.

    at most 1 MiB and 4,096 events, no key twice, no unknown field
    hex in lower case, as dstack writes it: upper case would be a second form of the same log
    a digest is 48 bytes, or left out of a runtime event, where it is computed anyway
    names of runtime events are printable; version 1 has no ":" in them, because its digest would be
    the same for ("compose-hash", "x:y") and ("compose-hash:x", "y")

Trusts: nothing; it only reads.  Does not trust: the host that hands over the log.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from teeproof.core import strictjson
from teeproof.core.errors import Malformed, TooLarge
from teeproof.evidence.eventlog.event import (
    DIGEST_BYTES,
    RUNTIME_EVENT,
    Event,
    Version,
    runtime_digest,
)
from teeproof.evidence.record import MAX_EVENT_LOG_BYTES

__all__ = ["MAX_EVENTS", "MAX_NAME", "parse"]

MAX_EVENTS = 4096  # a dstack guest writes some 30
MAX_NAME = 256

_Register = Annotated[int, msgspec.Meta(ge=0, le=3)]
_Type = Annotated[int, msgspec.Meta(ge=0, lt=1 << 32)]


class _Raw(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    imr: _Register
    event_type: _Type
    event: str
    event_payload: str
    digest: str = ""
    version: Version = 1
    preimage: str | None = None


def parse(data: bytes) -> tuple[Event, ...]:
    """Return the events of a log in their order.

    Args:
        data: a JSON list of objects with ``imr``, ``event_type``, ``digest``, ``event``,
            ``event_payload`` and, on runtime events of version 2, ``version`` and ``preimage``.

    Raises:
        TooLarge: more than 1 MiB or more than ``MAX_EVENTS`` events.
        Malformed: not such a list; the code says what is wrong and the detail which event.
    """
    value = strictjson.loads(data, limit=MAX_EVENT_LOG_BYTES, what="event log")
    if isinstance(value, list) and len(value) > MAX_EVENTS:
        raise TooLarge(
            "the event log has too many events",
            code="event_log_too_long",
            expected=f"at most {MAX_EVENTS} events",
            got=f"{len(value)} events",
        )
    return tuple(_event(index, raw) for index, raw in enumerate(_typed(value)))


def _typed(value: Any) -> list[_Raw]:
    try:
        return msgspec.convert(value, list[_Raw], strict=True)
    except msgspec.ValidationError as error:
        raise Malformed(
            f"this is not a dstack event log: {error}", code="event_log_malformed", got=str(error)
        ) from None


def _event(index: int, raw: _Raw) -> Event:
    payload = _hex(index, "event_payload", raw.event_payload)
    claimed = _hex(index, "digest", raw.digest)
    runtime = raw.event_type == RUNTIME_EVENT
    if len(claimed) != DIGEST_BYTES and (claimed or not runtime):
        got = f"{len(claimed)} bytes"
        raise _malformed(index, "digest", "event_digest_malformed", f"{DIGEST_BYTES} bytes", got)
    if not runtime:
        return _boot_event(index, raw, payload, claimed)
    _check_name(index, raw)
    return Event(
        index=index,
        imr=raw.imr,
        type=raw.event_type,
        name=raw.event,
        payload=payload,
        digest=runtime_digest(raw.event, payload, version=raw.version),
        claimed_digest=claimed,
        version=raw.version,
        claimed_preimage=None if raw.preimage is None else _hex(index, "preimage", raw.preimage),
    )


def _boot_event(index: int, raw: _Raw, payload: bytes, digest: bytes) -> Event:
    if raw.version != 1 or raw.preimage is not None:
        raise _malformed(
            index,
            "version",
            "event_log_malformed",
            "version and preimage only on runtime events",
            f"event type {raw.event_type:#x}",
        )
    return Event(
        index=index,
        imr=raw.imr,
        type=raw.event_type,
        name="",
        payload=payload,
        digest=digest,
        claimed_digest=digest,
        remark=raw.event,
    )


def _check_name(index: int, raw: _Raw) -> None:
    name = raw.event
    if not name or len(name) > MAX_NAME or not name.isprintable():
        expected = f"1 to {MAX_NAME} printable characters"
        raise _malformed(index, "name", "event_name_malformed", expected, ascii(name[:60]))
    if raw.version == 1 and ":" in name:
        raise _malformed(index, "name", "event_name_ambiguous", 'a name without ":"', name[:60])


def _hex(index: int, field: str, text: str) -> bytes:
    try:
        value = bytes.fromhex(text)
    except ValueError:
        value = b""
    if value.hex() != text:
        raise _malformed(index, field, "event_hex_malformed", "lower-case hex", ascii(text[:60]))
    return value


def _malformed(index: int, field: str, code: str, expected: str, got: str) -> Malformed:
    return Malformed(
        f"event {index} of the log has a malformed {field}: expected {expected}, got {got}",
        code=code,
        expected=expected,
        got=got,
    )
