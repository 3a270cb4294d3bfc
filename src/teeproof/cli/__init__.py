"""The command line: a file per noun, or a folder with a file per command, imported when called.

Exit codes: 0 good, 1 usage, 2 not authentic, 3 something needed is missing, 4 authentic but not
allowed by the policy, 70 a fault of teeproof itself, 74 the output could not be written.
"""

from __future__ import annotations

from collections.abc import Sequence

from teeproof.cli.running import run

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program and return its exit code; what ``teeproof`` and ``python -m`` call."""
    from teeproof.cli.group import teeproof  # noqa: PLC0415  so that errors of the import are caught

    return run(teeproof, arguments)
