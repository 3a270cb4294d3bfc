"""How long each command takes to start, and how much memory: beside a Python that does nothing."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from bench.measure import Row, commands
from tests.cli_tree import commands as tree

FELT = 0.3  # seconds: the longest start that a person does not notice as a wait


def rows() -> Iterator[Row]:
    """Yield the start of every command (``--help``), and the memory of the largest."""
    program = Path(sys.executable).with_name("teeproof")
    names = sorted(tree())
    lines = [[program, *name.split()[1:], "--help"] for name in names]
    nothing, library, *found = commands(
        [[sys.executable, "-c", "pass"], [sys.executable, "-c", "import teeproof"], *lines]
    )
    bare = "python -c pass"
    yield Row("import teeproof", library.cpu, nothing.cpu, bare, at_most=FELT)
    for name, child in zip(names, found, strict=True):
        yield Row(f"{name} --help", child.cpu, nothing.cpu, bare, at_most=FELT)
    largest = max(found, key=lambda child: child.memory.value)
    name = names[found.index(largest)]
    yield Row(f"peak memory of {name} --help", largest.memory, nothing.memory, bare, unit="B")
