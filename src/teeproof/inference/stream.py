"""What was sent of an answer: the digest of all bytes, and a chain over its events.

    head(0) = 32 zero bytes
    head(n) = SHA-256(label, head(n-1), event n)       each part after its length

An event of a stream is everything up to and with its empty line; an answer that is not streamed is
one event. Who was cut off in the middle knows the head of what reached them, and so can show which
prefix they saw.

Trusts: nothing.  Does not trust: nothing; it counts and hashes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

from teeproof.core.digests import framed_sha256, named

__all__ = ["CUTS", "Sent", "events_of", "stream_event"]

_LABEL = "teeproof.stream-event.v1"
CUTS = ("client", "server", "engine")
"""Who ended a stream before its end: the client left, the service was told to stop or could not
keep the receipt, the model failed."""


class Sent:
    """Counts and hashes events, in the order in which they are handed to the network."""

    def __init__(self) -> None:
        self.events = 0
        self.head = bytes(32)
        self._all = hashlib.sha256()

    def add(self, event: bytes) -> None:
        """Take in one more event."""
        self.events += 1
        self.head = framed_sha256(_LABEL, self.head, event)
        self._all.update(event)

    @property
    def digest(self) -> str:
        """``sha256:…`` of all bytes so far."""
        return named(self._all.digest())


def stream_event(sent: Sent, *, cut_by: str | None) -> dict[str, Any]:
    """Return the receipt's ``x.stream`` event."""
    return {
        "type": "x.stream",
        "events": sent.events,
        "head": named(sent.head),
        "complete": cut_by is None,
        "cut_by": cut_by,
    }


def events_of(body: bytes) -> Iterator[bytes]:
    """Return the events of a stream as they came; what is after the last empty line is one too."""
    start = 0
    while start < len(body):
        end = body.find(b"\n\n", start)
        end = len(body) if end < 0 else end + 2
        yield body[start:end]
        start = end
