"""Whether this machine has configfs-tsm, and if not, which part of it is absent.

Trusts: the kernel's word for what it has; presence says nothing about truth.
Does not trust: nothing else is asked.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from teeproof.core.errors import Error
from teeproof.evidence.collect.presence import Presence, missing
from teeproof.evidence.collect.tsm import PROVIDERS, provider_of
from teeproof.evidence.collect.tsm_entry import REPORTS, opened

__all__ = ["probe"]

WHAT = "TDX or SEV-SNP guest, or Arm CCA realm, by Linux's configfs-tsm"


def probe(place: Path = REPORTS, *, release: str | None = None) -> Presence:
    """Return whether this machine has configfs-tsm, found out by making an instance of no data.

    Args:
        place: the directory of report instances.
        release: of the kernel, such as ``6.8.0-31``; without one, that of this machine.
    """
    if not os.path.exists(place):
        why, remedy = _absent(place, os.uname().release if release is None else release)
        return missing("tsm", WHAT, why, remedy)
    try:
        with opened(place, timeout=0) as entry:
            provider = provider_of(entry)
    except Error as error:
        return missing("tsm", WHAT, error.detail, _REMEDIES.get(error.code, _LOOK))
    return Presence("tsm", WHAT, present=True, detail=f"{PROVIDERS[provider]} at {place}")


_LOAD = "modprobe tdx_guest, sev-guest or arm-cca-guest"
_RUN = "run in a TDX or SEV-SNP guest with Linux 6.7 or newer"
_LOOK = "look into the kernel's log (dmesg)"
_REMEDIES = {
    "tsm_forbidden": "run as root",
    "tsm_no_provider": f"load the module of this guest: {_LOAD}",
    "tsm_provider": "collect with a tool that knows this provider",
}
_FIRST = (6, 7)  # Linux that has configfs-tsm


def _absent(place: Path, release: str) -> tuple[str, str]:
    """Return why the directory is not there, and what to do: the nearest part that is, tells."""
    numbers = tuple(int(part) for part in re.findall(r"\d+", release)[:2])
    if numbers < _FIRST:
        return f"Linux {release} is too old: configfs-tsm came with 6.7", _RUN
    configfs = place.parent.parent
    if not os.path.exists(configfs):
        return f"{configfs} is absent: this kernel has no configfs, or a container hides it", _RUN
    try:
        empty = not os.listdir(configfs)
    except OSError as error:
        return f"{configfs} cannot be read: {os.strerror(error.errno or 0)}", "run as root"
    if empty:
        return (
            f"{configfs} is empty: configfs is not mounted, or no module uses it",
            f"mount -t configfs none {configfs}; {_LOAD}",
        )
    return (
        f"{place} is absent: no driver of TDX, SEV-SNP or Arm CCA is loaded",
        f"{_RUN}, and load its module: {_LOAD}",
    )
