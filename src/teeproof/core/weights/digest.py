"""Digest a model, SHA-256 and BLAKE3 in one pass over its bytes, on several cores.

Each thread takes the largest tensor that is left, reads it piece by piece, and gives each piece to
both hashes while it is in the cache. What is hashed is what was read: with ``load_model`` that is
also what the caller gets, so that no file can change between the digest and its use.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from teeproof.core.digests import blake3, named, sha256
from teeproof.core.errors import TooLarge, Unavailable
from teeproof.core.reading import read_bounded
from teeproof.core.strictjson import dumps
from teeproof.core.weights.folder import ModelFolder, Weights, open_folder
from teeproof.core.weights.safetensors import Place

__all__ = ["Digests", "LoadedModel", "ModelDigest", "Tensor", "TensorDigest", "differences",
           "digest_model", "load_model"]  # fmt: skip

MANIFEST_TYPE: Final = "urn:teeproof:model:v1"
MAX_OTHER: Final = 64 << 20  # the largest tokenizer.json in use has 34 MB
PIECE: Final = 256 << 10  # lies in a core's second-level cache while both hashes read it


@dataclass(frozen=True, slots=True)
class Digests:
    """Both digests of some bytes, 32 bytes each."""

    sha256: bytes
    blake3: bytes


@dataclass(frozen=True, slots=True)
class TensorDigest:
    """One tensor, without its bytes."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    digests: Digests


@dataclass(frozen=True, slots=True)
class ModelDigest:
    """What a model is, without its bytes.

    Attributes:
        tensors: sorted by name.
        metadata: the pairs of text that stand beside the tensors, sorted.
        files: the digests of the further files, by name, sorted.
    """

    tensors: tuple[TensorDigest, ...]
    metadata: tuple[tuple[str, str], ...]
    files: tuple[tuple[str, Digests], ...]

    @property
    def root(self) -> bytes:
        """The model's digest, 32 bytes: SHA-256 of the manifest."""
        return sha256(self.manifest())

    @property
    def blake3(self) -> bytes:
        """BLAKE3 of the manifest that holds BLAKE3 digests, 32 bytes."""
        return blake3(self.manifest("blake3"))

    @property
    def name(self) -> str:
        """The root as text, ``sha256:…``."""
        return named(self.root)

    def manifest(self, algorithm: str = "sha256") -> bytes:
        """Return the list that the root is the digest of: JSON, sorted, without spaces."""

        def digits(digests: Digests) -> str:
            value: bytes = getattr(digests, algorithm)
            return value.hex()

        tensors = [[t.name, t.dtype, list(t.shape), digits(t.digests)] for t in self.tensors]
        document = {
            "algorithm": algorithm,
            "files": [[name, digits(digests)] for name, digests in self.files],
            "metadata": [list(pair) for pair in self.metadata],
            "tensors": tensors,
            "type": MANIFEST_TYPE,
        }
        return dumps(document).encode()


