"""Measure what a machine with other work still tells truly: CPU time, best of many; peak memory."""

from __future__ import annotations

import gc
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Unit = Literal["s", "B", "1/s"]
ROUNDS = 9
LEAST = 0.05  # seconds of CPU in one round: the clock's grain is far below


@dataclass(frozen=True, slots=True)
class Figure:
    """One measurement.

    Attributes:
        value: the best of all rounds, in seconds per call, bytes, or calls per second.
        noise: how far the median round lies from the best, as a share of it.
    """

    value: float
    noise: float


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table.

    Attributes:
        what: the claim's subject.
        ours: our figure.
        limit: the limit's figure, measured in the same run.
        limit_is: what the limit is, in words.
        goal: the least ratio that is wanted, if one is.
        at_most: the most that our figure may be, if there is a bound.
        unit: seconds and bytes are better small, rates better large.
    """

    what: str
    ours: Figure
    limit: Figure
    limit_is: str
    goal: float | None = None
    at_most: float | None = None
    unit: Unit = "s"

    @property
    def ratio(self) -> float | None:
        """How much of the limit is reached; 1 is all of it; None where ours is nothing at all."""
        if not self.ours.value or not self.limit.value:
            return None
        small = self.limit.value / self.ours.value
        return 1 / small if self.unit == "1/s" else small

    @property
    def met(self) -> bool | None:
        """Whether the goals hold; None where there is none."""
        if self.goal is None and self.at_most is None:
            return None
        ratio = self.ratio
        enough = self.goal is None or ratio is None or ratio >= self.goal
        return enough and (self.at_most is None or self.ours.value <= self.at_most)


def cpu(work: Callable[[], object], *, rounds: int = ROUNDS) -> Figure:
    """Return the CPU seconds of one call."""
    return beside(work, rounds=rounds)[0]


def beside(*works: Callable[[], object], rounds: int = ROUNDS) -> tuple[Figure, ...]:
    """Return the CPU seconds of one call of each, in rounds that alternate.

    Alternating lets a slow spell of the machine hit all of them, and the best round is the one
    that it hit least.
    """
    times: list[list[float]] = [[] for _ in works]
    counts = [_calls(work) for work in works]
    enabled = gc.isenabled()
    gc.disable()
    try:
        for _ in range(rounds):
            for work, count, found in zip(works, counts, times, strict=True):
                found.append(_round(work, count))
            gc.collect()
    finally:
        if enabled:
            gc.enable()
    return tuple(_best(found) for found in times)


def _calls(work: Callable[[], object]) -> int:
    work()  # what is filled on the first call belongs to no round
    count = 1
    while (spent := _round(work, count) * count) < LEAST:
        count = max(2 * count, int(count * LEAST / max(spent, 1e-7)) // 2)
    return count


def _round(work: Callable[[], object], count: int) -> float:
    start = time.process_time()
    for _ in range(count):
        work()
    return (time.process_time() - start) / count


def _best(found: Sequence[float]) -> Figure:
    best = min(found)
    return Figure(best, statistics.median(found) / best - 1)


def rate(figure: Figure, amount: float = 1) -> Figure:
    """Return seconds per call as calls, or an amount of bytes, per second."""
    return Figure(amount / figure.value, figure.noise)


@dataclass(frozen=True, slots=True)
class Child:
    """What a command took: CPU seconds and the most memory that it held, in bytes."""

    cpu: Figure
    memory: Figure


def command(words: Sequence[str | Path], *, rounds: int = 5, codes: Sequence[int] = (0,)) -> Child:
    """Run a command several times; return its CPU time and peak memory.

    Raises:
        RuntimeError: it ended with an exit code that is not among ``codes``.
    """
    return commands([words], rounds=rounds, codes=codes)[0]


def commands(
    many: Sequence[Sequence[str | Path]], *, rounds: int = 5, codes: Sequence[int] = (0,)
) -> list[Child]:
    """Run commands in rounds that alternate; return each one's CPU time and peak memory."""
    job = json.dumps({"rounds": rounds, "commands": [[str(w) for w in words] for words in many]})
    # A process counts its parent's memory at its start as its own peak: a small one starts them.
    spawner = [sys.executable, "-I", "-S", str(Path(__file__).with_name("spawn.py"))]
    answer = subprocess.run(spawner, input=job, capture_output=True, text=True, check=True)
    children = []
    for words, runs in zip(many, json.loads(answer.stdout), strict=True):
        bad = [run for run in runs if run["code"] not in codes]
        if bad:
            raise RuntimeError(f"{words} ended with {bad[0]['code']}: {bad[0]['said']}")
        memory = [run["memory"] for run in runs]
        children.append(Child(_best([run["cpu"] for run in runs]), _best(memory)))
    return children
