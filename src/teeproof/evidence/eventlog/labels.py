"""Say in plain words what an event is, and what its digest depends on.

Words come from the event's type and from what its digest covers. A payload that no digest covers is
quoted as a claim, never as a fact; the name of an event of firmware or kernel is not quoted at all.
Its type is covered by no digest either: a sentence about it helps to find a cause, and proves
nothing. What counts are the registers.

Trusts: nothing; it only describes.  Does not trust: the host that hands over the log.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from teeproof.evidence.eventlog import tcg
from teeproof.evidence.eventlog.event import Event
from teeproof.evidence.eventlog.facts import SYSTEM_READY
from teeproof.evidence.eventlog.payloads import Coverage, coverage

__all__ = ["REGISTERS", "Label", "depends_on", "describe", "label"]

REGISTERS = {
    "MRTD": "the firmware image and the memory that the machine starts with",
    "RTMR0": "the firmware's configuration: ACPI tables, number of CPUs, size of memory, devices",
    "RTMR1": "the kernel image and how the firmware started it",
    "RTMR2": "the kernel's command line and the initial ramdisk",
    "RTMR3": "the application: its compose file, identity, key provider, and what it adds itself",
}
"""What each register depends on, on a dstack guest."""

_TYPES = {
    tcg.EFI_HANDOFF_TABLES2: (
        "the firmware took over the table of memory and devices that the host made (TD HOB)",
        "the size of memory that the host gave",
    ),
    tcg.EFI_PLATFORM_FIRMWARE_BLOB2: (
        "the firmware measured its configuration volume",
        "the firmware image",
    ),
    tcg.EFI_BOOT_SERVICES_APPLICATION: (
        "the firmware loaded a program, such as the kernel",
        "the kernel image, into which QEMU writes the sizes of memory and ramdisk",
    ),
    tcg.EFI_GPT_EVENT: ("the firmware measured the disk's partition table", "the disk image"),
    tcg.PLATFORM_CONFIG_FLAGS: (
        "the firmware took over ACPI tables from the host; this verifier cannot reproduce them",
        "ACPI tables: QEMU's version, number of CPUs, memory and devices",
    ),
    tcg.IPL: ("the boot loader measured a file or a command", "the boot loader's configuration"),
}
_RUNTIME = {
    "system-preparing": ("dstack began to prepare the application", "the guest image"),
    "app-id": ("the application's id is {hex}", "the application's compose file, or its contract"),
    "compose-hash": ("the compose file's SHA-256 is {hex}", "the application's compose file"),
    "init-script-hash": (
        "a script with SHA-256 {hex} runs before the application",
        "the application's init scripts",
    ),
    "gpu-policy-hash": ("the GPU policy's SHA-256 is {hex}", "the application's GPU policy"),
    "gpu-attestation": ("the guest attested its GPUs", "the GPUs and their firmware"),
    "instance-id": ("this instance's id is {hex}", "the instance"),
    "boot-mr-done": ("dstack ended the measurements that a KMS looks at", "the guest image"),
    "os-image-hash": ("the KMS takes the system image for {hex}", "the operating system image"),
    "key-provider": ("the keys came from {text}", "the key provider"),
    "storage-fs": ("the data disk has the file system {text}", "the guest's configuration"),
    "system-ready": (
        "dstack was ready; what follows comes from the application",
        "the guest image",
    ),
}


class Label(msgspec.Struct, frozen=True, kw_only=True):
    """One event in words.

    Attributes:
        index: position in the log, from 0.
        register: ``RTMR0`` to ``RTMR3``.
        type: the event type's name.
        sentence: what happened.
        depends_on: what must be the same for the event to be the same.
        covered: which part of the event its digest covers.
        digest: 96 hex digits.
    """

    index: int
    register: str
    type: str
    sentence: str
    depends_on: str
    covered: Coverage
    digest: str


def label(events: tuple[Event, ...]) -> tuple[Label, ...]:
    """Return every event of a log in words; behind ``system-ready`` the application speaks."""
    ready = next((e.index for e in events if e.imr == 3 and e.name == SYSTEM_READY), len(events))
    return tuple(
        Label(
            index=event.index,
            register=event.register,
            type=tcg.type_name(event.type),
            sentence=describe(event, by_application=event.index > ready),
            depends_on=depends_on(event, by_application=event.index > ready),
            covered=coverage(event),
            digest=event.digest.hex(),
        )
        for event in events
    )


def describe(event: Event, *, by_application: bool = False) -> str:
    """Return one sentence about the event, without its position and register.

    Args:
        event: the event.
        by_application: whether it stands behind ``system-ready``; then a name of the system's is
            only what the application says.
    """
    if event.is_runtime:
        return _runtime(event, by_application)
    words = _WORDS.get(event.type)
    if words is not None:
        return words(event)
    known = _TYPES.get(event.type)
    return known[0] if known else f"an event of type {event.type:#x}, unknown to this verifier"


def depends_on(event: Event, *, by_application: bool = False) -> str:
    """Return what must be the same for this event to be the same; arguments as in ``describe``."""
    if event.is_runtime:
        known = None if by_application else _RUNTIME.get(event.name)
        return known[1] if known else "the application: it emitted this event itself"
    if event.type == tcg.EVENT_TAG:
        return tcg.parse_tag(event.payload) or "the kernel's command line or the initial ramdisk"
    if event.type in _TYPES:
        return _TYPES[event.type][1]
    if event.type in (tcg.EFI_VARIABLE_DRIVER_CONFIG, tcg.EFI_VARIABLE_BOOT):
        return "the firmware's variables"
    return REGISTERS[event.register]


def _runtime(event: Event, by_application: bool) -> str:
    if event.imr != 3:
        return f'"{event.name}" as a runtime event here, where no dstack guest writes any'
    known = None if by_application else _RUNTIME.get(event.name)
    if known is None:
        return f'the application says "{event.name}": {_shown(event.payload)}'
    return known[0].format(hex=event.payload.hex() or "empty", text=_shown(event.payload))


def _driver_variable(event: Event) -> str:
    variable = tcg.parse_variable(event.payload) if coverage(event) == "payload" else None
    if variable is None:
        return "the firmware read one of its variables (the name is left out of this log)"
    return f"the firmware read its variable {_plain(variable.name)}"


def _boot_variable(event: Event) -> str:
    covered = coverage(event)
    variable = tcg.parse_variable(event.payload)
    if covered == "nothing" or variable is None:
        return "the firmware read a boot variable"
    if covered == "payload":
        return f"the firmware read the boot variable {_plain(variable.name)}"
    said = f"(the log calls it {_plain(variable.name)})"
    return f"the firmware read a boot variable of {len(variable.data)} bytes {said}"


def _separator(event: Event) -> str:
    return f"the firmware ended its measurements for {event.register}"


def _action(event: Event) -> str:
    if coverage(event) != "payload":
        return "the firmware reports an action (the text is left out of this log)"
    return f"the firmware reports: {_plain(event.payload.decode('ascii', 'replace'))}"


def _tag(event: Event) -> str:
    what = tcg.parse_tag(event.payload)
    if what is None:
        return "the kernel measured its command line or its initial ramdisk"
    return f"the kernel measured something (the log calls it {what})"


def _plain(text: str) -> str:
    return ascii(text)[1:-1]


_WORDS: dict[int, Callable[[Event], str]] = {
    tcg.EFI_VARIABLE_DRIVER_CONFIG: _driver_variable,
    tcg.EFI_VARIABLE_AUTHORITY: _driver_variable,
    tcg.EFI_VARIABLE_BOOT: _boot_variable,
    tcg.SEPARATOR: _separator,
    tcg.EFI_ACTION: _action,
    tcg.EVENT_TAG: _tag,
}


def _shown(payload: bytes) -> str:
    if not payload:
        return "(empty)"
    text = payload.decode("utf-8", "replace")
    shown = text if text.isprintable() and "\ufffd" not in text else payload.hex()
    return shown if len(shown) <= 120 else shown[:117] + "..."
