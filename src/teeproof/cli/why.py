"""``teeproof why``: say what a machine measured, or where two machines first differ."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import msgspec

from teeproof.cli.options import PATH, output_options
from teeproof.cli.screen import ColorChoice, Screen, standard
from teeproof.core.errors import Usage
from teeproof.evidence.eventlog import Event, parse, replay
from teeproof.evidence.eventlog.difference import Difference, first_difference, register_difference
from teeproof.evidence.eventlog.labels import REGISTERS, Label, label
from teeproof.evidence.files.reading import read_pieces
from teeproof.evidence.files.unpack import unpack
from teeproof.evidence.tdx import quote as tdx_quote
from teeproof.evidence.tdx.facts import TdAttributes
from teeproof.evidence.tdx.layout import TdReport10

__all__ = ["Machine", "command", "difference"]


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """What the files of one machine say it measured. Nothing of it is verified.

    Attributes:
        name: the file's or directory's name.
        events: of its event log; None without one.
        body: its quote's TD report; None without one.
    """

    name: str
    events: tuple[Event, ...] | None
    body: TdReport10 | None

    @property
    def explained(self) -> bool | None:
        """Whether replaying the log gives the quote's registers; None if one of them is missing."""
        if self.events is None or self.body is None:
            return None
        return replay(self.events) == self.body.rtmrs


@click.command("why")
@click.argument("log", metavar="LOG|QUOTE", type=PATH)
@click.argument("other", metavar="[OTHER]", required=False, type=PATH)
@click.option(
    "--expected",
    type=PATH,
    metavar="FILE",
    help="What teeproof measure … --json printed: name the first event that differs from it.",
)
@output_options
def command(
    log: Path, other: Path | None, *, expected: Path | None, as_json: bool, color: ColorChoice
) -> int:
    """Say what a machine measured, or where two machines first differ.

    With one event log, quote or directory: each event in words, and what it depends on. With two:
    the first difference, and what must be the same for it to go away. With --expected: where the
    machine differs from what its images should give. Nothing is verified.

    \b
    Examples
      teeproof why event_log.json
      teeproof why monday/ tuesday/
      teeproof why event_log.json --expected expected.json
    """  # noqa: D301  click reads the \b
    if expected is not None:
        from teeproof.cli.why_expected import explain  # noqa: PLC0415  only then

        if other is not None:
            raise Usage("--expected compares one log: leave the other out")
        return explain(standard(color), log, expected, as_json=as_json)
    machines = [_machine(path) for path in (log, other) if path is not None]
    screen = standard(color)
    if len(machines) == 1:
        return _explain(screen, machines[0], as_json=as_json)
    return _compare(screen, machines[0], machines[1], as_json=as_json)


def difference(left: Machine, right: Machine) -> Difference | None:
    """Return the first difference between two machines, in boot order, or None.

    Raises:
        Usage: one side has only a log, the other only a quote.
    """
    found = None
    if left.body is not None and right.body is not None:
        found = register_difference(left.body, right.body)
        if found is None or found.register == "MRTD":
            return found
    if left.events is not None and right.events is not None:
        return first_difference(left.events, right.events) or found
    if found is None:
        raise Usage(
            "an event log cannot be compared with a quote: give two logs, or two quotes",
            code="not_comparable",
            expected="two event logs, or two quotes",
            got=f"{left.name}, {right.name}",
        )
    return found


def _machine(path: Path) -> Machine:
    log = body = None
    for piece in read_pieces([path]):
        if piece.kind == "event-log":
            log = piece.data
        elif piece.kind in ("tdx-quote", "quote-response", "attestation", "certificate"):
            found = unpack(piece)
            body = tdx_quote.parse(found.quote).body
            log = log or found.event_log
    if log is None and body is None:
        raise Usage(
            f"{path} holds neither an event log nor a TDX quote",
            code="nothing_measured",
            expected="an event log, a TDX quote, or a directory with them",
        )
    events = None if log is None else parse(log)
    return Machine(name=str(path), events=events, body=body)


def _explain(screen: Screen, machine: Machine, *, as_json: bool) -> int:
    labels = None if machine.events is None else label(machine.events)
    if as_json:
        screen.json(_explained_json(machine, labels))
        return 0
    what = "what its event log says was measured" if labels else "what its registers depend on"
    screen.sides(machine.name, what, "bold")
    maker = "made the quote" if machine.events is None else "wrote the log"
    screen.text(f"NOT VERIFIED: whoever {maker} could write anything.", "yellow")
    _write_fit(screen, machine)
    if labels is None:
        _write_registers(screen, machine.body)
        return 0
    for name, meaning in REGISTERS.items():
        events = [found for found in labels if found.register == name]
        if events:
            _write_register(screen, f"{name} – {meaning}", events)
    return 0


