"""The version of this program, as verdicts record it and the command prints it."""

from __future__ import annotations

__all__ = ["VERSION"]

VERSION = "0.1.0"
