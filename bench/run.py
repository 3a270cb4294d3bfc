"""Run the benchmarks and print one table: python -m bench.run [NAME …] [--json]."""

from __future__ import annotations

import argparse
import dataclasses
import importlib
import json
import os
import platform
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from bench.measure import Figure, Row

HERE = Path(__file__).resolve().parent
HEAD = ("what", "ours", "limit", "ratio", "goal", "noise", "the limit is")
SCALES = {
    "s": [(1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns")],
    "B": [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB"), (1, "B")],
    "1/s": [(1e9, "G/s"), (1e6, "M/s"), (1e3, "k/s"), (1, "/s")],
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return 1 if a benchmark failed. A goal that is missed is only shown."""
    parser = argparse.ArgumentParser(prog="bench.run", description=__doc__)
    parser.add_argument("names", nargs="*", help="areas, such as start; all if none is named")
    parser.add_argument("--json", action="store_true", help="print the rows as JSON")
    parser.add_argument("--folder", type=Path, default=HERE, help=argparse.SUPPRESS)
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    there = sorted(path.stem.removeprefix("bench_") for path in options.folder.glob("bench_*.py"))
    unknown = set(options.names) - set(there)
    if unknown:
        print(f"no such benchmark: {', '.join(sorted(unknown))}; there are {', '.join(there)}")
        return 2
    if options.here:
        print(json.dumps([dataclasses.asdict(row) for row in _rows(options)]))
        return 0
    found = {name: _apart(name, options.folder) for name in options.names or there}
    rows = [row for some in found.values() for row in some or ()]
    if options.json:
        print(json.dumps([dataclasses.asdict(row) | {"ratio": row.ratio} for row in rows]))
    else:
        print(f"{machine()}\n\n{table(rows)}\n\n{summary(rows)}")
    return 1 if None in found.values() or not rows else 0


def _rows(options: argparse.Namespace) -> list[Row]:
    sys.path.insert(0, str(options.folder))
    home = "bench." if options.folder == HERE else ""
    return [
        row
        for name in options.names
        for row in importlib.import_module(f"{home}bench_{name}").rows()
    ]


def _apart(name: str, folder: Path) -> list[Row] | None:
    """Run one file in a process of its own; None if it failed, with its last words on stderr."""
    command = [sys.executable, "-m", "bench.run", "--here", "--folder", str(folder), name]
    answer = subprocess.run(
        command, stdout=subprocess.PIPE, text=True, check=False, cwd=HERE.parent
    )
    if answer.returncode:
        ended = f"ended by signal {-answer.returncode}" if answer.returncode < 0 else ""
        print(f"bench: {name} failed: {ended or 'its message stands above'}", file=sys.stderr)
        return None
    *said, last = answer.stdout.splitlines()
    for line in said:
        print(line)
    return [
        Row(**{**row, "ours": Figure(**row["ours"]), "limit": Figure(**row["limit"])})
        for row in json.loads(last)
    ]


def table(rows: Sequence[Row]) -> str:
    """Return the rows as aligned text."""
    lines = [HEAD, *(_cells(row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEAD))]
    texts = [
        "  ".join(
            cell.ljust(width) if column in (0, len(HEAD) - 1) else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    ]
    return "\n".join([texts[0], "-" * max(map(len, texts)), *texts[1:]])


def _cells(row: Row) -> tuple[str, ...]:
    goals = [] if row.goal is None else [f">= {row.goal:.2f}"]
    if row.at_most is not None:
        goals.append(f"<= {amount(row.at_most, row.unit)}")
    goal = " and ".join(goals) or "-"
    return (
        row.what,
        amount(row.ours.value, row.unit),
        amount(row.limit.value, row.unit),
        "-" if row.ratio is None else f"{row.ratio:.2f}",
        goal + (" MISSED" if row.met is False else ""),
        f"{max(row.ours.noise, row.limit.noise):.0%}",
        row.limit_is,
    )


def amount(value: float, unit: str) -> str:
    """Return a value with three digits and the unit that fits it."""
    scales = SCALES[unit]
    if not value:
        return f"0 {scales[-1][1]}"
    factor, name = next((scale for scale in scales if abs(value) >= scale[0]), scales[-1])
    scaled = value / factor
    digits = 0 if scaled >= 100 else 1 if scaled >= 10 else 2
    return f"{scaled:.{digits}f} {name}"


def summary(rows: Sequence[Row]) -> str:
    """Return one line: how many goals are met."""
    judged = [row.met for row in rows if row.met is not None]
    return f"goals: {judged.count(True)} met, {judged.count(False)} missed"


def machine() -> str:
    """Return one line about where this was measured."""
    load = os.getloadavg()[0]
    return (
        f"Python {platform.python_version()}, {platform.machine()}, {os.cpu_count()} cores, "
        f"load {load:.1f}; CPU time, best of alternating rounds"
    )


if __name__ == "__main__":
    sys.exit(main())
