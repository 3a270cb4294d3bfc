"""``teeproof measure tdx``: the registers of a TDX guest that QEMU starts, as dstack's are."""

from __future__ import annotations

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
from teeproof.cli.options import output_options
from teeproof.cli.screen import ColorChoice
from teeproof.core.errors import Usage

if TYPE_CHECKING:
    from teeproof.evidence.measure.kernel import Machine
    from teeproof.evidence.measure.steps import Register
    from teeproof.evidence.measure.tdx.mrtd import Order

__all__ = ["command"]


@click.command("tdx")
@file_option("firmware", "The whole OVMF image: variables and code in one file.")
@direct_options
@machine_options
@click.option(
    "--order",
    type=click.Choice(["page", "section"]),
    help="How the host adds memory: page by page (Linux 6.16 and newer), or by section. "
    "Default: either is expected.",
)
@click.option(
    "--plain-kernel",
    is_flag=True,
    help="This QEMU hands the kernel over as the file is, without writing into its header.",
)
@file_option("compose", "A dstack application's app-compose.json, for MRCONFIGID.")
@file_option("mr-config", "A dstack guest's MrConfigV3 document, for MRCONFIGID.")
@toml_option
@output_options
def command(
    firmware: Path | None,
    kernel: Path | None,
    initrd: Path | None,
    compose: Path | None,
    mr_config: Path | None,
    *,
    cmdline: str,
    memory: str | None,
    machine: Machine,
    order: Order | None,
    plain_kernel: bool,
    as_toml: bool,
    as_json: bool,
    color: ColorChoice,
) -> int:
    """Say what a TDX guest will measure: MRTD, RTMR1, RTMR2, and MRCONFIGID.

    The guest's kernel is the one that QEMU is given by -kernel. RTMR0 also holds the host's ACPI
    tables, so it has no value here: compare it through the guest's event log.

    \b
    Example
      teeproof measure tdx --firmware ovmf.fd --kernel bzImage --initrd initrd.gz \\
          --cmdline "$(cat cmdline)" --memory 4G --toml >> policy.toml
    """  # noqa: D301  click reads the \b
    from teeproof.evidence.measure.expected import expected  # noqa: PLC0415  only here
    from teeproof.evidence.measure.tdx import boot  # noqa: PLC0415

    registers: list[Register] = []
    size = size_of(memory)
    image = read(firmware, "firmware")
    if image is not None:
        registers += boot.firmware_registers(image, memory=size, machine=machine, order=order)
    ramdisk = read(initrd, "initrd") or b""
    program = read(kernel, "kernel")
    if program is not None:
        if size is None and not plain_kernel:
            raise Usage("QEMU writes the kernel for the machine's memory: give --memory")
        registers.append(
            boot.kernel_register(
                program,
                memory=size or 0,
                initrd_bytes=len(ramdisk),
                cmdline=cmdline,
                machine=machine,
                patched=not plain_kernel,
            )
        )
        registers.append(boot.stub_register(cmdline=cmdline, initrd=ramdisk))
    elif cmdline or ramdisk:
        registers.append(boot.stub_register(cmdline=cmdline, initrd=ramdisk))
    registers += _configuration(compose, mr_config)
    if not registers:
        raise Usage("nothing was given to measure: give --firmware, --kernel or --compose")
    found = expected("tdx", registers, bank="sha384")
    return show(found, as_json=as_json, as_toml=as_toml, color=color)


def _configuration(compose: Path | None, mr_config: Path | None) -> list[Register]:
    from teeproof.evidence.measure.tdx.config import configuration  # noqa: PLC0415  only here

    if compose is None and mr_config is None:
        return []
    return [configuration(compose=read(compose, "compose"), document=read(mr_config, "mr-config"))]
