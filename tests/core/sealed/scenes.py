"""Keys, plaintexts and sealed files that the tests share, and a sealed file taken apart."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import pairwise

from teeproof.core.sealed import Header, PrivateRecipient, open_stream, read_header, seal
from teeproof.core.sealed.recipients import HYBRID, X25519
from teeproof.core.sealed.segments import FIRST_PLAIN, PAYLOAD_HEADER, PLAIN, SEGMENT

ALICE = PrivateRecipient(X25519, bytes(range(32)))
BOB = PrivateRecipient(HYBRID, bytes(range(32, 64)))
EVE = PrivateRecipient(X25519, b"eve" + bytes(29))
POLICY = hashlib.sha256(b"a policy").digest()
JOB = hashlib.sha256(b"a job").digest()
# Nothing, one byte, and both sides of the edges of one, two and three segments.
EDGES = [
    0,
    1,
    *(FIRST_PLAIN + d for d in (-1, 0, 1)),
    *(FIRST_PLAIN + PLAIN + d for d in (-1, 0, 1)),
    FIRST_PLAIN + 2 * PLAIN,
    FIRST_PLAIN + 3 * PLAIN + 4321,
]


@cache
def plain(size: int, name: str = "") -> bytes:
    """Return a plaintext in which no two stretches are alike."""
    return hashlib.shake_256(f"plaintext {name}".encode()).digest(size)


def sealed(data: bytes, to: Sequence[PrivateRecipient] = (ALICE,), **options) -> bytes:
    target = io.BytesIO()
    seal(io.BytesIO(data), target, recipients=[key.public for key in to], **options)
    return target.getvalue()


def opened(data: bytes, key=ALICE, **options) -> bytes:
    target = io.BytesIO()
    open_stream(io.BytesIO(data), target, key=key, **options)
    return target.getvalue()


@dataclass(frozen=True)
class Parts:
    """A sealed file in pieces that an attacker may put together again."""

    header: Header
    payload_header: bytes
    segments: tuple[bytes, ...]

    @classmethod
    def of(cls, data: bytes) -> Parts:
        stream = io.BytesIO(data)
        header = read_header(stream)
        payload = stream.read()
        cuts = [PAYLOAD_HEADER, *range(SEGMENT, len(payload), SEGMENT), len(payload)]
        pieces = tuple(payload[a:b] for a, b in pairwise(cuts))
        return cls(header, payload[:PAYLOAD_HEADER], pieces)

    def with_(self, **changes) -> Parts:
        return replace(self, **changes)

    def encode(self) -> bytes:
        return self.header.encode() + self.payload_header + b"".join(self.segments)
