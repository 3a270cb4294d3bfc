"""What the console asks of whoever runs the story: which parts there are, and to start one.

The command line fills it in. Parts run one at a time, in the order in which they were asked for;
each needs what others made.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

__all__ = ["NAMES", "Part", "Stage", "State"]

State = Literal["waiting", "running", "done", "failed"]

NAMES = ("network", "data", "train", "answer", "agent", "paid", "proof", "broken", "withdraw")
"""The parts, in the order in which the whole story runs them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A part of the story, as it stands now.

    Attributes:
        name: for programs, one of ``NAMES``.
        label: for people, such as ``3 Train``.
        about: what it does, in one sentence.
        needs: the parts that must be done before it, in their order.
        state: ``waiting`` until somebody starts it, and while it is queued behind another.
        progress: how far it is, 0 to 1; None where it does not say, and while it does not run.
        saying: its last words on how it goes; of one that is queued, after which it begins.
        lines: what it told: ``label``, ``text``, ``ids`` (``sha256:…``) and ``real`` of each line.
            Of a part that failed, what it told until then.
        problem: why it failed and what can be done, or why it was not begun after all; or None.
        again: of one that failed, whether it can be started once more.
    """

    name: str
    label: str
    about: str
    needs: tuple[str, ...]
    state: State
    progress: float | None = None
    saying: str = ""
    lines: tuple[Mapping[str, Any], ...] = ()
    problem: str | None = None
    again: bool = True


class Stage(Protocol):
    """Runs parts, one at a time. It may be asked from any thread, and answers at once."""

    def parts(self) -> Sequence[Part]:
        """Return every part, in the order of ``NAMES``."""

    def start(self, name: str, *, through: bool = False) -> None:
        """Have a part run as soon as those that were asked for before have ended.

        Args:
            name: the part.
            through: whether to run first what it needs and is not done.

        Raises:
            Usage: codes ``part_unknown``, ``part_running`` (or queued already), ``part_done``,
                ``part_needs`` (``expected`` names what must be done first), ``part_spoiled`` (it
                failed where it cannot be tried again).
        """
