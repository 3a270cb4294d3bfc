"""A pool that is killed at a named point: ``python -m tests.data.victim FOLDER POINT``."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from teeproof.cloud.kms.requests import WithdrawRequest, read_request
from teeproof.data.submission import Submission
from tests.data.scenes import Place, send

POINTS = ("arrived", "validating", "decided", "said", "withdrawing")


def die(*_: object) -> bytes:
    os.kill(os.getpid(), signal.SIGKILL)
    return b""


def main(folder: Path, point: str) -> None:
    place = Place(folder)
    pool = place.open()
    add = place.store.add_statement
    sent = Submission.parse((folder / "sent.json").read_bytes())
    if point == "arrived":
        pool.arrive(sent.consent, sent.signature, policy=sent.policy, blob=sent.sealed)
        die()
    if point == "validating":
        place.keys.before = die  # type: ignore[assignment]
    if point == "decided":
        place.store.add_statement = die  # type: ignore[method-assign]
    if point == "said":
        place.store.add_statement = lambda data: (add(data), die())[1]  # type: ignore[method-assign]
    send(pool, sent)
    place.store.add_statement = die  # type: ignore[method-assign]
    asked = read_request((folder / "order.json").read_bytes(), WithdrawRequest)
    pool.withdraw(sent.consent.contribution, asked.order, asked.signature)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
