"""Which user of this machine opened a connection to it, as the kernel tells.

Linux lists every TCP socket with its owner in ``/proc/net/tcp`` and ``tcp6``; the client's end of a
connection over loopback is one of them. Where there is no such list, or the socket is not in it,
nothing is known.

Source: proc(5), ``/proc/net/tcp``: addresses are in hex, each 32 bits in the machine's byte order,
ports in hex; the eighth column is the user.
"""

from __future__ import annotations

import ipaddress
import sys
from pathlib import Path

from teeproof.core.errors import Error
from teeproof.core.reading import read_bounded

__all__ = ["user_of"]

_TABLES = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))
_MOST = 16 << 20  # bytes: some 100,000 sockets


def user_of(
    client: tuple[str, int], server: tuple[str, int], *, tables: tuple[Path, ...] = _TABLES
) -> int | None:
    """Return the user who opened a connection on this machine; None where it cannot be told.

    Args:
        client: the address and port that it comes from.
        server: the address and port that it came to.
        tables: where the kernel lists sockets.
    """
    wanted = {(_end(client, six=six), _end(server, six=six)) for six in (False, True)}
    for table in tables:
        try:
            lines = read_bounded(table, limit=_MOST, what="list of sockets").decode().splitlines()
        except (Error, UnicodeError):
            continue
        for line in lines[1:]:
            columns = line.split()
            if len(columns) > 7 and (columns[1], columns[2]) in wanted and columns[7].isdecimal():
                return int(columns[7])
    return None


def _end(end: tuple[str, int], *, six: bool) -> str | None:
    """Return an address and port as the list writes them; None if it is no address."""
    try:
        address = ipaddress.ip_address(end[0])
    except ValueError:
        return None
    packed = address.packed
    if six and len(packed) == 4:
        packed = b"\0" * 10 + b"\xff\xff" + packed
    if not six and len(packed) != 4:
        return None
    words = (packed[at : at + 4] for at in range(0, len(packed), 4))
    if sys.byteorder == "little":
        words = (word[::-1] for word in words)
    return "".join(word.hex().upper() for word in words) + f":{end[1]:04X}"
