"""What the commands of ``teeproof measure`` share: options, files, and how the answer is shown."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from teeproof.cli.options import PATH
from teeproof.cli.screen import ColorChoice, Screen, standard
from teeproof.core.errors import Usage
from teeproof.core.reading import read_bounded
from teeproof.evidence.eventlog.mrconfig import MAX_DOCUMENT_BYTES
from teeproof.evidence.measure.expected import Expected
from teeproof.evidence.measure.image import MAX_FIRMWARE_BYTES, MAX_INITRD_BYTES, MAX_KERNEL_BYTES
from teeproof.evidence.measure.kernel import MACHINES
from teeproof.evidence.measure.tpm.grub import MAX_COMMANDS_BYTES
from teeproof.evidence.record import MAX_COMPOSE_BYTES

__all__ = [
    "direct_options",
    "file_option",
    "machine_options",
    "read",
    "show",
    "size_of",
    "toml_option",
]

_Function = TypeVar("_Function", bound=Callable[..., Any])
_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
_MOST_MEMORY = 1 << 46  # what QEMU takes, and more than any machine has
_LIMITS = {
    "firmware": MAX_FIRMWARE_BYTES,
    "kernel": MAX_KERNEL_BYTES,
    "unified": MAX_KERNEL_BYTES,
    "initrd": MAX_INITRD_BYTES,
    "grub-commands": MAX_COMMANDS_BYTES,
    "compose": MAX_COMPOSE_BYTES,
    "mr-config": MAX_DOCUMENT_BYTES,
}


def file_option(
    name: str, meaning: str, *, required: bool = False
) -> Callable[[_Function], _Function]:
    """Return an option that names an image."""
    return click.option(f"--{name}", type=PATH, metavar="FILE", required=required, help=meaning)


def direct_options(function: _Function) -> _Function:
    """Add what QEMU is given to start a kernel by itself."""
    for option in (
        click.option("--cmdline", metavar="TEXT", default="", help="Its command line."),
        file_option("initrd", "Its initial ramdisk."),
        file_option("kernel", "The kernel that QEMU is given by -kernel."),
    ):
        function = option(function)
    return function


def machine_options(function: _Function) -> _Function:
    """Add the size of memory and the machine's type, on which a kernel's place depends."""
    for option in (
        click.option(
            "--machine",
            type=click.Choice(list(MACHINES)),
            default="q35",
            help="QEMU's machine type.",
        ),
        click.option("--memory", metavar="SIZE", help="Memory of the machine, such as 2G or 512M."),
    ):
        function = option(function)
    return function


def toml_option(function: _Function) -> _Function:
    """Add ``--toml``."""
    option = click.option("--toml", "as_toml", is_flag=True, help="Print lines for a policy alone.")
    return option(function)


def read(path: Path | None, name: str) -> bytes | None:
    """Return an image, bounded by what such a file may have; None where none was named."""
    if path is None:
        return None
    return read_bounded(path, limit=_LIMITS[name], what=name)


def size_of(text: str | None) -> int | None:
    """Return the bytes that ``--memory`` names; Usage if it is no size."""
    if text is None:
        return None
    found = re.fullmatch(r"([0-9]{1,15})([KMGT]?)(?:i?B)?", text.strip(), re.IGNORECASE | re.ASCII)
    size = int(found[1]) * _UNITS[found[2].upper()] if found else 0
    if not 0 < size <= _MOST_MEMORY:
        raise Usage("--memory takes a size", expected="such as 2G or 512M", got=text[:40])
    return size


def show(found: Expected, *, as_json: bool, as_toml: bool, color: ColorChoice) -> int:
    """Print what is expected: for people, as JSON, or as lines of a policy."""
    screen = standard(color)
    if as_json:
        screen.json(found.to_json())
        return 0
    if as_toml:
        for line in found.policy_lines():
            screen.copied("", line, indent=0)
        return 0
    _write(screen, found)
    return 0


def _write(screen: Screen, found: Expected) -> None:
    screen.text("Expected if a machine boots these files. No machine was looked at.", "bold")
    for register in found.registers:
        screen.write()
        for count, value in enumerate(register.values):
            screen.copied(register.name if not count else "or", value, column=13)
        if register.not_checked:
            screen.row(register.name, f"not checked: {register.not_checked}", "yellow", column=13)
        for event in register.events:
            digest = "not known" if event.digest is None else f"{event.digest[:16]}…"
            screen.row("", f"{digest.ljust(17)}  {event.what}", "dim", column=13)
    screen.title("For a policy")
    for line in found.policy_lines():
        screen.copied("", line)
