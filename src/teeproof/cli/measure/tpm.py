"""``teeproof measure tpm``: the registers of a TPM after a measured boot."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from teeproof.cli.measure.options import (
    direct_options,
    file_option,
    machine_options,
    read,
    show,
    size_of,
    toml_option,
)
from teeproof.cli.options import PATH, output_options
from teeproof.cli.screen import ColorChoice
from teeproof.core.errors import Usage
from teeproof.core.reading import peek
from teeproof.evidence.measure.tpm.gpt import HEAD_BYTES

if TYPE_CHECKING:
    from teeproof.evidence.measure.kernel import Machine
    from teeproof.evidence.measure.steps import Register

__all__ = ["command"]


@click.command("tpm")
@file_option("unified", "A unified kernel image, which the firmware starts from a disk.")
@direct_options
@machine_options
@file_option("disk", "The disk that it is on, for PCR 5: its partition table is measured.")
@file_option("firmware", "The OVMF image, for the events of PCR 0 that it determines.")
@file_option("grub-commands", "What GRUB measures, one text a line, for PCR 8.")
@click.option(
    "--grub-file",
    "grub_files",
    type=PATH,
    metavar="FILE",
    multiple=True,
    help="A file that GRUB reads, for PCR 9; repeat it in GRUB's order.",
)
@click.option(
    "--phases",
    metavar="WORDS",
    default="",
    help="How far systemd has booted, for PCR 11, such as enter-initrd:leave-initrd.",
)
@click.option(
    "--bank",
    type=click.Choice(["sha256", "sha384", "sha512", "sha1"]),
    default="sha256",
    help="The hash of the registers.",
)
@toml_option
@output_options
def command(
    *,
    unified: Path | None,
    kernel: Path | None,
    initrd: Path | None,
    firmware: Path | None,
    disk: Path | None,
    grub_commands: Path | None,
    grub_files: tuple[Path, ...],
    cmdline: str,
    memory: str | None,
    machine: Machine,
    phases: str,
    bank: str,
    as_toml: bool,
    as_json: bool,
    color: ColorChoice,
) -> int:
    """Say what a TPM will hold after OVMF has booted: PCR 2 to 7 and 9, of a unified image also 11.

    The firmware starts a unified kernel image, or QEMU hands it a kernel. Secure Boot is taken to
    be off, and devices to bring no option ROM. Of a boot by GRUB, PCR 8 and 9 are measured from
    what it ran and read.

    \b
    Examples
      teeproof measure tpm --unified linux.efi
      teeproof measure tpm --kernel vmlinuz --initrd initrd.gz --cmdline "quiet" --memory 2G
    """  # noqa: D301  click reads the \b
    from teeproof.evidence.measure.expected import expected  # noqa: PLC0415  only here

    if grub_commands is not None or grub_files:
        if unified is not None or kernel is not None:
            raise Usage("GRUB's registers are measured by themselves: leave the kernel out")
        found = expected("tpm", _grub(grub_commands, grub_files, bank=bank), bank=bank)
        return show(found, as_json=as_json, as_toml=as_toml, color=color)
    registers = _registers(
        unified=read(unified, "unified"),
        kernel=read(kernel, "kernel"),
        initrd=read(initrd, "initrd") or b"",
        firmware=read(firmware, "firmware"),
        disk=None if disk is None else peek(disk, HEAD_BYTES),
        cmdline=cmdline,
        memory=size_of(memory),
        machine=machine,
        phases=phases,
        bank=bank,
    )
    found = expected("tpm", registers, bank=bank)
    return show(found, as_json=as_json, as_toml=as_toml, color=color)


def _grub(commands: Path | None, files: Sequence[Path], *, bank: str) -> tuple[Register, Register]:
    from teeproof.evidence.measure.tpm import grub  # noqa: PLC0415  only here

    texts = grub.parse_commands(read(commands, "grub-commands") or b"")
    contents = [read(path, "initrd") or b"" for path in files]
    return grub.grub_registers(texts, contents, bank=bank)


def _registers(
    *,
    unified: bytes | None,
    kernel: bytes | None,
    initrd: bytes,
    firmware: bytes | None,
    disk: bytes | None,
    cmdline: str,
    memory: int | None,
    machine: Machine,
    phases: str,
    bank: str,
) -> tuple[Register, ...]:
    from teeproof.evidence.measure.tpm import boot  # noqa: PLC0415  only here

    if (unified is None) == (kernel is None):
        raise Usage("one of --unified and --kernel is measured: give one of them")
    if unified is not None:
        if initrd or cmdline or memory is not None:
            raise Usage("a unified kernel image holds ramdisk and command line: leave them out")
        words = phases.split(":") if phases else []
        return boot.unified_boot(
            image=unified, disk=disk, firmware=firmware, phases=words, bank=bank
        )
    if disk is not None:
        raise Usage("QEMU starts the kernel, so no disk is measured: leave --disk out")
    if memory is None:
        raise Usage("QEMU writes the kernel for the machine's memory: give --memory")
    if phases:
        raise Usage("--phases are of systemd in a unified kernel image: give --unified")
    assert kernel is not None
    return boot.direct_boot(
        kernel=kernel,
        memory=memory,
        initrd=initrd,
        cmdline=cmdline,
        firmware=firmware,
        machine=machine,
        bank=bank,
    )
