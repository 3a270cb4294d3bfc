"""Several processes that read one log's entries side by side, while there are many to read.

Each is given ranges of entries, reads them from the log's directory itself, and answers with what a
named function makes of them. The answers come back in the log's order, and so much is under way at
once and no more. Of a range that a process could not read nothing comes back: whoever asked reads
it then, and meets the same error, or none.

A process of the crew ends when the one that started it closes its input, or ends.

Trusts: the log's directory, this program's own code.  Does not trust: the records.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from importlib import import_module
from itertools import cycle, islice
from pathlib import Path
from typing import IO, Any, Final, Self

import msgspec

from teeproof.proof.log.storage.log import Log
from teeproof.proof.log.storage.stored import Stored
from teeproof.proof.statement import Predicate

__all__ = ["LEAST", "Crew", "Work", "hands"]

Work = Callable[[int, Stored], Any]
"""From an entry's number and the entry to what msgspec writes as MessagePack."""

LEAST: Final = 20_000
"""Entries from which on a crew is worth its start, of about a second of CPU time for each hand."""

_MOST = 4  # processes
_RANGE = 256  # entries
_AHEAD = 2  # ranges that a process has been given and that were not taken back
_SIZE_BYTES = 8
_MOST_BYTES = 1 << 30  # of one answer; records have a megabyte, and answers are shorter


def hands() -> int:
    """Return how many processes a crew has here; with one there is nothing to gain.

    It is one, too, where the program itself says what a kind of statement is: no other knows it.
    """
    return 1 if "__main__" in _modules() else min(_MOST, len(os.sched_getaffinity(0)))


class Crew:
    """Processes that read a log; use it in a ``with`` statement.

    Args:
        directory: the log's.
        task: ``module:name`` of what returns a ``Work``, given the log opened for reading.
        count: how many processes.
    """

    def __init__(self, directory: Path, task: str, *, count: int) -> None:
        words = [sys.executable, "-m", "teeproof.proof.log.crew", str(directory), task]
        self._processes = [_start([*words, *_modules()]) for _ in range(count)]

    def __enter__(self) -> Self:
        """Return it."""
        return self

    def __exit__(self, *_: object) -> None:
        """Let the processes go; what they were still reading is lost."""
        for process in self._processes:
            _end(process)

    def read(self, start: int, stop: int) -> Iterator[tuple[int, int, bytes]]:
        """Yield in order: a range's first entry, the one behind its last, and what was made of it.

        That is MessagePack, a list with something for each entry; empty where nothing could be
        made, so that whoever asked must.
        """
        ranges = ((at, min(stop, at + _RANGE)) for at in range(start, stop, _RANGE))
        turns = zip(ranges, cycle(self._processes), strict=False)
        waiting = deque[tuple[tuple[int, int], subprocess.Popen[bytes]]]()
        while True:
            room = _AHEAD * len(self._processes) - len(waiting)
            for (first, end), process in islice(turns, room):
                _ask(process, first, end)
                waiting.append(((first, end), process))
            if not waiting:
                return
            (first, end), process = waiting.popleft()
            yield first, end, _answer(process)


def _modules() -> list[str]:
    """Return the modules that say what kinds of statement there are."""
    found, waiting = set[str](), [Predicate]
    while waiting:
        kind = waiting.pop()
        found.add(kind.__module__)
        waiting += kind.__subclasses__()
    return sorted(found)


def _start(words: Sequence[str]) -> subprocess.Popen[bytes]:
    paths = os.pathsep.join(one for one in sys.path if one)
    return subprocess.Popen(  # noqa: S603  this package
        words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        process_group=0, env=os.environ | {"PYTHONPATH": paths},
    )  # fmt: skip


def _ask(process: subprocess.Popen[bytes], first: int, end: int) -> None:
    assert process.stdin is not None
    with suppress(OSError):  # it has ended: its answer will be none
        process.stdin.write(b"%d %d\n" % (first, end))
        process.stdin.flush()


def _answer(process: subprocess.Popen[bytes]) -> bytes:
    assert process.stdout is not None
    with suppress(OSError):
        size = int.from_bytes(head := process.stdout.read(_SIZE_BYTES), "big")
        if len(head) == _SIZE_BYTES and size <= _MOST_BYTES:
            data = process.stdout.read(size)
            return data if len(data) == size else b""
    return b""


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()  # it writes nothing but to its pipe
    for pipe in (process.stdin, process.stdout):
        with suppress(OSError):
            if pipe is not None:
                pipe.close()
    process.wait()


def _main(arguments: Sequence[str]) -> None:
    directory, task, *modules = arguments
    module, _, name = task.partition(":")
    for each in modules:  # what is understood there is understood here
        import_module(each)
    with Log.open(Path(directory), read_only=True) as log:
        work = getattr(import_module(module), name)(log)
        for line in sys.stdin.buffer:
            first, end = map(int, line.split())
            _tell(sys.stdout.buffer, _made(log, work, first, end))


def _made(log: Log, work: Work, first: int, end: int) -> bytes:
    try:
        entries = islice(log.iterate(first), end - first)
        found = [work(number, stored) for number, stored in enumerate(entries, first)]
    except Exception:  # whoever asked reads these entries, and is told
        return b""
    return msgspec.msgpack.encode(found) if len(found) == end - first else b""


def _tell(pipe: IO[bytes], data: bytes) -> None:
    pipe.write(len(data).to_bytes(_SIZE_BYTES, "big") + data)
    pipe.flush()


if __name__ == "__main__":
    with suppress(BrokenPipeError, KeyboardInterrupt):
        _main(sys.argv[1:])
