"""PCR 8 and 9 as GRUB leaves them: each command that it ran, each file that it read.

Which commands run is decided by GRUB's configuration and by whoever sits at its menu, so they are
given here as a list: one that a log of a boot shows, or that a build writes down.

    PCR 8   each command, each kernel's and module's command line, as text without its label
    PCR 9   each file, whole; behind them, what the kernel's own EFI stub may measure

Source: GRUB manual, "Measuring boot components"; ``grub_tpm_measure``.

Trusts: SHA-2.  Does not trust: nothing else is looked at.
"""

from __future__ import annotations

from collections.abc import Sequence

from teeproof.core.errors import Malformed, TooLarge
from teeproof.evidence.measure.steps import Register, known, register
from teeproof.evidence.measure.variables import host_decides

__all__ = ["LABELS", "MAX_COMMANDS", "MAX_COMMANDS_BYTES", "grub_registers", "parse_commands"]

LABELS = ("grub_cmd: ", "kernel_cmdline: ", "module_cmdline: ")
"""What GRUB writes before a text in its log; the digest does not cover it."""

MAX_COMMANDS = 2048
MAX_COMMANDS_BYTES = 1 << 20


def parse_commands(data: bytes) -> tuple[str, ...]:
    r"""Return the texts that GRUB measures, from a file with one in each line.

    A line is as GRUB logs it, with or without its label; ``\n`` stands for a line end within a
    text and ``\\`` for a backslash. Empty lines are left out.

    Raises:
        TooLarge: more than 1 MiB, or than ``MAX_COMMANDS`` lines.
        Malformed: not UTF-8, a NUL, or a backslash before anything else.
    """
    if len(data) > MAX_COMMANDS_BYTES:
        raise TooLarge(
            "the list of GRUB's commands is too large",
            expected=f"at most {MAX_COMMANDS_BYTES} bytes",
            got=f"{len(data)} bytes",
        )
    try:
        lines = [line for line in data.decode().split("\n") if line]
    except UnicodeDecodeError as error:
        raise _malformed("UTF-8", f"a byte that is none at {error.start}") from None
    if len(lines) > MAX_COMMANDS:
        raise TooLarge(
            "GRUB's commands are too many", expected=f"at most {MAX_COMMANDS}", got=f"{len(lines)}"
        )
    return tuple(_text(line) for line in lines)


def _text(line: str) -> str:
    label = next((word for word in LABELS if line.startswith(word)), "")
    parts = line[len(label) :].split("\\\\")
    if "\0" in line or any("\\" in part.replace("\\n", "") for part in parts):
        raise _malformed(r"\n or \\ behind a backslash, and no NUL", line[:80])
    return "\\".join(part.replace("\\n", "\n") for part in parts)


def grub_registers(
    commands: Sequence[str], files: Sequence[bytes], *, bank: str
) -> tuple[Register, Register]:
    """Return PCR 8, and of PCR 9 what GRUB measures.

    Args:
        commands: the texts in the order in which GRUB measures them.
        files: the files in the order in which GRUB reads them.
        bank: the hash of the registers.
    """
    ran = [known(f"GRUB ran {text[:60]!a}", "GRUB's commands", text.encode()) for text in commands]
    read = [
        known(f"GRUB read file {number}", f"the file that GRUB reads as number {number}", data)
        for number, data in enumerate(files, 1)
    ]
    stub = host_decides("the kernel's own EFI stub", "whether the kernel's stub measures as well")
    return (
        register("PCR 8", ran, algorithm=bank),
        register("PCR 9", [*read, stub], algorithm=bank),
    )


def _malformed(expected: str, got: str) -> Malformed:
    return Malformed(
        "the list of GRUB's commands cannot be read",
        code="commands_malformed",
        expected=expected,
        got=ascii(got),
    )
