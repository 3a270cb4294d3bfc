"""Where teeproof keeps what it must remember on this machine."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

__all__ = ["data_directory"]


def data_directory(environment: Mapping[str, str]) -> Path:
    """Return the data directory; nothing is created.

    ``TEEPROOF_HOME`` wins; otherwise ``$XDG_DATA_HOME/teeproof``, whose default is
    ``~/.local/share/teeproof`` (XDG Base Directory Specification 0.8).
    """
    explicit = environment.get("TEEPROOF_HOME")
    if explicit:
        return Path(explicit).absolute()
    base = environment.get("XDG_DATA_HOME", "")
    if not base.startswith("/"):  # the specification says that a relative path must be ignored
        base = environment.get("HOME", "") + "/.local/share"
    return Path(base) / "teeproof"
