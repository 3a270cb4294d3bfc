"""What the log has around an identity: what it said, who has the same code, who was there before.

All of it is read from records and from evidence as it claims; nothing here is checked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from teeproof.explorer.log.content import Book
from teeproof.explorer.log.roll import CODE, Machine, Roll, Said
from teeproof.proof.identity import IdentityRecord

__all__ = ["SHOWN", "Beside", "around", "lately", "named", "names"]

SHOWN = 40  # statements, and identities of a list
_ROTATION = "urn:teeproof:rotation:v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """What the log says around an identity; nothing of it is checked.

    Attributes:
        code: by which label its evidence names its code, and the value; None if by none.
        platform: the label of its platform, hex; None where its evidence names none.
        same_code: other identities with the same code, newest first; and how many there are.
        same_platform: likewise.
        said: a page of what it said, newest first; ``start`` is where the page begins.
        kinds: how many statements of each kind it said.
        previous: the identity that it follows, hex.
        next: the identity that it says follows it, hex.
        lately: what each of the others said last, by its id.
        left_out: how many records name it as their author and are not signed by it.
    """

    code: tuple[str, str] | None
    platform: str | None
    same_code: Sequence[Machine]
    same_code_count: int
    same_platform: Sequence[Machine]
    same_platform_count: int
    said: Sequence[Said]
    start: int
    kinds: Sequence[tuple[str, int]]
    previous: str | None
    next: str | None
    lately: Mapping[str, str]
    left_out: int

    @property
    def total(self) -> int:
        """How many statements it said."""
        return sum(count for _, count in self.kinds)

    @property
    def newer(self) -> int | None:
        """Where the page before this one begins."""
        return max(0, self.start - SHOWN) if self.start else None

    @property
    def older(self) -> int | None:
        """Where the page behind this one begins."""
        return self.start + SHOWN if self.start + SHOWN < self.total else None

    def to_json(self) -> dict[str, Any]:
        """Return the same for programs."""
        return {
            "checked": False,
            "follows": named(self.previous), "followed_by": named(self.next),
            "same_code": {"label": self.code and self.code[0], "value": self.code and self.code[1],
                          "count": self.same_code_count, "latest": names(self.same_code)},
            "same_platform": {"platform": self.platform, "count": self.same_platform_count,
                              "latest": names(self.same_platform)},
            "kinds": dict(self.kinds),
            "said": [one.to_json() for one in self.said], "left_out": self.left_out,
        }  # fmt: skip


def around(book: Book, record: IdentityRecord, *, start: int) -> Beside:
    """Return what the log has around an identity, with what it said from a place in that list."""
    roll, one = book.roll, record.digest.hex()
    machine = roll.machine(one)
    labels = {} if machine is None else machine.labels
    keyset = record.keyset_digest.removeprefix("sha256:")
    code = next(((name, labels[name]) for name in CODE if name in labels), None)
    platform = labels.get("platform")
    same_code, same_platform = (_others(roll, value, one) for value in (code and code[1], platform))
    return Beside(
        code=code, platform=platform, same_code=same_code,
        same_code_count=_count(roll, code and code[1]), same_platform=same_platform,
        same_platform_count=_count(roll, platform), said=roll.by(one, start=start, count=SHOWN),
        start=start, kinds=roll.kinds_by(one),
        previous=(record.keys.previous or "").removeprefix("sha256:") or None,
        next=_successor(book, roll, one), lately=lately(roll, [*same_code, *same_platform]),
        left_out=sum(book.left_out.of("author", name) for name in {one, keyset}),
    )  # fmt: skip


def _successor(book: Book, roll: Roll, one: str) -> str | None:
    """Return the identity that this one's own word names as the next; the latest of several."""
    for said in roll.by(one, count=1, only=_ROTATION):
        (read,) = book.reads([bytes.fromhex(said.id)])
        for subject in read.subjects:
            return subject.sha256.removeprefix("sha256:")
    return None


def lately(roll: Roll, machines: Sequence[Machine]) -> dict[str, str]:
    """Return what each said last, in a clause."""
    found = {}
    for machine in machines:
        latest = roll.by(machine.id, count=1)
        found[machine.id] = latest[0].clause if latest else "has said nothing yet"
    return found


def named(one: str | None) -> str | None:
    """Return a digest in hex as text names it."""
    return None if one is None else f"sha256:{one}"


def names(machines: Sequence[Machine]) -> list[str]:
    """Return identities as text names them."""
    return [f"sha256:{machine.id}" for machine in machines]


def _others(roll: Roll, value: str | None, but: str) -> list[Machine]:
    found = [] if value is None else roll.alike(value, count=SHOWN + 1)
    return [machine for machine in found if machine.id != but][:SHOWN]


def _count(roll: Roll, value: str | None) -> int:
    """Return how many others there are."""
    return 0 if value is None else max(0, roll.alike_count(value) - 1)
