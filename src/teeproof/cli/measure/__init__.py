"""``teeproof measure``: say what a machine will measure when it boots these files."""

from __future__ import annotations

import click

from teeproof.cli.lazy import LazyGroup

__all__ = ["COMMANDS", "command"]

COMMANDS = {
    "tdx": "The registers of a TDX guest: MRTD, RTMR1, RTMR2, MRCONFIGID.",
    "snp": "The measurement of an SEV-SNP guest.",
    "tpm": "The registers of a TPM: PCR 2 to 7, 9, and 11.",
}


@click.command(
    "measure",
    cls=LazyGroup,
    lines=COMMANDS,
    prefix="measure.",
)
def command() -> None:
    """Say what a machine will measure when it boots these files.

    Computed from the files alone: no machine has to be believed first. What the files do not
    determine, such as tables that the host makes, has no value, and a sentence says why.

    \b
    Examples
      teeproof measure tdx --firmware ovmf.fd --kernel bzImage --initrd initrd.gz \\
          --cmdline "$(cat cmdline)" --memory 4G
      teeproof measure snp --firmware ovmf.fd --cpus 4 --cpu EPYC-Milan
      teeproof measure tpm --unified linux.efi --json > expected.json
      teeproof why binary_bios_measurements --expected expected.json
    """  # noqa: D301  click reads the \b
