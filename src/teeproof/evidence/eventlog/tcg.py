"""The event types of firmware and boot loader, and the few of their payloads that can be read.

Source: TCG PC Client Platform Firmware Profile Specification 1.06, section 10.4.

Trusts: nothing; it only reads.  Does not trust: the host that hands over the log.
"""

from __future__ import annotations

import struct
from typing import NamedTuple
from uuid import UUID

__all__ = [
    "EFI_ACTION",
    "EFI_BOOT_SERVICES_APPLICATION",
    "EFI_GPT_EVENT",
    "EFI_HANDOFF_TABLES2",
    "EFI_PLATFORM_FIRMWARE_BLOB2",
    "EFI_VARIABLE_AUTHORITY",
    "EFI_VARIABLE_BOOT",
    "EFI_VARIABLE_BOOT2",
    "EFI_VARIABLE_DRIVER_CONFIG",
    "EVENT_TAG",
    "IPL",
    "NO_ACTION",
    "PLATFORM_CONFIG_FLAGS",
    "SEPARATOR",
    "Variable",
    "parse_tag",
    "parse_variable",
    "type_name",
]

NO_ACTION = 0x3  # informs, and extends nothing
SEPARATOR = 0x4
EVENT_TAG = 0x6
PLATFORM_CONFIG_FLAGS = 0xA
IPL = 0xD
EFI_VARIABLE_DRIVER_CONFIG = 0x80000001
EFI_VARIABLE_BOOT = 0x80000002
EFI_BOOT_SERVICES_APPLICATION = 0x80000003
EFI_GPT_EVENT = 0x80000006
EFI_ACTION = 0x80000007
EFI_PLATFORM_FIRMWARE_BLOB2 = 0x8000000A
EFI_HANDOFF_TABLES2 = 0x8000000B
EFI_VARIABLE_BOOT2 = 0x8000000C
EFI_VARIABLE_AUTHORITY = 0x800000E0

_NAMES = {
    NO_ACTION: "EV_NO_ACTION",
    SEPARATOR: "EV_SEPARATOR",
    EVENT_TAG: "EV_EVENT_TAG",
    PLATFORM_CONFIG_FLAGS: "EV_PLATFORM_CONFIG_FLAGS",
    IPL: "EV_IPL",
    EFI_VARIABLE_DRIVER_CONFIG: "EV_EFI_VARIABLE_DRIVER_CONFIG",
    EFI_VARIABLE_BOOT: "EV_EFI_VARIABLE_BOOT",
    EFI_BOOT_SERVICES_APPLICATION: "EV_EFI_BOOT_SERVICES_APPLICATION",
    EFI_GPT_EVENT: "EV_EFI_GPT_EVENT",
    EFI_ACTION: "EV_EFI_ACTION",
    EFI_PLATFORM_FIRMWARE_BLOB2: "EV_EFI_PLATFORM_FIRMWARE_BLOB2",
    EFI_HANDOFF_TABLES2: "EV_EFI_HANDOFF_TABLES2",
    EFI_VARIABLE_BOOT2: "EV_EFI_VARIABLE_BOOT2",
    EFI_VARIABLE_AUTHORITY: "EV_EFI_VARIABLE_AUTHORITY",
    0x08000001: "dstack runtime event",
}

_VARIABLE_HEADER = 32  # GUID 16, name length in UTF-16 units 8, data length 8
_TAG_HEADER = 8  # tag 4, data length 4
_TAGS = {
    "LOADED_IMAGE::LoadOptions": "the command line",  # Linux EFI stub, efi_load_option
    "Linux initrd": "the initial ramdisk",
}


class Variable(NamedTuple):
    """A UEFI variable as it is measured (UEFI_VARIABLE_DATA)."""

    guid: UUID
    name: str
    data: bytes


def type_name(event_type: int) -> str:
    """Return TCG's name of an event type, or the number."""
    return _NAMES.get(event_type, f"event type {event_type:#x}")


def parse_variable(payload: bytes) -> Variable | None:
    """Return the variable in an EV_EFI_VARIABLE event's data; None if the lengths do not add up."""
    if len(payload) < _VARIABLE_HEADER:
        return None
    units, size = struct.unpack_from("<QQ", payload, 16)
    data = _VARIABLE_HEADER + 2 * units
    if data + size != len(payload):
        return None
    name = payload[_VARIABLE_HEADER:data].decode("utf-16-le", "replace")
    return Variable(UUID(bytes_le=payload[:16]), name, payload[data:])


def parse_tag(payload: bytes) -> str | None:
    """Return what an EV_EVENT_TAG of Linux's EFI stub says it measured; None if it is not one."""
    if len(payload) < _TAG_HEADER:
        return None
    (size,) = struct.unpack_from("<I", payload, 4)
    if _TAG_HEADER + size != len(payload):
        return None
    return _TAGS.get(payload[_TAG_HEADER:].rstrip(b"\0").decode("ascii", "replace"))
