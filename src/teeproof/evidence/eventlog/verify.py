"""Hold an event log against the registers of a verified quote: a list of checks, and the facts.

    event-log-format    the log is a dstack log, strictly parsed
    event-log-payloads  each name and payload that a digest covers is the one that was measured
    event-log-replay    replaying the digests gives the quote's registers
    event-log-order     the application's facts stand where only the system can have written them
    compose             the compose file is the one that was measured, byte for byte
    mrconfigid          the configuration that the host fixed at start is the one that was measured

Each failure of the first four means that no fact is established.

Trusts: the registers that it is given (of a verified quote), this code.
Does not trust: the host that hands over log and files, the application.
"""

from __future__ import annotations

from functools import lru_cache

from teeproof.core.errors import Error
from teeproof.evidence.eventlog import mrconfig, tcg
from teeproof.evidence.eventlog.compose import check_compose
from teeproof.evidence.eventlog.event import Event
from teeproof.evidence.eventlog.facts import AppFacts, app_facts
from teeproof.evidence.eventlog.parse import parse
from teeproof.evidence.eventlog.payloads import check_payloads
from teeproof.evidence.eventlog.replay import Registers, replay
from teeproof.evidence.verdict import Check, failed, not_checked, passed

__all__ = ["CHECKS", "check_log", "verify"]

CHECKS = (
    "event-log-format",
    "event-log-payloads",
    "event-log-replay",
    "event-log-order",
    "compose",
    "mrconfigid",
)
_LOG_CHECKS = CHECKS[:4]
_REMEMBERED_BYTES = 64 << 10  # a dstack guest's log and files have some 20 KiB


def verify(
    log: bytes | None,
    *,
    rtmrs: Registers,
    mrconfigid: bytes = bytes(48),
    compose: bytes | None = None,
    mr_config: bytes | None = None,
) -> tuple[tuple[Check, ...], AppFacts | None]:
    """Return the six checks of ``CHECKS`` in their order, and what they establish.

    Args:
        log: JSON bytes of a dstack event log, or None.
        rtmrs: RTMR0 to RTMR3 of a verified quote, 48 bytes each.
        mrconfigid: MRCONFIGID of that quote, 48 bytes.
        compose: the exact bytes of app-compose.json, or None.
        mr_config: the exact bytes of the MrConfigV3 document, or None.

    Returns:
        Checks, and the facts; None if a check of the log failed, or the log establishes none.

    What is found depends on these bytes alone, so it is remembered by all of them: a machine hands
    over one log with each of its quotes until it starts anew.
    """
    small = sum(len(part) for part in (log, compose, mr_config) if part) <= _REMEMBERED_BYTES
    return (_remembered if small else _verify)(log, rtmrs, mrconfigid, compose, mr_config)


def _verify(
    log: bytes | None,
    rtmrs: Registers,
    mrconfigid: bytes,
    compose: bytes | None,
    mr_config: bytes | None,
) -> tuple[tuple[Check, ...], AppFacts | None]:
    checks, facts = check_log(log, rtmrs=rtmrs)
    checks.append(check_compose(compose, facts=facts, mrconfigid=mrconfigid))
    config = mrconfig.check_mrconfigid(mrconfigid, facts=facts, compose=compose, document=mr_config)
    return (*checks, config), facts


_remembered = lru_cache(maxsize=32)(_verify)


def check_log(log: bytes | None, *, rtmrs: Registers) -> tuple[list[Check], AppFacts | None]:
    """Return the four checks of the log alone, and the facts; arguments as in ``verify``."""
    checks: list[Check] = []
    if log is None:
        return [not_checked(name, "no event log was given") for name in _LOG_CHECKS], None
    try:
        events = parse(log)
        checks.append(passed("event-log-format", f"a dstack event log of {len(events)} events"))
        check_payloads(events)
        checks.append(passed("event-log-payloads", _payloads_detail(events)))
        checks.append(_check_replay(events, rtmrs))
        if checks[-1].state == "failed":
            return _rest(checks), None
        facts = app_facts(events)
        checks.append(_order(events, facts))
    except Error as error:
        name = _LOG_CHECKS[len(checks)]
        checks.append(
            failed(name, error.code, error.detail, expected=error.expected, got=error.got)
        )
        return _rest(checks), None
    return checks, facts


def _rest(checks: list[Check]) -> list[Check]:
    cause = f"the log has already failed {checks[-1].name}"
    return checks + [not_checked(name, cause) for name in _LOG_CHECKS[len(checks) :]]


def _payloads_detail(events: tuple[Event, ...]) -> str:
    runtime = sum(event.is_runtime for event in events)
    return (
        f"the digests of {runtime} runtime events were computed from their names and payloads;"
        " names of the events of firmware and kernel are covered by no digest and were not read"
    )


def _check_replay(events: tuple[Event, ...], rtmrs: Registers) -> Check:
    name = "event-log-replay"
    replayed = replay(events)
    wrong = [i for i in range(4) if replayed[i] != rtmrs[i]]
    if not wrong:
        return passed(name, "replaying the log gives all four registers of the quote")
    if 3 not in wrong and _is_stripped(events):
        return not_checked(
            name,
            "the log gives RTMR3 of the quote; the events of firmware and kernel were left out, as"
            " certificates do, so RTMR0 to RTMR2 are unexplained",
        )
    first = wrong[0]
    return failed(
        name,
        "rtmr_mismatch",
        f"replaying the log does not give {', '.join(f'RTMR{i}' for i in wrong)} of the quote:"
        " events are missing, added, reordered or changed",
        expected=f"RTMR{first} {rtmrs[first].hex()}",
        got=f"RTMR{first} {replayed[first].hex()}",
    )


def _is_stripped(events: tuple[Event, ...]) -> bool:
    # dstack-attest, strip_tdx_lite_event_log: RTMR3 and the three ACPI events stay.
    early = [event for event in events if event.imr != 3]
    return all(e.imr == 0 and e.type == tcg.PLATFORM_CONFIG_FLAGS for e in early)


def _order(events: tuple[Event, ...], facts: AppFacts | None) -> Check:
    name = "event-log-order"
    if facts is not None:
        return passed(
            name,
            f"{len(facts.system_events)} events of the system up to system-ready,"
            f" {len(facts.app_events)} of the application behind it",
        )
    if any(event.is_runtime for event in events):
        return not_checked(
            name,
            "the log has no system-ready, behind which the application begins to speak: no fact"
            " about the application is taken from it",
        )
    return not_checked(name, "the log has no runtime events: this is not a dstack guest's")
