"""The log that firmware and boot loader write (TCG), of a TPM's registers or of TDX's (CCEL).

    parse   bytes -> events
    replay  what the registers must hold if exactly these events happened in this order
    verify  log + registers of verified evidence -> checks, facts about the boot

Trusts: the registers that it is given, this code.
Does not trust: the host that hands over the log.
"""

from teeproof.evidence.eventlog.firmware.event import Event, Log
from teeproof.evidence.eventlog.firmware.facts import BootFacts
from teeproof.evidence.eventlog.firmware.parse import looks_like, parse
from teeproof.evidence.eventlog.firmware.replay import replay
from teeproof.evidence.eventlog.firmware.verify import CHECKS, verify_ccel, verify_tpm

__all__ = ["CHECKS", "BootFacts", "Event", "Log", "looks_like", "parse", "replay"]
__all__ += ["verify_ccel", "verify_tpm"]
