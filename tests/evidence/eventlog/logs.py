"""Logs made for tests: a dstack guest's events, by hand, with digests from their definition.

Nothing here uses the code under test: digests and registers are computed with hashlib alone.
"""

from __future__ import annotations

import hashlib
import json
import struct
from typing import Any

RUNTIME = 0x08000001
COMPOSE = (
    b'{"manifest_version":2,"name":"app","runner":"docker-compose","docker_compose_file":null}'
)
COMPOSE_HASH = hashlib.sha256(COMPOSE).digest()
APP_ID = COMPOSE_HASH[:20]
INSTANCE_ID = bytes(range(20))
OS_IMAGE = hashlib.sha256(b"image").digest()
KMS_KEY = b"\x30\x59KMS"
PROVIDER = json.dumps({"name": "kms", "id": KMS_KEY.hex()}, separators=(",", ":")).encode()

Log = list[dict[str, Any]]


def v1(name: str, payload: bytes = b"", *, imr: int = 3) -> dict[str, Any]:
    """A runtime event of version 1."""
    preimage = struct.pack("<I", RUNTIME) + b":" + name.encode() + b":" + payload
    return {
        "imr": imr,
        "event_type": RUNTIME,
        "digest": hashlib.sha384(preimage).hexdigest(),
        "event": name,
        "event_payload": payload.hex(),
    }


def v2(name: str, payload: bytes = b"", *, imr: int = 3) -> dict[str, Any]:
    """A runtime event of version 2."""
    preimage = f'{{"name":"{name}","payload":"{payload.hex()}","type":134217729}}'.encode()
    return v1(name, payload, imr=imr) | {
        "digest": hashlib.sha384(preimage).hexdigest(),
        "version": 2,
        "preimage": preimage.hex(),
    }


def boot(imr: int, kind: int, payload: bytes, *, digest: bytes | None = None) -> dict[str, Any]:
    """An event of firmware or kernel; by default its digest is that of its payload."""
    return {
        "imr": imr,
        "event_type": kind,
        "digest": hashlib.sha384(payload).hexdigest() if digest is None else digest.hex(),
        "event": "",
        "event_payload": payload.hex(),
    }


def variable(name: str, data: bytes = b"\1") -> bytes:
    """UEFI_VARIABLE_DATA."""
    header = bytes(16) + struct.pack("<QQ", len(name), len(data))
    return header + name.encode("utf-16-le") + data


def early() -> Log:
    """Events of firmware and kernel."""
    return [
        boot(0, 0x8000000B, b"hob", digest=b"\x0b" * 48),
        boot(0, 0x80000001, variable("SecureBoot")),
        boot(0, 4, bytes(4)),
        boot(0, 0xA, b"ACPI DATA", digest=b"\xac" * 48),
        boot(1, 0x80000003, b"kernel", digest=b"\x4e" * 48),
        boot(1, 0x80000007, b"Exit Boot Services Invocation"),
        boot(2, 6, b"tag", digest=b"\xcd" * 48),
        boot(2, 6, b"tag", digest=b"\x1d" * 48),
    ]


def system(make: Any = v1) -> Log:
    """The events of dstack's guest, up to system-ready."""
    return [
        make("system-preparing"),
        make("app-id", APP_ID),
        make("compose-hash", COMPOSE_HASH),
        make("instance-id", INSTANCE_ID),
        make("boot-mr-done"),
        make("os-image-hash", OS_IMAGE),
        make("key-provider", PROVIDER),
        make("storage-fs", b"zfs"),
        make("system-ready"),
    ]


def whole(make: Any = v1) -> Log:
    """A complete log."""
    return early() + system(make)


def encode(log: Log) -> bytes:
    """The bytes that a guest agent answers with."""
    return json.dumps(log, separators=(",", ":")).encode()


def rtmrs(log: Log) -> tuple[bytes, bytes, bytes, bytes]:
    """The registers of the machine on which exactly this happened."""
    registers = [bytes(48)] * 4
    for event in log:
        value = registers[event["imr"]] + bytes.fromhex(event["digest"])
        registers[event["imr"]] = hashlib.sha384(value).digest()
    return registers[0], registers[1], registers[2], registers[3]


def place(log: Log, name: str) -> int:
    """Position of the first event with this name."""
    return next(i for i, event in enumerate(log) if event["event"] == name)
