"""Find where two machines first differ, and say what that depends on.

The registers are chains: after the first differing event every later value differs too, so only the
first difference of each register means something.

Trusts: nothing; it only compares.  Does not trust: the hosts that hand over the logs.
"""

from __future__ import annotations

import msgspec

from teeproof.evidence.eventlog.event import Event
from teeproof.evidence.eventlog.labels import REGISTERS, depends_on, describe
from teeproof.evidence.tdx.layout import TdReport10

__all__ = ["Difference", "first_difference", "register_difference"]


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """The first difference between two logs or two quotes.

    Attributes:
        register: ``MRTD`` or ``RTMR0`` to ``RTMR3``.
        kind: how they differ; of quotes without logs always ``changed``.
        left_index: position in the first log; None where that log lacks the event.
        right_index: the same in the second log.
        left: what the first side shows, in words.
        right: what the second side shows.
        depends_on: what must be the same on both sides for this to agree.
    """

    register: str
    kind: str
    left_index: int | None
    right_index: int | None
    left: str
    right: str
    depends_on: str

    def __str__(self) -> str:
        """Return the difference as one sentence."""
        where = "" if self.left_index is None else f" at event {self.left_index}"
        if self.left_index is None and self.right_index is not None:
            where = f" at event {self.right_index} of the second log"
        return (
            f"{self.register}{where} ({self.kind}): {self.left}; on the other side: {self.right}."
            f" It depends on {self.depends_on}"
        )


def first_difference(left: tuple[Event, ...], right: tuple[Event, ...]) -> Difference | None:
    """Return the first event in which two logs differ, or None if all registers agree.

    Events of different registers may interleave differently: that changes no register, and is no
    difference. Among the registers that differ, the one whose difference comes first is named.
    """
    found = [d for imr in range(4) if (d := _in_register(imr, left, right)) is not None]
    return min(found, key=_position, default=None)


def register_difference(left: TdReport10, right: TdReport10) -> Difference | None:
    """Return the first register in which two quotes differ, in boot order, or None."""
    names = tuple(REGISTERS)
    for name, a, b in zip(names, (left.mrtd, *left.rtmrs), (right.mrtd, *right.rtmrs), strict=True):
        if a != b:
            return Difference(
                register=name,
                kind="changed",
                left_index=None,
                right_index=None,
                left=a.hex(),
                right=b.hex(),
                depends_on=REGISTERS[name],
            )
    return None


def _position(difference: Difference) -> int:
    if difference.left_index is not None:
        return difference.left_index
    return difference.right_index or 0


def _in_register(imr: int, left: tuple[Event, ...], right: tuple[Event, ...]) -> Difference | None:
    a = [event for event in left if event.imr == imr]
    b = [event for event in right if event.imr == imr]
    at = next(
        (i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x.digest != y.digest),
        min(len(a), len(b)),
    )
    rest_a, rest_b = a[at:], b[at:]
    if not rest_a and not rest_b:
        return None
    return _difference(rest_a, rest_b)


def _difference(a: list[Event], b: list[Event]) -> Difference:
    kind = _kind(a, b)
    x = a[0] if a and kind != "missing on the first side" else None
    y = b[0] if b and kind != "missing on the second side" else None
    event = x or y
    assert event is not None
    left, right = _words(x), _words(y)
    if left == right:  # the words are the same where only the digest differs
        left, right = f"{left} ({_short(x)})", f"{right} ({_short(y)})"
    return Difference(
        register=event.register,
        kind=kind,
        left_index=x.index if x else None,
        right_index=y.index if y else None,
        left=left,
        right=right,
        depends_on=depends_on(event),
    )


def _kind(a: list[Event], b: list[Event]) -> str:
    if not b or (len(a) > 1 and a[1].digest == b[0].digest and not _holds(b, a[0])):
        return "missing on the second side"
    if not a or (len(b) > 1 and b[1].digest == a[0].digest and not _holds(a, b[0])):
        return "missing on the first side"
    if _holds(b, a[0]) and _holds(a, b[0]):
        return "in another order"
    return "changed"


def _holds(events: list[Event], event: Event) -> bool:
    return any(other.digest == event.digest for other in events)


def _words(event: Event | None) -> str:
    return describe(event) if event else "there is no such event"


def _short(event: Event | None) -> str:
    return f"digest {event.digest.hex()[:16]}..." if event else ""
