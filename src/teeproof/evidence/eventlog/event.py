"""One event of a dstack event log, and the digest with which it extends its register.

The digest of a runtime event is always computed here from its name and payload; the ``digest``
field of the log is only compared with it.

Source: dstack cc-eventlog, ``runtime_events.rs`` and ``tdx.rs``.

Trusts: nothing; it only computes.  Does not trust: the host that hands over the log.
"""

from __future__ import annotations

import json
from hashlib import sha384
from typing import Literal

import msgspec

__all__ = ["DIGEST_BYTES", "RUNTIME_EVENT", "Event", "Version", "preimage", "runtime_digest"]

DIGEST_BYTES = 48  # SHA-384
RUNTIME_EVENT = 0x08000001  # dstack's own event type; TCG does not define it

Version = Literal[1, 2]


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One event.

    Attributes:
        index: position in the log, from 0.
        imr: the register that it extends, 0 to 3 for RTMR0 to RTMR3.
        type: event type: TCG's, which no digest covers, or ``RUNTIME_EVENT``.
        name: name of a runtime event; always empty for any other, where no digest covers it.
        payload: the event's data; of events other than runtime events only ``payloads.coverage``
            says whether a digest covers it.
        digest: 48 bytes that extend the register; computed, for a runtime event.
        claimed_digest: the log's own ``digest`` field; empty where the log left it out.
        version: digest format of a runtime event.
        claimed_preimage: the log's own ``preimage`` field.
        remark: what the log calls an event that is not a runtime event. Anyone may have written it.
    """

    index: int
    imr: int
    type: int
    name: str
    payload: bytes
    digest: bytes
    claimed_digest: bytes
    version: Version = 1
    claimed_preimage: bytes | None = None
    remark: str = ""

    @property
    def register(self) -> str:
        """``RTMR0`` to ``RTMR3``."""
        return f"RTMR{self.imr}"

    @property
    def is_runtime(self) -> bool:
        """Whether dstack's guest or the application made this event, not firmware or kernel."""
        return self.type == RUNTIME_EVENT


def preimage(name: str, payload: bytes, *, version: Version = 1) -> bytes:
    """Return the bytes whose SHA-384 is a runtime event's digest.

    Version 1: type (little-endian), ``:``, name, ``:``, payload. Version 2: RFC 8785 JSON.
    """
    if version == 1:
        return b"\x01\x00\x00\x08:" + name.encode() + b":" + payload
    # json escapes exactly what RFC 8785 section 3.2.2.2 escapes, and the keys are in its order.
    quoted = json.dumps(name, ensure_ascii=False)
    return f'{{"name":{quoted},"payload":"{payload.hex()}","type":{RUNTIME_EVENT}}}'.encode()


def runtime_digest(name: str, payload: bytes, *, version: Version = 1) -> bytes:
    """Return the 48 bytes with which a runtime event extends its register."""
    return sha384(preimage(name, payload, version=version)).digest()
