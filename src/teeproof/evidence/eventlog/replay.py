"""Replay a log: what the four registers must hold if exactly these events happened in this order.

Trusts: SHA-384.  Does not trust: the host that hands over the log.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha384

from teeproof.evidence.eventlog.event import DIGEST_BYTES, Event

__all__ = ["Registers", "extend", "replay"]

Registers = tuple[bytes, bytes, bytes, bytes]
"""RTMR0 to RTMR3, 48 bytes each."""


def extend(register: bytes, digest: bytes) -> bytes:
    """Return the register's next value: SHA-384 of the old one and the digest (48 bytes each)."""
    return sha384(register + digest).digest()


def replay(events: Iterable[Event]) -> Registers:
    """Return RTMR0 to RTMR3 after these events; each register starts as 48 zero bytes."""
    registers = [bytes(DIGEST_BYTES)] * 4
    for event in events:
        registers[event.imr] = extend(registers[event.imr], event.digest)
    return registers[0], registers[1], registers[2], registers[3]
