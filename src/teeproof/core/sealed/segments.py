"""The payload of a sealed file: Tink's ``AES256_GCM_HKDF_1MB``, byte for byte. No I/O here.

    payload  = header (40) ‖ segment 0 ‖ segment 1 ‖ … ‖ last segment
    header   = 40 (1 byte) ‖ salt (32) ‖ nonce prefix (7)
    key      = HKDF-SHA256(data key, salt, info = associated data), 32 bytes
    segment  = AES-256-GCM(key, nonce, plaintext), no associated data, 16-byte tag at its end
    nonce    = nonce prefix ‖ number (4 bytes, big-endian) ‖ 1 for the last segment, otherwise 0

Header and segment 0 together take 1 MiB, each further segment 1 MiB, the last what is left. The
last segment is empty only if the whole plaintext is, so a payload's size fixes its plaintext's.

Source: Tink, "AES-GCM-HKDF Streaming AEAD" (developers.google.com/tink/wire-format and its
streaming AEAD page), and what Tink 1.16 writes, which the tests read and write.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import NamedTuple, Self, TypeAlias

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from teeproof.core.errors import Malformed, TooLarge

__all__ = [
    "FIRST_PLAIN",
    "MAX_PAYLOAD",
    "PAYLOAD_HEADER",
    "PLAIN",
    "SEGMENT",
    "TAG",
    "Buffer",
    "Extent",
    "Layout",
    "PayloadKey",
    "payload_size",
    "truncated",
]

SEGMENT = 1 << 20  # Tink: ciphertext_segment_size of AES256_GCM_HKDF_1MB
TAG = 16
KEY = SALT = 32
PREFIX = 7
PAYLOAD_HEADER = 1 + SALT + PREFIX
PLAIN = SEGMENT - TAG
FIRST_PLAIN = PLAIN - PAYLOAD_HEADER
MAX_PAYLOAD = SEGMENT << 32  # a segment's number has 4 bytes

Buffer: TypeAlias = bytes | bytearray | memoryview


class PayloadKey:
    """The key and nonces of one payload. Threads may share it: the library keeps no state in it.

    Attributes:
        header: the 40 bytes before the first segment.
    """

    __slots__ = ("_cipher", "_prefix", "header")

    def __init__(self, header: bytes, *, data_key: bytes, associated_data: bytes) -> None:
        """Derive the key from a payload's header.

        Raises:
            Malformed: code ``payload_header``: this is no header of such a payload.
        """
        if len(header) != PAYLOAD_HEADER or header[0] != PAYLOAD_HEADER:
            raise Malformed(
                "behind the header of this file there is no payload that can be read",
                code="payload_header",
                expected=f"{PAYLOAD_HEADER} bytes, the first of them {PAYLOAD_HEADER}",
                got=f"{len(header)} bytes: {header[:4].hex()}…",
            )
        salt, self._prefix = header[1 : 1 + SALT], header[1 + SALT :]
        kdf = HKDF(algorithm=SHA256(), length=KEY, salt=salt, info=associated_data)
        self._cipher = AESGCM(kdf.derive(data_key))
        self.header = header

    @classmethod
    def new(
        cls, *, data_key: bytes, associated_data: bytes, random: Callable[[int], bytes] = os.urandom
    ) -> Self:
        """Return a key under a fresh salt and nonce prefix."""
        header = bytes([PAYLOAD_HEADER]) + random(SALT) + random(PREFIX)
        return cls(header, data_key=data_key, associated_data=associated_data)

    def encrypt_into(self, index: int, data: Buffer, target: Buffer, *, last: bool) -> None:
        """Encrypt a segment into a buffer that is exactly 16 bytes longer than the plaintext."""
        self._cipher.encrypt_into(self._nonce(index, last), data, None, target)

    def decrypt_into(self, index: int, data: Buffer, target: Buffer, *, last: bool) -> bool:
        """Decrypt a segment into a buffer that is exactly 16 bytes shorter; return if it holds.

        Where it does not hold, what the buffer then contains must not be used.
        """
        try:
            self._cipher.decrypt_into(self._nonce(index, last), data, None, target)
        except InvalidTag:
            return False
        return True

    def _nonce(self, index: int, last: bool) -> bytes:
        return b"%b%b%c" % (self._prefix, index.to_bytes(4, "big"), last)


class Extent(NamedTuple):
    """Where one segment lies.

    Attributes:
        number: its number, from 0.
        last: whether it is the last one.
        start: its first byte, counted from the payload's first.
        length: its bytes, tag included.
        plain_start: where its plaintext begins.
        plain_length: the bytes of its plaintext.
    """

    number: int
    last: bool
    start: int
    length: int
    plain_start: int
    plain_length: int


class Layout:
    """Where each segment of a payload lies, computed from the payload's size alone.

    Attributes:
        payload: the size of the payload.
        count: the number of segments, at least 1.
        plain: the size of the plaintext.
    """

    __slots__ = ("count", "payload", "plain")

    def __init__(self, payload: int) -> None:
        """Raise for a size that no payload has.

        Raises:
            Malformed: code ``payload_truncated``: it ends within a header or a tag.
            TooLarge: more segments than can be numbered.
        """
        _require_numbered(payload)
        self.payload = payload
        self.count = max(1, -(-payload // SEGMENT))
        tail = payload - max(PAYLOAD_HEADER, (self.count - 1) * SEGMENT)
        if tail < TAG + (self.count > 1):
            raise truncated(payload)
        self.plain = payload - PAYLOAD_HEADER - self.count * TAG

    def at(self, index: int) -> Extent:
        """Return the extent of a segment; ``index`` lies below ``count``."""
        start = index * SEGMENT if index else PAYLOAD_HEADER
        end = min((index + 1) * SEGMENT, self.payload)
        plain_start = index * PLAIN - PAYLOAD_HEADER if index else 0
        last = index == self.count - 1
        return Extent(index, last, start, end - start, plain_start, end - start - TAG)

    def index_of(self, offset: int) -> int:
        """Return the number of the segment that holds a byte of the plaintext."""
        return (offset + PAYLOAD_HEADER) // PLAIN


def payload_size(plain: int) -> int:
    """Return the size of the payload that holds a plaintext of ``plain`` bytes.

    Raises:
        TooLarge: more segments than can be numbered.
    """
    count = max(1, -(-(plain + PAYLOAD_HEADER) // PLAIN))
    size = PAYLOAD_HEADER + plain + count * TAG
    _require_numbered(size)
    return size


def truncated(payload: int) -> Malformed:
    """Return the error for a payload of a size that none can have."""
    return Malformed(
        "the file ends too early: it was cut short; get it again",
        code="payload_truncated",
        expected="a whole last segment",
        got=f"a payload of {payload} bytes",
    )


def _require_numbered(payload: int) -> None:
    if payload > MAX_PAYLOAD:
        raise TooLarge(
            "a sealed file has at most 2^32 segments: divide what is to be sealed",
            expected=f"a payload of at most {MAX_PAYLOAD} bytes",
            got=f"{payload} bytes",
        )
