"""What comes beside a TDX quote: the log of its firmware, and the evidence of a TPM.

On Google's machines a TPM quotes the digest of the TDX quote. It is the word of whoever runs the
TPM, so the whole is then as strong as that; the domain's memory is the processor's affair, and
stays as confidential as it was.

Trusts: the policy's roots of TPMs, the registers of a verified TDX quote, this code.
Does not trust: host, network, operator, the log, the TPM's evidence.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from teeproof.evidence.appraise import boot
from teeproof.evidence.eventlog import firmware
from teeproof.evidence.judge.asked import Asked
from teeproof.evidence.judge.tpm import quoted, without_question
from teeproof.evidence.tdx.facts import TdxFacts
from teeproof.evidence.tpm import document, gcp
from teeproof.evidence.tpm.facts import TpmFacts
from teeproof.evidence.tpm.identity import identity_of
from teeproof.evidence.tpm.policy import TpmPolicy
from teeproof.evidence.tpm.wire import malformed
from teeproof.evidence.verdict import Check, not_checked

__all__ = ["Beside", "Booted", "booted", "tpm_of"]


@dataclass(frozen=True, slots=True)
class Beside:
    """What was found of a TPM beside a quote; nothing if none came.

    Attributes:
        checks: in reading order.
        id: the identity of the TPM's evidence.
        facts: None if a check failed.
        log: the log that came with it.
    """

    checks: list[Check] = field(default_factory=list)
    id: str | None = None
    facts: TpmFacts | None = None
    log: bytes | None = None


@dataclass(frozen=True, slots=True)
class Booted:
    """What was found of a boot.

    Attributes:
        log_checks: those of the firmware's log; none if none came.
        checks: those of the policy; none where it expects nothing, and nothing came.
        facts: for people and programs.
    """

    log_checks: list[Check] = field(default_factory=list)
    checks: list[Check] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)


def tpm_of(asked: Asked) -> Beside:
    """Return what comes of a TPM's evidence beside a TDX quote.

    Raises:
        Malformed, TooLarge: it cannot be read.
    """
    if asked.evidence.tpm is None:
        return Beside()
    given = document.parse(asked.evidence.tpm)
    expected = asked.policy.tpm or TpmPolicy()
    found = quoted(asked, given, roots=frozenset(expected.roots))
    if found.evidence_id is None:
        raise malformed("TPM evidence beside a quote", "the key that signed", "none")
    names = gcp.check_tdx_quote(found.quote, asked.evidence.quote)
    return Beside(
        checks=[*without_question(found.checks), names],
        id=identity_of(given),
        facts=found.facts if names.state == "passed" else None,
        log=given.event_log,
    )


def booted(asked: Asked, facts: TdxFacts, beside: Beside) -> Booted:
    """Return what the firmware's log says, and what the policy expects of the boot.

    The log beside the quote is the processor's (CCEL). Without one, the TPM's own log is read.

    Args:
        asked: the policy and the log.
        facts: of the verified TDX quote.
        beside: what was found of the TPM.
    """
    ccel, policy = asked.evidence.firmware_log, asked.policy
    given = ccel is not None or beside.log is not None
    asks = policy.boot is not None and policy.boot.expects
    tpm_asked = policy.tpm is not None and policy.tpm.expects
    quoted_registers = beside.facts.pcrs if beside.facts else None
    log_checks: list[Check] = []
    found = None
    if ccel is not None:
        made, found = firmware.verify_ccel(ccel, rtmrs=facts.body.rtmrs)
        log_checks += made
    elif beside.log is not None:
        made, found = firmware.verify_tpm(beside.log, banks=quoted_registers or {})
        log_checks += made
    if ccel is not None and beside.log is not None:
        why = "the log of the processor's registers was read, and the TPM's own was not"
        log_checks.append(not_checked("tpm-log", why))
    checks = [boot.registers(quoted_registers, policy.tpm)] if beside.id or tpm_asked else []
    checks += boot.boot(found, log_checks, policy.boot) if given or asks else []
    described = {"boot": found.to_json() if found else None} if given else {}
    return Booted(log_checks, checks, described)
