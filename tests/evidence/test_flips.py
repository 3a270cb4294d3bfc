"""Flip each byte of quotes and event logs: nothing breaks, and nothing is taken for something else.

A flip may be accepted only where nobody signed and nothing was measured. Those places are listed
here, by what they are, and the tests find their offsets: a flip that is accepted elsewhere fails,
and so does a place where no flip is accepted. Whatever is accepted has the same identity and
establishes the same facts.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

import pytest

from teeproof.core.errors import Malformed
from teeproof.evidence import eventlog
from teeproof.evidence.endorsements import Collateral
from teeproof.evidence.policy import Policy, load_policy
from teeproof.evidence.record import Evidence
from teeproof.evidence.tdx import quote as tdx_quote
from teeproof.evidence.verdict import Verdict
from teeproof.evidence.verify import verify
from tests.evidence.attacks.court import real
from tests.evidence.attacks.forge import take_apart
from tests.evidence.scenes import NOW, PLATFORM, REPORT_DATA, collateral, flipped, opt_in
from tests.vectors import MISSING, directory

QUOTE_REGIONS = {
    "behind the quote": "bytes that follow the signature section, up to the bound of 64 KiB",
    "around the certificates": "white space and NUL bytes between and behind the PEM blocks",
}
LOG_REGIONS = {
    "event": "what the log calls an event of firmware or kernel: no digest covers it",
    "event_type": "the type of such an event: the register takes the digest alone",
    "event_payload": "the payload of such an event, where the digest is of something else, and the "
    "name of a boot variable, where it is of the variable's data alone",
}

_RUNTIME = 0x08000001
_PEM = re.compile(rb"-----BEGIN CERTIFICATE-----\n(.*?)-----END CERTIFICATE-----", re.DOTALL)


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A quote that is accepted, and what it is judged by."""

    quote: bytes
    collateral: Collateral
    policy: Policy
    now: datetime

    def judge(self, quote: bytes, *, both_paths: bool = False) -> Verdict | None:
        """Return the verdict on other bytes in its place; None if they are no quote."""
        given = Evidence(quote=quote, collateral=self.collateral)
        try:
            return verify(given, policy=self.policy, now=self.now, both_paths=both_paths)
        except Malformed:
            return None

    def takes(self, quote: bytes, *, both_paths: bool = False) -> bool:
        """Return whether other bytes are accepted; they must then say the same."""
        verdict = self.judge(quote, both_paths=both_paths)
        if verdict is None or verdict.exit_code == 2:
            assert verdict is None or (verdict.level, verdict.facts) == (None, {})
            return False
        honest = self.honest
        assert verdict.exit_code == 0
        assert verdict.subject == honest.subject
        assert verdict.facts == honest.facts
        return True

    @property
    def honest(self) -> Verdict:
        """The verdict on the quote itself."""
        return _honest(self)


@cache
def _honest(subject: Subject) -> Verdict:
    verdict = subject.judge(subject.quote)
    assert verdict is not None
    assert verdict.exit_code == 0
    return verdict


@cache
def _simulated(version: int) -> Subject:
    parts = take_apart(PLATFORM.machine().quote(REPORT_DATA, version=5 if version == 5 else 4))
    quote = parts.but(chain=parts.chain + b"\0\0", trailing=bytes(9)).quote()
    return Subject(quote=quote, collateral=collateral(), policy=opt_in(), now=NOW)


@cache
def _real(name: str) -> Subject:
    record, given = real(name)
    assert given.collateral is not None
    genuine = load_policy("genuine")
    return Subject(quote=given.quote, collateral=given.collateral, policy=genuine, now=record.now)


def _subject(name: str) -> Subject:
    return _simulated(int(name[-1])) if name.startswith("simulated") else _real(name)


def _if_there(*names: str) -> list[Any]:
    missing = pytest.mark.skipif(directory() is None, reason=MISSING)
    return [pytest.param(name, marks=missing) for name in names]


QUOTES = ["simulated-4", "simulated-5", *_if_there("dstack-quote-report", "tdx-v5-90c06f-google")]


def _regions(quote: bytes) -> dict[str, set[int]]:
    """Return the offsets of each place in which a flip may be accepted."""
    parts = take_apart(quote)
    end = len(quote) - len(parts.trailing)
    chain = end - len(parts.chain)
    outside = set(range(chain, end))
    for block in _PEM.finditer(parts.chain):
        outside -= set(range(chain + block.start(), chain + block.end()))
    places = (set(range(end, len(quote))), outside)
    return dict(zip(QUOTE_REGIONS, places, strict=True))


def _taken(subject: Subject, flips: Iterable[tuple[int, int]]) -> set[int]:
    return {at for at, bit in flips if subject.takes(flipped(subject.quote, at, mask=1 << bit))}


@pytest.mark.parametrize("name", QUOTES)
def test_host_flips_a_bit_of_each_byte_of_a_quote_and_gains_nothing(name: str) -> None:
    subject = _subject(name)
    allowed = set().union(*_regions(subject.quote).values())
    every_byte = ((at, at % 8) for at in range(len(subject.quote)))
    assert _taken(subject, every_byte) <= allowed


@pytest.mark.parametrize("name", QUOTES)
def test_host_flips_every_bit_of_some_bytes_of_a_quote_and_gains_nothing(name: str) -> None:
    subject = _subject(name)
    allowed = set().union(*_regions(subject.quote).values())
    some = (at for at in range(len(subject.quote)) if at % 23 == 0 or at < 48 or at in allowed)
    assert _taken(subject, ((at, bit) for at in some for bit in range(8))) <= allowed


