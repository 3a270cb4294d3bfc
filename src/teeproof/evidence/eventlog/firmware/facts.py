"""What a firmware's log establishes of the boot, once the registers confirm it.

Nothing is taken from an event's type, which no digest covers. What the firmware says of itself is
taken only from before the separator: behind it the operating system can measure what it likes.

Trusts: registers that the log explains.  Does not trust: types, labels, the running system.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any
from uuid import UUID

import msgspec

from teeproof.evidence.eventlog import tcg
from teeproof.evidence.eventlog.firmware.coverage import coverage
from teeproof.evidence.eventlog.firmware.event import Event, Log

__all__ = ["BootFacts", "boot_facts"]

EFI_GLOBAL = UUID("8be4df61-93ca-11d2-aa0d-00e098032b8c")  # UEFI 2.10, 3.3
_ANSWERS = {b"\x00": False, b"\x01": True}


class BootFacts(msgspec.Struct, frozen=True, kw_only=True):
    """Facts of one log.

    Attributes:
        events: how many events extended a register.
        explained: the registers that the log explains, as messages name them.
        unexplained: registers that something outside this log extended as well.
        secure_boot: whether the firmware only started what was signed; None if it does not say.
    """

    events: int
    explained: tuple[str, ...]
    unexplained: tuple[str, ...]
    secure_boot: bool | None

    def to_json(self) -> dict[str, Any]:
        """Return the facts for people and programs."""
        return {
            "events": self.events,
            "explained": list(self.explained),
            "unexplained": list(self.unexplained),
            "secure_boot": self.secure_boot,
        }


def boot_facts(
    log: Log,
    *,
    explained: Collection[int],
    unexplained: Collection[int],
    word: Callable[[int], str],
    policy: int,
) -> BootFacts:
    """Return what the log establishes.

    Args:
        log: the log.
        explained: the registers, as the log numbers them, whose replay gave the quoted value.
        unexplained: those where it did not, because others extend them later.
        word: how messages name a register.
        policy: the register that holds the Secure Boot policy.
    """
    return BootFacts(
        events=sum(event.extends for event in log.events),
        explained=tuple(map(word, sorted(explained))),
        unexplained=tuple(map(word, sorted(unexplained))),
        secure_boot=_secure_boot(log, policy) if policy in explained else None,
    )


def _secure_boot(log: Log, register: int) -> bool | None:
    before: list[Event] = []
    for event in log.events:
        if event.extends and event.register == register:
            if event.separates:
                break
            before.append(event)
    else:
        return None  # nothing tells what the firmware measured from what came later
    found = {variable.data for event in before if (variable := _variable(event)) is not None}
    return _ANSWERS.get(found.pop()) if len(found) == 1 else None


def _variable(event: Event) -> tcg.Variable | None:
    variable = tcg.parse_variable(event.data) if coverage(event) == "data" else None
    if variable is None or (variable.guid, variable.name) != (EFI_GLOBAL, "SecureBoot"):
        return None
    return variable
