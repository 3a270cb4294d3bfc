"""The header of a sealed file: bytes to object and back, one form only. No keys here.

    offset  bytes
         0      8  "TPSEALED"
         8      1  version, 1
         9      1  1 if the file is sealed under a policy, otherwise 0
        10      1  number of recipients, 1 to 64
        11     16  file id, random
        27     32  SHA-256 of the policy; zeros without one
        59         for each recipient, in ascending order of its digest:
                1    suite: 1 (x25519), 2 (mlkem768-x25519)
               32    digest of the recipient's public key
                     encapsulation (32, 1,120) ‖ data key encrypted (32) ‖ tag (16)
               32  tag: HMAC-SHA256 over all of the above, by a key derived from the data key

No field holds a length, so none can lie about one: the largest header has 76,955 bytes. Whoever
holds the file can read its header; it names neither the content nor its author.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import BinaryIO

from teeproof.core.digests import sha256
from teeproof.core.errors import Malformed, TooLarge
from teeproof.core.sealed.recipients import Suite, suite_of

__all__ = [
    "FILE_ID",
    "MAGIC",
    "MAX_HEADER",
    "MAX_RECIPIENTS",
    "Header",
    "Wrapped",
    "order_problem",
    "parse_header",
    "policy_field",
    "read_header",
]

MAGIC = b"TPSEALED"
VERSION = 1
FILE_ID = 16
DIGEST = TAG = 32
MAX_RECIPIENTS = 64
MAX_HEADER = 59 + MAX_RECIPIENTS * (1 + DIGEST + 1168) + TAG
_LABEL = b"teeproof.sealed-payload.v1"


@dataclass(frozen=True, slots=True)
class Wrapped:
    """The data key, wrapped for one recipient.

    Attributes:
        suite: how.
        recipient: the digest of the recipient's public key.
        wrapped: encapsulation ‖ ciphertext ‖ tag.
    """

    suite: Suite
    recipient: bytes
    wrapped: bytes

    def encode(self) -> bytes:
        """Return the bytes of this entry."""
        return bytes([self.suite.number]) + self.recipient + self.wrapped


@dataclass(frozen=True, slots=True)
class Header:
    """What stands before the payload.

    Attributes:
        file_id: 16 random bytes, fresh for each file.
        policy_digest: SHA-256 of the policy that the file is sealed under, or None.
        recipients: the data key for each, ascending by digest.
        tag: ties all of this to the data key.
    """

    file_id: bytes
    policy_digest: bytes | None
    recipients: tuple[Wrapped, ...]
    tag: bytes

    @property
    def untagged(self) -> bytes:
        """The bytes that the tag is over."""
        count = bytes([len(self.recipients)])
        policy = policy_field(self.policy_digest)
        head = MAGIC + bytes([VERSION]) + policy[:1] + count + self.file_id + policy[1:]
        return head + b"".join(entry.encode() for entry in self.recipients)

    @property
    def digest(self) -> bytes:
        """SHA-256 of the whole header."""
        return sha256(self.encode())

    @property
    def associated_data(self) -> bytes:
        """What Tink is given as associated data: a label and the header's digest, 58 bytes."""
        return _LABEL + self.digest

    def encode(self) -> bytes:
        """Return the bytes that ``parse_header`` reads."""
        return self.untagged + self.tag

    def to_json(self) -> dict[str, object]:
        """Return what the header says, for people and programs."""
        return {
            "file_id": self.file_id.hex(),
            "policy_digest": f"sha256:{self.policy_digest.hex()}" if self.policy_digest else None,
            "header_digest": f"sha256:{self.digest.hex()}",
            "recipients": [
                {"suite": entry.suite.name, "recipient": entry.recipient.hex()}
                for entry in self.recipients
            ],
        }


def parse_header(data: bytes) -> Header:
    """Return the header that is exactly these bytes.

    Raises:
        Malformed: as ``read_header``, and code ``header_trailing`` for bytes behind it.
    """
    stream = io.BytesIO(data)
    header = read_header(stream)
    if stream.tell() != len(data):
        raise Malformed(
            "bytes follow this header",
            code="header_trailing",
            expected=f"{stream.tell()} bytes",
            got=f"{len(data)} bytes",
        )
    return header


def read_header(source: BinaryIO) -> Header:
    """Return the header at the place where a stream stands, and leave the stream behind it.

    At most 76,955 bytes are read. Nothing is checked that needs a key: who may believe the header
    is whoever opens the file.

    Raises:
        Malformed: codes ``not_sealed``, ``sealed_version``, ``header_truncated``,
            ``header_malformed``, ``suite_unknown``, ``recipient_repeated``, ``recipients_order``.
        TooLarge: code ``recipients_too_many``.
    """
    start = _up_to(source, len(MAGIC))
    if start != MAGIC:
        raise Malformed(
            "this is no sealed file",
            code="not_sealed",
            expected=f"a file that begins with {MAGIC.decode()}",
            got=f"{start[:8]!a}",
        )
    return _fields(lambda size: _take(source, size))


def _fields(take: Callable[[int], bytes]) -> Header:
    version, policy, count = take(1)[0], take(1), take(1)[0]
    if version != VERSION:
        raise Malformed(
            "this version does not know this kind of sealed file: use a newer teeproof",
            code="sealed_version",
            expected=str(VERSION),
            got=str(version),
        )
    _require_count(count)
    file_id, digest = take(FILE_ID), take(DIGEST)
    if policy not in (b"\0", b"\1") or (policy == b"\0" and any(digest)):
        raise Malformed(
            "the policy's field is neither a digest nor empty",
            code="header_malformed",
            expected="1 and a digest, or 0 and zeros",
            got=f"{policy[0]} and {digest.hex()}",
        )
    entries = tuple(_entry(take) for _ in range(count))
    problem = order_problem(entries)
    if problem:
        raise problem
    return Header(file_id, digest if policy[0] else None, entries, take(TAG))


def _entry(take: Callable[[int], bytes]) -> Wrapped:
    suite = suite_of(take(1)[0])
    return Wrapped(suite, take(DIGEST), take(suite.wrapped))


def _require_count(count: int) -> None:
    if count == 0:
        raise Malformed("this file is sealed for nobody", code="header_malformed", got="0")
    if count > MAX_RECIPIENTS:
        raise TooLarge(
            "this file names more recipients than a header holds",
            code="recipients_too_many",
            expected=f"at most {MAX_RECIPIENTS}",
            got=str(count),
        )


def order_problem(entries: tuple[Wrapped, ...]) -> Malformed | None:
    """Return what is wrong with the order of recipients, if anything is."""
    for before, after in pairwise(entry.recipient for entry in entries):
        if before == after:
            return Malformed(
                "a recipient is listed twice", code="recipient_repeated", got=before.hex()
            )
        if before > after:
            return Malformed(
                "the recipients do not stand in ascending order: this header was edited",
                code="recipients_order",
            )
    return None


def policy_field(digest: bytes | None) -> bytes:
    """Return the 33 bytes that stand for a policy digest: a mark, then the digest or zeros."""
    return b"\1" + digest if digest is not None else bytes(1 + DIGEST)


def _take(source: BinaryIO, size: int) -> bytes:
    data = _up_to(source, size)
    if len(data) < size:
        raise Malformed(
            "the file ends within its header: it was cut short; get it again",
            code="header_truncated",
        )
    return data


def _up_to(source: BinaryIO, size: int) -> bytes:
    """Return the next bytes, fewer only at the end: a pipe gives them in pieces."""
    data = b""
    while len(data) < size and (more := source.read(size - len(data))):
        data += more
    return data
