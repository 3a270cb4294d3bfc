"""What ``teeproof doctor`` looks at: attesters, packages, the data directory, the clock.

Nothing is attested, nothing is written, and no network is used.
"""

from __future__ import annotations

import ctypes
import os
import re
import shutil
import stat
import sys
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

from teeproof.cli.endorsing import archive_of
from teeproof.core.clock import format_time
from teeproof.core.errors import Error
from teeproof.core.home import data_directory

__all__ = ["Finding", "clock", "data", "packages", "programs", "wanted"]

EARLIEST = datetime(2026, 1, 1, tzinfo=UTC)  # before this version was written
LATEST = datetime(2100, 1, 1, tzinfo=UTC)
_FOR_DEVELOPERS = ("dev", "fuzz")
_REQUIREMENT = re.compile(
    r"(?P<name>[A-Za-z0-9._-]+)(?P<bound>(?:==|>=)[^;,\s]+)?[^;]*"
    r"(?:;\s*extra == ['\"](?P<extra>[\w-]+)['\"])?"
)
_UNSYNCHRONISED = 5  # TIME_ERROR of adjtimex(2)


class Finding(NamedTuple):
    """One thing that was looked at.

    Attributes:
        name: what it is.
        state: ``good``; ``absent``, where nothing needs it; ``broken``, where something does.
        detail: one sentence.
        remedy: what one would do; empty where nothing is to be done.
    """

    name: str
    state: str
    detail: str
    remedy: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return the fields by name."""
        return self._asdict()


def packages(requirements: Iterable[str] | None) -> list[Finding]:
    """Return whether the base install is whole, and which extras are.

    Args:
        requirements: as the package's metadata lists them; None where it has none.
    """
    if requirements is None:
        why = "not known: teeproof runs from its sources, and is not installed as a package"
        return [Finding("base install", "absent", why, "pip install .")]
    lacking: dict[str, list[str]] = {"": []}
    for text in requirements:
        found = _REQUIREMENT.match(text)
        if found is None:
            continue
        extra = found["extra"] or ""
        lacking.setdefault(extra, [])
        if not _installed(found["name"], found["bound"] or ""):
            lacking[extra].append(f"{found['name']}{found['bound'] or ''}")
    return [_package(extra, names) for extra, names in lacking.items()
            if extra not in _FOR_DEVELOPERS]  # fmt: skip


def wanted() -> list[str] | None:
    """Return what this package requires, by its metadata; None where it has none."""
    try:
        return metadata.requires("teeproof")
    except metadata.PackageNotFoundError:
        return None


def programs() -> list[Finding]:
    """Return the programs that teeproof starts, where they are installed."""
    found = shutil.which("bwrap")
    if found:
        return [Finding("bwrap", "good", f"workloads run in a sandbox, by {found}")]
    why = "workloads run without a sandbox"
    return [Finding("bwrap", "absent", why, "apt-get install bubblewrap")]


def data(environment: Mapping[str, str]) -> list[Finding]:
    """Return the state of the data directory and of the archive of endorsements in it."""
    home = data_directory(environment)
    place = _place(home)
    return [place] if place.state == "broken" else [place, _archive(environment)]


def clock(now: datetime, environment: Mapping[str, str]) -> list[Finding]:
    """Return whether the machine's time can be right, as far as anything here tells."""
    found = [_plausible(now, environment)]
    synchronised = _synchronised()
    if synchronised is not None:
        words = "" if synchronised else "not "
        state = "good" if synchronised else "absent"
        remedy = "" if synchronised else "run a time service such as chrony, or name times by --at"
        said = f"the kernel's clock is {words}synchronised, as the kernel says"
        found.append(Finding("time service", state, said, remedy))
    return found


def _package(extra: str, lacking: list[str]) -> Finding:
    name = extra or "base install"
    if not lacking:
        return Finding(name, "good", "installed")
    what = f"teeproof[{extra}]" if extra else "teeproof"
    state = "absent" if extra else "broken"
    shown = ", ".join(lacking[:6]) + (", …" if len(lacking) > 6 else "")
    return Finding(name, state, f"missing: {shown}", f"pip install '{what}'")


def _installed(name: str, bound: str) -> bool:
    try:
        version = metadata.version(name).partition("+")[
            0
        ]  # PEP 440: a local label counts for nothing
    except metadata.PackageNotFoundError:
        return False
    if bound.startswith("=="):
        return version == bound[2:]
    return _release(version) >= _release(bound[2:])


def _release(version: str) -> tuple[int, ...]:
    digits = re.match(r"[\d.]*", version)
    return tuple(int(part) for part in (digits[0] if digits else "").split(".") if part)


def _place(home: Path) -> Finding:
    name = "data directory"
    try:
        mode = home.stat().st_mode
    except FileNotFoundError:
        return Finding(name, "good", f"{home} is not there yet: it is made when something is kept")
    except OSError as error:
        return Finding(name, "broken", f"{home}: {error.strerror}", "name another in TEEPROOF_HOME")
    if not stat.S_ISDIR(mode):
        why = f"{home} is no directory"
        return Finding(name, "broken", why, "move it away, or name another in TEEPROOF_HOME")
    if not os.access(home, os.R_OK | os.W_OK | os.X_OK):
        why = f"this user may not read and write {home}"
        return Finding(name, "broken", why, "correct its owner, or name another in TEEPROOF_HOME")
    return Finding(name, "good", str(home))


def _archive(environment: Mapping[str, str]) -> Finding:
    name = "endorsements"
    try:
        entries, faults = archive_of(environment).survey()
    except Error as error:
        return Finding(name, "broken", error.detail, "correct the directory's mode")
    if faults:
        first = faults[0]
        why = f"{first.name} is no entry ({first.why}), of {len(faults)} such files"
        return Finding(name, "broken", why, "teeproof endorsements check")
    if not entries:
        return Finding(
            name, "absent", "none are kept: evidence verifies with what comes beside it",
            "teeproof endorsements add FILE, or fetch",
        )  # fmt: skip
    latest = format_time(max(entry.ends for entry in entries))
    kept = "1 set is kept" if len(entries) == 1 else f"{len(entries)} sets are kept"
    return Finding(name, "good", f"{kept}, in force until {latest} at the latest")


def _plausible(now: datetime, environment: Mapping[str, str]) -> Finding:
    name, said = "clock", f"it says {format_time(now)}"
    if not EARLIEST <= now < LATEST:
        why = f"{said}, which cannot be: no certificate would hold"
        return Finding(name, "broken", why, "set the clock, or name times by --at")
    issued = _newest(environment)
    if issued is not None and now.timestamp() < issued:
        why = f"{said}, and endorsements that are kept were issued at {format_time(issued)}"
        return Finding(name, "broken", why, "set the clock, or name times by --at")
    return Finding(name, "good", said)


def _newest(environment: Mapping[str, str]) -> int | None:
    try:
        return max((entry.begins for entry in archive_of(environment).entries()), default=None)
    except Error:
        return None  # what is wrong with the archive is said beside it


def _synchronised() -> bool | None:
    """Return what the kernel says of its clock; None where it cannot be asked."""
    if sys.platform != "linux":
        return None
    room = ctypes.create_string_buffer(512)  # struct timex has 208 bytes; no modes: nothing is set
    found = int(ctypes.CDLL(None).adjtimex(room))
    return None if found < 0 else found != _UNSYNCHRONISED
