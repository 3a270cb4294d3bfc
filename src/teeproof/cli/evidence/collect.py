"""``teeproof evidence collect``: ask this machine's attester for fresh evidence."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

import click
import msgspec

from teeproof.cli.options import PATH, output_options
from teeproof.cli.outgoing import require_place
from teeproof.cli.pieces import pieces_of
from teeproof.cli.quoting import shell
from teeproof.cli.screen import ColorChoice, Screen, standard
from teeproof.core.clock import wall_clock
from teeproof.core.errors import Usage
from teeproof.core.home import data_directory
from teeproof.core.writing import write_folder
from teeproof.evidence.collect import ATTESTER_VARIABLE, choose_attester
from teeproof.evidence.collect.kinds import LIBRARY_VARIABLE
from teeproof.evidence.collect.nvml import LIBRARY, GpuEvidence, NvmlAttester
from teeproof.evidence.nvidia.nonce import gpu_nonce
from teeproof.evidence.record import Evidence

__all__ = ["command"]

DEFAULT_FOLDER = Path("evidence")
_MARK = "SIMULATED.txt"
D_BYTES, REPORT_DATA_BYTES = 32, 64


@click.command("collect")
@click.option(
    "--attester",
    metavar="NAME|PATH|URL",
    help="Whom to ask, as teeproof doctor names them; without it, what this machine has.",
)
@click.option(
    "--report-data",
    metavar="HEX",
    help="32 or 64 bytes to bind, such as a verifier's nonce; without it, 32 random ones.",
)
@click.option(
    "--out",
    type=PATH,
    default=DEFAULT_FOLDER,
    show_default=True,
    help="The directory to write; a new or an empty one.",
)
@click.option("--gpus", is_flag=True, help="Ask the machine's NVIDIA GPUs too, for the same bytes.")
@click.option("--devtools", is_flag=True, help="Ask GPUs that developers' tools may look into.")
@output_options
def command(
    *,
    attester: str | None,
    report_data: str | None,
    out: Path,
    gpus: bool,
    devtools: bool,
    as_json: bool,
    color: ColorChoice,
) -> int:
    """Ask this machine's attester for fresh evidence, and write it into a directory.

    The attester is a guest agent, the kernel of a TDX or SEV-SNP guest, or what --attester or
    TEEPROOF_ATTESTER names. 32 bytes are followed by 32 zero bytes; a TPM takes no others. What the
    vendor says of the machine may be missing: verify says what it needs.

    \b
    Examples
      teeproof evidence collect
      teeproof evidence collect --gpus
      teeproof evidence collect --attester tpm --out tpm-evidence
    """  # noqa: D301  click reads the \b
    require_place(out, what="a directory")
    _require_free(out)
    bound = _bound(report_data)
    chosen = {} if attester is None else {ATTESTER_VARIABLE: attester}
    device = choose_attester(
        os.environ | chosen, data_directory=data_directory(os.environ), now=wall_clock
    )
    found = _gpus(bound, devtools=devtools) if gpus else None
    evidence = msgspec.structs.replace(
        device.attest(bound), gpus=None if found is None else found.document
    )
    simulated = (os.environ | chosen).get(ATTESTER_VARIABLE) == "simulated"
    files = files_of(evidence, simulated=simulated)
    write_folder(out, files, overwrite=False)
    said = _Said(device.name, out, bound, list(files), simulated, found)
    _say(standard(color), said, as_json=as_json)
    return 0


def files_of(evidence: Evidence, *, simulated: bool) -> dict[str, bytes]:
    """Return evidence as files by name."""
    return ({_MARK: _SIMULATED} if simulated else {}) | pieces_of(evidence)


_SIMULATED = (
    b"SIMULATED evidence: teeproof's simulator made it, and it proves nothing about any hardware.\n"
)


def _bound(text: str | None) -> bytes:
    """Return the 64 bytes to bind."""
    if text is None:
        return os.urandom(D_BYTES).ljust(REPORT_DATA_BYTES, b"\0")
    try:
        value = bytes.fromhex(text.removeprefix("0x"))
    except ValueError:
        value = b""
    if len(value) not in (D_BYTES, REPORT_DATA_BYTES):
        raise Usage(
            "--report-data takes 32 or 64 bytes in hex",
            code="report_data_malformed",
            expected="64 or 128 hex digits",
            got=f"{len(text)} characters",
        )
    return value.ljust(REPORT_DATA_BYTES, b"\0")


def _gpus(bound: bytes, *, devtools: bool) -> GpuEvidence:
    """Return the evidence of the GPUs over the nonce that D, the first 32 bytes, gives them."""
    library = os.environ.get(LIBRARY_VARIABLE) or LIBRARY
    return NvmlAttester(library, devtools=devtools).attest(gpu_nonce(bound[:D_BYTES]))


def _require_free(out: Path) -> None:
    if out.is_symlink() or (out.exists() and not out.is_dir()):
        raise Usage(f"{out} is not a directory: name another with --out", code="out_taken")
    if out.exists() and any(out.iterdir()):
        raise Usage(
            f"{out} holds files, and nothing is overwritten: name another with --out",
            code="out_taken",
            expected="a new or an empty directory",
        )


class _Said(NamedTuple):
    """What is told of a collection."""

    name: str
    out: Path
    bound: bytes
    files: list[str]
    simulated: bool
    gpus: GpuEvidence | None


def _say(screen: Screen, said: _Said, *, as_json: bool) -> None:
    following = shell("teeproof", "verify", said.out)
    if as_json:
        screen.json(_json(said, following))
        return
    mark = screen.paint("SIMULATED ", "magenta", "bold") if said.simulated else ""
    screen.write(mark + screen.paint(f"evidence of {said.name}", "bold"))
    screen.write()
    screen.row("written to", str(said.out))
    screen.row("files", ", ".join(said.files))
    if said.gpus is not None:
        screen.row("gpus", said.gpus.words, *("yellow",) * said.gpus.settings.devtools)
    screen.copied("report_data", said.bound.hex())
    screen.copied("next", following, "bold")


def _json(said: _Said, following: str) -> dict[str, object]:
    gpus = said.gpus
    told = None if gpus is None else {"count": gpus.gpus, "settings": gpus.settings._asdict()}
    return {
        "attester": said.name,
        "simulated": said.simulated,
        "report_data": said.bound.hex(),
        "directory": str(said.out),
        "files": said.files,
        "gpus": told,
        "next": following,
    }
