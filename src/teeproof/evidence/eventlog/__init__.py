"""dstack event logs: parse them, hold them against a quote, and say what they establish.

    parse   JSON bytes -> events
    verify  log + registers of a verified quote -> checks, facts about the application

Trusts: the quote's registers, this code.  Does not trust: the host that hands over the log.
"""

from teeproof.evidence.eventlog.event import RUNTIME_EVENT, Event, preimage, runtime_digest
from teeproof.evidence.eventlog.facts import AppFacts, KeyProvider, app_facts
from teeproof.evidence.eventlog.parse import parse
from teeproof.evidence.eventlog.payloads import Coverage, check_payloads, coverage
from teeproof.evidence.eventlog.replay import Registers, extend, replay
from teeproof.evidence.eventlog.verify import CHECKS, check_log, verify

__all__ = [
    "CHECKS",
    "RUNTIME_EVENT",
    "AppFacts",
    "Coverage",
    "Event",
    "KeyProvider",
    "Registers",
    "app_facts",
    "check_log",
    "check_payloads",
    "coverage",
    "extend",
    "parse",
    "preimage",
    "replay",
    "runtime_digest",
    "verify",
]
