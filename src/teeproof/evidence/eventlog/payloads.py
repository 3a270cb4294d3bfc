"""Check that what an event says is what its digest covers.

A runtime event's digest covers its name and payload. Of the events before it, some digests cover
the payload, some a part of it, and most something else that the log does not hold, such as a kernel
image: those payloads are labels that anyone may have written, and ``coverage`` says so.

Trusts: SHA-384.  Does not trust: the host that hands over the log.
"""

from __future__ import annotations

from hashlib import sha384
from typing import Literal

from teeproof.core.errors import NotAuthentic
from teeproof.evidence.eventlog import tcg
from teeproof.evidence.eventlog.event import Event, preimage

__all__ = ["Coverage", "check_payloads", "coverage"]

Coverage = Literal["name and payload", "payload", "variable data", "nothing"]

# TCG PC Client Platform Firmware Profile 1.06, 10.4.1, and EDK II's MeasureVariable: these digests
# are over the event data, or over the variable's data alone. dstack's and Google's firmware do so.
_OVER_PAYLOAD = frozenset(
    {tcg.SEPARATOR, tcg.EFI_ACTION, tcg.EFI_VARIABLE_DRIVER_CONFIG, tcg.EFI_VARIABLE_AUTHORITY}
)
_OVER_VARIABLE = frozenset({tcg.EFI_VARIABLE_BOOT})


def coverage(event: Event) -> Coverage:
    """Return which part of the event its digest covers. Believe no other part."""
    if event.is_runtime:
        return "name and payload"
    if not event.payload:
        return "nothing"
    if sha384(event.payload).digest() == event.digest:
        return "payload"
    if event.type in _OVER_VARIABLE:
        variable = tcg.parse_variable(event.payload)
        if variable is not None and sha384(variable.data).digest() == event.digest:
            return "variable data"
    return "nothing"


def check_payloads(events: tuple[Event, ...]) -> None:
    """Refuse an event whose name or payload is not the one that was measured.

    Raises:
        NotAuthentic: with the event's index and name, ``event_payload_mismatch``,
            ``event_preimage_missing`` or ``event_preimage_mismatch``.
    """
    for event in events:
        if event.is_runtime:
            _check_runtime(event)
        elif event.payload and event.type in _OVER_PAYLOAD | _OVER_VARIABLE:
            _check_boot(event)


def _check_runtime(event: Event) -> None:
    if event.claimed_digest and event.claimed_digest != event.digest:
        raise NotAuthentic(
            f'event {event.index} ("{event.name}") does not say what was measured: its digest'
            " belongs to another name or payload",
            code="event_payload_mismatch",
            expected=event.digest.hex(),
            got=event.claimed_digest.hex(),
        )
    if event.claimed_preimage is None:
        if event.version == 1:
            return
        raise NotAuthentic(
            f'event {event.index} ("{event.name}") is of version 2 and lacks its preimage',
            code="event_preimage_missing",
        )
    expected = preimage(event.name, event.payload, version=event.version)
    if event.claimed_preimage != expected:
        raise NotAuthentic(
            f'event {event.index} ("{event.name}"): the preimage is not the canonical form of the'
            " event's name and payload",
            code="event_preimage_mismatch",
            expected=expected.hex()[:200],
            got=event.claimed_preimage.hex()[:200],
        )


def _check_boot(event: Event) -> None:
    if coverage(event) == "nothing":
        raise NotAuthentic(
            f"event {event.index} ({tcg.type_name(event.type)} in {event.register}) does not say"
            " what was measured: its payload does not hash to its digest",
            code="event_payload_mismatch",
            expected=event.digest.hex(),
            got=sha384(event.payload).hexdigest(),
        )
