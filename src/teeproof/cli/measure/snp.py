"""``teeproof measure snp``: the launch digest of an SEV-SNP guest."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import click

from teeproof.cli.measure.options import direct_options, file_option, read, show, toml_option
from teeproof.cli.options import output_options
from teeproof.cli.screen import ColorChoice
from teeproof.core.errors import Usage

if TYPE_CHECKING:
    from teeproof.evidence.measure.snp.vmsa import Vmm

__all__ = ["command"]

_NUMBER = re.compile(r"0[xX][0-9a-fA-F]{1,16}|[0-9]{1,19}", re.ASCII)


@click.command("snp")
@file_option("firmware", "The OVMF image.", required=True)
@click.option("--cpus", type=int, required=True, help="How many virtual CPUs the guest has.")
@click.option(
    "--cpu",
    metavar="MODEL",
    required=True,
    help="QEMU's model, such as EPYC-Milan, EPYC-Genoa or EPYC-Turin; or a CPU's signature in hex.",
)
@click.option(
    "--vmm",
    type=click.Choice(["qemu", "ec2", "gce"]),
    default="qemu",
    help="Who starts the guest.",
)
@click.option("--features", default="0x1", metavar="BITS", help="SEV_FEATURES; default 0x1.")
@direct_options
@toml_option
@output_options
def command(
    firmware: Path,
    kernel: Path | None,
    initrd: Path | None,
    *,
    cpus: int,
    cpu: str,
    vmm: Vmm,
    features: str,
    cmdline: str,
    as_toml: bool,
    as_json: bool,
    color: ColorChoice,
) -> int:
    """Say what an SEV-SNP guest's reports will hold as their measurement.

    It depends on the firmware, on number and model of the virtual CPUs, and, where QEMU starts
    the kernel, on kernel, ramdisk and command line.

    \b
    Example
      teeproof measure snp --firmware OVMF.amdsev.fd --cpus 4 --cpu EPYC-Milan \\
          --kernel vmlinuz --initrd initrd.gz --cmdline "console=ttyS0"
    """  # noqa: D301  click reads the \b
    from teeproof.evidence.measure.expected import expected  # noqa: PLC0415  only here
    from teeproof.evidence.measure.snp.launch import measurement  # noqa: PLC0415
    from teeproof.evidence.measure.steps import Register  # noqa: PLC0415

    value = measurement(
        read(firmware, "firmware") or b"",
        cpus=cpus,
        cpu=_signature(cpu),
        vmm=vmm,
        features=_number("--features", features, bits=64),
        kernel=read(kernel, "kernel"),
        initrd=read(initrd, "initrd") or b"",
        cmdline=cmdline,
    )
    found = expected("sev-snp", [Register(name="MEASUREMENT", values=(value,))], bank="sha384")
    return show(found, as_json=as_json, as_toml=as_toml, color=color)


def _signature(text: str) -> int:
    from teeproof.evidence.measure.snp.vmsa import CPUS  # noqa: PLC0415  only here

    if text in CPUS:
        return CPUS[text]
    if not _NUMBER.fullmatch(text):
        raise Usage(
            "--cpu takes a model of QEMU's, or a signature", expected=", ".join(CPUS), got=text[:40]
        )
    return _number("--cpu", text, bits=32)


def _number(option: str, text: str, *, bits: int) -> int:
    value = int(text, 0) if _NUMBER.fullmatch(text) and not re.match("0[0-9]", text) else -1
    if not 0 <= value < 1 << bits:
        raise Usage(f"{option} takes a number", expected=f"at most {bits} bits", got=text[:40])
    return value
