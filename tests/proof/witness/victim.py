"""Kill witnesses: each child opens the same memory, is asked for two branches, and dies midway."""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from pathlib import Path
from typing import BinaryIO

from teeproof.core.errors import Error
from teeproof.proof.log.formats.note import SignatureLine
from teeproof.proof.witness.request import AddCheckpoint
from teeproof.proof.witness.witness import Conflict
from tests.proof.witness.scenes import Book, open_witness
from tests.proof.witness.test_power import Ledger, forks


def serve(folder: Path, asked: BinaryIO, answers: BinaryIO) -> None:
    """Be a witness that reads requests from a pipe, until killed."""
    with open_witness(folder, now=time.time) as witness:
        while header := asked.read(4):
            request = AddCheckpoint.parse(asked.read(int.from_bytes(header, "big")))
            try:
                said = witness.add(request).encode()
            except Conflict as error:
                said = b"conflict %d" % error.size
            except Error as error:
                said = b"refused " + error.code.encode()
            answers.write(len(said).to_bytes(4, "big") + said)


def born(folder: Path) -> tuple[int, BinaryIO, BinaryIO]:
    """Fork a witness; return its process id, and pipes to ask it and to read its answers."""
    (asked, ask), (read, answer) = os.pipe(), os.pipe()
    child = os.fork()
    if not child:
        os.close(ask)
        os.close(read)
        serve(folder, os.fdopen(asked, "rb"), os.fdopen(answer, "wb", 0))
        os._exit(0)
    os.close(asked)
    os.close(answer)
    return child, os.fdopen(ask, "wb", 0), os.fdopen(read, "rb")


def life(folder: Path, ledger: Ledger, rng: random.Random) -> bool:
    """Let one witness live for some milliseconds; return whether it died with work in hand."""
    child, ask, answers = born(folder)
    wanted: list[tuple[Book, int]] = []
    end, old = time.monotonic() + rng.uniform(0.005, 0.04), 0
    with ask, answers:
        while time.monotonic() < end:
            book = rng.choice(ledger.books)
            size = min(old + rng.randint(0, 3), book.tree.size)
            body = book.request(old, size).encode()
            wanted.append((book, size))
            ask.write(len(body).to_bytes(4, "big") + body)
            if len(wanted) > 1:  # one request is always in work
                old = heard(answers, wanted.pop(0), ledger, old)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        while wanted and len(header := answers.read(4)) == 4:
            heard(answers, wanted.pop(0), ledger, old, header)
    return bool(wanted)


def heard(
    answers: BinaryIO, about: tuple[Book, int], ledger: Ledger, old: int, header: bytes = b""
) -> int:
    """Read one answer, enter it, and return the old size to name next."""
    said = answers.read(int.from_bytes(header or answers.read(4), "big"))
    if said.startswith(b"conflict "):
        return int(said[9:])
    if said.startswith(b"refused "):
        return old
    ledger.note(*about, SignatureLine.parse_lines(said)[0])
    return about[1]


def main(folder: Path, kills: int) -> None:
    """Kill so many witnesses, over fresh memories, and print what was seen."""
    rng, cosigned, in_work = random.Random(7), 0, 0
    for number in range(kills):
        if number % 6 == 0:
            memory, ledger = folder / str(number), Ledger(*forks())
        before = ledger.count
        in_work += life(memory, ledger, rng)
        cosigned += ledger.count - before
    print(json.dumps({"kills": kills, "cosigned": cosigned, "in_work": in_work}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
