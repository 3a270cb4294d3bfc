"""Replay a firmware's log: what each register must hold if exactly these events happened.

PCR 0 to 16 and 23 start as zero. If the firmware says from which locality the TPM was started, PCR
0 starts with that number; it may say so once, before it measures anything into PCR 0. PCR 17 to 22
belong to a dynamic launch, which no firmware logs, and are not replayed.

Source: TCG PC Client Platform Firmware Profile 1.06, 10.4.5.3 (StartupLocality); TCG PC Client
Platform TPM Profile 1.05, 4.6 (initial values).

Trusts: SHA-2.  Does not trust: the host that hands over the log.
"""

from __future__ import annotations

from teeproof.core.errors import Malformed
from teeproof.evidence.eventlog.firmware.event import Event, Log
from teeproof.evidence.tpm.wire import digest

__all__ = ["DYNAMIC", "replay"]

DYNAMIC = range(17, 23)
_LOCALITY = b"StartupLocality\0"
_LOCALITIES = (0, 3, 4)


def replay(log: Log, *, bank: int) -> dict[int, bytes]:
    """Return the registers that the log's events extend, as their number in the log -> value.

    Args:
        log: the log.
        bank: one of its banks whose hash is in ``wire.HASHES``.

    Raises:
        Malformed: it tells the locality twice, too late, or one that there is not.
    """
    size = log.banks[bank]
    values: dict[int, bytes] = {}
    start = bytes(size)
    told = False
    for event in log.events:
        if event.extends:
            old = values.get(event.register, start if event.register == 0 else bytes(size))
            values[event.register] = digest(bank, old + event.digests[bank])
        elif event.data.startswith(_LOCALITY):
            start = bytes(size - 1) + bytes([_locality(event, late=told or 0 in values)])
            told = True
    if told:
        values.setdefault(0, start)
    return values


def _locality(event: Event, *, late: bool) -> int:
    told = event.data[len(_LOCALITY) :]
    if late or event.register != 0 or len(told) != 1 or told[0] not in _LOCALITIES:
        raise Malformed(
            "the firmware's log tells the TPM's startup locality wrongly, or too late",
            code="startup_locality",
            expected="one of 0, 3, 4, once, before anything is measured into PCR 0",
            got=f"{told.hex() or 'nothing'} in event {event.index}, register {event.register}",
        )
    return told[0]
