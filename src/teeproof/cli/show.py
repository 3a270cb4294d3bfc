"""``teeproof show``: print what a file claims, without checking it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click

from teeproof.cli.claims import CARRIERS, claims
from teeproof.cli.claims.files import LABELS as FILES
from teeproof.cli.claims.files import claims_of_log, is_log
from teeproof.cli.claims.proof import LABELS as PROOFS
from teeproof.cli.claims.proof import claims_of
from teeproof.cli.incoming import on_disk
from teeproof.cli.meanings import toml
from teeproof.cli.options import output_options, paths_argument
from teeproof.cli.quoting import shell, write_unverified
from teeproof.cli.screen import ColorChoice, Screen, standard
from teeproof.core import strictjson
from teeproof.evidence.files.kinds import KINDS
from teeproof.evidence.files.reading import read_pieces

__all__ = ["command", "write_claims"]

_LABELS: dict[str, str] = {**dict[str, str](KINDS.items()), **PROOFS, **FILES}
_COPIED = frozenset({"id", "key", "for_policies", "public", "recipient", "digest", "root"})
_MEANING = "_meaning"
_HIDDEN = ("kind", "name", "verified")
_TEXTS = ("docker_compose_file",)  # whose line ends are line ends; elsewhere they are escaped
_COLUMN = 18


@click.command("show")
@paths_argument
@click.option("--ppid", is_flag=True, help="Print the PPID too; it names the machine for ever.")
@output_options
def command(files: Sequence[Path], *, ppid: bool, as_json: bool, color: ColorChoice) -> int:
    """Print what a file claims, without checking it.

    Of a quote, each field, the certificates and what Intel says of the platform; of collateral, its
    dates and levels; of an event log, each event in words; of a saved verdict, its checks; of a
    proof, its statements, identities and logs; of a statement, receipt or identity, what it says;
    of a sealed file, a key, a log's policy, checkpoint or directory, what it is.

    \b
    Examples
      teeproof show quote.bin
      teeproof show answer.proof
      teeproof show collateral.json --json
    """  # noqa: D301  click reads the \b
    quotes: dict[bytes, str] = {}
    with on_disk(files) as paths:
        shown = [
            found
            for pair in zip(files, paths, strict=True)
            for found in _claimed(*pair, ppid=ppid, every=as_json, quotes=quotes)
        ]
    screen = standard(color)
    if as_json:
        values = [found for found, _ in shown]
        screen.json(values[0] if len(values) == 1 else values)
        return 0
    for index, (found, hint) in enumerate(shown):
        if index:
            screen.write()
        write_claims(screen, found, hint=hint)
    return 0


def _claimed(
    typed: Path, path: Path, *, ppid: bool, every: bool, quotes: dict[bytes, str]
) -> Iterator[tuple[dict[str, Any], str]]:
    """Yield what a file claims, or each in a directory, and what to type to verify it, if anything.

    Args:
        typed: what a person named.
        path: where it lies.
        ppid: whether the PPID is shown.
        every: list all statements of a proof, however many.
        quotes: those that were shown, by their digests.
    """
    if is_log(path):
        yield claims_of_log(path), shell("teeproof", "log", "check", path)
        return
    verify = shell("teeproof", "verify", typed)
    found = None if path.is_dir() else claims_of(path, every=every)
    if found is not None:
        yield found, verify if found["kind"] == "proof" else ""
        return
    for piece in read_pieces([path]):
        yield claims(piece, ppid=ppid, quotes=quotes), verify if piece.kind in CARRIERS else ""


def write_claims(screen: Screen, found: dict[str, Any], *, hint: str = "") -> None:
    """Write what one file claims.

    Args:
        screen: where to.
        found: the claims.
        hint: the command that checks it; empty where nothing does.
    """
    kind: str = found["kind"]
    screen.sides(_LABELS[kind], found["name"], "bold")
    write_unverified(screen, hint)
    if kind == "verdict":
        _write_verdict(screen, found)
        return
    screen.write()
    fields = {k: v for k, v in found.items() if k not in _HIDDEN}
    expects = fields.pop("expects") if kind == "policy" else {}
    _write_fields(screen, fields)
    if expects:
        screen.title("expects")
    for field, value in expects.items():
        screen.text(f"{field} = {toml(value)}", indent=2)


def _write_fields(screen: Screen, fields: dict[str, Any]) -> None:
    """Write rows, and below them one section per field that has fields of its own."""
    nested = {k: v for k, v in fields.items() if isinstance(v, dict) or _is_table(v)}
    column = max([_COLUMN, *(len(k) + 2 for k in fields if k not in nested)])
    for key, value in fields.items():
        if key in nested or (key.endswith(_MEANING) and key.removesuffix(_MEANING) in fields):
            continue
        label = key.removesuffix(_MEANING)
        meaning = fields.get(f"{key}{_MEANING}")
        texts = _text(value).split("\n") if key in _TEXTS else [_text(value)]
        if key in _COPIED and meaning is None:
            screen.copied(label, texts[0], column=column)
            continue
        for text, style in _lines(texts, meaning):
            screen.row(label, text, *style, column=column)
            label = ""
    for key, value in nested.items():
        screen.title(key.replace("_", " "))
        if isinstance(value, dict):
            _write_fields(screen, value)
        elif key == "event_log":
            write_events(screen, value)
        else:
            _write_table(screen, value)


def write_events(screen: Screen, events: Sequence[dict[str, Any]]) -> None:
    """Write each event of a log on a line: position, register, what happened."""
    for event in events:
        screen.row(f"{event['index']:>3} {event['register']}", event["sentence"], column=12)


def _write_table(screen: Screen, rows: Sequence[dict[str, Any]]) -> None:
    for index, row in enumerate(rows):
        if index:
            screen.write()
        _write_fields(screen, row)


def _lines(texts: Sequence[str], meaning: str | None) -> Iterator[tuple[str, tuple[str, ...]]]:
    if meaning is not None and len(texts) == 1 and len(texts[0]) <= 20:
        yield f"{texts[0]} ({meaning})", ()
        return
    for text in texts:
        yield text, ()
    if meaning is not None:
        yield meaning, ("dim",)


def _text(value: Any) -> str:
    if value is None:
        return "not stated"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(map(_text, value)) or "none"
    text = str(value)
    if len(text) >= 32 and not text.strip("0"):
        return f"{len(text) // 2} zero bytes"
    return text


def _is_table(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], dict)


def _write_verdict(screen: Screen, found: dict[str, Any]) -> None:
    from teeproof.cli.verdicts import write_strength, write_verdict  # noqa: PLC0415  few files are verdicts
    from teeproof.evidence.verdict import Verdict  # noqa: PLC0415

    verdict = Verdict.from_json(strictjson.dumps(found["verdict"]))
    screen = screen.without("green")  # nobody verified it here
    screen.text("Only its maker knows whether it is true: verify the evidence itself.", "yellow")
    screen.write()
    write_strength(screen, verdict)
    screen.row("as of", verdict.provenance.time)
    screen.row("made by", verdict.provenance.verifier)
    write_verdict(screen, verdict)
