"""One event of a firmware's log, and the whole log.

Trusts: nothing; it only carries.  Does not trust: the host that hands over the log.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from teeproof.evidence.eventlog import tcg
from teeproof.evidence.tpm.wire import digest

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

    def separates(self, bank: int) -> bool:
        """Whether it is a separator, by its digest: a host may call any event one, or none."""
        return self.extends and self.measures(*_CAPS, bank=bank)

    def marks_an_error(self, bank: int) -> bool:
        """Whether its digest is that of a separator of firmware that failed, whatever it is called.

        A boot order of the second entry and the first has that very digest, so an event that is
        called one (``may_be_boot_order``) may be either.
        """
        return self.extends and self.measures(_ERROR, bank=bank)

    @property
    def may_be_boot_order(self) -> bool:
        """Whether it is called the variable whose value may look like the mark of an error."""
        if self.type != tcg.EFI_VARIABLE_BOOT:
            return False
        variable = tcg.parse_variable(self.data)
        return variable is not None and variable.name == "BootOrder"

    def measures(self, *contents: bytes, bank: int) -> bool:
        """Return whether its digest in this bank is of one of these.

        Ask of the bank that was replayed alone: what a host writes into the others, nothing ties to
        a register.
        """
        value = self.digests.get(bank)
        return any(digest(bank, content) == value for content in contents)


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
