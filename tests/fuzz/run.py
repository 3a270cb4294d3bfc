"""Fuzz each target for a while, with coverage guidance where atheris is installed.

    python -m tests.fuzz.run --seconds 60 [NAME …]      fuzz
    python -m tests.fuzz.run --replay FILE NAME         run one target on one input

Inputs that break a target are written to ``.fuzz/<name>/`` and named; the exit code is then 1.
"""

from __future__ import annotations

import argparse
import importlib.util
import random
import re
import subprocess
import sys
import time
import traceback
from dataclasses import dataclass
from pathlib import Path

from tests.fuzz.harness import HERE, Target, discover, mutate

LONGEST = 1 << 17  # bytes of one input
SLOWEST = 10  # seconds on one input: far above any parser here, so what reaches it hangs
MEMORY = 4096  # MiB


@dataclass(frozen=True, slots=True)
class Outcome:
    """What fuzzing one target showed: runs made, and the inputs that broke it."""

    runs: int
    crashes: tuple[Path, ...]
    printed: str = ""


def main(arguments: list[str] | None = None) -> int:
    """Run the command; return its exit code."""
    options = _options(arguments)
    if options.guided:
        _guided(options)
    # Coverage guidance needs the parsers to be imported by the engine: it finds targets itself.
    targets = discover(options.targets)
    names = options.names or sorted(targets)
    unknown = set(names) - set(targets)
    if unknown:
        print(
            f"no such target: {', '.join(sorted(unknown))}; there are {', '.join(sorted(targets))}"
        )
        return 2
    if options.replay:
        for name in names:
            targets[name].run(options.replay.read_bytes())
        print(f"{options.replay} breaks none of: {', '.join(names)}")
        return 0
    return _fuzz([targets[name] for name in names], options)


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tests.fuzz.run", description=__doc__)
    parser.add_argument("names", nargs="*", help="targets; all of them if none is named")
    parser.add_argument("--seconds", type=float, default=60, help="time for each target")
    parser.add_argument("--out", type=Path, default=Path(".fuzz"), help="where inputs are kept")
    parser.add_argument("--targets", type=Path, default=HERE, help="folder of targets_*.py")
    parser.add_argument("--engine", choices=["auto", "atheris", "mutation"], default="auto")
    parser.add_argument("--replay", type=Path, help="run on this input and stop")
    parser.add_argument("--guided", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


def _fuzz(targets: list[Target], options: argparse.Namespace) -> int:
    atheris = importlib.util.find_spec("atheris") is not None
    if options.engine == "atheris" and not atheris:
        print("atheris is not installed: pip install -e '.[fuzz]'")
        return 2
    guided = atheris and options.engine != "mutation"
    if not guided:
        print("no coverage guidance (atheris is not used): inputs are mutations of the seeds")
    broken = 0
    for target in targets:
        folder = options.out / target.name
        folder.mkdir(parents=True, exist_ok=True)
        outcome = (_atheris if guided else _mutation)(target, folder, options)
        broken += len(outcome.crashes)
        found = "no finding" if not outcome.crashes else f"{len(outcome.crashes)} FINDING(S)"
        print(f"{target.name:32} {outcome.runs:>10,} runs   {found}", flush=True)
        if outcome.crashes:
            print(outcome.printed.rstrip())
        for crash in outcome.crashes:
            print(f"    python -m tests.fuzz.run --replay {crash} {target.name}")
    return 1 if broken else 0


def _mutation(target: Target, folder: Path, options: argparse.Namespace) -> Outcome:
    source, runs = random.Random(), 0
    end = time.monotonic() + options.seconds
    while time.monotonic() < end:
        data = target.seeds[runs] if runs < len(target.seeds) else mutate(source, target.seeds)
        runs += 1
        try:
            target.run(data)
        except Exception:
            crash = folder / f"crash-{runs}"
            crash.write_bytes(data)
            return Outcome(runs, (crash,), traceback.format_exc())
    return Outcome(runs, ())


def _atheris(target: Target, folder: Path, options: argparse.Namespace) -> Outcome:
    corpus = folder / "corpus"
    corpus.mkdir(exist_ok=True)
    for number, seed in enumerate(target.seeds):
        (corpus / f"seed-{number}").write_bytes(seed)
    before = _artifacts(folder)
    command = [sys.executable, "-m", "tests.fuzz.run", "--guided", target.name]
    command += [
        "--seconds",
        str(options.seconds),
        "--out",
        options.out,
        "--targets",
        options.targets,
    ]
    engine = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    printed = engine.stdout[-20_000:] + engine.stderr[-20_000:]
    crashes = tuple(sorted(_artifacts(folder) - before))
    if engine.returncode and not crashes:
        raise RuntimeError(f"the engine failed on {target.name}:\n{printed[-4000:]}")
    runs = re.findall(r"^#(\d+)", printed, re.MULTILINE)
    return Outcome(int(runs[-1]) if runs else 0, crashes, _trace(printed))


def _artifacts(folder: Path) -> set[Path]:
    return {p for kind in ("crash", "timeout", "oom") for p in folder.glob(f"{kind}-*")}


def _trace(printed: str) -> str:
    start = printed.find("Traceback")
    return printed[start:].partition("\nINFO:")[0].partition("\n==")[0] if start >= 0 else printed


def _guided(options: argparse.Namespace) -> None:
    """Run one target under libFuzzer in this process; it never returns."""
    import atheris

    areas = [path.stem for path in options.targets.glob("targets_*.py")]
    with atheris.instrument_imports(include=["teeproof", "tests", *areas]):
        target = discover(options.targets)[options.names[0]]
    folder = options.out / target.name
    flags = [
        f"-max_total_time={max(1, round(options.seconds))}",
        f"-artifact_prefix={folder}/",
        f"-max_len={LONGEST}",
        f"-timeout={SLOWEST}",
        f"-rss_limit_mb={MEMORY}",
        "-verbosity=1",
    ]
    atheris.Setup([sys.argv[0], *flags, str(folder / "corpus")], target.run)
    atheris.Fuzz()


if __name__ == "__main__":
    sys.exit(main())
