"""Logs that firmware and boot loaders write (TCG), of a simulated TPM's registers or of TDX's.

TCG PC Client Platform Firmware Profile 1.06, 10.2. This code shares nothing with the reader under
``evidence/eventlog``: a mistake in one shows against the other.

Trusts: nothing; it only writes.  Does not trust: nothing comes from outside.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterable
from dataclasses import dataclass, replace
from uuid import UUID

from teeproof.core.digests import sha384
from teeproof.evidence.simulated.eventlog import Event

__all__ = ["AUTHORITY", "BOOT", "Measured", "ccel", "pcrs", "secure_boot", "signed_boot"]
__all__ += ["started", "write_log"]

_SHA256, _SHA384 = (0xB, "sha256", 32), (0xC, "sha384", 48)
_NO_ACTION, _SEPARATOR = 0x3, 0x4
_VARIABLE, _APPLICATION, _ACTION, _AUTHORITY = 0x80000001, 0x80000003, 0x80000007, 0x800000E0
_GLOBAL = UUID("8be4df61-93ca-11d2-aa0d-00e098032b8c")  # UEFI 2.10, 3.3
_SECURITY = UUID("d719b2cb-3d3a-4596-a3bc-dad00e67656f")  # UEFI 2.10, 32.6


@dataclass(frozen=True, slots=True)
class Measured:
    """One event: what a register took up, and what the log says of it.

    Attributes:
        register: as the log numbers it.
        kind: TCG's event type.
        data: what stands in the log.
        what: what was measured, if it is not that.
    """

    register: int
    kind: int
    data: bytes
    what: bytes | None = None

    def digest(self, name: str) -> bytes:
        """Return what extends the register, by this hash."""
        return hashlib.new(name, self.data if self.what is None else self.what).digest()


def _variable(name: str, data: bytes, vendor: UUID = _GLOBAL) -> bytes:
    head = vendor.bytes_le + struct.pack("<QQ", len(name), len(data))
    return head + name.encode("utf-16-le") + data


def started(what: str) -> Measured:
    """Return the event of a boot loader or kernel that was started."""
    return Measured(4, _APPLICATION, b"a device path", f"SIMULATED {what}".encode())


SECURE_BOOT = Measured(7, _VARIABLE, _variable("SecureBoot", b"\1"))
AUTHORITY = Measured(7, _AUTHORITY, _variable("db", b"SIMULATED certificate", _SECURITY))
BOOT: tuple[Measured, ...] = (
    Measured(0, 0x8, "SIMULATED 1.0".encode("utf-16-le")),
    SECURE_BOOT,
    Measured(7, _VARIABLE, _variable("PK", b"SIMULATED platform key")),
    Measured(4, _ACTION, b"Calling EFI Application from Boot Option"),
    *(Measured(register, _SEPARATOR, bytes(4)) for register in range(8)),
    AUTHORITY,
    started("boot loader"),
    started("kernel"),
    Measured(5, _ACTION, b"Exit Boot Services Invocation"),
    Measured(5, _ACTION, b"Exit Boot Services Returned with Success"),
)
"""A boot in order, with Secure Boot on."""


def secure_boot(boot: Iterable[Measured], *, on: bool) -> tuple[Measured, ...]:
    """Return the boot with Secure Boot on or off."""
    said = replace(SECURE_BOOT, data=_variable("SecureBoot", bytes([on])))
    return tuple(said if each == SECURE_BOOT else each for each in boot)


def pcrs(boot: Iterable[Measured]) -> dict[int, bytes]:
    """Return PCR 0 to 23 of SHA-256 after these events."""
    values = {index: bytes(32) for index in range(24)}
    values |= dict.fromkeys(range(17, 23), b"\xff" * 32)  # no dynamic launch
    for each in boot:
        old = values[each.register]
        values[each.register] = hashlib.sha256(old + each.digest("sha256")).digest()
    return values


def write_log(boot: Iterable[Measured]) -> bytes:
    """Return the crypto-agile log of these events, with digests of SHA-256."""
    bank, name, _ = _SHA256
    return _header(0, _SHA256) + b"".join(
        _event(each.register, each.kind, bank, each.digest(name), each.data) for each in boot
    )


def ccel(events: Iterable[Event]) -> bytes:
    """Return the log of a trust domain's firmware: what extended RTMR0 to RTMR2."""
    return _header(1, _SHA384) + b"".join(
        # UEFI 2.10, 38.4.1: register 0 is MRTD.
        _event(each.register + 1, each.kind, _SHA384[0], each.digest, each.payload)
        for each in events
        if each.register < 3
    )


def signed_boot(events: Iterable[Event]) -> tuple[Event, ...]:
    """Return the events of a guest whose firmware says that Secure Boot was on."""
    off, on = _variable("SecureBoot", b""), _variable("SecureBoot", b"\1")
    return tuple(
        replace(each, payload=on, digest=sha384(on)) if each.payload == off else each
        for each in events
    )


def _header(register: int, bank: tuple[int, str, int]) -> bytes:
    body = b"Spec ID Event03\0" + bytes(4) + bytes([0, 2, 0, 2]) + struct.pack("<I", 1)
    body += struct.pack("<HH", bank[0], bank[2]) + b"\0"
    head = struct.pack("<II", register, _NO_ACTION) + bytes(20)
    return head + struct.pack("<I", len(body)) + body


def _event(register: int, kind: int, bank: int, digest: bytes, data: bytes) -> bytes:
    head = struct.pack("<IIIH", register, kind, 1, bank)
    return head + digest + struct.pack("<I", len(data)) + data