@dataclass(frozen=True, slots=True)
class Tensor:
    """One tensor with its bytes, as they lie in the file: little-endian, row after row."""

    dtype: str
    shape: tuple[int, ...]
    data: memoryview


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A model in memory, and the digest of exactly that.

    Attributes:
        digest: what it is.
        tensors: by name; their bytes cannot be written to.
        files: the content of the further files, by name.
    """

    digest: ModelDigest
    tensors: Mapping[str, Tensor]
    files: Mapping[str, bytes]


def digest_model(folder: Path, *, threads: int = 2) -> ModelDigest:
    """Return the digest of the model in a folder; memory stays flat.

    Raises:
        Usage, Malformed, TooLarge, Unavailable: as ``folder.open_folder``.
    """
    with open_folder(folder) as model:
        return _finish(model, _work(model, {}, threads), _others(model))


def load_model(folder: Path, *, threads: int = 2, limit: int = 64 << 30) -> LoadedModel:
    """Return the model in a folder with its bytes; ``limit`` is the most bytes of tensors.

    Raises:
        Usage, Malformed, TooLarge, Unavailable: as ``folder.open_folder``.
    """
    with open_folder(folder) as model:
        places = [place for file in model.weights for place in file.layout.tensors]
        size = sum(place.end - place.start for place in places)
        if size > limit:
            raise TooLarge(
                "the model is too large", expected=f"at most {limit} bytes", got=f"{size} bytes"
            )
        targets = {place.name: bytearray(place.end - place.start) for place in places}
        found = _work(model, targets, threads)
        others = _others(model)
        digest = _finish(model, found, others)
    tensors = {
        place.name: Tensor(place.dtype, place.shape, memoryview(targets[place.name]).toreadonly())
        for place in places
    }
    return LoadedModel(digest, tensors, others)


def differences(expected: ModelDigest, got: ModelDigest) -> tuple[str, ...]:
    """Return what two models do not share, by name: tensors first, then text and files."""

    def parts(model: ModelDigest) -> dict[str, Any]:
        return (
            {f"tensor {tensor.name}": tensor for tensor in model.tensors}
            | {f"text {key}={value}": True for key, value in model.metadata}
            | {f"file {name}": digests for name, digests in model.files}
        )

    ours, theirs = parts(expected), parts(got)
    return tuple(n for n in dict.fromkeys([*ours, *theirs]) if ours.get(n) != theirs.get(n))


def _finish(
    model: ModelFolder, found: Mapping[str, TensorDigest], others: Mapping[str, bytes]
) -> ModelDigest:
    text = {pair for file in model.weights for pair in file.layout.metadata.items()}
    return ModelDigest(
        tensors=tuple(found[name] for name in sorted(found)),
        metadata=tuple(sorted(text)),
        files=tuple((name, Digests(sha256(d), blake3(d))) for name, d in sorted(others.items())),
    )


def _others(model: ModelFolder) -> dict[str, bytes]:
    return {
        name: read_bounded(model.path / name, limit=MAX_OTHER, what="file of a model")
        for name in model.others
    }


def _work(
    model: ModelFolder, targets: Mapping[str, bytearray], threads: int
) -> dict[str, TensorDigest]:
    """Hash every tensor, the largest first; what has a target is kept there."""
    from blake3 import blake3 as hasher  # noqa: PLC0415  few commands need it

    jobs = [(file, place) for file in model.weights for place in file.layout.tensors]
    jobs.sort(key=lambda job: job[1].start - job[1].end)
    waiting, lock = iter(jobs), threading.Lock()

    def take() -> Iterator[tuple[Weights, Place]]:
        while True:
            with lock:
                job = next(waiting, None)
            if job is None:
                return
            yield job

    def run(_: int) -> list[TensorDigest]:
        scratch = memoryview(bytearray(PIECE))
        return [
            _hash(file, place, targets.get(place.name), scratch, hasher) for file, place in take()
        ]

    workers = max(1, min(threads, len(jobs)))
    if workers == 1:
        return {tensor.name: tensor for tensor in run(0)}
    with ThreadPoolExecutor(workers) as pool:
        return {tensor.name: tensor for part in pool.map(run, range(workers)) for tensor in part}


def _hash(
    file: Weights, place: Place, target: bytearray | None, scratch: memoryview, hasher: Any
) -> TensorDigest:
    sha, blake = hashlib.sha256(), hasher()
    size = place.end - place.start
    whole = scratch if target is None else memoryview(target)
    for at in range(0, size, PIECE):
        length = min(PIECE, size - at)
        piece = whole[:length] if target is None else whole[at : at + length]
        if os.preadv(file.descriptor, [piece], place.start + at) != length:
            raise Unavailable(
                f"{file.name} became shorter while it was read: try again",
                code="file_unavailable",
                got=file.name,
            )
        sha.update(piece)
        blake.update(piece)
    digests = Digests(sha.digest(), blake.digest())
    return TensorDigest(place.name, place.dtype, place.shape, digests)