def test_each_listed_region_of_a_quote_is_really_open() -> None:
    names = ["simulated-4", "simulated-5"]
    if directory() is not None:
        names += ["dstack-quote-report", "tdx-v5-90c06f-google"]
    found = set()
    for name in names:
        subject = _subject(name)
        for region, places in _regions(subject.quote).items():
            if _taken(subject, ((at, bit) for at in places for bit in range(8))):
                found.add(region)
    assert found == set(QUOTE_REGIONS)


@pytest.mark.parametrize("name", QUOTES)
def test_both_paths_take_and_refuse_the_same_flips(name: str) -> None:
    subject = _subject(name)
    regions = _regions(subject.quote)
    some = {(at, at % 8) for at in range(0, len(subject.quote), 71)}
    some |= {(at, bit) for at in regions["around the certificates"] for bit in range(8)}
    some |= {(at, bit) for at in regions["behind the quote"] for bit in range(8)}
    for at, bit in sorted(some):
        changed = flipped(subject.quote, at, mask=1 << bit)
        assert subject.takes(changed, both_paths=True) == subject.takes(changed)
        verdict = subject.judge(changed, both_paths=True)
        codes = [check.code for check in verdict.failures] if verdict is not None else []
        assert "paths_disagree" not in codes, (at, bit)


@pytest.mark.parametrize("name", QUOTES)
def test_host_cuts_a_quote_off_and_gains_nothing(name: str) -> None:
    subject = _subject(name)
    quote = subject.quote
    end = len(quote) - len(take_apart(quote).trailing)
    for size in {*range(0, end, 61), *range(630, 640), end - 1}:
        assert subject.judge(quote[:size]) is None
    for size in range(end, len(quote)):
        assert subject.takes(quote[:size])


def _register_values(quote: bytes) -> tuple[bytes, bytes, bytes, bytes]:
    return tdx_quote.parse(quote).body.rtmrs


def _log(name: str) -> tuple[bytes, tuple[bytes, bytes, bytes, bytes]]:
    if name == "simulated":
        machine = PLATFORM.machine()
        log = machine.evidence(REPORT_DATA, now=NOW).event_log
        assert log is not None
        return log, machine.rtmrs
    _, given = real(name)
    assert given.event_log is not None
    return given.event_log, _register_values(given.quote)


def _fields(log: bytes) -> Iterator[tuple[int, str, range]]:
    """Yield event number, name and place of each value; the number counts the braces."""
    number = -1
    for match in re.finditer(rb'\{|"(\w+)":\s*("(?:[^"\\]|\\.)*"|\d+)', log):
        if match[1] is None:
            number += 1
        else:
            yield number, match[1].decode(), range(match.start(2), match.end(2))


def _log_regions(log: bytes) -> dict[str, set[int]]:
    """Return the offsets of each place of a log in which a flip may be accepted."""
    events = eventlog.parse(log)
    places: dict[str, set[int]] = {name: set() for name in LOG_REGIONS}
    for number, name, place in _fields(log):
        event = events[number]
        if name in places and event.type != _RUNTIME:
            size = _measured(event) if name == "event_payload" else 0
            places[name] |= set(place[: -1 - 2 * size] if size else place)
    return places


def _measured(event: eventlog.Event) -> int:
    """Return how many bytes at the end of its payload an event's digest covers."""
    coverage = eventlog.coverage(event)
    if coverage == "variable data":  # UEFI_VARIABLE_DATA: GUID, two sizes, name, data
        return int.from_bytes(event.payload[24:32], "little")
    return len(event.payload) if coverage == "payload" else 0


def _taken_of_log(
    log: bytes, registers: tuple[bytes, bytes, bytes, bytes], flips: Iterable[tuple[int, int]]
) -> set[int]:
    honest = eventlog.verify(log, rtmrs=registers)
    assert not any(check.state == "failed" for check in honest[0])
    taken = set()
    for at, bit in flips:
        answer = eventlog.verify(flipped(log, at, mask=1 << bit), rtmrs=registers)
        if any(check.state == "failed" for check in answer[0]):
            assert answer[1] is None
        else:
            assert answer == honest
            taken.add(at)
    return taken


LOGS = ["simulated", *_if_there("dstack-quote-report", "dstack-tdx-lite")]


@pytest.mark.parametrize("name", LOGS)
def test_host_flips_a_bit_of_each_byte_of_an_event_log_and_gains_nothing(name: str) -> None:
    log, registers = _log(name)
    regions = _log_regions(log)
    taken = _taken_of_log(log, registers, ((at, at % 8) for at in range(len(log))))
    assert taken <= set().union(*regions.values())
    # The other places are open only where a log uses them: not every log names its firmware.
    assert taken & regions["event_type"]
    assert taken & regions["event_payload"]


@pytest.mark.parametrize("name", LOGS)
def test_host_flips_every_bit_of_some_bytes_of_an_event_log_and_gains_nothing(name: str) -> None:
    log, registers = _log(name)
    some = ((at, bit) for at in range(0, len(log), 11) for bit in range(8))
    assert _taken_of_log(log, registers, some) <= set().union(*_log_regions(log).values())


def test_the_name_of_a_firmware_event_is_really_open() -> None:
    log, registers = _log("simulated")
    named = json.loads(log)
    boot = [event for event in named if event["event_type"] != _RUNTIME]
    boot[0]["event"] = "a name"
    log = json.dumps(named).encode()
    places = _log_regions(log)["event"]
    assert _taken_of_log(log, registers, ((at, 0) for at in places))


@pytest.mark.parametrize("name", LOGS)
def test_host_cuts_an_event_log_off_and_gains_nothing(name: str) -> None:
    log, registers = _log(name)
    for size in {*range(0, len(log) - 1, 67), len(log.rstrip()) - 1}:
        checks, facts = eventlog.verify(log[:size], rtmrs=registers)
        assert any(check.state == "failed" for check in checks)
        assert facts is None
