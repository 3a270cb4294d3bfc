"""Unified kernel images: the sections that systemd's stub measures into PCR 11, in its order.

Of each section two things extend the register: its name with a zero byte, and its content. What
signs the expected value (``.pcrsig``) is left out. Which sections a stub knows depends on its
version, which it carries.

Source: UAPI, "Unified Kernel Image", "UKI TPM PCR Measurements"; systemd-stub(7), ``uki.h``;
systemd-measure(1) for the phases.

Trusts: nothing; it only reads.  Does not trust: any length in the image, nor its version.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from teeproof.core.errors import Usage
from teeproof.evidence.measure.image import malformed
from teeproof.evidence.measure.pe import Program, Section
from teeproof.evidence.measure.steps import Step, known

__all__ = ["PHASES", "content", "phases", "stub_version", "unified_steps", "why_not"]

_ORDER = (
    b".linux", b".osrel", b".cmdline", b".initrd", b".ucode", b".splash", b".dtb", b".uname",
    b".sbat", b".pcrpkey",
)  # fmt: skip
_NEWER = {b".ucode": 256, b".uname": 253, b".sbat": 255}  # the first version that measures it
_UNKNOWN = (b".profile", b".dtbauto", b".hwids", b".efifw")  # which of them is for the machine
_FIRST, _LAST = 252, 260  # 261 measures a separator and SMBIOS objects as well
_SBAT_UNSURE = (253, 254)
PHASES = ("enter-initrd", "leave-initrd", "sysinit", "ready")
"""What systemd extends PCR 11 with while it boots, in this order."""


def stub_version(program: Program) -> int | None:
    """Return the version of systemd's stub; None where the program is not one."""
    mark = content(program, b".sdmagic") or b""
    found = re.search(rb"LoaderInfo: systemd-stub ([0-9]{1,4})", bytes(mark[:256]))
    return int(found[1]) if found else None


def content(program: Program, name: bytes) -> memoryview | None:
    """Return the content of the section of this name; None without one.

    Raises:
        Malformed: two sections have it, or its size in memory is larger than that in the file.
    """
    found = [section for section in program.sections if section.name == name]
    if len(found) > 1:
        raise malformed(
            "unified kernel image",
            "section table",
            expected="each name once",
            got=f"{name.decode('ascii', 'replace')} {len(found)} times",
        )
    return _whole(found[0]) if found else None


def _whole(section: Section) -> memoryview:
    if section.size > len(section.raw):
        raise malformed(
            "unified kernel image",
            f"section {section.name.decode('ascii', 'replace')}",
            expected=f"at most the {len(section.raw)} bytes in the file",
            got=f"{section.size} bytes",
        )
    return section.content


def why_not(program: Program) -> str | None:
    """Return why PCR 11 cannot be computed, as one sentence; None where it can."""
    version = stub_version(program)
    if version is None:
        return "the program does not begin with systemd's stub, and others measure other things"
    if not _FIRST <= version <= _LAST or version in _SBAT_UNSURE:
        return f"what version {version} of systemd's stub measures is not known to this program"
    for section in program.sections:
        if section.name in _UNKNOWN:
            name = section.name.decode()
            return f"the image has several profiles or devices ({name}), and the machine picks one"
    return None


def unified_steps(program: Program) -> tuple[Step, ...]:
    """Return what the stub extends PCR 11 with.

    Raises:
        Usage: ``why_not`` has a reason, or the image has no kernel.
        Malformed: as ``content``.
    """
    why = why_not(program)
    if why is not None:
        raise Usage(why)
    version = stub_version(program) or 0
    if content(program, b".linux") is None:
        raise Usage("the unified kernel image has no kernel", expected="a section .linux")
    steps = []
    for name in _ORDER:
        found = content(program, name)
        if found is None or version < _NEWER.get(name, 0):
            continue
        word = name.decode()
        steps.append(known(f"the name {word}", "systemd's stub", name + b"\0"))
        steps.append(known(f"the section {word}", f"the section {word} of the image", found))
    return tuple(steps)


def phases(words: Sequence[str]) -> tuple[Step, ...]:
    """Return what systemd extends PCR 11 with until it has reached the last of these phases.

    Raises:
        Usage: not a beginning of ``PHASES``.
    """
    if tuple(words) != PHASES[: len(words)]:
        raise Usage(
            "phases come in systemd's order, from the first on",
            expected=":".join(PHASES),
            got=":".join(words)[:100],
        )
    return tuple(
        known(f"systemd reached {word}", "how far systemd has booted", word.encode())
        for word in words
    )
