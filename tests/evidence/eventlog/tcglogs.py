"""Firmware logs for tests: a boot in order, and what is wrong with one on demand."""

from __future__ import annotations

import hashlib
import struct
from typing import NamedTuple
from uuid import UUID

from teeproof.evidence.eventlog import tcg
from teeproof.evidence.tpm.wire import HASH_NAMES, HASHES, SHA1, SHA256, SHA384

EFI_GLOBAL = UUID("8be4df61-93ca-11d2-aa0d-00e098032b8c")
BANKS = (SHA1, SHA256, SHA384)


class Said(NamedTuple):
    """One event: ``measured`` is what the digest is of, if it is not the data."""

    register: int
    type: int
    data: bytes
    measured: bytes | None = None


def variable(name: str, data: bytes, guid: UUID = EFI_GLOBAL) -> bytes:
    """Return UEFI_VARIABLE_DATA."""
    return (
        guid.bytes_le + struct.pack("<QQ", len(name), len(data)) + name.encode("utf-16-le") + data
    )


def separators(*registers: int, data: bytes = bytes(4)) -> list[Said]:
    return [Said(register, tcg.SEPARATOR, data) for register in registers]


BOOT = [
    Said(0, 0x8, b"V\0e\0r\0\0\0"),
    Said(7, tcg.EFI_VARIABLE_DRIVER_CONFIG, variable("SecureBoot", b"\1")),
    Said(7, tcg.EFI_VARIABLE_DRIVER_CONFIG, variable("PK", b"a key")),
    Said(1, tcg.PLATFORM_CONFIG_FLAGS, b"tables"),
    Said(4, tcg.EFI_ACTION, b"Calling EFI Application from Boot Option"),
    *separators(0, 1, 2, 3, 4, 5, 6, 7),
    Said(4, tcg.EFI_BOOT_SERVICES_APPLICATION, b"a loader"),
    Said(8, tcg.IPL, b"a line"),
    Said(5, tcg.EFI_ACTION, b"Exit Boot Services Invocation"),
]


def digest(bank: int, said: Said) -> bytes:
    content = said.data if said.measured is None else said.measured
    return hashlib.new(HASH_NAMES[bank], content).digest()


def header(banks: tuple[int, ...] = BANKS, *, vendor: bytes = b"", register: int = 0) -> bytes:
    """Return the event that names the banks."""
    body = b"Spec ID Event03\0" + bytes(4) + bytes([0, 2, 0, 2]) + struct.pack("<I", len(banks))
    body += b"".join(struct.pack("<HH", bank, HASHES.get(bank, 32)) for bank in banks)
    body += bytes([len(vendor)]) + vendor
    return (
        struct.pack("<II", register, tcg.NO_ACTION)
        + bytes(20)
        + struct.pack("<I", len(body))
        + body
    )


def event(said: Said, banks: tuple[int, ...] = BANKS) -> bytes:
    """Return one event of the crypto-agile form."""
    out = struct.pack("<III", said.register, said.type, len(banks))
    for bank in banks:
        value = bytes(HASHES[bank]) if said.type == tcg.NO_ACTION else digest(bank, said)
        out += struct.pack("<H", bank) + value
    return out + struct.pack("<I", len(said.data)) + said.data


def agile(said: list[Said], banks: tuple[int, ...] = BANKS) -> bytes:
    return header(banks) + b"".join(event(one, banks) for one in said)


def old(said: list[Said]) -> bytes:
    """Return a log of the older form, with SHA-1 digests alone."""
    return b"".join(
        struct.pack("<II", one.register, one.type)
        + (bytes(20) if one.type == tcg.NO_ACTION else digest(SHA1, one))
        + struct.pack("<I", len(one.data))
        + one.data
        for one in said
    )


def whole(*, leave_out: int | None = None, banks: tuple[int, ...] = BANKS) -> bytes:
    """Return the log of a boot in order, perhaps without one event."""
    return agile([said for at, said in enumerate(BOOT) if at != leave_out], banks)


def registers(said: list[Said], bank: int = SHA256, *, locality: int = 0) -> dict[int, bytes]:
    """Return PCR 0 to 23 after these events, computed without the code under test."""
    size = HASHES[bank]
    values = {index: bytes(size) for index in range(24)}
    values |= dict.fromkeys(range(17, 23), b"\xff" * size)
    values[0] = bytes(size - 1) + bytes([locality])
    for one in said:
        if one.type != tcg.NO_ACTION:
            old_value = values[one.register]
            new = hashlib.new(HASH_NAMES[bank], old_value + digest(bank, one))
            values[one.register] = new.digest()
    return values


def locality(number: int, register: int = 0) -> Said:
    return Said(register, tcg.NO_ACTION, b"StartupLocality\0" + bytes([number]))
