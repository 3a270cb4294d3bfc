"""Parse a firmware's log, strictly: the crypto-agile form, the older one of SHA-1, and CCEL.

    at most 1 MiB and 4,096 events
    the crypto-agile form opens with a header that names its banks, each once
    each event holds one digest of each of these banks, and no other
    behind the last event there is nothing, or bytes that are all 0x00 or all 0xff

Source: TCG PC Client Platform Firmware Profile 1.06, section 10.2; UEFI 2.10, 38.2 (CCEL).

Trusts: nothing; it only reads.  Does not trust: the host that hands over the log.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping

from teeproof.core.errors import Malformed, TooLarge
from teeproof.evidence.eventlog import tcg
from teeproof.evidence.eventlog.firmware.event import Event, Log
from teeproof.evidence.record import MAX_EVENT_LOG_BYTES
from teeproof.evidence.tpm.wire import HASHES, SHA1

__all__ = ["MAX_EVENTS", "looks_like", "parse"]

MAX_EVENTS = 4096  # real ones have some 100
MAX_BANKS = 8
MAX_REGISTER = 31
ANY_REGISTER = 0xFFFFFFFF  # of events that only inform
_AGILE = b"Spec ID Event03\0"
_NO_ACTION = struct.pack("<I", tcg.NO_ACTION)
_FIXED = 28  # signature 16, platform class 4, version 3, size of integers 1, number of banks 4


class _Bytes:
    """Little-endian bytes, read from front to back."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0
        # Where the bytes that are all 0x00, or all 0xff, begin: found once, not before each event.
        last = data[-1:]
        self.padding = len(data.rstrip(last)) if last in (b"\x00", b"\xff") else len(data)

    def take(self, size: int) -> bytes:
        end = self.at + size
        if end > len(self.data):
            raise _malformed(f"{size} bytes at {self.at}", f"{len(self.data) - self.at} bytes")
        found = self.data[self.at : end]
        self.at = end
        return found

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "little")

    @property
    def rest_is_padding(self) -> bool:
        """Whether no event stands here: nothing is left, or nothing but 0x00, or but 0xff."""
        return self.at >= self.padding


def looks_like(data: bytes) -> bool:
    """Whether this begins with the event that names a log's form; nothing is parsed."""
    return data[4:8] == _NO_ACTION and data[32:45] == b"Spec ID Event"


def parse(data: bytes) -> Log:
    """Return the events of a log in their order.

    Raises:
        TooLarge: more than 1 MiB, or more than ``MAX_EVENTS`` events.
        Malformed: a length or a number that does not add up.
    """
    if len(data) > MAX_EVENT_LOG_BYTES:
        raise _too_large(f"{MAX_EVENT_LOG_BYTES} bytes", f"{len(data)} bytes")
    reader = _Bytes(data)
    first = _sha1_event(reader, 0)
    if first.type == tcg.NO_ACTION and first.data.startswith(_AGILE):
        banks = _banks(first.data)
        return Log(banks=banks, agile=True, events=(first, *_events(reader, banks)))
    return Log(banks={SHA1: HASHES[SHA1]}, agile=False, events=(first, *_events(reader, None)))


def _events(reader: _Bytes, banks: Mapping[int, int] | None) -> Iterator[Event]:
    index = 1
    while not reader.rest_is_padding:
        if index >= MAX_EVENTS:
            raise _too_large(f"{MAX_EVENTS} events", "more")
        yield _sha1_event(reader, index) if banks is None else _event(reader, banks, index)
        index += 1


def _sha1_event(reader: _Bytes, index: int) -> Event:
    register, kind = _head(reader)
    digest = reader.take(HASHES[SHA1])
    data = reader.take(reader.number(4))
    return Event(index=index, register=register, type=kind, digests={SHA1: digest}, data=data)


def _event(reader: _Bytes, banks: Mapping[int, int], index: int) -> Event:
    register, kind = _head(reader)
    count = reader.number(4)
    if count != len(banks):
        raise _malformed(f"{len(banks)} digests in event {index}", f"{count} digests")
    digests: dict[int, bytes] = {}
    for _ in range(count):
        bank = reader.number(2)
        if bank not in banks or bank in digests:
            raise _malformed(
                f"one digest of each bank in event {index}", f"algorithm {bank:#x} again, or anew"
            )
        digests[bank] = reader.take(banks[bank])
    data = reader.take(reader.number(4))
    return Event(index=index, register=register, type=kind, digests=digests, data=data)


def _head(reader: _Bytes) -> tuple[int, int]:
    register, kind = reader.number(4), reader.number(4)
    if register > MAX_REGISTER and not (register == ANY_REGISTER and kind == tcg.NO_ACTION):
        raise _malformed(f"registers 0 to {MAX_REGISTER}", f"register {register}")
    return register, kind


def _banks(header: bytes) -> dict[int, int]:
    if len(header) < _FIXED:
        raise _malformed(f"a header of {_FIXED} bytes or more", f"{len(header)} bytes")
    (count,) = struct.unpack_from("<I", header, _FIXED - 4)
    if not 1 <= count <= MAX_BANKS or len(header) < _FIXED + 4 * count + 1:
        raise _malformed(f"1 to {MAX_BANKS} banks in the header", f"{count} banks")
    vendor = _FIXED + 4 * count
    if vendor + 1 + header[vendor] != len(header):
        raise _malformed("a header that ends with its vendor's part", f"{len(header)} bytes")
    banks: dict[int, int] = {}
    for bank, size in struct.iter_unpack("<HH", header[_FIXED:vendor]):
        if bank in banks or not 1 <= size <= 64 or HASHES.get(bank, size) != size:
            raise _malformed("banks with the size of their digests, each once", f"{bank:#x}")
        banks[bank] = size
    return banks


def _malformed(expected: str, got: str) -> Malformed:
    return Malformed(
        f"the firmware's log is malformed: expected {expected}, got {got}",
        code="tcg_log_malformed",
        expected=expected,
        got=got,
    )


def _too_large(expected: str, got: str) -> TooLarge:
    return TooLarge(
        "this is too large for a firmware's log", expected=f"at most {expected}", got=got
    )
