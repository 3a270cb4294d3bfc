"""What does not hold, told once: faults of one kind together, each with its first example."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from teeproof.proof.verify import Fault

__all__ = ["Alike", "alike"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Alike:
    """Faults of the same kind.

    Attributes:
        first: of the statement that the page is about, if it is among them; else the first.
        others: the rest, in the verdict's order.
    """

    first: Fault
    others: tuple[Fault, ...]


def alike(faults: Sequence[Fault], *, own: str) -> list[Alike]:
    """Put together what failed in the same check, for the same reason, at the same kind of place.

    Args:
        faults: of a verdict.
        own: the id of the statement that a reader asked about; what fails there comes first.
    """
    groups: dict[tuple[str, str, str | None], list[Fault]] = {}
    for fault in faults:
        kind = (fault.where, fault.check.name, fault.check.code)
        groups.setdefault(kind, []).append(fault)
    found = [sorted(group, key=lambda fault: fault.subject != own) for group in groups.values()]
    found.sort(key=lambda group: group[0].subject != own)
    return [Alike(first=first, others=tuple(rest)) for first, *rest in found]
