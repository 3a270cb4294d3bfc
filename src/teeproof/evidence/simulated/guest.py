"""What runs in a simulated trust domain: a dstack guest with one application.

Trusts: nothing; it only describes.  Does not trust: nothing comes from outside.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Literal

from teeproof.core.digests import keccak256, sha256
from teeproof.core.strictjson import dumps
from teeproof.evidence.simulated.eventlog import Event, LogVersion, boot_events, dstack_event

__all__ = ["DEVELOPMENT_IMAGE", "IMAGE", "Guest", "KeyProvider", "MrConfig", "app_compose"]

KeyProvider = Literal["kms", "local-sgx", "tpm", "none"]
MrConfig = Literal[0, 1, 2, 3]

IMAGE = "dstack-simulated-1.0"
DEVELOPMENT_IMAGE = "dstack-simulated-dev-1.0"
_IMAGE_DIGEST = sha256(b"SIMULATED container image").hex()

# dstack's numbers and names in MRCONFIGID (dstack-types, mr_config.rs)
_KIND_NUMBERS: dict[KeyProvider, int] = {"none": 0, "local-sgx": 1, "kms": 2, "tpm": 3}
_KIND_NAMES: dict[KeyProvider, str] = {
    "none": "none",
    "local-sgx": "local",
    "kms": "kms",
    "tpm": "tpm",
}


def app_compose(
    name: str = "hello",
    *,
    image: str = f"simulated.invalid/hello@sha256:{_IMAGE_DIGEST}",
    key_provider: KeyProvider = "kms",
    log_version: LogVersion = 1,
) -> bytes:
    """Return the bytes of an app-compose.json with one service."""
    document: dict[str, object] = {
        "manifest_version": 2,
        "name": name,
        "runner": "docker-compose",
        "docker_compose_file": f"services:\n  {name}:\n    image: {image}\n",
        "kms_enabled": key_provider == "kms",
        "gateway_enabled": False,
        "local_key_provider_enabled": key_provider == "local-sgx",
        "key_provider": _KIND_NAMES[key_provider],
        "public_logs": False,
        "public_sysinfo": False,
        "allowed_envs": [],
        "no_instance_id": False,
        "secure_time": True,
    }
    if log_version == 2:
        document["event_log_version"] = 2
    return json.dumps(document, indent=2).encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Guest:
    """A booted guest.

    Attributes:
        compose: the bytes of app-compose.json.
        image: the operating system image.
        key_provider: who gives the guest its keys.
        log_version: of dstack's events.
        mr_config: which of dstack's forms MRCONFIGID has; 0 leaves it zero.
        more: events after ``system-ready``, as an application of dstack 0.5 may emit them.
    """

    compose: bytes = app_compose()
    image: str = IMAGE
    key_provider: KeyProvider = "kms"
    log_version: LogVersion = 1
    mr_config: MrConfig = 1
    more: tuple[Event, ...] = ()

    @property
    def compose_hash(self) -> bytes:
        """SHA-256 of the compose file's bytes."""
        return sha256(self.compose)

    @property
    def app_id(self) -> bytes:
        """20 bytes; dstack takes the head of the first compose hash unless a contract gives it."""
        return self.compose_hash[:20]

    @property
    def instance_id(self) -> bytes:
        """20 bytes that name this instance of the application."""
        return sha256(b"SIMULATED instance seed", self.app_id)[:20]

    @property
    def os_image_hash(self) -> bytes:
        """32 bytes that name the operating system image."""
        return sha256(f"SIMULATED {self.image}".encode())

    @property
    def key_provider_id(self) -> str:
        """The provider's public key in hex; empty if there is no provider."""
        if self.key_provider == "none":
            return ""
        # What a P-256 SubjectPublicKeyInfo looks like; nobody holds the key.
        prefix = "3059301306072a8648ce3d020106082a8648ce3d03010703420004"
        point = sha256(b"SIMULATED provider x").hex() + sha256(b"SIMULATED provider y").hex()
        return prefix + point

    @property
    def key_provider_info(self) -> bytes:
        """The payload of the ``key-provider`` event."""
        info = {"name": self.key_provider, "id": self.key_provider_id}
        return json.dumps(info, separators=(",", ":")).encode()

    def events(self) -> tuple[Event, ...]:
        """Return everything that was measured, in order."""
        firmware = boot_events(self.image, named=self.log_version == 2)
        runtime = (
            dstack_event(name, payload, version=self.log_version) for name, payload in self._steps()
        )
        return (*firmware, *runtime, *self.more)

    def mr_config_document(self) -> bytes | None:
        """Return the MrConfigV3 document (canonical JSON), if this guest has one."""
        if self.mr_config != 3:
            return None
        document = {
            "version": 3,
            "app_id": self.app_id.hex(),
            "compose_hash": self.compose_hash.hex(),
            "key_provider": _KIND_NAMES[self.key_provider],
            "key_provider_id": self.key_provider_id,
            "instance_id": self.instance_id.hex(),
        }
        return dumps({key: value for key, value in document.items() if value}).encode()

    def mrconfigid(self) -> bytes:
        """Return the 48 bytes that the host had to set for this guest to start."""
        if self.mr_config == 0:
            return bytes(48)
        if self.mr_config == 1:
            digest = self.compose_hash
        elif self.mr_config == 2:
            kind, provider = _KIND_NUMBERS[self.key_provider], bytes.fromhex(self.key_provider_id)
            digest = keccak256(self.compose_hash, self.app_id, bytes([kind]), provider)
        else:
            digest = sha256(b"dstack-mr-config-v3:\0", self.mr_config_document() or b"")
        return bytes([self.mr_config]) + digest + bytes(15)

    def _steps(self) -> list[tuple[str, bytes]]:
        steps = [
            ("system-preparing", b""),
            ("app-id", self.app_id),
            ("compose-hash", self.compose_hash),
            ("instance-id", self.instance_id),
            ("boot-mr-done", b""),
            ("os-image-hash", self.os_image_hash),
            ("key-provider", self.key_provider_info),
            ("storage-fs", b"zfs"),
            ("system-ready", b""),
        ]
        # Only a KMS tells the guest which image it runs.
        return [step for step in steps if step[0] != "os-image-hash" or self.key_provider == "kms"]
