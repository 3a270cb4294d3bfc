"""The director: runs the parts of the story, one at a time, in the order they were asked for.

``teeproof demo`` has it perform them all, in its own thread; ``teeproof up`` has it work in one
beside, and people start parts. It is what the console's pages ask (``explorer.console.stage``).
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from teeproof.cli.story.acts import ACTS, Act, Scene
from teeproof.cli.story.attempt import Attempt
from teeproof.cli.story.problems import Problems
from teeproof.cli.story.telling import story_lines
from teeproof.core.errors import Error, Unavailable, Usage
from teeproof.core.text import cut
from teeproof.explorer.console.stage import Part, State

__all__ = ["Director"]

_LONGEST = 600  # characters of a problem
_PATIENCE = 30.0  # seconds that a part has to notice that the world has ended
_ANEW = "stop teeproof up and start it again: it begins anew, and sets this folder aside"


@dataclass
class _Now:
    """How a part stands."""

    state: State = "waiting"
    progress: float | None = None
    saying: str = ""
    problem: str | None = None
    again: bool = True
    first: int = 0  # of its lines among all
    last: int | None = 0
    attempt: Attempt | None = None
    workloads: frozenset[str] = frozenset()


class Director:
    """Runs parts; a ``Stage``.

    Args:
        scene: where they happen.
        acts: the parts.
        done: told of each part that has ended in the director's own thread, well or not.

    Attributes:
        problems: where faults of our own go.
    """

    def __init__(
        self,
        scene: Scene,
        *,
        acts: Sequence[Act] = ACTS,
        done: Callable[[Part], object] = lambda _: None,
    ) -> None:
        self.scene = scene
        self.problems = Problems(scene.world.folder, lambda text: scene.say.words(text, "red"))
        self._acts = {act.name: act for act in acts}
        self._now = {act.name: _Now() for act in acts}
        self._queue: deque[str] = deque()
        self._changed = threading.Condition()
        self._closing, self._done = False, done
        scene.say.heard = self._hear

    @property
    def busy(self) -> bool:
        """Whether a part runs or is queued."""
        with self._changed:
            return bool(self._queue) or any(now.state == "running" for now in self._now.values())

    def parts(self) -> tuple[Part, ...]:
        """Return every part as it stands, in order."""
        with self._changed:
            return tuple(self._part(act) for act in self._acts.values())

    def start(self, name: str, *, through: bool = False) -> None:
        """Have a part run once those that were asked for before have ended; see ``Stage.start``."""
        with self._changed:
            act = self._acts.get(name)
            if act is None:
                raise Usage(
                    "the story has no such part", code="part_unknown",
                    expected=", ".join(self._acts), got=cut(name, 40),
                )  # fmt: skip
            self._require_free(act)
            for one in [*self._missing(act, through=through), name]:
                self._now[one].state, self._now[one].problem = "waiting", None
                self._queue.append(one)
            self._changed.notify_all()

    def perform(self, name: str) -> None:
        """Run a part in this thread, now; raises what it raises."""
        act, now = self._acts[name], self._now[name]
        if now.attempt is not None:
            now.attempt.set_aside(name)
        lines = self.scene.say.lines
        with self._changed:
            attempt = Attempt(self.scene.world)
            self._now[name] = now = _Now(
                state="running", first=len(lines), last=None, attempt=attempt
            )
        try:
            self.scene.made[name] = act.tell(self.scene)
        except Exception as error:
            self._fail(act, now, error)
            raise
        with self._changed:
            now.state, now.progress, now.saying = "done", None, ""
            now.last, now.workloads = len(lines), attempt.workloads

    @contextmanager
    def working(self) -> Iterator[None]:
        """Run what is started, in a thread of its own; leaving ends the part that runs."""
        thread = threading.Thread(target=self._work, name="director", daemon=True)
        thread.start()
        try:
            yield
        finally:
            with self._changed:
                self._closing = True
                self._queue.clear()
                self._changed.notify_all()
            limit = time.monotonic() + _PATIENCE
            while thread.is_alive() and time.monotonic() < limit:
                self.scene.world.stop()  # again, for it may have been starting something
                thread.join(1.0)

    def look(self) -> list[Unavailable]:
        """Return what has ended though its part is done, and say so of the part.

        Raises:
            Unavailable: what everything rests on has ended.
        """
        world, lost = self.scene.world, []
        world.require_base()
        with self._changed:
            for name, now in self._now.items():
                for workload in sorted(now.workloads):
                    running = world.running.get(workload)
                    if now.state != "done" or running is None or running.returncode is None:
                        continue
                    error = _gone(workload, running)
                    now.state, now.again = "failed", False
                    now.problem = f"{error.detail}. It cannot be started again here: {_ANEW}."
                    world.forget(workload)
                    lost.append(error)
                    self._drop(name)
        return lost

    def _work(self) -> None:
        while (name := self._next()) is not None:
            with suppress(Exception):  # it is the part's problem, and written there
                self.perform(name)
            with self._changed:
                self._drop(name)
                part = self._part(self._acts[name])
                closing = self._closing
            if not closing:
                self._done(part)

    def _next(self) -> str | None:
        """Wait for a part that was asked for; it is running from now on."""
        with self._changed:
            self._changed.wait_for(lambda: self._queue or self._closing)
            if self._closing:
                return None
            name = self._queue.popleft()
            self._now[name].state = "running"
            return name

    def _drop(self, failed: str) -> None:
        """Take out of the queue what needs a part that failed."""
        if self._now[failed].state != "failed":
            return
        label = self._acts[failed].label
        for name in list(self._queue):
            if failed in self._acts[name].needs:
                self._queue.remove(name)
                self._now[name].problem = f"not begun, for {label} failed"

    def _require_free(self, act: Act) -> None:
        now = self._now[act.name]
        if now.state == "running" or act.name in self._queue:
            raise Usage(
                f"{act.label} runs already, or will when those before it have ended",
                code="part_running", got=act.name,
            )  # fmt: skip
        if now.state == "done":
            raise Usage(
                f"{act.label} is done: it happens once; teeproof up in another folder begins anew",
                code="part_done", got=act.name,
            )  # fmt: skip
        self._require_again(act)

    def _require_again(self, act: Act) -> None:
        now = self._now[act.name]
        if now.state == "failed" and not now.again:
            raise Usage(
                f"{act.label} failed where it cannot be tried again: {_ANEW}",
                code="part_spoiled", got=now.problem or act.name,
            )  # fmt: skip

    def _missing(self, act: Act, *, through: bool) -> list[str]:
        """Return what must run before a part, and is neither done nor asked for."""
        missing = [name for name in act.needs if self._now[name].state != "done"]
        if missing and not through:
            raise Usage(
                f"{act.label} needs what comes before it: start that first, or start it with all"
                " that it needs",
                code="part_needs", expected=", ".join(missing), got=act.name,
            )  # fmt: skip
        for name in missing:
            self._require_again(self._acts[name])
        return [
            name for name in missing
            if name not in self._queue and self._now[name].state != "running"
        ]  # fmt: skip

    def _fail(self, act: Act, now: _Now, error: Exception) -> None:
        """Stop what a part began, and say why it failed and whether it can be tried again."""
        problem, again = self._words(error), False
        try:
            if now.attempt is not None:
                now.attempt.stop()
            again = act.again(self.scene)
            never = act.never
        except Exception as another:
            never = f"what it began could not be ended ({self._words(another)})"
        if not again and not self._closing:
            problem += f". It cannot be tried again: {never}."
        with self._changed:
            now.state, now.again, now.problem = "failed", again, problem
            now.progress, now.saying, now.last = None, "", len(self.scene.say.lines)

    def _words(self, error: Exception) -> str:
        if isinstance(error, Error):
            came = f" (expected {error.expected}, got {error.got})" if error.expected else ""
            return cut(f"{error.detail}{came}", _LONGEST)
        return self.problems.note(error)

    def _hear(self, text: str, share: float | None) -> None:
        with self._changed:
            for now in self._now.values():
                if now.state == "running":
                    now.saying, now.progress = cut(text, 200), share

    def _part(self, act: Act) -> Part:
        now = self._now[act.name]
        lines = self.scene.say.lines[now.first : now.last]
        saying = self._after(act.name) if act.name in self._queue else now.saying
        return Part(
            name=act.name, label=act.label, about=act.about, needs=act.needs, state=now.state,
            progress=now.progress, saying=saying, problem=now.problem, again=now.again,
            lines=tuple(story_lines(line for line in lines if line.step == act.name)),
        )  # fmt: skip

    def _after(self, name: str) -> str:
        """Return what a queued part waits for: the one before it."""
        running = [one for one, now in self._now.items() if now.state == "running"]
        before = [*running, *self._queue]
        place = before.index(name)
        return f"begins after {self._acts[before[place - 1]].label}" if place else "begins now"


def _gone(name: str, running: Any) -> Unavailable:
    words = running.last_words()
    return Unavailable(
        f"the workload {name} ended with code {running.returncode}, though nobody told it to",
        code="workload_ended",
        expected=f"a running {name}",
        got=words[-300:] or "no last words",
    )
