"""Hold a machine's log against what is expected, and name the first event that differs.

Registers are chains, so only the first difference of each means something. An expected event whose
digest only the host knows stands for any number of events.

Trusts: nothing; it only compares.  Does not trust: the host that hands over the log.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from teeproof.evidence.eventlog import tcg
from teeproof.evidence.eventlog.difference import Difference
from teeproof.evidence.eventlog.event import Event
from teeproof.evidence.eventlog.firmware import Log
from teeproof.evidence.eventlog.labels import describe
from teeproof.evidence.measure.expected import Expected, ExpectedEvent, ExpectedRegister
from teeproof.evidence.tpm.wire import HASH_NAMES

__all__ = ["Seen", "differences", "of_dstack", "of_firmware"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One event of a machine's log.

    Attributes:
        index: its position in the log.
        digest: what extended the register.
        words: what the log calls it; no digest covers that.
    """

    index: int
    digest: bytes
    words: str


def of_dstack(events: Sequence[Event]) -> dict[str, list[Seen]]:
    """Return the events of a dstack event log, by register."""
    found: dict[str, list[Seen]] = {}
    for event in events:
        seen = Seen(index=event.index, digest=event.digest, words=describe(event))
        found.setdefault(event.register, []).append(seen)
    return found


def of_firmware(log: Log, *, expected: Expected) -> dict[str, list[Seen]] | None:
    """Return the events of a firmware's log that extend a register, by register.

    Args:
        log: the log of a TPM, or of a TD (CCEL), which numbers RTMR0 to RTMR3 from 1.
        expected: which of the two it is, and the bank. None where the log does not hold that bank.
    """
    bank = next(number for number, name in HASH_NAMES.items() if name == expected.bank)
    if bank not in log.banks:
        return None
    found: dict[str, list[Seen]] = {}
    for event in log.events:
        if event.extends:
            name = f"PCR {event.register}"
            if expected.tee == "tdx":
                name = f"RTMR{event.register - 1}"
            seen = Seen(
                index=event.index, digest=event.digests[bank], words=tcg.type_name(event.type)
            )
            found.setdefault(name, []).append(seen)
    return found


def differences(expected: Expected, seen: Mapping[str, Sequence[Seen]]) -> tuple[Difference, ...]:
    """Return the first difference of each register whose events are expected, in reading order.

    A register that the system goes on extending (PCR 11, RTMR3) is compared as far as is expected.
    """
    return tuple(
        found
        for register in expected.registers
        if register.events and (found := _first(register, seen.get(register.name, ()))) is not None
    )


def _first(register: ExpectedRegister, seen: Sequence[Seen]) -> Difference | None:
    at, any_number = 0, False
    for place, event in enumerate(register.events):
        if event.digest is None:
            any_number = True
            continue
        wanted = bytes.fromhex(event.digest)
        here = _place(wanted, seen[at:], far=any_number)
        if here is None:
            return _difference(register, place, seen[at:])
        at, any_number = at + here + 1, False
    if at < len(seen) and not any_number and register.name not in ("PCR 11", "RTMR3"):
        return _made(register.name, "not expected", None, seen[at])
    return None


def _place(wanted: bytes, seen: Sequence[Seen], *, far: bool) -> int | None:
    for index, event in enumerate(seen if far else seen[:1]):
        if event.digest == wanted:
            return index
    return None


def _difference(register: ExpectedRegister, place: int, seen: Sequence[Seen]) -> Difference:
    event = register.events[place]
    if not seen:
        return _made(register.name, "missing in the log", event, None)
    later = set(_digests(register.events[place + 1 :]))
    if event.digest in {other.digest.hex() for other in seen}:
        return _made(register.name, "not expected", event, seen[0])
    if seen[0].digest.hex() in later:
        return _made(register.name, "missing in the log", event, None)
    return _made(register.name, "changed", event, seen[0])


def _digests(events: Iterable[ExpectedEvent]) -> Iterator[str]:
    return (event.digest for event in events if event.digest is not None)


def _made(register: str, kind: str, event: ExpectedEvent | None, seen: Seen | None) -> Difference:
    return Difference(
        register=register,
        kind=kind,
        left_index=None,
        right_index=None if seen is None else seen.index,
        left="nothing more" if event is None else f"{event.what} ({_short(event.digest or '')})",
        right="no such event" if seen is None else f"{seen.words} ({_short(seen.digest.hex())})",
        depends_on="what else was started" if event is None else event.depends_on,
    )


def _short(digest: str) -> str:
    return f"digest {digest[:16]}…"
