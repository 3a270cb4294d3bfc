"""A journal is what the agent wrote, in its order, or it is not opened."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from teeproof.agents.journal import GENESIS, Journal, read_entries
from teeproof.core.errors import Malformed, NotAuthentic, Unavailable

KEY = b"\5" * 32


def written(path: Path, count: int = 5) -> list[bytes]:
    journal = Journal.open(path, key=KEY)
    for number in range(count):
        journal.append("note", {"n": number})
    lines = [entry.line for entry in journal.entries]
    journal.close()
    return lines


def change(path: Path, *statements: tuple[str, tuple[object, ...]]) -> None:
    with sqlite3.connect(path) as database:
        for statement, values in statements:
            database.execute(statement, values)
    database.close()


def refused(path: Path) -> NotAuthentic:
    with pytest.raises(NotAuthentic) as error:
        Journal.open(path, key=KEY)
    assert error.value.code == "journal_edited"
    return error.value


def test_entries_are_chained_and_there_again(tmp_path: Path) -> None:
    lines = written(tmp_path / "j")
    journal = Journal.open(tmp_path / "j", key=KEY)
    assert [entry.line for entry in journal.entries] == lines
    assert journal.entries[0].previous == GENESIS
    assert [e.previous for e in journal.entries[1:]] == [e.digest for e in journal.entries[:-1]]
    assert journal.head == journal.entries[-1].digest
    assert journal.entries[2].body(dict) == {"n": 2}
    assert read_entries(iter(lines)) == tuple(journal.entries)
    journal.close()


def test_host_edits_the_journal(tmp_path: Path) -> None:
    lines = written(tmp_path / "j")
    change(
        tmp_path / "j", ("UPDATE entries SET line=? WHERE seq=2", (lines[2].replace(b"2}", b"3}"),))
    )
    assert refused(tmp_path / "j").got == "entry 2"


def test_host_writes_an_entry_of_its_own_and_all_after_it_anew(tmp_path: Path) -> None:
    written(tmp_path / "j")
    forged = Journal.open(tmp_path / "forged", key=b"\6" * 32)
    for number in range(5):
        forged.append("note", {"n": number + (number == 2)})
    forged.close()
    assert refused(tmp_path / "forged").got == "entry 0"


def test_host_removes_an_entry_from_the_middle(tmp_path: Path) -> None:
    written(tmp_path / "j")
    change(tmp_path / "j", ("DELETE FROM entries WHERE seq=2", ()))
    assert refused(tmp_path / "j").got == "entry 2"


def test_host_removes_the_first_entry(tmp_path: Path) -> None:
    written(tmp_path / "j")
    change(tmp_path / "j", ("DELETE FROM entries WHERE seq=0", ()))
    assert refused(tmp_path / "j").got == "entry 0"


def test_host_swaps_two_entries(tmp_path: Path) -> None:
    written(tmp_path / "j")
    move = "UPDATE entries SET seq=? WHERE seq=?"
    change(tmp_path / "j", (move, (9, 1)), (move, (1, 2)), (move, (2, 9)))
    refused(tmp_path / "j")


def test_host_moves_an_entry_to_another_agents_journal(tmp_path: Path) -> None:
    written(tmp_path / "j")
    other = Journal.open(tmp_path / "other", key=KEY)
    other.append("note", {"n": 7})
    other.close()
    with sqlite3.connect(tmp_path / "j") as database:
        row = database.execute("SELECT line, mac FROM entries WHERE seq=1").fetchone()
    database.close()
    change(tmp_path / "other", ("INSERT INTO entries VALUES (1, ?, ?)", row))
    assert refused(tmp_path / "other").got == "entry 1"


def test_a_copy_that_was_edited_is_no_chain(tmp_path: Path) -> None:
    lines = written(tmp_path / "j")
    for wrong in (lines[1:], [*lines[:2], *lines[3:]], [lines[0], lines[2]]):
        with pytest.raises(NotAuthentic):
            read_entries(iter(wrong))
    with pytest.raises(NotAuthentic):
        read_entries(iter([lines[0].replace(b'"n":0', b'"n":9'), *lines[1:]]))
    for wrong in (b"", b"{}", b'{"seq":0}', lines[0] + b" ", lines[0].replace(b"note", b"no\xff")):
        with pytest.raises(Malformed):
            read_entries(iter([wrong]))


def test_a_file_that_is_no_journal_is_refused(tmp_path: Path) -> None:
    (tmp_path / "j").write_bytes(b"no database" * 1000)
    with pytest.raises(Unavailable) as error:
        Journal.open(tmp_path / "j", key=KEY)
    assert error.value.code == "journal_unreadable"


def test_a_journal_has_one_user_at_a_time(tmp_path: Path) -> None:
    journal = Journal.open(tmp_path / "j", key=KEY)
    with pytest.raises(Unavailable) as error:
        Journal.open(tmp_path / "j", key=KEY)
    assert error.value.code == "journal_busy"
    journal.close()
    Journal.open(tmp_path / "j", key=KEY).close()


VICTIM = """
import os, signal, sys
from pathlib import Path
from teeproof.agents.journal import Journal

def fault(point):
    if point == sys.argv[2] and len(journal.entries) == 2:
        os.kill(os.getpid(), signal.SIGKILL)

journal = Journal.open(Path(sys.argv[1]), key=b"\\5" * 32, fault=fault)
for number in range(5):
    journal.append("note", {"n": number})
"""


@pytest.mark.parametrize(("point", "kept"), [("before note", 2), ("after note", 3)])
def test_an_entry_that_was_written_survives_a_kill(tmp_path: Path, point: str, kept: int) -> None:
    victim = subprocess.run([sys.executable, "-c", VICTIM, tmp_path / "j", point], check=False)
    assert victim.returncode == -signal.SIGKILL
    copy = tmp_path / "copy"
    for name in os.listdir(tmp_path):
        shutil.copy(tmp_path / name, tmp_path / name.replace("j", copy.name, 1))
    journal = Journal.open(copy, key=KEY)
    assert [entry.body(dict) for entry in journal.entries] == [{"n": n} for n in range(kept)]
    journal.append("note", {"n": kept})
    journal.close()
