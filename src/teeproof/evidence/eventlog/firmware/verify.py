"""Hold a firmware's log against the registers of verified evidence: a list of checks, and facts.

    tcg-log-format      the log is one of TCG's, strictly parsed
    tcg-log-data        data that a digest covers is what was measured
    tcg-log-replay      replaying the digests gives the registers
    tcg-log-separators  the firmware closed its registers, without an error, before others ran

Each failure means that no fact is established.

Trusts: the registers that it is given (of verified evidence), this code.
Does not trust: the host that hands over the log.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from teeproof.core.errors import Error
from teeproof.evidence.eventlog import tcg
from teeproof.evidence.eventlog.firmware.coverage import check_data
from teeproof.evidence.eventlog.firmware.event import Event, Log
from teeproof.evidence.eventlog.firmware.facts import BootFacts, boot_facts
from teeproof.evidence.eventlog.firmware.parse import parse
from teeproof.evidence.eventlog.firmware.replay import DYNAMIC, replay
from teeproof.evidence.eventlog.replay import Registers
from teeproof.evidence.tpm.wire import HASH_NAMES, HASHES, SHA1, SHA384
from teeproof.evidence.verdict import Check, failed, not_checked, passed

__all__ = ["CHECKS", "verify_ccel", "verify_tpm"]

CHECKS = ("tcg-log-format", "tcg-log-data", "tcg-log-replay", "tcg-log-separators")
FIRMWARE = range(8)  # PCR 0 to 7 are the firmware's (PC Client Platform Firmware Profile, 3.3.4)
# A running Linux extends these without telling the firmware's log: IMA 10, systemd 11 to 13 and 15,
# anyone 16 and 23. Boot loaders log what they measure, mostly into 8, 9 and 14.
SHARED = frozenset({10, 11, 12, 13, 15, 16, 23})


class _Machine(msgspec.Struct, frozen=True, kw_only=True):
    """The registers that a log is held against.

    Attributes:
        registers: values by the number that the log writes.
        bank: their hash.
        prefix: how messages name one: this, and its number less ``first``.
        first: the log's number of register 0.
        firmware: those of the firmware, which logs all that it measures and closes them.
        later: those that the running system may extend, in ways that no firmware logs.
        policy: the register that holds the Secure Boot policy.
        loaders: the register that boot loaders and kernels are measured into.
        ordered: the register that takes up the boot order, whose digest may be that of an error.
    """

    registers: Mapping[int, bytes]
    bank: int
    prefix: str
    first: int
    firmware: range
    later: frozenset[int]
    policy: int
    loaders: int
    ordered: int

    def word(self, register: int) -> str:
        """Return how messages name a register."""
        return f"{self.prefix}{register - self.first}"


def verify_tpm(
    log: bytes | None, *, banks: Mapping[int, Mapping[int, bytes]]
) -> tuple[tuple[Check, ...], BootFacts | None]:
    """Return the four checks of ``CHECKS``, and what they establish.

    Args:
        log: bytes of a TCG event log, or None.
        banks: registers of a verified TPM quote, by bank and number.
    """
    strong = [bank for bank in banks if bank in HASHES and bank != SHA1]
    bank = max(strong, default=SHA1)
    machine = _Machine(
        registers={i: v for i, v in banks.get(bank, {}).items() if i not in DYNAMIC},
        bank=bank,
        prefix="PCR ",
        first=0,
        firmware=FIRMWARE,
        later=SHARED,
        policy=7,
        loaders=4,
        ordered=1,
    )
    return _verify(log, machine)


def verify_ccel(
    log: bytes | None, *, rtmrs: Registers
) -> tuple[tuple[Check, ...], BootFacts | None]:
    """Return the four checks of ``CHECKS``, and what they establish.

    Args:
        log: bytes of a CCEL event log, or None.
        rtmrs: RTMR0 to RTMR3 of a verified TDX quote, 48 bytes each.
    """
    machine = _Machine(
        # UEFI 2.10, 38.4.1: measurement register 0 is MRTD, which no event extends.
        registers={index + 1: value for index, value in enumerate(rtmrs)},
        bank=SHA384,
        prefix="RTMR",
        first=1,
        firmware=range(1, 3),
        later=frozenset({4}),
        policy=1,
        loaders=2,
        ordered=1,
    )
    return _verify(log, machine)


def _verify(log: bytes | None, machine: _Machine) -> tuple[tuple[Check, ...], BootFacts | None]:
    if log is None:
        return tuple(not_checked(name, "no firmware log was given") for name in CHECKS), None
    checks: list[Check] = []
    try:
        parsed = parse(log)
        banks = ", ".join(HASH_NAMES.get(bank, f"{bank:#x}") for bank in parsed.banks)
        checks.append(
            passed("tcg-log-format", f"a firmware log of {len(parsed.events)} events ({banks})")
        )
        covered, uncovered = check_data(parsed.events, bank=_bank_of(parsed, machine))
        checks.append(passed("tcg-log-data", _data_detail(covered, uncovered)))
        values = _values(parsed, machine)
    except Error as error:
        name = CHECKS[len(checks)]
        checks.append(
            failed(name, error.code, error.detail, expected=error.expected, got=error.got)
        )
        return _rest(checks), None
    return _judge(checks, parsed, values, machine)


def _bank_of(log: Log, machine: _Machine) -> int:
    """Return the bank that is replayed or, if the log lacks it, its strongest that is known."""
    if machine.bank in log.banks:
        return machine.bank
    return max((bank for bank in log.banks if bank in HASHES), default=machine.bank)


def _values(log: Log, machine: _Machine) -> dict[int, bytes] | None:
    return replay(log, bank=machine.bank) if machine.bank in log.banks else None


def _judge(
    checks: list[Check], log: Log, values: dict[int, bytes] | None, machine: _Machine
) -> tuple[tuple[Check, ...], BootFacts | None]:
    if values is None or machine.bank == SHA1 or not machine.registers:
        checks.append(not_checked("tcg-log-replay", _no_replay(values, machine)))
        return _rest(checks), None
    wrong = _differing(values, machine)
    checks.append(_replay_check(wrong, values, machine))
    if any(check.state == "failed" for check in checks):
        return _rest(checks), None
    checks.append(_separators(log, machine))
    if any(check.state == "failed" for check in checks):
        return tuple(checks), None
    facts = boot_facts(
        log,
        explained=machine.registers.keys() - wrong,
        unexplained=wrong,
        word=machine.word,
        policy=machine.policy,
        loaders=machine.loaders,
        bank=machine.bank,
    )
    return tuple(checks), facts


def _rest(checks: list[Check]) -> tuple[Check, ...]:
    cause = f"{checks[-1].name} did not pass"
    return (*checks, *(not_checked(name, cause) for name in CHECKS[len(checks) :]))


def _data_detail(covered: int, uncovered: int) -> str:
    return (
        f"the digests of {covered} events were computed from what the log says of them; what it "
        f"says of {uncovered} others is covered by no digest and was not believed"
    )


def _no_replay(values: dict[int, bytes] | None, machine: _Machine) -> str:
    if not machine.registers:
        return "no register of the machine is known"
    if values is None:
        return f"the log holds no {HASH_NAMES[machine.bank]} digests, and the quote is of that bank"
    return (
        "the quote covers a bank of SHA-1 alone, for which two boots can be made to look the same"
    )


def _differing(values: Mapping[int, bytes], machine: _Machine) -> frozenset[int]:
    zero = bytes(HASHES[machine.bank])
    known = machine.registers
    return frozenset(index for index in known if values.get(index, zero) != known[index])


def _replay_check(wrong: frozenset[int], values: Mapping[int, bytes], machine: _Machine) -> Check:
    name = "tcg-log-replay"
    silent = {i for i in wrong if i not in values and i not in machine.firmware}
    bad = sorted(wrong - machine.later - silent)
    if bad:
        first = bad[0]
        return failed(
            name,
            "tcg_log_mismatch",
            f"replaying the log does not give {', '.join(map(machine.word, bad))}: events "
            "are missing, added, reordered or changed",
            expected=f"{machine.word(first)} {machine.registers[first].hex()}",
            got=f"{machine.word(first)} {values.get(first, b'').hex() or 'no event'}",
        )
    if wrong:
        return not_checked(
            name,
            "the log gives the firmware's registers; something extended "
            f"{', '.join(map(machine.word, sorted(wrong)))} outside it",
        )
    return passed(name, f"replaying the log gives all {len(machine.registers)} registers")


def _separators(log: Log, machine: _Machine) -> Check:
    name = "tcg-log-separators"
    extending = [event for event in log.events if event.extends]
    error = next((event for event in extending if _tells_an_error(event, machine)), None)
    if error is not None:
        return failed(
            name,
            "separator_error",
            f"event {error.index} is the firmware's mark of an error: this boot went wrong",
            expected="separators of a boot without an error",
            got=machine.word(error.register),
        )
    quoted = {event.register for event in extending if event.register in machine.registers}
    used = sorted(quoted.intersection(machine.firmware))
    if not used:
        return not_checked(
            name, "the quote covers no register of the firmware into which the log measures"
        )
    closed = {event.register for event in extending if event.separates(machine.bank)}
    open_ = [register for register in used if register not in closed]
    if open_:
        return failed(
            name,
            "separator_missing",
            f"the firmware never closed {machine.word(open_[0])}, so what it measured "
            "cannot be told from what ran later",
            expected="a separator in each of the firmware's registers",
            got=f"none in {', '.join(map(machine.word, open_))}",
        )
    return passed(
        name, f"the firmware closed {', '.join(map(machine.word, used))} before others ran"
    )


def _tells_an_error(event: Event, machine: _Machine) -> bool:
    """Whether an event is the firmware's mark of an error, whatever the host calls it.

    In one register its digest may be an ordinary boot order's. What is called so there is let
    through, and whatever follows it is then not taken for the firmware's (``facts``).
    """
    if not event.marks_an_error(machine.bank):
        return False
    if event.type == tcg.SEPARATOR:
        return True
    called_order = event.register == machine.ordered and event.may_be_boot_order
    return event.register in machine.firmware and not called_order
