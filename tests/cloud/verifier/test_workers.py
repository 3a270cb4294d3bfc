"""Workers: what one cannot answer in time is given up, and the next question is answered."""

from __future__ import annotations

import asyncio
import io
import os
import sys

import pytest

from teeproof.cloud.verifier.workers import MAX_FRAME, Workers, read_frame, write_frame
from teeproof.core.errors import Unavailable

ECHO = """
import os, sys, time
from teeproof.cloud.verifier.workers import read_frame, write_frame
time.sleep(float(sys.argv[1]))
write_frame(sys.stdout.buffer, b"")
while (asked := read_frame(sys.stdin.buffer)) is not None:
    if asked == b"sleep":
        time.sleep(600)
    if asked == b"end":
        os._exit(9)
    if asked == b"half":
        os.write(1, b"\\0\\0\\0\\5ab")
        os._exit(0)
    write_frame(sys.stdout.buffer, (b"%d " % os.getpid()) + asked)
"""


@pytest.fixture
def workers():
    made = []

    def make(begin=0.0, **options):
        words = [sys.executable, "-c", ECHO, str(begin)]
        made.append(Workers(words, **({"size": 1, "seconds": 60.0} | options)))
        return made[-1]

    yield make
    for one in made:
        one.close()


def refusal(workers: Workers, question: bytes) -> str:
    with pytest.raises(Unavailable) as caught:
        asyncio.run(workers.ask(question))
    return caught.value.code


def test_a_question_is_answered_by_one_process_after_another(workers):
    pool = workers()
    first = asyncio.run(pool.ask(b"a"))
    second = asyncio.run(pool.ask(b"b" * 1_000_000))
    assert first.split()[0] == second.split()[0]
    assert second.endswith(b"b" * 1_000_000)


def test_no_question_pays_for_the_time_in_which_its_worker_begins(workers):
    pool = workers(begin=3.0, seconds=2.0)
    assert asyncio.run(pool.ask(b"a")).endswith(b"a")
    assert refusal(pool, b"end") == "verification_ended"
    assert asyncio.run(pool.ask(b"b")).endswith(b"b")  # by another worker, which begins anew


def test_a_worker_that_does_not_begin_makes_no_evidence_slow(workers, monkeypatch):
    monkeypatch.setattr("teeproof.cloud.verifier.workers._BEGIN", 0.2)
    assert refusal(workers(begin=600.0), b"a") == "verifier_busy"


def test_client_sends_what_takes_too_long(workers):
    pool = workers(seconds=2.0)
    before = asyncio.run(pool.ask(b"a")).split()[0]
    assert refusal(pool, b"sleep") == "verification_timeout"
    with pytest.raises(ProcessLookupError):
        os.kill(int(before), 0)
    assert asyncio.run(pool.ask(b"a")).split()[0] != before


@pytest.mark.parametrize("question", [b"end", b"half"])
def test_client_ends_a_worker_and_another_takes_its_place(workers, question):
    pool = workers()
    assert refusal(pool, question) == "verification_ended"
    assert asyncio.run(pool.ask(b"still here")).endswith(b"still here")


def test_no_more_wait_than_may(workers):
    pool = workers(size=1, waiting=1)

    async def three() -> list[object]:
        return await asyncio.gather(
            *(pool.ask(b"%d" % n) for n in range(3)), return_exceptions=True
        )

    found = asyncio.run(three())
    assert [type(one) for one in found] == [bytes, bytes, Unavailable]
    assert found[2].code == "verifier_busy"
    assert pool.under_way == 0


def test_frames_end_where_they_say():
    stream = io.BytesIO()
    write_frame(stream, b"one")
    write_frame(stream, b"")
    stream.seek(0)
    assert [read_frame(stream) for _ in range(3)] == [b"one", b"", None]


@pytest.mark.parametrize(
    "data", [b"\0", b"\0\0\0\1", b"\0\0\0\2a", (MAX_FRAME + 1).to_bytes(4, "big") + b"x"]
)
def test_half_a_frame_is_none(data):
    with pytest.raises(EOFError):
        read_frame(io.BytesIO(data))
