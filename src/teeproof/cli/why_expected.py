"""``teeproof why LOG --expected FILE``: where a machine differs from what its images give."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from teeproof.cli.screen import Screen
from teeproof.core.errors import Usage
from teeproof.core.reading import read_bounded
from teeproof.evidence.eventlog import firmware, parse
from teeproof.evidence.eventlog.difference import Difference
from teeproof.evidence.measure.compare import Seen, differences, of_dstack, of_firmware
from teeproof.evidence.measure.expected import MAX_EXPECTED_BYTES, Expected
from teeproof.evidence.measure.expected import parse as parse_expected
from teeproof.evidence.record import MAX_EVENT_LOG_BYTES

__all__ = ["explain"]


def explain(screen: Screen, log: Path, expected: Path, *, as_json: bool) -> int:
    """Print the first difference of each register that the file expects; return 0.

    Args:
        screen: where to print.
        log: a dstack event log (JSON), or a firmware's log of a TPM or TD.
        expected: what ``teeproof measure … --json`` printed.
        as_json: whether to print JSON.

    Raises:
        Malformed, TooLarge: one of the files is not what it should be.
        Usage: the file expects registers that no log explains, or of another bank.
    """
    wanted = parse_expected(read_bounded(expected, limit=MAX_EXPECTED_BYTES, what="expectation"))
    compared = [register.name for register in wanted.registers if register.events]
    if not compared:
        raise Usage(
            "no event is expected, so no log can differ: measure a kernel",
            code="nothing_expected",
            expected="registers with events",
            got=", ".join(register.name for register in wanted.registers) or "no registers",
        )
    found = differences(wanted, _seen(log, wanted))
    if as_json:
        screen.json(_json(log, compared, found))
        return 0
    screen.text(f"{log} and what {expected} expects", "bold")
    screen.text("NOT VERIFIED: whoever wrote the log could write anything.", "yellow")
    for difference in found:
        screen.title(f"{difference.register}: {difference.kind}")
        screen.row("expected", difference.left)
        index = difference.right_index
        at = "" if index is None else f"event {index}: "
        screen.row("the log", f"{at}{difference.right}")
        screen.row("depends on", difference.depends_on)
    _write_same(screen, wanted, {difference.register for difference in found})
    return 0


def _write_same(screen: Screen, wanted: Expected, other: Collection[str]) -> None:
    same = [r for r in wanted.registers if r.events and r.name not in other]
    whole = ", ".join(r.name for r in same if r.values)
    partly = ", ".join(r.name for r in same if not r.values)
    screen.write()
    screen.text(f"As expected: {whole or 'none'}.", "bold")
    if partly:
        screen.text(f"As expected, but for events that only the host knows: {partly}.")


def _seen(path: Path, wanted: Expected) -> Mapping[str, Sequence[Seen]]:
    data = read_bounded(path, limit=MAX_EVENT_LOG_BYTES, what="event log")
    if data.lstrip()[:1] == b"[":
        return of_dstack(parse(data))
    found = of_firmware(firmware.parse(data), expected=wanted)
    if found is None:
        raise Usage(
            "the log does not hold the bank that is expected: measure for another",
            code="not_comparable",
            expected=wanted.bank,
        )
    return found


def _json(log: Path, compared: Sequence[str], found: Sequence[Difference]) -> dict[str, Any]:
    return {
        "log": str(log),
        "verified": False,
        "same": not found,
        "compared": list(compared),
        "differences": [msgspec.to_builtins(difference) for difference in found],
    }
