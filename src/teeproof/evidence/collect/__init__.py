"""Collect evidence from the machine we run on. The only code of this layer that touches devices.

An attester is whatever makes evidence here: a guest agent, the kernel of a TDX or SEV-SNP guest, a
TPM, or the simulator (``kinds``). Which one it is is the caller's or the environment's choice, and
never a silent one: where there is no device, the answer is an error, not simulated evidence.

Trusts: the environment's variables.  Does not trust: what an attester says beyond its quote.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Protocol, runtime_checkable

from teeproof.core.errors import Unavailable, Usage
from teeproof.evidence.collect.kinds import KINDS, Here
from teeproof.evidence.record import Evidence

__all__ = ["ATTESTER_VARIABLE", "Attester", "choose_attester"]

ATTESTER_VARIABLE = "TEEPROOF_ATTESTER"


@runtime_checkable
class Attester(Protocol):
    """Something that makes evidence of this machine."""

    @property
    def name(self) -> str:
        """What to call it in messages."""

    def attest(self, report_data: bytes) -> Evidence:
        """Return fresh evidence that binds these 64 bytes.

        Raises:
            Usage: not exactly 64 bytes.
            Unavailable: the device did not answer.
        """


def choose_attester(
    environment: Mapping[str, str],
    *,
    data_directory: Path,
    now: Callable[[], datetime],
    exists: Callable[[str], bool] = os.path.exists,
) -> Attester:
    """Return the attester that the environment names, or the device of this machine.

    ``TEEPROOF_ATTESTER`` is one of ``kinds.KINDS``, the path of a guest agent's socket, or an
    http(s) URL. Where it is not set, a guest agent is looked for, then configfs-tsm; ``dstack``
    means either guest agent.

    Args:
        environment: the process's variables.
        data_directory: where the simulator keeps its seed (``core.home.data_directory``).
        now: the clock, asked for each piece of simulated evidence.
        exists: whether there is something at a path.

    Raises:
        Unavailable: there is no device; the message says where one was looked for.
        Usage: ``TEEPROOF_ATTESTER`` is none of the above.
    """
    wanted = environment.get(ATTESTER_VARIABLE, "")
    if wanted == "simulated":
        from teeproof.evidence.collect.simulated import (  # noqa: PLC0415  needs 60 ms
            SimulatedAttester,
            open_platform,
        )

        return SimulatedAttester(open_platform(data_directory), now=now)
    if "/" in wanted:
        from teeproof.evidence.collect.dstack import DstackAttester  # noqa: PLC0415  needs 60 ms

        return DstackAttester(wanted)
    here = Here(environment, exists)
    found = next(filter(None, (KINDS[name].make(here) for name in _candidates(wanted, here))), None)
    if found is None:
        raise _none_here(wanted, here)
    return found


def _candidates(wanted: str, here: Here) -> list[str]:
    """Return the kinds to try, the best first."""
    if not wanted:
        return [name for name, kind in KINDS.items() if kind.sign and kind.sign(here)]
    if wanted == "dstack":
        return ["dstack", "tappd"]
    if wanted in KINDS:
        return [wanted]
    raise Usage(
        f"{ATTESTER_VARIABLE} names no attester: correct or unset it",
        code="attester_unknown",
        expected=f"{', '.join(KINDS)}, the path of a socket, or a URL",
        got=wanted[:100],
    )


def _none_here(wanted: str, here: Here) -> Unavailable:
    from teeproof.evidence.collect.dstack import DSTACK_SOCKETS, TAPPD_SOCKETS  # noqa: PLC0415

    agents = (
        f"a socket at {', '.join(DSTACK_SOCKETS + TAPPD_SOCKETS)}, or DSTACK_SIMULATOR_ENDPOINT"
    )
    return Unavailable(
        "this machine has no attester: run inside a TDX, SEV-SNP or dstack guest (teeproof doctor"
        f" says what is missing), or set {ATTESTER_VARIABLE}=simulated to try everything with"
        " simulated evidence",
        code="no_attester",
        expected=agents if wanted else f"{agents}; or {here.tsm}",
        got="nothing at any of them",
    )
