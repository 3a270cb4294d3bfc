"""Hold a boot against a policy: registers that a TPM quoted, and what a firmware's log explains.

Trusts: facts of a verified quote, and of a log that explains its registers.
Does not trust: nothing else comes in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from teeproof.evidence.appraise.expect import flag
from teeproof.evidence.eventlog.firmware import BootFacts
from teeproof.evidence.eventlog.firmware.policy import BootPolicy
from teeproof.evidence.tpm.pcrs import Banks
from teeproof.evidence.tpm.policy import PcrValues, TpmPolicy
from teeproof.evidence.tpm.wire import HASH_NAMES
from teeproof.evidence.verdict import Check, failed, not_checked, passed

__all__ = ["boot", "registers"]

_NUMBERS = {name: number for number, name in HASH_NAMES.items()}


def registers(quoted: Banks | None, policy: TpmPolicy | None) -> Check:
    """Return the check that quoted registers hold what the policy lists.

    Args:
        quoted: the registers of a verified quote; None if no TPM's came.
        policy: expectations.
    """
    name = "tpm-pcr-values"
    if policy is None or policy.pcrs is None:
        return not_checked(name, "the policy does not say what registers must hold", "policy")
    for each in policy.pcrs:
        value = _value(quoted or {}, each)
        expected = f"{each.bank} PCR {each.pcr} {' or '.join(each.values) or 'nothing'}"
        if value is None:
            return failed(
                name,
                "tpm_pcr_unknown",
                f"no quoted value of {each.bank} PCR {each.pcr} came along: ask for a quote of that"
                " register, and its value beside it",
                "policy",
                expected=expected,
                got="nothing",
            )
        if value not in each.values:
            return failed(
                name,
                "tpm_pcr_mismatch",
                f"{each.bank} PCR {each.pcr} holds what the policy does not list: something else"
                " was started",
                "policy",
                expected=expected,
                got=value,
            )
    count = len(policy.pcrs)
    return passed(name, f"{count} registers hold what the policy lists", "policy")


def _value(quoted: Banks, each: PcrValues) -> str | None:
    value = quoted.get(_NUMBERS[each.bank], {}).get(each.pcr)
    return None if value is None else value.hex()


def boot(
    facts: BootFacts | None, log_checks: Sequence[Check], policy: BootPolicy | None
) -> list[Check]:
    """Return the checks of a boot.

    Args:
        facts: what the firmware's log establishes; None if none came, or it does not hold.
        log_checks: the checks of that log.
        policy: expectations.
    """
    expected = policy or BootPolicy()
    return [
        _log({check.name: check.state for check in log_checks}, expected),
        flag(
            "secure-boot",
            expected.secure_boot,
            facts.secure_boot if facts else None,
            on="the firmware started only what was signed",
            off="the firmware started what nobody need have signed",
        ),
        _images(facts.images if facts else None, expected.images),
        _authorities(facts.authorities if facts else None, expected.authorities),
    ]


def _log(states: Mapping[str, str], expected: BootPolicy) -> Check:
    name = "firmware-log"
    if expected.log is None:
        return not_checked(name, "the policy does not ask for a firmware's log", "policy")
    if states.get("tcg-log-separators") != "passed":
        return failed(
            name,
            "firmware_log_missing",
            "the policy asks for a firmware's log, and none explains the firmware's registers: put "
            "it beside the quote",
            "policy",
            expected="a log that explains the quoted registers of the firmware",
            got="none",
        )
    return passed(name, "a firmware's log explains the firmware's registers", "policy")


def _images(found: tuple[str, ...] | None, allowed: tuple[str, ...] | None) -> Check:
    name = "boot-images"
    if allowed is None:
        return not_checked(name, "the policy does not say what may be started", "policy")
    if found is None:
        return failed(
            name,
            "boot_images_unknown",
            "no firmware's log explains the register of boot loaders and kernel, so nobody knows"
            " what was started: put the log beside the quote",
            "policy",
            expected=_listed(allowed),
            got="unknown",
        )
    if strange := [each for each in found if each not in allowed]:
        return failed(
            name,
            "boot_images_mismatch",
            f"{len(strange)} of {len(found)} images that were started are not what the policy"
            " lists",
            "policy",
            expected=_listed(allowed),
            got=", ".join(strange)[:400],
        )
    return passed(name, f"all {len(found)} images that were started are listed", "policy")


def _authorities(found: tuple[str, ...] | None, allowed: tuple[str, ...] | None) -> Check:
    name = "boot-authorities"
    if allowed is None:
        return not_checked(name, "the policy does not say by whose word to start", "policy")
    if found is None:
        return failed(
            name,
            "boot_authorities_unknown",
            "no firmware's log explains the register of the Secure Boot policy, so nobody knows by"
            " whose word something was started: put the log beside the quote",
            "policy",
            expected=_listed(allowed),
            got="unknown",
        )
    if strange := [each for each in found if each not in allowed]:
        return failed(
            name,
            "boot_authorities_mismatch",
            f"{len(strange)} of {len(found)} authorities are not what the policy lists",
            "policy",
            expected=_listed(allowed),
            got=", ".join(strange)[:400],
        )
    return passed(name, f"all {len(found)} authorities are listed", "policy")


def _listed(allowed: tuple[str, ...]) -> str:
    return " or ".join(allowed)[:400] or "nothing: the policy's list is empty"
