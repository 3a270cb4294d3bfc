"""``teeproof simulate``: make simulated evidence, right or wrong in a way you choose."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

import click

from teeproof.cli.options import PATH, output_options, time_of
from teeproof.cli.outgoing import require_place
from teeproof.cli.pieces import QUOTE_NAMES, pieces_of
from teeproof.cli.quoting import shell
from teeproof.cli.screen import ColorChoice, Screen, standard
from teeproof.core.errors import Usage
from teeproof.core.home import data_directory
from teeproof.core.writing import write_folder
from teeproof.evidence.collect.simulated import (
    State,
    open_platform,
    reference_policy,
    simulate,
    states,
)
from teeproof.evidence.record import Evidence

__all__ = ["MARK", "command", "files_of", "write_simulated"]

DEFAULT_FOLDER = Path("simulated-evidence")
MARK = "SIMULATED.txt"
_OURS = frozenset(
    {
        MARK,
        "quote.bin",
        *QUOTE_NAMES.values(),
        "certificates.pem",
        "firmware_log.bin",
        "platform_key.json",
        "collateral.json",
        "event_log.json",
        "app-compose.json",
        "mr_config.json",
        "policy.toml",
    }
)
_NUMBERED = re.compile(r"manifest-\d+\.(xml|json)|ocsp-\d+\.der")
_ANSWERS = {
    "accepted": (0, "allowed, as simulated evidence"),
    "not-authentic": (2, "not authentic"),
    "unavailable": (3, "cannot tell: something is missing"),
    "not-allowed": (4, "authentic, and not allowed by the policy"),
}


@click.command("simulate")
@click.argument("state", required=False, default="up-to-date")
@click.option("--list", "listing", is_flag=True, help="List every state.")
@click.option(
    "--out",
    type=PATH,
    default=DEFAULT_FOLDER,
    show_default=True,
    help="The directory to write.",
)
@click.option("--report-data", metavar="HEX", help="64 bytes to bind; without it, random ones.")
@click.option("--quote-version", type=click.Choice(["4", "5"]), help="For the state up-to-date.")
@click.option("--at", metavar="TIME", help="When somebody will verify it; without it, now.")
@output_options
def command(
    state: str,
    *,
    listing: bool,
    out: Path,
    report_data: str | None,
    quote_version: str | None,
    at: str | None,
    as_json: bool,
    color: ColorChoice,
) -> int:
    """Make simulated evidence in a STATE: in order (up-to-date), or wrong in a way you choose.

    The platform's root key is made on this machine and kept in the data directory. What it signs is
    marked as simulated everywhere, proves nothing, and is refused unless a policy pins that root.

    \b
    Examples
      teeproof simulate
      teeproof simulate debug --out /tmp/debug
      teeproof simulate --list
    """  # noqa: D301  click reads the \b
    screen = standard(color)
    if listing:
        return _list(screen, as_json=as_json)
    require_place(out, what="a directory")
    name = _versioned(state, quote_version)
    platform = open_platform(data_directory(os.environ))
    bound = _report_data(report_data)
    now = time_of(at)
    evidence = simulate(name, bound, platform=platform, now=now)
    policy = reference_policy(platform, report_data=bound, kind=states()[name].kind)
    write_simulated(out, files_of(evidence, policy=policy, state=states()[name]))
    _say(screen, states()[name], out, at=at, now=now, as_json=as_json)
    return 0


def files_of(evidence: Evidence, *, policy: str, state: State) -> dict[str, bytes]:
    """Return simulated evidence as files by name."""
    return {MARK: _mark(state), "policy.toml": policy.encode()} | pieces_of(evidence)


def write_simulated(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write a directory whole or not at all; only earlier simulated evidence is overwritten.

    Raises:
        Usage: the directory holds something else.
        Unavailable: it cannot be written.
    """
    _require_ours(folder)
    write_folder(folder, files, overwrite=True)


def _require_ours(folder: Path) -> None:
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise Usage(f"{folder} is not a directory: name another with --out", code="out_taken")
    present = {entry.name for entry in folder.iterdir()} if folder.exists() else set()
    strange = {name for name in present - _OURS if not _NUMBERED.fullmatch(name)}
    if present and not (MARK in present and not strange):
        raise Usage(
            f"{folder} holds other files, and nothing is overwritten: name another with --out",
            code="out_taken",
            expected="a new directory, or one with earlier simulated evidence",
            got=", ".join(sorted(strange or present))[:200],
        )


def _versioned(state: str, version: str | None) -> str:
    if version is None or (version, state) == ("4", "up-to-date"):
        return state
    if state == "up-to-date":
        return "up-to-date-v5"
    raise Usage(
        f"the state {state} fixes its own quote version",
        code="quote_version_fixed",
        expected="--quote-version with up-to-date only",
        got=state,
    )


def _report_data(text: str | None) -> bytes:
    if text is None:
        return os.urandom(64)
    try:
        value = bytes.fromhex(text.removeprefix("0x"))
    except ValueError:
        value = b""
    if len(value) != 64:
        raise Usage(
            "--report-data takes 64 bytes in hex",
            code="report_data_malformed",
            expected="128 hex digits",
            got=f"{len(text)} characters",
        )
    return value


def _mark(state: State) -> bytes:
    return (
        f"SIMULATED evidence in the state {state.name}: {state.sentence}\n"
        "It was made by teeproof's simulator and proves nothing about any hardware.\n"
    ).encode()


def _next(out: Path, at: str | None) -> str:
    when = f" --at {shlex.quote(at)}" if at else ""
    return shell("teeproof", "verify", out, "--policy", out / "policy.toml") + when


def _say(
    screen: Screen, state: State, out: Path, *, at: str | None, now: datetime, as_json: bool
) -> None:
    code, answer = _ANSWERS[state.outcome]
    if as_json:
        said = {
            "level": "simulated",
            "state": state.name,
            "sentence": state.sentence,
            "directory": str(out),
            "files": sorted(entry.name for entry in out.iterdir()),
            "next": _next(out, at),
            "expected_exit_code": code,
        }
        screen.json(said)
        return
    screen.write(
        screen.paint("SIMULATED", "magenta", "bold") + screen.paint(f" {state.name}", "bold")
    )
    screen.text(state.sentence)
    screen.write()
    screen.row("written to", str(out))
    screen.row("files", ", ".join(sorted(entry.name for entry in out.iterdir())))
    screen.copied("next", _next(out, at), "bold")
    screen.row("its answer", f"{answer} (exit code {code})")


def _list(screen: Screen, *, as_json: bool) -> int:
    found = states().values()
    if as_json:
        rows = [{"name": s.name, "outcome": s.outcome, "sentence": s.sentence} for s in found]
        screen.json(rows)
        return 0
    screen.write(screen.paint("SIMULATED", "magenta", "bold") + " evidence in every state")
    for outcome, (code, answer) in _ANSWERS.items():
        members = [state for state in found if state.outcome == outcome]
        if members:
            screen.title(f"{answer} (exit code {code})")
        for state in members:
            screen.row(state.name, state.sentence, column=32)
    return 0