def _write_register(screen: Screen, title: str, events: Sequence[Label]) -> None:
    screen.write()
    screen.text(title, "bold")
    before = None
    for event in events:
        screen.row(f"{event.index:>3}", event.sentence, indent=1, column=5)
        if event.depends_on != before:
            screen.row("", f"depends on {event.depends_on}", "dim", indent=1, column=5)
        before = event.depends_on


def _write_registers(screen: Screen, body: TdReport10 | None) -> None:
    for name, value in _registers(body).items():
        screen.title(f"{name} – {REGISTERS[name]}")
        screen.text(value, indent=2)
        if not value.strip("0"):
            screen.text("zero: nothing was measured", "dim", indent=2)
    screen.write()
    screen.text("With the quote's event log, each event is named: teeproof why EVENT_LOG")


def _write_fit(screen: Screen, machine: Machine) -> None:
    if machine.explained is True:
        screen.text("Replaying the log gives the quote's four registers.", "bold")
    elif machine.explained is False:
        screen.text("Replaying the log does not give the quote's registers.", "red")


def _compare(screen: Screen, left: Machine, right: Machine, *, as_json: bool) -> int:
    found = difference(left, right)
    if as_json:
        screen.json(_compared_json(left, right, found))
        return 0
    screen.text(f"{left.name} and {right.name}", "bold")
    screen.text("NOT VERIFIED: whoever wrote the files could write anything.", "yellow")
    for machine in (left, right):
        if machine.explained is False:
            screen.text(f"The log of {machine.name} does not give its quote's registers.", "red")
    screen.write()
    if found is None:
        _write_same(screen, left, right)
        return 0
    screen.text(f"They first differ in {found.register}: {found.kind}.", "bold")
    screen.row("first", _side(found.left, found.left_index))
    screen.row("second", _side(found.right, found.right_index))
    screen.row("depends on", found.depends_on)
    return 0


def _write_same(screen: Screen, left: Machine, right: Machine) -> None:
    ordered = left.events is not None and right.events is not None
    screen.text(f"The same was measured on both{', in the same order' * ordered}.", "bold")
    for field, (one, other) in _unmeasured(left, right).items():
        screen.text(f"But they differ in {_OTHERS[field]}, which no measurement shows.", "yellow")
        screen.row("first", one)
        screen.row("second", other)


def _unmeasured(left: Machine, right: Machine) -> dict[str, tuple[str, str]]:
    """Return what else of two TD reports differs, by field: the value of each side."""
    if left.body is None or right.body is None:
        return {}
    return {
        field: (_shown(left.body, field), _shown(right.body, field))
        for field in _OTHERS
        if getattr(left.body, field) != getattr(right.body, field)
    }


def _shown(body: TdReport10, field: str) -> str:
    if field != "tdattributes":
        return str(getattr(body, field).hex())
    attributes = TdAttributes.of(body)
    unknown = [f"unknown bits {attributes.unknown:#x}"] if attributes.unknown else []
    return ", ".join([*attributes.names, *unknown]) or "none"


_OTHERS = {
    "tdattributes": "the attributes",
    "xfam": "the processor features (XFAM)",
    "mrconfigid": "MRCONFIGID",
    "mrowner": "MROWNER",
    "mrownerconfig": "MROWNERCONFIG",
    "mrseam": "the TDX module (MRSEAM)",
    "tee_tcb_svn": "the TDX module's version (TEE_TCB_SVN)",
}


def _side(words: str, index: int | None) -> str:
    return words if index is None else f"event {index}: {words}"


def _registers(body: TdReport10 | None) -> dict[str, str]:
    if body is None:
        return {}
    values = (body.mrtd, *body.rtmrs)
    return {name: value.hex() for name, value in zip(REGISTERS, values, strict=True)}


def _explained_json(machine: Machine, labels: tuple[Label, ...] | None) -> dict[str, Any]:
    return {
        "name": machine.name,
        "verified": False,
        "replays_to_the_quote": machine.explained,
        "registers": {
            name: {"value": _registers(machine.body).get(name), "depends_on": meaning}
            for name, meaning in REGISTERS.items()
        },
        "events": None if labels is None else [msgspec.to_builtins(found) for found in labels],
    }


def _compared_json(left: Machine, right: Machine, found: Difference | None) -> dict[str, Any]:
    return {
        "left": left.name,
        "right": right.name,
        "verified": False,
        "same": found is None,
        "logs_replay_to_the_quotes": [left.explained, right.explained],
        "difference": None if found is None else msgspec.to_builtins(found),
        "unmeasured": _unmeasured(left, right),
    }
