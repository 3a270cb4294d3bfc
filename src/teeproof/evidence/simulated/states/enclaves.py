"""Every way in which a Nitro document can be wrong, made on demand, with what must come of it.

Trusts: whoever holds the seed.  Does not trust: nothing comes from outside.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from types import MappingProxyType

from teeproof.core.digests import sha256
from teeproof.evidence.simulated.nitro import Enclave, SimulatedNitro

__all__ = ["NITRO_STATES", "NitroState", "simulate_nitro"]

_ZERO = bytes(48)


@dataclass(frozen=True, slots=True)
class NitroState:
    """One way in which a document can be: what it shows, how to make it, what must come of it.

    Attributes:
        about: one sentence.
        make: platform, enclave and time -> document.
        check: the check that must fail; None if all hold.
        code: its code.
    """

    about: str
    make: Callable[[SimulatedNitro, Enclave, datetime], bytes]
    check: str | None = None
    code: str | None = None


def _swapped(platform: SimulatedNitro, enclave: Enclave, now: datetime) -> bytes:
    other = SimulatedNitro(sha256(b"another root", platform.seed), marked=False)
    bundle = [other.root, *platform.authorities(now)[1:]]
    return platform.document(enclave, now=now, cabundle=[each.der for each in bundle])


def _impostor(platform: SimulatedNitro, enclave: Enclave, now: datetime) -> bytes:
    return SimulatedNitro(platform.seed, marked=False).document(enclave, now=now)


def _expired(platform: SimulatedNitro, enclave: Enclave, now: datetime) -> bytes:
    return platform.document(replace(enclave, age=timedelta(hours=4)), now=now)


def _debug(platform: SimulatedNitro, enclave: Enclave, now: datetime) -> bytes:
    zeros = MappingProxyType(dict.fromkeys(range(16), _ZERO))
    return platform.document(replace(enclave, pcrs=zeros), now=now)


def _longer(platform: SimulatedNitro, enclave: Enclave, now: datetime) -> bytes:
    deeper = SimulatedNitro(platform.seed, marked=platform.marked, path_lengths=(1, 1, 0))
    return deeper.document(enclave, now=now)


def _ahead(platform: SimulatedNitro, enclave: Enclave, now: datetime) -> bytes:
    later = int((now + timedelta(hours=1)).timestamp() * 1000)
    return platform.document(enclave, now=now, timestamp=later)


def _edited(platform: SimulatedNitro, enclave: Enclave, now: datetime) -> bytes:
    document = platform.document(enclave, now=now)
    image = enclave.pcrs[0]
    return document.replace(image, bytes([image[0] ^ 1]) + image[1:])


NITRO_STATES: Mapping[str, NitroState] = MappingProxyType(
    {
        "nitro-in-order": NitroState(
            "Nothing is wrong.", lambda p, enclave, now: p.document(enclave, now=now)
        ),
        "nitro-debug": NitroState("PCR0 is all zero.", _debug, "debug", "debug_on"),
        "nitro-root-swapped": NitroState(
            "The bundle begins with another root.", _swapped, "root", "root_not_pinned"
        ),
        "nitro-impostor": NitroState(
            "The root has no mark, and AWS's place.", _impostor, "root", "root_not_pinned"
        ),
        "nitro-leaf-expired": NitroState(
            "The leaf had ended when the document was made.",
            _expired,
            "certificate-dates",
            "certificate_expired",
        ),
        "nitro-path-too-long": NitroState(
            "An authority has more authorities below it than it allows.",
            _longer,
            "nitro-chain",
            "nitro_chain_length",
        ),
        "nitro-clock-ahead": NitroState(
            "The document is from after T.", _ahead, "nitro-time", "nitro_time_after"
        ),
        "nitro-edited": NitroState(
            "A register was changed after signing.", _edited, "nitro-signature", "nitro_signature"
        ),
    }
)
"""Each state by its name."""


def simulate_nitro(
    name: str, *, platform: SimulatedNitro, now: datetime, enclave: Enclave | None = None
) -> bytes:
    """Return a document in this state; KeyError if there is none of this name."""
    return NITRO_STATES[name].make(platform, enclave or Enclave(), now)
