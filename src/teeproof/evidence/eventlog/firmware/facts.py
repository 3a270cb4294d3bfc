"""What a firmware's log establishes of the boot, once the registers confirm it.

Nothing is taken from an event's type, which no digest covers. What the firmware says of itself is
taken only from before the separator: behind it the operating system can measure what it likes.

Trusts: registers that the log explains.  Does not trust: types, labels, the running system.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
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
        events: how many events the registers confirm: those of the ones that the log explains.
        explained: the registers that the log explains, as messages name them.
        unexplained: registers that something outside this log extended as well.
        secure_boot: whether the firmware only started what was signed; None if it does not say.
        images: digests of what was started, in order: of each event of the boot loaders' register
            whose data is not what it measured. None if that register is not explained.
        authorities: digests of what the register of the Secure Boot policy took up behind its
            separator: keys, and lists of them, that something was let through by. None likewise.
    """

    events: int
    explained: tuple[str, ...]
    unexplained: tuple[str, ...]
    secure_boot: bool | None
    images: tuple[str, ...] | None
    authorities: tuple[str, ...] | None

    def to_json(self) -> dict[str, Any]:
        """Return the facts for people and programs."""
        return {
            "events": self.events,
            "explained": list(self.explained),
            "unexplained": list(self.unexplained),
            "secure_boot": self.secure_boot,
            "images": None if self.images is None else list(self.images),
            "authorities": None if self.authorities is None else list(self.authorities),
        }


def boot_facts(
    log: Log,
    *,
    explained: Collection[int],
    unexplained: Collection[int],
    word: Callable[[int], str],
    policy: int,
    loaders: int,
    bank: int,
) -> BootFacts:
    """Return what the log establishes.

    Args:
        log: the log.
        explained: the registers, as the log numbers them, whose replay gave the quoted value.
        unexplained: those where it did not, because others extend them later.
        word: how messages name a register.
        policy: the register that holds the Secure Boot policy.
        loaders: the register that boot loaders and kernels are measured into.
        bank: the bank that was replayed.
    """
    of = {i: [e for e in log.events if e.extends and e.register == i] for i in explained}
    return BootFacts(
        events=sum(map(len, of.values())),
        explained=tuple(map(word, sorted(explained))),
        unexplained=tuple(map(word, sorted(unexplained))),
        secure_boot=_secure_boot(of[policy], bank) if policy in of else None,
        images=_images(of[loaders], bank) if loaders in of else None,
        authorities=_authorities(of[policy], bank) if policy in of else None,
    )


def _before(events: Sequence[Event], bank: int) -> Sequence[Event]:
    """Return what the firmware measured while it was in charge; nothing if it never ended that.

    A mark of an error ends it as well, and so does what may be a boot order or such a mark.
    """
    for at, event in enumerate(events):
        if event.separates(bank) or event.marks_an_error(bank):
            return events[:at]
    return ()


def _secure_boot(events: Sequence[Event], bank: int) -> bool | None:
    before = _before(events, bank)
    found = {said.data for event in before if (said := _variable(event, bank)) is not None}
    return _ANSWERS.get(found.pop()) if len(found) == 1 else None


def _images(events: Sequence[Event], bank: int) -> tuple[str, ...]:
    return tuple(
        event.digests[bank].hex()
        for event in events
        if not event.separates(bank) and coverage(event, bank=bank) == "nothing"
    )


def _authorities(events: Sequence[Event], bank: int) -> tuple[str, ...]:
    behind = events[len(_before(events, bank)) :]
    return tuple(event.digests[bank].hex() for event in behind if not event.separates(bank))


def _variable(event: Event, bank: int) -> tcg.Variable | None:
    covered = coverage(event, bank=bank) == "data"
    variable = tcg.parse_variable(event.data) if covered else None
    if variable is None or (variable.guid, variable.name) != (EFI_GLOBAL, "SecureBoot"):
        return None
    return variable
