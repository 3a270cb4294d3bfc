"""A market in a process of its own, which kills itself at the worst moment: python -m … FOLDER."""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any

from teeproof.network.ledger import Ledger
from teeproof.network.market import Market
from tests.network.scenes import Served

BEFORE, AFTER = "before", "after"
"""Before the order is on disk; behind that, and before anyone is told."""


def dies(folder: Path, moment: str) -> bool:
    return (folder / "die").exists() and (folder / "die").read_text() == moment


def mine(folder: Path) -> None:
    """Have the market end with SIGKILL at the moment that the file ``die`` names."""
    append, send = Ledger.append, Market.send

    def appended(self: Ledger, body: bytes, **options: Any) -> int:
        if dies(folder, BEFORE) and b'"kind":"matched"' in body:
            os.kill(os.getpid(), signal.SIGKILL)
        return append(self, body, **options)

    def sent(self: Market) -> None:
        if dies(folder, AFTER):
            os.kill(os.getpid(), signal.SIGKILL)
        send(self)

    Ledger.append, Market.send = appended, sent  # type: ignore[method-assign]


def main(folder: Path) -> None:
    mine(folder)
    served = Served(folder)
    print(served.url, flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
