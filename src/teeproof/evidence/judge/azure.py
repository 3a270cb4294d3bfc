"""Judge an Azure machine: the hardware's report, the paravisor in it, then the TPM that it keeps.

The hardware speaks of the paravisor alone. What the guest says is what the TPM quotes, and that is
worth as much as the paravisor: a domain that the policy lists by its measurement is believed, and
any other may have made its TPM up, so such evidence is measured, and never confidential.

Trusts: the policy's roots, the paravisors that it lists, this code.
Does not trust: host, network, operator, the guest, a paravisor that nobody listed.
"""

from __future__ import annotations

from typing import Any

import msgspec

from teeproof.core.errors import Error
from teeproof.evidence import ratls, second_path
from teeproof.evidence.appraise import boot, domain, freshness, guest, platform
from teeproof.evidence.azure import document
from teeproof.evidence.azure import verify as azure
from teeproof.evidence.azure.document import AzureEvidence
from teeproof.evidence.azure.hardware import Established, Hardware, snp_hardware, tdx_hardware
from teeproof.evidence.der import armoured
from teeproof.evidence.eventlog import firmware
from teeproof.evidence.judge import tdx as tdx_judge
from teeproof.evidence.judge.asked import Asked, Judged, any_failed, not_appraised
from teeproof.evidence.judge.tpm import bound, without_question
from teeproof.evidence.sev_snp import certificates
from teeproof.evidence.sev_snp.facts import SnpFacts
from teeproof.evidence.tdx import quote as tdx_quote
from teeproof.evidence.tdx import verify as tdx
from teeproof.evidence.tdx.facts import TdxFacts
from teeproof.evidence.tpm.facts import TpmFacts
from teeproof.evidence.verdict import Check

__all__ = ["judge_snp", "judge_tdx"]


def judge_tdx(asked: Asked) -> Judged:
    """Return what comes of an Azure machine on Intel TDX.

    Raises:
        Malformed, TooLarge: document, paravisor's report or TPM's quote cannot be read.
    """
    given, policy = document.parse(asked.evidence.quote), asked.policy
    hardware = tdx_hardware(
        given.td_quote, collateral=asked.collateral, roots=frozenset(policy.roots), now=asked.now
    )
    found = azure.verify(given, hardware=hardware, now=asked.now, paravisors=policy.mrtd)
    return _judged(asked, found, _second_path(asked, given, found))


def judge_snp(asked: Asked) -> Judged:
    """Return what comes of an Azure machine on AMD SEV-SNP; raises as ``judge_tdx``."""
    given, policy = document.parse(asked.evidence.quote), asked.policy
    hardware: Hardware = snp_hardware(
        _certificates(given, asked.evidence.certificates),
        roots=frozenset(policy.roots),
        now=asked.now,
    )
    found = azure.verify(given, hardware=hardware, now=asked.now, paravisors=policy.measurement)
    return _judged(asked, found, [])


def _certificates(given: AzureEvidence, beside: bytes | None) -> bytes | None:
    """Return the document's own certificate of the chip, and all others that came beside it.

    AMD signs a chip's certificate anew whenever it is asked, so another one of the same key may lie
    beside the document.
    """
    if given.vcek is None:
        return beside
    pem = armoured(given.vcek)
    if beside is None:
        return pem
    try:
        ders, lists = certificates.parse_blocks(beside)
        authorities = [each.der for each in certificates.parse_certificates(ders) if each.is_ca]
    except Error:
        return pem + beside  # the verifier says what is wrong with them
    return pem + b"".join(map(armoured, (*authorities, *lists)))


def _judged(asked: Asked, found: azure.Verification, more: list[Check]) -> Judged:
    checks = [
        *without_question(found.checks),
        *more,
        *ratls.check_carrier(asked.evidence, expected_spki=asked.expected_spki),
    ]
    facts, established = found.facts, found.established
    described: dict[str, Any] = {}
    if facts is not None and established is not None and not any_failed(checks):
        log_checks, booted = firmware.verify_tpm(asked.evidence.firmware_log, banks=facts.pcrs)
        checks += log_checks
        checks += _hardware(asked, established, checks)
        checks += _guest(asked, facts, [*log_checks], booted)
        described = _described(found, facts, established, booted)
    if not described:
        checks.append(not_appraised())
    believed = any(c.name == "hcl-paravisor" and c.state == "passed" for c in checks)
    tcb = getattr(established.found, "facts", None) if established else None
    return Judged(
        subject=found.evidence_id,
        checks=checks,
        facts=described,
        level=facts.level if facts and described else None,
        confidential=bool(described and believed and established and established.confidential),
        evaluation_number=getattr(tcb, "evaluation_number", None) if described else None,
        second_path=tdx_judge.ran(checks),
    )


def _second_path(asked: Asked, given: AzureEvidence, found: azure.Verification) -> list[Check]:
    ours = found.established.found if found.established else None
    if given.td_quote is None or not isinstance(ours, tdx.Verification):
        return second_path.skipped("there is no TDX quote that holds by our own path")
    inner = msgspec.structs.replace(asked.evidence, quote=given.td_quote)
    inner_asked = msgspec.structs.replace(asked, evidence=inner)
    return tdx_judge.second_opinion(inner_asked, tdx_quote.parse(given.td_quote), ours)


def _hardware(asked: Asked, established: Established, before: list[Check]) -> list[Check]:
    """Return the checks of the machine and of the paravisor's domain."""
    facts = established.found.facts if established.found else None
    if isinstance(facts, TdxFacts):
        return [
            tdx_judge.required_path(asked.policy, before),
            *platform.checks(facts, asked.policy, now=asked.now),
            *domain.checks(facts, asked.policy, kind="azure-tdx"),
        ]
    if isinstance(facts, SnpFacts):
        return guest.checks(facts, asked.policy, now=asked.now, kind="azure-snp")
    return []


def _guest(
    asked: Asked, facts: TpmFacts, log_checks: list[Check], booted: firmware.BootFacts | None
) -> list[Check]:
    policy = asked.policy
    return [
        boot.registers(facts.pcrs, policy.tpm),
        *boot.boot(booted, log_checks, policy.boot),
        *freshness.checks(bound(facts.qualifying_data), policy, now=asked.now, seen=asked.seen),
    ]


def _described(
    found: azure.Verification,
    facts: TpmFacts,
    established: Established,
    booted: firmware.BootFacts | None,
) -> dict[str, Any]:
    inner = established.found.facts if established.found else None
    return {
        "hardware": inner.to_json() if inner else None,
        "paravisor": {
            "measurement": established.measurement.hex(),
            "configuration": found.report.configuration,
            "user_data": found.report.user_data,
        },
        "tpm": facts.to_json(),
        "boot": booted.to_json() if booted else None,
    }
