"""One event of a firmware's log, and the whole log.

Trusts: nothing; it only carries.  Does not trust: the host that hands over the log.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import msgspec

from teeproof.evidence.eventlog import tcg
from teeproof.evidence.tpm.wire import HASH_NAMES

__all__ = ["Event", "Log"]

_CAPS = (bytes(4), b"\xff" * 4)  # what a separator measures when all is well
_ERROR = b"\x01\x00\x00\x00"  # what it measures when the firmware failed


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One event.

    Attributes:
        index: position in the log, from 0; the header that names the banks is 0.
        register: the number that the log writes: a PCR, or of CCEL 1 to 4 for RTMR0 to RTMR3.
        type: TCG's event type. No digest covers it: anyone may have written it.
        digests: by bank, what extended the register.
        data: what the log says of it. ``coverage`` says whether a digest covers it.
    """

    index: int
    register: int
    type: int
    digests: Mapping[int, bytes]
    data: bytes

    @property
    def extends(self) -> bool:
        """Whether the register was extended: events that only inform are not."""
        return self.type != tcg.NO_ACTION

    @property
    def separates(self) -> bool:
        """Whether it is a separator, by its digest: a host may call any event one, or none."""
        return self.extends and self.measures(*_CAPS)

    @property
    def tells_an_error(self) -> bool:
        """Whether the firmware separated with its mark of an error.

        Its digest is that of an ordinary boot order too, so the type counts. A host that calls the
        mark something else is left without a separator.
        """
        return self.type == tcg.SEPARATOR and self.measures(_ERROR)

    def measures(self, *contents: bytes) -> bool:
        """Return whether its digest, in every bank that can be computed, is of one of these."""
        known = {bank: value for bank, value in self.digests.items() if bank in HASH_NAMES}
        return bool(known) and any(
            all(hashlib.new(HASH_NAMES[b], content).digest() == v for b, v in known.items())
            for content in contents
        )


class Log(msgspec.Struct, frozen=True, kw_only=True):
    """A firmware's log.

    Attributes:
        banks: the banks whose digests it holds, in its order: TPM_ALG_ID -> size.
        agile: whether it is of the crypto-agile form; else it holds SHA-1 digests alone.
        events: all events.
    """

    banks: Mapping[int, int]
    agile: bool
    events: tuple[Event, ...]
