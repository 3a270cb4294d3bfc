"""The event log of a simulated dstack guest: firmware events and dstack's own, in boot order.

The firmware events have the types and the order that OVMF writes (TCG PC Client Platform Firmware
Profile, 10.4.1); their digests are made up, except where the digest is that of the payload. What
dstack adds has real digests: version 1 over name and payload joined by colons, version 2 over
canonical JSON.

Trusts: nothing; it only writes.  Does not trust: nothing comes from outside.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

from teeproof.core.digests import sha384
from teeproof.core.strictjson import dumps

__all__ = ["DSTACK_EVENT", "Event", "LogVersion", "boot_events", "dstack_event", "encode", "replay"]

LogVersion = Literal[1, 2]

DSTACK_EVENT = 0x08000001  # dstack's own event type
_SEPARATOR, _TAGGED, _PLATFORM_CONFIG = 0x00000004, 0x00000006, 0x0000000A
_DRIVER_VARIABLE, _BOOT_VARIABLE = 0x80000001, 0x80000002
_APPLICATION, _ACTION, _FIRMWARE_BLOB, _HANDOFF_TABLES = (
    0x80000003,
    0x80000007,
    0x8000000A,
    0x8000000B,
)

_GLOBAL_VARIABLE = UUID("8be4df61-93ca-11d2-aa0d-00e098032b8c")  # UEFI 2.10, 3.3
_IMAGE_SECURITY = UUID("d719b2cb-3d3a-4596-a3bc-dad00e67656f")  # UEFI 2.10, 32.6


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One measurement.

    Attributes:
        register: RTMR number, 0 to 3.
        kind: TCG event type, or dstack's own.
        digest: 48 bytes, what was extended.
        name: dstack's name of the event; empty for the firmware's.
        payload: what was measured, or a description of it.
        version: of dstack's event format.
    """

    register: int
    kind: int
    digest: bytes
    name: str = ""
    payload: bytes = b""
    version: LogVersion = 1

    def to_json(self) -> dict[str, Any]:
        """Return the event as dstack's guest agent writes it."""
        value: dict[str, Any] = {
            "imr": self.register,
            "event_type": self.kind,
            "digest": self.digest.hex(),
            "event": self.name,
            "event_payload": self.payload.hex(),
        }
        if self.version == 2:
            value |= {"version": 2, "preimage": _preimage(self.name, self.payload, 2).hex()}
        return value


def dstack_event(
    name: str, payload: bytes = b"", *, version: LogVersion = 1, register: int = 3
) -> Event:
    """Return an event of dstack's with the digest that belongs to it."""
    return Event(
        register=register,
        kind=DSTACK_EVENT,
        digest=sha384(_preimage(name, payload, version)),
        name=name,
        payload=payload,
        version=version,
    )


def boot_events(image: str, *, named: bool) -> tuple[Event, ...]:
    """Return the firmware's events of booting this image, in the order in which they happen.

    Args:
        image: the name of the operating system image; its kernel and command line follow from it.
        named: whether the ACPI events carry names, as dstack gives them from 0.6 on.
    """
    acpi = ("acpi-loader", "acpi-rsdp", "acpi-tables")
    return (
        _made_up(0, _HANDOFF_TABLES, b"\x09TdxTable\0\x01" + bytes(15), "TD HOB"),
        _made_up(0, _FIRMWARE_BLOB, b"\x08SIM FV\0\0" + bytes(16), "firmware volume"),
        *(_variable(name, _GLOBAL_VARIABLE) for name in ("SecureBoot", "PK", "KEK")),
        *(_variable(name, _IMAGE_SECURITY) for name in ("db", "dbx")),
        _plain(0, _SEPARATOR, bytes(4)),
        *(_made_up(0, _PLATFORM_CONFIG, b"ACPI DATA", n, name=n if named else "") for n in acpi),
        _made_up(1, _APPLICATION, b"kernel image", f"kernel of {image}"),
        *(
            _variable(name, _GLOBAL_VARIABLE, kind=_BOOT_VARIABLE)
            for name in ("BootOrder", "Boot0000")
        ),
        _plain(1, _ACTION, b"Calling EFI Application from Boot Option"),
        _plain(1, _SEPARATOR, bytes(4)),
        _made_up(2, _TAGGED, _tagged("LOADED_IMAGE::LoadOptions"), f"command line of {image}"),
        _made_up(2, _TAGGED, _tagged("Linux initrd"), f"initrd of {image}"),
        _plain(1, _ACTION, b"Exit Boot Services Invocation"),
        _plain(1, _ACTION, b"Exit Boot Services Returned with Success"),
    )


def replay(events: Iterable[Event]) -> tuple[bytes, bytes, bytes, bytes]:
    """Return RTMR0 to RTMR3 after these events."""
    registers = [bytes(48)] * 4
    for event in events:
        registers[event.register] = sha384(registers[event.register], event.digest)
    return registers[0], registers[1], registers[2], registers[3]


def encode(events: Iterable[Event]) -> bytes:
    """Return the log as the JSON that dstack's guest agent answers with."""
    return json.dumps([event.to_json() for event in events], separators=(",", ":")).encode()


def _preimage(name: str, payload: bytes, version: LogVersion) -> bytes:
    if version == 2:
        return dumps({"name": name, "payload": payload.hex(), "type": DSTACK_EVENT}).encode()
    return struct.pack("<I", DSTACK_EVENT) + b":" + name.encode() + b":" + payload


def _plain(register: int, kind: int, payload: bytes) -> Event:
    return Event(register=register, kind=kind, digest=sha384(payload), payload=payload)


def _made_up(register: int, kind: int, payload: bytes, what: str, *, name: str = "") -> Event:
    digest = sha384(f"SIMULATED {what}".encode())
    return Event(register=register, kind=kind, digest=digest, payload=payload, name=name)


def _variable(name: str, vendor: UUID, *, kind: int = _DRIVER_VARIABLE) -> Event:
    # UEFI_VARIABLE_DATA: vendor, name length in characters, data length, name in UTF-16, no data.
    payload = vendor.bytes_le + struct.pack("<QQ", len(name), 0) + name.encode("utf-16-le")
    return _plain(0, kind, payload)


def _tagged(what: str) -> bytes:
    text = what.encode() + b"\0"
    return struct.pack("<II", 0x8F3B22ED, len(text)) + text
