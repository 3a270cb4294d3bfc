"""Run a command in a process that cannot reach any network.

    python -m teeproof.cli.offline verify answer.proof

Where the kernel allows it, the process and all that it starts move into a network namespace of
their own, in which there is no interface that works. Everywhere, whatever opens a socket from
Python, or starts another program, ends the process.
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Callable, Sequence

from teeproof.cli import main

__all__ = ["isolate", "run"]

_CLONE_NEWUSER = 0x10000000  # Linux, include/uapi/linux/sched.h
_CLONE_NEWNET = 0x40000000
_REFUSED = 97
_STARTS = frozenset(
    ("os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.system", "pty.spawn",
     "subprocess.Popen")
)  # fmt: skip


def run(arguments: Sequence[str]) -> int:
    """Cut the network off, say how on standard error, and run the command."""
    sys.stderr.write(f"network: {isolate()}\n")
    sys.stderr.flush()
    return main(list(arguments))


def isolate() -> str:
    """Cut this process off from every network, for good; return how, in words."""
    sys.addaudithook(_refuse_sockets)
    unshare = _unshare()
    for flags in (_CLONE_NEWNET, _CLONE_NEWUSER | _CLONE_NEWNET):
        if unshare is not None and unshare(flags) == 0:
            return "off: a namespace without interfaces, and no sockets"
    return "off: no sockets (this kernel gives no namespace to this user)"


def _unshare() -> Callable[[int], int] | None:
    if not sys.platform.startswith("linux"):
        return None
    call: Callable[[int], int] | None = getattr(ctypes.CDLL(None), "unshare", None)
    return call


def _refuse_sockets(event: str, _: object) -> None:
    if event.startswith("socket."):
        os.write(2, b"network: something tried to open a socket\n")
        os._exit(_REFUSED)
    if event in _STARTS:
        os.write(2, b"network: something tried to start another program\n")
        os._exit(_REFUSED)


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
