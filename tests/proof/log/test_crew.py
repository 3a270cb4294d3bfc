"""Processes that read a log together: what they find is what one finds, whichever of them end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from teeproof.proof.envelope import Envelope, Signature
from teeproof.proof.links import Subject
from teeproof.proof.log import crew, links
from teeproof.proof.log.contents import Contents
from teeproof.proof.log.crew import Crew
from teeproof.proof.log.storage.log import Log
from teeproof.proof.statement import Statement, Step
from teeproof.proof.workload import Identity
from tests.proof.people import NOW, attester, digest

MANY = 60
TASK = "teeproof.proof.log.links:joining"
_KILLED = """
import os, signal, sys
from contextlib import closing
from pathlib import Path
from teeproof.proof.log import crew, links
from teeproof.proof.log.contents import Contents
from teeproof.proof.log.storage.log import Log

directory, groups, hands = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
links._GROUP, crew._RANGE, crew.LEAST = 5, 3, 10
insert, inserted = links._insert, []

def killed(write, group):
    insert(write, group)
    inserted.append(group)
    if len(inserted) > groups:
        os.kill(os.getpid(), signal.SIGKILL)

links._insert = killed
with Log.open(directory, read_only=True) as log, closing(Contents(log, hands=hands)) as contents:
    contents.follow()
"""


@pytest.fixture(scope="module")
def log_of_many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log in which an author speaks before his identity is there, and strangers in his name."""
    directory = tmp_path_factory.mktemp("crew") / "log"
    with Log.create(directory, origin="log.example/crew") as log, closing(Contents(log)) as kept:
        author = Identity.boot(attester(), now=lambda: NOW)
        for number in range(MANY):
            if number == MANY // 2:
                kept.add_identity(author.record.encode(), author.blobs)
            statement = Statement.of(
                Step(author=author.name, step=f"step {number}"),
                subjects=(Subject({"sha256": digest(f"{number % 40}")}, name="x"),),
            )
            bad = Envelope(statement.payload, (Signature(author.name, bytes(64)),))
            kept.add_statement((author.sign(statement) if number % 3 else bad).encode())
        log.publish()
    return directory


def joined(directory: Path, *, hands: int = 1, anew: bool = True) -> list[Any]:
    """Bring the index up to date, and return all that stands in it."""
    for path in directory.glob("links.db*") if anew else ():
        path.unlink()
    with (
        Log.open(directory, read_only=True) as log,
        closing(Contents(log, hands=hands)) as contents,
    ):
        contents.follow()
        index = contents._links._index
        return [
            list(index.execute(f"SELECT * FROM {table} ORDER BY 1, 2"))
            for table in ("made", "keysets", "meta")
        ]


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """A crew is worth its start for a few entries, and is given very few at once."""
    monkeypatch.setattr(crew, "LEAST", 10)
    monkeypatch.setattr(crew, "_RANGE", 3)
    monkeypatch.setattr(links, "_GROUP", 5)


@pytest.mark.usefixtures("few")
def test_an_index_that_a_crew_makes_is_the_one_that_is_made_alone(log_of_many: Path) -> None:
    alone = joined(log_of_many)
    assert len(alone[0]) == MANY - MANY // 3
    assert joined(log_of_many, hands=3) == alone


@pytest.mark.usefixtures("few")
def test_a_process_of_a_crew_that_is_killed_loses_nothing(
    log_of_many: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone, answered, answer = joined(log_of_many), list[int](), crew._answer

    def killed(process: subprocess.Popen[bytes]) -> bytes:
        if len(answered) == 4:
            process.kill()
            process.wait()
        found = answer(process)
        answered.append(len(found))
        return found

    monkeypatch.setattr(crew, "_answer", killed)
    assert joined(log_of_many, hands=2) == alone
    assert 0 < answered.count(0) < len(answered)


@pytest.mark.parametrize("hands", [1, 2])
@pytest.mark.parametrize("groups", [0, 3, 7])
def test_whoever_makes_the_index_is_killed_and_it_goes_on_where_it_was(
    log_of_many: Path, groups: int, hands: int
) -> None:
    alone = joined(log_of_many)
    for path in log_of_many.glob("links.db*"):
        path.unlink()
    words = [sys.executable, "-c", _KILLED, str(log_of_many), str(groups), str(hands)]
    ended = subprocess.run(words, check=False, timeout=120)
    assert ended.returncode == -signal.SIGKILL
    assert joined(log_of_many, anew=False) == alone


def test_a_crew_ends_with_whoever_started_it(log_of_many: Path) -> None:
    with Crew(log_of_many, TASK, count=2) as hands:
        found = hands.read(0, MANY + 1)
        assert next(found)[:2] == (0, MANY + 1)
        processes = hands._processes
        assert all(process.poll() is None for process in processes)
    assert all(process.poll() is not None for process in processes)
    for process in processes:
        with pytest.raises(ProcessLookupError):
            os.kill(process.pid, 0)


def test_a_crew_is_given_a_bounded_number_of_ranges(
    log_of_many: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[int, int]] = []
    monkeypatch.setattr(crew, "_RANGE", 2)
    monkeypatch.setattr(crew, "_ask", lambda _, first, end: asked.append((first, end)))
    monkeypatch.setattr(crew, "_answer", lambda _: b"")

    def took() -> Iterator[int]:
        with Crew(log_of_many, TASK, count=2) as hands:
            for number, (first, end, _) in enumerate(hands.read(5, 40)):
                assert asked[number] == (first, end)
                yield len(asked) - number

    assert max(took()) == 2 * crew._AHEAD
    assert (asked[0], asked[-1], len(asked)) == ((5, 7), (39, 40), 18)


def test_a_kind_that_only_this_program_knows_is_read_by_it_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(crew, "_modules", lambda: ["__main__"])
    assert crew.hands() == 1
