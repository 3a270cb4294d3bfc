"""The benchmarks' own arithmetic: ratios point the right way, and what is missed shows."""

from __future__ import annotations

import itertools
import os
import sys

import pytest

from bench import run
from bench.measure import Figure, Row, beside, command, cpu, rate

MIB = 1 << 20


def row(ours: float, limit: float, **more) -> Row:
    return Row("x", Figure(ours, 0.0), Figure(limit, 0.0), "y", **more)


def test_the_ratio_is_the_share_of_the_limit_that_is_reached():
    assert row(2.0, 1.0).ratio == 0.5
    assert row(50.0, 100.0, unit="1/s").ratio == 0.5
    assert row(4 * MIB, 2 * MIB, unit="B").ratio == 0.5


def test_what_takes_nothing_has_no_ratio_and_meets_its_goals():
    nothing = row(0.0, 4 * MIB, unit="B", goal=1.0, at_most=1.0)
    assert nothing.ratio is None
    assert nothing.met
    assert run.table([nothing]).splitlines()[2].split()[:6] == ["x", "0", "B", "4.00", "MiB", "-"]


@pytest.mark.parametrize(
    ("made", "met"),
    [
        (row(2.0, 1.0), None),
        (row(2.0, 1.0, goal=0.5), True),
        (row(2.0, 1.0, goal=0.51), False),
        (row(2.0, 1.0, at_most=2.0), True),
        (row(2.0, 1.0, at_most=1.9), False),
        (row(2.0, 1.0, goal=0.5, at_most=1.9), False),
        (row(50.0, 100.0, unit="1/s", goal=0.6), False),
    ],
)
def test_a_goal_that_is_missed_is_shown(made, met):
    assert made.met is met
    assert ("MISSED" in run.table([made])) is (met is False)


def test_the_table_says_what_was_measured_and_against_what():
    made = Row("verify", Figure(0.00019, 0.02), Figure(0.000145, 0.1), "2 verifies", goal=0.7)
    head, rule, line = run.table([made]).splitlines()
    assert head.split() == ["what", "ours", "limit", "ratio", "goal", "noise", "the", "limit", "is"]
    assert set(rule) == {"-"}
    assert " ".join(line.split()) == "verify 190 µs 145 µs 0.76 >= 0.70 10% 2 verifies"
    assert run.summary([made, row(1.0, 0.1, goal=0.5)]) == "goals: 1 met, 1 missed"


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.25, "s", "250 ms"),
        (0.0000123, "s", "12.3 µs"),
        (1.5, "s", "1.50 s"),
        (3 * MIB, "B", "3.00 MiB"),
        (13_900, "1/s", "13.9 k/s"),
        (0.0, "s", "0 ns"),
        (0.0, "B", "0 B"),
    ],
)
def test_an_amount_is_written_with_the_unit_that_fits(value, unit, text):
    assert run.amount(value, unit) == text


class Clock:
    """CPU time that passes when work says so."""

    def __init__(self, monkeypatch) -> None:
        self.now = 0.0
        monkeypatch.setattr("time.process_time", lambda: self.now)

    def work(self, *seconds: float):
        costs = itertools.cycle(seconds)

        def spend() -> None:
            self.now += next(costs)

        return spend


def test_each_work_is_measured_by_the_cpu_time_of_one_call(monkeypatch):
    clock = Clock(monkeypatch)
    little, much = beside(clock.work(0.001), clock.work(0.5))
    assert little.value == pytest.approx(0.001)
    assert much.value == pytest.approx(0.5)
    assert much.noise == pytest.approx(0)
    assert rate(much, 100).value == pytest.approx(200)


def test_the_best_round_counts_and_the_others_are_noise(monkeypatch):
    clock = Clock(monkeypatch)
    # The first call belongs to no round, the second finds how many calls make one.
    (figure,) = beside(clock.work(9.0, 0.25, 0.3, 0.2, 0.3), rounds=3)
    assert figure.value == pytest.approx(0.2)
    assert figure.noise == pytest.approx(0.5)


def test_work_too_short_for_the_clock_is_called_often_enough(monkeypatch):
    clock, calls = Clock(monkeypatch), []
    spend = clock.work(1e-5)
    assert cpu(lambda: (spend(), calls.append(0)), rounds=2).value == pytest.approx(1e-5)
    assert len(calls) * 1e-5 > 3 * 0.05


def test_the_memory_of_a_command_is_its_own_and_not_its_parents():
    held = b"x" * (200 * MIB)
    small = command([sys.executable, "-c", "pass"], rounds=1).memory.value
    large = command([sys.executable, "-c", f"b'x' * {100 * MIB}"], rounds=1).memory.value
    assert len(held) == 200 * MIB
    assert small < 100 * MIB < large < 200 * MIB


def test_a_command_that_fails_is_no_measurement():
    words = [sys.executable, "-c", "raise SystemExit('broken')"]
    with pytest.raises(RuntimeError, match="ended with 1: broken"):
        command(words, rounds=1)
    assert command(words, rounds=1, codes=[1]).cpu.value > 0


GOOD = """
from bench.measure import Figure, Row

def rows():
    yield Row("planted", Figure(2.0, 0.0), Figure(1.0, 0.0), "its limit", goal=0.7)
"""


def test_each_file_of_benchmarks_is_run_and_shown(tmp_path, capfd):
    (tmp_path / "bench_one.py").write_text(GOOD)
    assert run.main(["--folder", str(tmp_path)]) == 0
    printed = capfd.readouterr().out
    assert f"{os.cpu_count()} cores" in printed
    assert "planted" in printed
    assert "MISSED" in printed
    assert printed.endswith("goals: 0 met, 1 missed\n")


def test_a_benchmark_that_breaks_fails_the_run_and_leaves_the_others(tmp_path, capfd):
    (tmp_path / "bench_one.py").write_text(GOOD)
    (tmp_path / "bench_two.py").write_text("def rows():\n    raise ValueError('broken')")
    assert run.main(["--folder", str(tmp_path)]) == 1
    printed = capfd.readouterr()
    assert "planted" in printed.out
    assert "ValueError: broken" in printed.err
    assert "two failed: its message stands above" in printed.err


def test_a_benchmark_that_is_killed_says_by_which_signal(tmp_path, capfd):
    (tmp_path / "bench_one.py").write_text("import os\nos.kill(os.getpid(), 9)")
    assert run.main(["--folder", str(tmp_path)]) == 1
    assert "one failed: ended by signal 9" in capfd.readouterr().err


def test_nothing_measured_is_no_success(tmp_path, capfd):
    assert run.main(["--folder", str(tmp_path)]) == 1
    assert run.main(["--folder", str(tmp_path), "nothing"]) == 2
    assert "no such benchmark: nothing" in capfd.readouterr().out


def test_the_rows_are_there_as_json(tmp_path, capfd):
    (tmp_path / "bench_one.py").write_text(GOOD)
    assert run.main(["--folder", str(tmp_path), "--json", "one"]) == 0
    assert '"ratio": 0.5' in capfd.readouterr().out
