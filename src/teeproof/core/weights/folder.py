"""A model's folder: which of its files hold tensors, and which else count. No digests here.

The weights are ``model.safetensors``, or ``model.safetensors.index.json`` with exactly the files
that it names, each tensor in the file where it says. Every other file counts by its bytes, for
nobody can say of a file that no program ever reads it: all but those in ``BESIDE``. Folders within
are refused, as nothing would account for what they hold.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from teeproof.core import strictjson
from teeproof.core.errors import Malformed, TooLarge, Unavailable, Usage
from teeproof.core.reading import read_bounded
from teeproof.core.weights.safetensors import Layout, read_layout

__all__ = ["BESIDE", "MAX_FILES", "ModelFolder", "Weights", "open_folder"]

BESIDE: Final = frozenset(
    {"training_summary.json", "README.md", "LICENSE", ".gitattributes", "model.sig"}
)
"""Files that say something about a model, and are not part of it."""
MAX_FILES: Final = 1024
MAX_INDEX: Final = 16 << 20
SINGLE: Final = "model.safetensors"
INDEX: Final = "model.safetensors.index.json"
_ENDING: Final = ".safetensors"


@dataclass(frozen=True, slots=True)
class Weights:
    """One open file of tensors.

    Attributes:
        name: of the file.
        descriptor: open for reading.
        layout: what lies where.
    """

    name: str
    descriptor: int
    layout: Layout


@dataclass(frozen=True, slots=True)
class ModelFolder:
    """A model as files.

    Attributes:
        path: the folder.
        weights: the files of tensors, by name.
        others: the names of the further files that count, sorted.
    """

    path: Path
    weights: tuple[Weights, ...]
    others: tuple[str, ...]


@contextlib.contextmanager
def open_folder(path: Path) -> Iterator[ModelFolder]:
    """Give the model in a folder, its files of tensors open until the end.

    Raises:
        Unavailable: the folder or a file cannot be read.
        Usage: code ``not_a_model``: no weights, a folder within, or more than 1,024 files.
        Malformed: a safetensors file or the index is not what it should be, or they disagree.
    """
    names = _names(path)
    index = _index(path) if INDEX in names else None
    holding = sorted(name for name in names if name.endswith(_ENDING))
    wanted = [SINGLE] if index is None else sorted(set(index.values()))
    if holding != wanted:
        raise _not_a_model(path, ", ".join(wanted), ", ".join(holding) or "none")
    others = tuple(sorted(names - set(holding) - {INDEX} - BESIDE))
    with contextlib.ExitStack() as stack:
        weights = tuple(_open(path, name, stack) for name in holding)
        _check_names(weights, index)
        yield ModelFolder(path, weights, others)


def _names(path: Path) -> set[str]:
    try:
        with os.scandir(path) as entries:
            found = {entry.name: entry.is_file() and entry.name.isprintable() for entry in entries}
    except OSError as error:
        raise Unavailable(
            f"{path} cannot be read as a folder: {error.strerror}",
            code="file_unavailable",
            got=str(path),
        ) from None
    odd = [name for name, is_file in found.items() if not is_file]
    if odd or len(found) > MAX_FILES:
        what = f"{min(odd)!a}, which is no file with a plain name" if odd else f"{len(found)} files"
        raise _not_a_model(path, f"at most {MAX_FILES} files and no folders", what)
    return set(found)


def _index(path: Path) -> dict[str, str]:
    data = read_bounded(path / INDEX, limit=MAX_INDEX, what="index of weights")
    document = strictjson.loads(data, limit=MAX_INDEX, what="index of weights")
    places: Any = document.get("weight_map") if isinstance(document, dict) else None
    if not isinstance(places, dict) or not all(
        isinstance(name, str) and name.endswith(_ENDING) for name in places.values()
    ):
        raise Malformed(
            f"{INDEX} does not say in which file each tensor lies", code="weights_index_malformed"
        )
    return places


def _open(path: Path, name: str, stack: contextlib.ExitStack) -> Weights:
    try:
        descriptor = os.open(path / name, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise Unavailable(
            f"{name} cannot be read: {error.strerror}", code="file_unavailable", got=name
        ) from None
    stack.callback(os.close, descriptor)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        raise Usage(f"{name} is not a regular file", code="not_a_file")
    return Weights(name, descriptor, read_layout(descriptor, name=name))


def _check_names(weights: tuple[Weights, ...], index: dict[str, str] | None) -> None:
    """Raise unless each tensor lies in one file, and there where the index says."""
    found: dict[str, str] = {}
    for file in weights:
        for place in file.layout.tensors:
            if place.name in found:
                raise _disagree(place.name, found[place.name], file.name)
            found[place.name] = file.name
    for name in sorted(found.keys() | index.keys()) if index is not None else ():
        if found.get(name) != (index or {}).get(name):
            raise _disagree(name, (index or {}).get(name, "nowhere"), found.get(name, "nowhere"))
    if len(found) > strictjson.MAX_CONTAINERS:
        raise TooLarge(
            "the model has too many tensors", expected="at most 65536", got=str(len(found))
        )


def _disagree(tensor: str, expected: str, got: str) -> Malformed:
    return Malformed(
        f"tensor {tensor[:80]!a} lies in two files, or not where the index says: take the model "
        "from its maker again",
        code="weights_index_mismatch",
        expected=expected[:100],
        got=got[:100],
    )


def _not_a_model(path: Path, expected: str, got: str) -> Usage:
    return Usage(
        f"{path} is not the folder of one model: give a folder with {SINGLE}, or with {INDEX} and "
        "the files that it names",
        code="not_a_model",
        expected=expected[:300],
        got=got[:300],
    )
