"""``teeproof log show``: a log's key, its sizes, its last checkpoint and who cosigned that."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from teeproof.cli.log.options import exposure, logs_out_option, write_policy
from teeproof.cli.options import PATH, output_options
from teeproof.cli.screen import ColorChoice, Screen, standard
from teeproof.core.clock import format_time
from teeproof.core.errors import Error
from teeproof.proof.log.formats.checkpoint import SignedCheckpoint
from teeproof.proof.log.formats.cosignature import claimed_time
from teeproof.proof.log.storage.directory import Directory
from teeproof.proof.log.storage.disk import Disk
from teeproof.proof.log.storage.log import Log

__all__ = ["command"]


@click.command("show")
@click.argument("directory", type=PATH)
@logs_out_option
@output_options
def command(
    directory: Path, *, logs_out: Path | None, force: bool, as_json: bool, color: ColorChoice
) -> int:
    """Show the log in DIRECTORY: its key and policy line, how much it holds, who cosigned it.

    It reads what the directory says of itself; whether that holds, teeproof log check says.

    \b
    Examples
      teeproof log show my-log
      teeproof log show my-log --logs-out trusted-logs
    """  # noqa: D301  click reads the \b
    key = Directory(directory, Disk()).key()
    if logs_out:
        write_policy(logs_out, key, force=force)
    found: dict[str, Any] = {
        "directory": str(directory),
        "origin": key.name,
        "vkey": key.text(),
        "policy_line": f"log {key.text()}",
    }
    wrong: Error | None = None
    try:
        with Log.open(directory, read_only=True) as log:
            found |= {"warning": exposure(log), "bytes": _sizes(log)} | _published(log.checkpoint())
    except Error as error:  # what could be read is shown all the same
        wrong, found["error"] = error, error.to_json()
    screen = standard(color)
    if as_json:
        screen.json({"ok": wrong is None} | found)
    else:
        _say(screen, found, wrong, logs_out)
    return wrong.exit_code if wrong else 0


def _published(signed: SignedCheckpoint) -> dict[str, Any]:
    checkpoint = signed.checkpoint
    lines = [line for line in signed.note.signatures if line.name != checkpoint.origin]
    times = [claimed_time(line) for line in lines]
    return {
        "size": checkpoint.size,
        "root": checkpoint.root.hex(),
        "checkpoint": signed.encode().decode(),
        "cosignatures": [
            {"witness": line.name, "time": None if time is None else format_time(time)}
            for line, time in zip(lines, times, strict=True)
        ],
    }


def _sizes(log: Log) -> dict[str, int]:
    """Return how many bytes lie in the parts of a log's directory."""
    return {
        name: sum(path.lstat().st_size for path in (log.directory / name).rglob("*"))
        for name in ("journal", "blobs")
    }


def _say(screen: Screen, found: dict[str, Any], wrong: Error | None, policy: Path | None) -> None:
    screen.text(found["origin"], "bold")
    screen.copied("directory", found["directory"])
    screen.copied("key", found["vkey"])
    screen.copied("for policies", found["policy_line"])
    if policy:
        screen.copied("policy", str(policy))
    if "size" in found:
        screen.row("published", f"{found['size']} entries")
        screen.copied("root", found["root"])
        for line in found["cosignatures"]:
            screen.row("cosigned by", f"{line['witness']}, {line['time'] or 'at no time'}")
        if not found["cosignatures"]:
            screen.row("cosigned by", "nobody")
        sizes = ", ".join(f"{name} {size:,}" for name, size in found["bytes"].items())
        screen.row("bytes", sizes)
    if found.get("warning"):
        screen.row("warning", found["warning"], mark=screen.paint("!", "yellow", "bold"))
    if wrong:
        screen.row(wrong.code, wrong.detail, mark=screen.paint("✗", "red", "bold"))
