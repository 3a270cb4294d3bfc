"""A model's weights: read with bounds, and named by one digest that holds for every byte that acts.

    digest_model(folder)        the model's root, and the digest of each tensor and file
    load_model(folder)          the same, with the tensors' bytes: what is hashed is what is loaded
    parse_layout(header, …)     where the tensors of one safetensors file lie
    differences(a, b)           which tensors and files two models do not share

The root is the SHA-256 of a list that anybody can write down (``ModelDigest.manifest``): each
tensor by name, type, shape and the SHA-256 of its bytes; the text that safetensors keeps beside
them; and each further file of the folder. In which order a file's header names its tensors, where
it puts them, and over how many files they are spread has no influence. ``BESIDE`` names the few
files that no program reads in order to answer, which are left out.
"""

from __future__ import annotations

from teeproof.core.weights.digest import (
    Digests,
    LoadedModel,
    ModelDigest,
    Tensor,
    TensorDigest,
    differences,
    digest_model,
    load_model,
)
from teeproof.core.weights.folder import BESIDE, ModelFolder, open_folder
from teeproof.core.weights.safetensors import DTYPES, Layout, Place, parse_layout, read_layout

__all__ = [
    "BESIDE",
    "DTYPES",
    "Digests",
    "Layout",
    "LoadedModel",
    "ModelDigest",
    "ModelFolder",
    "Place",
    "Tensor",
    "TensorDigest",
    "differences",
    "digest_model",
    "load_model",
    "open_folder",
    "parse_layout",
    "read_layout",
]
