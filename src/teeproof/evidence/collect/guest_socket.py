"""Whether somebody listens at a unix socket; nothing is said there.

Trusts: nothing; it only knocks.  Does not trust: whoever opens.
"""

from __future__ import annotations

import errno
import os
import socket
import stat

__all__ = ["silence_at"]


def silence_at(path: str, *, timeout: float) -> tuple[str, str] | None:
    """Return why nobody answers at a unix socket, and what to do; None if somebody does."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(timeout)
    with connection:
        try:
            if not stat.S_ISSOCK(os.stat(path).st_mode):
                return "it is no socket", "mount the agent's socket there, and nothing else"
            connection.connect(path)
        except PermissionError:
            return "this user may not open it", "run as its owner, or have its mode changed"
        except OSError as error:
            if error.errno == errno.ECONNREFUSED:
                return "nobody listens there", "start the guest agent"
            reason = os.strerror(error.errno) if error.errno else "it does not answer"
            return reason, "look into the guest agent's log"
    return None
