"""Run the command line as people do: arguments in, exit code and two streams out."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["Answer", "Teeproof", "program"]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a run of the program gave."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The JSON document on standard output."""
        return json.loads(self.out)


Teeproof = Callable[..., Answer]


def program(*arguments: object, **environment: str) -> Answer:
    """Run the real program in a process of its own, with pipes for streams."""
    done = subprocess.run(
        [Path(sys.executable).with_name("teeproof"), *map(str, arguments)],
        env=os.environ | environment,
        capture_output=True,
        stdin=subprocess.DEVNULL,
        text=True,
        encoding="utf-8",
        check=False,
        timeout=600,
    )
    return Answer(done.returncode, done.stdout, done.stderr)
