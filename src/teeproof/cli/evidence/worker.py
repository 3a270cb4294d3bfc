"""A worker of ``teeproof evidence serve``: verifies what comes on standard input, one at a time."""

from __future__ import annotations

import os
import resource
import signal
import sys
from datetime import datetime
from typing import Any

from teeproof.cli.verify import verify_bundle
from teeproof.cloud.verifier.judging import answer
from teeproof.cloud.verifier.workers import read_frame, write_frame
from teeproof.evidence.files.bundles import bundle
from teeproof.evidence.files.kinds import identify
from teeproof.evidence.policy import Policy

__all__ = ["judge", "main"]

_MEMORY = 2 << 30  # bytes of address space; a verification needs some 200 MiB
_FILES = 64  # open at once


def judge(files: tuple[bytes, ...], policy: Policy | None, now: datetime) -> dict[str, Any]:
    """Return the verdict on the files of one machine, with what it was given.

    Raises:
        Usage: no evidence among them, or of several machines; and what ``bundle`` raises.
    """
    pieces = [identify(data, name=f"file {number}") for number, data in enumerate(files, 1)]
    found = bundle(pieces, name="evidence")
    return verify_bundle(found, policy=policy, now=now, environment=os.environ).to_json()


def main() -> int:
    """Answer until the input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's Ctrl-C is for the service
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (_FILES, _FILES))
    source, target = sys.stdin.buffer, sys.stdout.buffer
    sys.stdout = sys.stderr  # nothing that is printed by mistake becomes an answer
    write_frame(target, b"")  # it has begun
    while (question := read_frame(source)) is not None:
        write_frame(target, answer(question, judge))
    return 0


if __name__ == "__main__":
    sys.exit(main())
