"""Real evidence for tests: where it lies, and its records by kind.

The files are read where they are and are never part of the project: ``TEEPROOF_VECTORS`` names the
folder, and without it ``../shared/vectors`` beside the project is looked at. Where neither exists,
the tests that need them are skipped, each with one line that says what is missing.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
MISSING = "real evidence is missing: name its folder in TEEPROOF_VECTORS"


@dataclass(frozen=True, slots=True)
class Record:
    """One vector.

    Attributes:
        id: its name in the manifest.
        kind: dcap, snp, nvidia, nitro, other or dstack.
        path: its file or folder.
        entry: its whole manifest entry.
    """

    id: str
    kind: str
    path: Path
    entry: dict[str, Any]

    def read(self, name: str) -> bytes:
        """Return one file of the vector."""
        return (self.path / name).read_bytes()

    @property
    def now(self) -> datetime:
        """The time at which to verify it."""
        return datetime.fromisoformat(self.entry["now"])


def directory() -> Path | None:
    """Return the folder of real evidence, or None where there is none."""
    named = os.environ.get("TEEPROOF_VECTORS")
    folder = Path(named) if named else ROOT.parent / "shared" / "vectors"
    return folder if (folder / "manifest.json").is_file() else None


@cache
def records(kind: str) -> tuple[Record, ...]:
    """Return the manifest's records of one kind; none where there is no folder."""
    folder = directory()
    if folder is None:
        return ()
    entries = json.loads((folder / "manifest.json").read_bytes())["vectors"]
    return tuple(
        Record(entry["id"], kind, folder / entry["path"], entry)
        for entry in entries
        if entry["kind"] == kind
    )


def each(kind: str, wanted: Callable[[Record], bool] = lambda _: True) -> list[Any]:
    """Return one test parameter per wanted record of a kind, or one that is skipped, and why.

    Use: ``@pytest.mark.parametrize("record", each("dcap"))``.
    """
    found = [pytest.param(record, id=record.id) for record in records(kind) if wanted(record)]
    return found or [pytest.param(None, marks=pytest.mark.skip(reason=MISSING), id="missing")]
