"""What a visitor takes home beside a proof, to check it there as it is checked here.

The pages show commands for the visitor's own machine, so they name files as they are downloaded and
never the explorer's own folders. A policy and a list of trusted logs are public by nature: whoever
runs the command reads first whom it believes, or uses their own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["Given"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """A file of the reader's trust.

    Attributes:
        name: under which commands name it.
        read: returns its bytes; asked for each download, as it may grow with what runs.
    """

    name: str
    read: Callable[[], bytes]
