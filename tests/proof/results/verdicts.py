"""Verdicts of every sort, and a key to sign them with."""

from __future__ import annotations

from typing import Any

import msgspec

from teeproof.core.clock import parse_time
from teeproof.evidence.verdict import Check, Verdict, failed, not_checked, passed
from teeproof.proof.results.keyfile import VerdictKey
from tests.evidence.scenes import NOW, judge, state

KEY = VerdictKey(b"\7" * 32)
OTHER = VerdictKey(b"\x08" * 32)
SIMULATED = judge()
AS_OF = parse_time(SIMULATED.provenance.time)
assert AS_OF == NOW

PINNED = ("mrtd", "rtmr1", "rtmr2", "rtmr3")
_TDX = ("pck-chain", "pck-revocation", "tcb-level")
_DOORS = ("debug", "migration", "service-td", "sept-ve-disable")
_LOG = ("event-log-format", "event-log-payloads", "event-log-replay", "event-log-order")


def checked(*names: str, **changed: Check) -> tuple[Check, ...]:
    """Return checks that passed, but for those that are given with ``_`` for ``-``."""
    given = {name.replace("_", "-"): check for name, check in changed.items()}
    return tuple(
        given.get(name) or passed(name, "It held.", "policy" if name in _DOORS + PINNED
                                  else "authenticity")
        for name in (*names, *(name for name in given if name not in names))
    )  # fmt: skip


def hardware(*names: str, facts: dict[str, Any] | None = None, **changed: Check) -> Verdict:
    """Return a verdict on a TDX quote of real hardware whose every check passed, with changes.

    The checks that an EAR's claims rest on are made up here, one by one; real evidence is judged
    in the tests that have it.
    """
    checks = checked(*_TDX, *_DOORS, *(names or PINNED), **changed)
    return msgspec.structs.replace(
        SIMULATED,
        level="hardware",
        confidential=True,
        checks=checks,
        ok=not any(check.state == "failed" for check in checks),
        facts=SIMULATED.facts | {"tcb": {"status": "UpToDate", "advisories": []}} | (facts or {}),
    )


def of_state(name: str) -> Verdict:
    """Return the verdict on one of the simulator's states, whose root is not accepted."""
    return judge(state(name))


def refused(code: str, *, concern: str = "authenticity") -> Verdict:
    """Return a verdict on evidence that does not hold."""
    check = failed("a-check", code, "It did not hold.", concern)  # type: ignore[arg-type]
    return msgspec.structs.replace(
        SIMULATED, level=None, confidential=False, checks=(check,), ok=False, facts={}
    )


def unknown(name: str) -> dict[str, Check]:
    """Return the change that makes a check one that was not made."""
    return {name.replace("-", "_"): not_checked(name, "Nobody looked.", "policy")}
