"""What the engine calls an array: NumPy's, in float32 where nothing else is said.

NumPy is loaded by whoever runs a model and by nobody else, so its types are no names here.
"""

from __future__ import annotations

from typing import Any, TypeAlias

__all__ = ["Array"]

Array: TypeAlias = Any
"""A ``numpy.ndarray``."""
