"""Which names of hosts are this machine's own: what is sent there crosses no network."""

from __future__ import annotations

import ipaddress

__all__ = ["is_this_machine"]


def is_this_machine(host: str | None) -> bool:
    """Return whether a host is this machine by number, without brackets, or ``localhost``."""
    if not host:
        return False
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
