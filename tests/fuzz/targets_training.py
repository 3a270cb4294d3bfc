"""Fuzz targets for training: headers of safetensors files, recipes, what trainers say."""

from __future__ import annotations

import json
from contextlib import suppress

from teeproof.core.errors import Malformed
from teeproof.core.weights import parse_layout

_TWO = json.dumps(
    {
        "a": {"dtype": "F32", "shape": [2, 2], "data_offsets": [0, 16]},
        "b": {"dtype": "BF16", "shape": [3], "data_offsets": [16, 22]},
        "__metadata__": {"format": "pt"},
    }
).encode()


def fuzz_safetensors_file(data: bytes) -> None:
    """A file is refused, or the library reads the same tensors from it at the same places."""
    header = data[8 : 8 + int.from_bytes(data[:8], "little")]
    with suppress(Malformed):
        layout = parse_layout(header, file_size=len(data))
        if int.from_bytes(data[:8], "little") == len(header):
            _compare(data, layout.tensors)


def _compare(data: bytes, places: tuple[object, ...]) -> None:
    import safetensors

    read = dict(safetensors.deserialize(data))
    ours = {p.name: (p.dtype, list(p.shape), data[p.start : p.end]) for p in places}  # type: ignore[attr-defined]
    assert ours == {n: (i["dtype"], i["shape"], bytes(i["data"])) for n, i in read.items()}


SEEDS = {
    "fuzz_safetensors_file": lambda: [
        len(_TWO).to_bytes(8, "little") + _TWO + bytes(22),
        len(b"{}  ").to_bytes(8, "little") + b"{}  ",
    ],
}
