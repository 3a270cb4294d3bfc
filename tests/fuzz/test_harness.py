"""The harness finds a bug that was planted, keeps the input, and runs it again."""

from __future__ import annotations

import importlib.util
import random

import pytest

from tests.fuzz import run
from tests.fuzz.harness import discover, mutate, stands_mutations

PLANTED = '''
"""A parser that trusts a length field."""

def fuzz_trusting(data):
    if data[:4] == b"SEED" and len(data) > 5 and data[4] > len(data):
        raise IndexError("read past the end")

def fuzz_careful(data):
    bytes(data)

SEEDS = {
    "fuzz_trusting": lambda: [b"SEED" + bytes([4]) + b"body"],
    "fuzz_careful": lambda: [b"x"],
}
'''
ENGINES = [
    "mutation",
    pytest.param(
        "atheris",
        marks=pytest.mark.skipif(
            importlib.util.find_spec("atheris") is None,
            reason="atheris is not installed: pip install -e '.[fuzz]'",
        ),
    ),
]


@pytest.fixture
def planted(tmp_path):
    (tmp_path / "targets_planted.py").write_text(PLANTED)
    return tmp_path


def test_the_bounded_run_finds_a_planted_bug(planted):
    target = discover(planted)["fuzz_trusting"]

    with pytest.raises(IndexError, match="past the end") as found:
        stands_mutations(target, random.Random(), 10_000)
    (note,) = found.value.__notes__
    data = bytes.fromhex(note.partition("('")[2].removesuffix("')"))
    assert note.startswith("fuzz_trusting was given")
    with pytest.raises(IndexError, match="past the end"):
        target.run(data)


@pytest.mark.parametrize("engine", ENGINES)
def test_the_long_run_finds_a_planted_bug_and_keeps_the_input(planted, engine, capfd):
    out = planted / "out"
    arguments = [
        "--targets",
        str(planted),
        "--out",
        str(out),
        "--engine",
        engine,
        "--seconds",
        "20",
    ]
    assert run.main([*arguments, "fuzz_trusting"]) == 1
    printed = capfd.readouterr().out
    (crash,) = (out / "fuzz_trusting").glob("crash-*")
    assert f"--replay {crash} fuzz_trusting" in printed
    assert "IndexError: read past the end" in printed
    with pytest.raises(IndexError, match="past the end"):
        run.main(["--targets", str(planted), "--replay", str(crash), "fuzz_trusting"])


@pytest.mark.parametrize("engine", ENGINES)
def test_the_long_run_of_a_sound_target_finds_nothing(planted, engine, capfd):
    out = planted / "out"
    arguments = ["--targets", str(planted), "--out", str(out), "--engine", engine, "--seconds", "1"]
    assert run.main([*arguments, "fuzz_careful"]) == 0
    assert "no finding" in capfd.readouterr().out


def test_the_engine_that_is_not_guided_says_so(planted, capfd):
    arguments = ["--targets", str(planted), "--out", str(planted / "out"), "--seconds", "0"]
    run.main([*arguments, "--engine", "mutation", "fuzz_careful"])
    assert capfd.readouterr().out.startswith("no coverage guidance")


def test_a_target_that_does_not_exist_is_named(planted, capfd):
    assert run.main(["--targets", str(planted), "fuzz_nothing"]) == 2
    assert "fuzz_nothing" in capfd.readouterr().out


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("SEEDS = {}\ndef fuzz_x(data): pass", "differ"),
        ("SEEDS = {'fuzz_x': lambda: []}\ndef fuzz_x(data): pass", "fuzz_x has no seeds"),
        ("SEEDS = {}", "no fuzz targets"),
    ],
)
def test_a_file_of_targets_that_would_test_nothing_is_refused(tmp_path, text, complaint):
    (tmp_path / "targets_empty.py").write_text(text)
    with pytest.raises(LookupError, match=complaint):
        discover(tmp_path)


def test_two_targets_of_one_name_are_refused_and_not_one_of_them_run(tmp_path):
    for name in ("one", "two"):
        (tmp_path / f"targets_{name}.py").write_text(
            "SEEDS = {'fuzz_x': lambda: [b'x']}\ndef fuzz_x(data): pass"
        )
    with pytest.raises(LookupError, match="fuzz_x is defined in two files"):
        discover(tmp_path)


def test_what_was_found_before_is_a_seed_for_ever(planted):
    folder = planted / "found" / "fuzz_careful"
    folder.mkdir(parents=True)
    (folder / "one").write_bytes(b"finding")
    assert discover(planted)["fuzz_careful"].seeds == (b"x", b"finding")


def test_mutations_differ_from_their_seed_and_from_each_other():
    seed = bytes(range(256))
    made = {mutate(random.Random(number), (seed,)) for number in range(200)}
    assert len(made - {seed}) > 150
