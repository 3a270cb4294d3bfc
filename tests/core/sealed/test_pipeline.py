"""Segments are written in order whoever is done first, and the earliest error is the one told."""

from __future__ import annotations

import threading

import pytest

from teeproof.core.sealed.pipeline import in_order


class Slot:
    number = -1


def run(threads: int, count: int, *, fails=(), slow=()) -> list[int]:
    numbers, written = iter(range(count)), []

    def read(slot: Slot) -> bool:
        slot.number = next(numbers, -1)
        return slot.number >= 0

    def work(slot: Slot) -> None:
        if slot.number in slow:
            others.wait(0.05)
        if slot.number in fails:
            raise ArithmeticError(slot.number)

    others = threading.Event()
    in_order(
        [Slot() for _ in range(threads)],
        read=read,
        work=work,
        write=lambda slot: written.append(slot.number),
    )
    return written


@pytest.mark.parametrize("threads", [1, 2, 8])
@pytest.mark.parametrize("count", [0, 1, 2, 50])
def test_what_was_read_is_written_in_order(threads, count):
    assert run(threads, count, slow=(0, 7)) == list(range(count))


@pytest.mark.parametrize("threads", [1, 2, 8])
def test_the_error_of_the_earliest_segment_is_raised_though_a_later_one_was_first(threads):
    before = set(threading.enumerate())
    for _ in range(5):
        with pytest.raises(ArithmeticError, match=r"^2$"):
            run(threads, 20, fails=(2, 3, 4, 9), slow=(2,))
    assert set(threading.enumerate()) <= before


def test_an_error_while_reading_comes_after_what_was_read_before():
    written = []

    def read(slot: Slot) -> bool:
        slot.number += 1
        if slot.number == 3:
            raise EOFError
        return True

    with pytest.raises(EOFError):
        in_order(
            [Slot()], read=read, work=lambda slot: None, write=lambda s: written.append(s.number)
        )
    assert written == [0, 1, 2]
