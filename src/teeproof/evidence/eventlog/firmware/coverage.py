"""Which part of an event its digest covers. Believe no other part.

Some digests cover the data beside them, some a part of it, and most something else that the log
does not hold, such as a kernel image: that data is a label that anyone may have written.

Source: TCG PC Client Platform Firmware Profile 1.06, 10.4.1; GRUB, ``grub_tpm_measure``.

Trusts: SHA-2.  Does not trust: the host that hands over the log.
"""

from __future__ import annotations

from typing import Literal

from teeproof.core.errors import NotAuthentic
from teeproof.evidence.eventlog import tcg
from teeproof.evidence.eventlog.firmware.event import Event

__all__ = ["Coverage", "check_data", "coverage", "text"]

Coverage = Literal["data", "variable data", "text", "nothing"]

# Authorities (EV_EFI_VARIABLE_AUTHORITY) are not among them: older versions of shim measured one
# thing and logged another, without the owner's GUID.
_OVER_DATA = frozenset(
    {tcg.SEPARATOR, tcg.EFI_ACTION, tcg.EFI_VARIABLE_DRIVER_CONFIG, tcg.EFI_VARIABLE_BOOT2}
)
_OVER_VARIABLE = frozenset({tcg.EFI_VARIABLE_BOOT})
# GRUB logs a command or a kernel's command line behind such a word, and measures what follows it.
_LABELS = (b"grub_cmd: ", b"kernel_cmdline: ", b"module_cmdline: ")


def coverage(event: Event, *, bank: int) -> Coverage:
    """Return which part of the event its digest in this bank covers."""
    if not event.extends or not event.data:
        return "nothing"
    if event.measures(event.data, bank=bank):
        return "data"
    variable = tcg.parse_variable(event.data) if event.type in _OVER_VARIABLE else None
    if variable is not None and event.measures(variable.data, bank=bank):
        return "variable data"
    said = _behind_label(event)
    return "text" if said is not None and event.measures(said, bank=bank) else "nothing"


def text(event: Event, *, bank: int) -> str | None:
    """Return the command that GRUB measured, with its word before it; None if none is covered."""
    if coverage(event, bank=bank) != "text":
        return None
    return event.data.rstrip(b"\0").decode("utf-8", "replace")


def _behind_label(event: Event) -> bytes | None:
    if event.type != tcg.IPL:
        return None
    label = next((word for word in _LABELS if event.data.startswith(word)), None)
    return None if label is None else event.data[len(label) :].rstrip(b"\0")


def _error(event: Event, bank: int) -> bool:
    """Whether it is the mark of an error, whose data is a text: ``tcg-log-separators`` tells it."""
    return event.type == tcg.SEPARATOR and event.marks_an_error(bank)


def check_data(events: tuple[Event, ...], *, bank: int) -> tuple[int, int]:
    """Refuse an event whose data is not what was measured, where its type says that it is.

    Args:
        events: of one log.
        bank: the bank whose digests count, the one that is replayed.

    Returns:
        Number of extending events whose data a digest covers, and of those where none does.

    Raises:
        NotAuthentic: ``event_data_mismatch``, with the event's index.
    """
    covered = uncovered = 0
    for event in events:
        if not event.extends:
            continue
        if coverage(event, bank=bank) != "nothing":
            covered += 1
        elif event.type in _OVER_DATA | _OVER_VARIABLE and not _error(event, bank):
            raise NotAuthentic(
                f"event {event.index} ({tcg.type_name(event.type)}) does not say what was measured:"
                " its data does not hash to its digest",
                code="event_data_mismatch",
                expected="data of the measured digest",
                got=event.data[:32].hex(),
            )
        else:
            uncovered += 1
    return covered, uncovered
