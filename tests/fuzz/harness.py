"""Find the fuzz targets, make strange inputs from their seeds, and run them."""

from __future__ import annotations

import importlib
import random
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

HERE = Path(__file__).resolve().parent
# Lengths and counts at which parsers break: nothing, signs, and the edges of 1, 2 and 4 bytes.
EDGES = [
    n.to_bytes(w, "little") for w in (1, 2, 4) for n in (0, 1, (1 << (8 * w - 1)), (1 << 8 * w) - 1)
]


@dataclass(frozen=True, slots=True)
class Target:
    """One parser under test.

    Attributes:
        name: ``fuzz_…``.
        run: takes any bytes and returns, or raises what nobody promised.
        seeds: valid inputs, and the findings of the past.
    """

    name: str
    run: Callable[[bytes], None]
    seeds: tuple[bytes, ...]


def discover(folder: Path = HERE) -> dict[str, Target]:
    """Return the targets of every ``targets_*.py`` in a folder, by name."""
    targets: dict[str, Target] = {}
    for name, target in _targets(folder):
        if name in targets:
            raise LookupError(f"{name} is defined in two files, and one would not run")
        targets[name] = target
    if not targets:
        raise LookupError(f"no fuzz targets in {folder}")
    return targets


def _targets(folder: Path) -> Iterator[tuple[str, Target]]:
    for path in sorted(folder.glob("targets_*.py")):
        module = _load(path)
        functions = {n: f for n, f in vars(module).items() if n.startswith("fuzz_") and callable(f)}
        if set(module.SEEDS) != set(functions):
            raise LookupError(f"{path.name}: SEEDS and fuzz_* functions differ")
        for name, function in functions.items():
            yield (
                name,
                Target(name, function, _seeds(module.SEEDS[name](), folder / "found" / name)),
            )


def _seeds(made: list[bytes], folder: Path) -> tuple[bytes, ...]:
    if not made:
        raise LookupError(f"{folder.name} has no seeds")
    found = sorted(folder.iterdir()) if folder.is_dir() else []
    return (*made, *(path.read_bytes() for path in found))


def _load(path: Path) -> ModuleType:
    # By an ordinary import: the coverage engine instruments what is imported in the ordinary way.
    if path.parent == HERE:
        return importlib.import_module(f"tests.fuzz.{path.stem}")
    sys.modules.pop(path.stem, None)
    sys.path.insert(0, str(path.parent))
    try:
        importlib.invalidate_caches()
        return importlib.import_module(path.stem)
    finally:
        sys.path.remove(str(path.parent))


def mutate(source: random.Random, seeds: tuple[bytes, ...]) -> bytes:
    """Return a seed with one to eight changes of the kinds that parsers break on."""
    data = bytearray(source.choice(seeds))
    for _ in range(source.choice((1, 1, 1, 2, 4, 8))):
        source.choice(_CHANGES)(source, data, seeds)
    return bytes(data)


def stands_mutations(target: Target, source: random.Random, count: int) -> None:
    """Run a target on that many mutations; what it raises has the input as a note.

    Hypothesis draws nothing here: it takes ten times as long to draw an input, so that it could be
    made smaller, as most parsers take to read it.
    """
    for _ in range(count):
        data = mutate(source, target.seeds)
        try:
            target.run(data)
        except BaseException as error:
            error.add_note(f"{target.name} was given bytes.fromhex({data.hex()!r})")
            raise


def _place(source: random.Random, data: bytearray) -> int:
    return source.randrange(len(data) + 1)


def _flip(source: random.Random, data: bytearray, _: tuple[bytes, ...]) -> None:
    if data:
        data[source.randrange(len(data))] ^= 1 << source.randrange(8)


def _overwrite(source: random.Random, data: bytearray, _: tuple[bytes, ...]) -> None:
    if data:
        data[source.randrange(len(data))] = source.randrange(256)


def _edge(source: random.Random, data: bytearray, _: tuple[bytes, ...]) -> None:
    at, edge = _place(source, data), source.choice(EDGES)
    data[at : at + len(edge)] = edge


def _cut(source: random.Random, data: bytearray, _: tuple[bytes, ...]) -> None:
    first, last = sorted((_place(source, data), _place(source, data)))
    del data[first:last]


def _truncate(source: random.Random, data: bytearray, _: tuple[bytes, ...]) -> None:
    del data[_place(source, data) :]


def _insert(source: random.Random, data: bytearray, _: tuple[bytes, ...]) -> None:
    at = _place(source, data)
    data[at:at] = source.randbytes(source.choice((1, 2, 8, 64)))


def _repeat(source: random.Random, data: bytearray, _: tuple[bytes, ...]) -> None:
    first, last = sorted((_place(source, data), _place(source, data)))
    at = _place(source, data)
    data[at:at] = data[first:last] * source.choice((1, 1, 2, 64))
    del data[1 << 20 :]


def _splice(source: random.Random, data: bytearray, seeds: tuple[bytes, ...]) -> None:
    other = source.choice(seeds)
    at = _place(source, data)
    data[at:] = other[min(at, len(other)) :]


_CHANGES = (_flip, _overwrite, _edge, _cut, _truncate, _insert, _repeat, _splice)
