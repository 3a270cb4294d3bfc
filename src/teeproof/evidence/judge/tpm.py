"""Judge a TPM's quote: verify it, read the firmware's log, hold both against the policy.

A TPM measures what a machine started and keeps its memory from nobody, so what it proves is never
confidential.

Trusts: the policy's roots and enrolled keys, this code.
Does not trust: host, network, operator, the evidence.
"""

from __future__ import annotations

from teeproof.core.digests import named, sha256
from teeproof.evidence import ratls
from teeproof.evidence.appraise import boot, freshness
from teeproof.evidence.appraise.kind import check_kind
from teeproof.evidence.appraise.platform import simulated_root
from teeproof.evidence.eventlog import firmware
from teeproof.evidence.judge.asked import Asked, Judged, any_failed, not_appraised
from teeproof.evidence.policy import Policy
from teeproof.evidence.tpm import document, public
from teeproof.evidence.tpm import verify as tpm
from teeproof.evidence.tpm.document import TpmEvidence
from teeproof.evidence.tpm.facts import TpmFacts, Voucher
from teeproof.evidence.tpm.identity import identity_of
from teeproof.evidence.verdict import Check, not_checked

__all__ = ["bound", "judge", "quoted", "without_question"]


def judge(asked: Asked) -> Judged:
    """Return what comes of a TPM's evidence.

    Raises:
        Malformed, TooLarge: it is none that can be read.
    """
    given, policy = document.parse(asked.evidence.quote), asked.policy
    found = quoted(asked, given, roots=frozenset(policy.roots))
    checks = [
        *without_question(found.checks),
        *ratls.check_carrier(asked.evidence, expected_spki=asked.expected_spki),
    ]
    facts = found.facts if not any_failed(checks) else None
    described = {}
    if facts is None:
        checks.append(not_appraised())
    else:
        beside = asked.evidence.firmware_log
        log = given.event_log if beside is None else beside
        log_checks, booted = firmware.verify_tpm(log, banks=facts.pcrs)
        if beside is not None and given.event_log not in (None, beside):
            why = "the log beside the evidence was read, and the one in it was not"
            checks.append(not_checked("tpm-log", why))
        checks += [*log_checks, *_appraised(asked, facts, [*log_checks], booted)]
        described = facts.to_json() | {"boot": booted.to_json() if booted else None}
    return Judged(
        subject=identity_of(given) if found.evidence_id else None,
        checks=checks,
        facts=described,
        level=facts.level if facts else None,
        confidential=False,
    )


def quoted(asked: Asked, given: TpmEvidence, *, roots: frozenset[str]) -> tpm.Verification:
    """Return what verification finds of a quote, by a certified key or an enrolled one.

    Args:
        asked: the policy, and T.
        given: the TPM's evidence.
        roots: fingerprints of the roots of TPM's keys.

    Raises:
        Malformed: quote, signature or key cannot be read.
    """
    return tpm.verify(
        given,
        roots=roots,
        simulated_roots=frozenset(asked.policy.simulated_roots),
        now=asked.now,
        voucher=_enrolled(given, asked.policy),
    )


def without_question(checks: tuple[Check, ...]) -> list[Check]:
    """Return the checks but for that of the qualifying data: others ask here what it binds."""
    return [check for check in checks if check.name != "tpm-qualifying-data"]


def bound(qualifying_data: bytes) -> bytes:
    """Return what a TPM was asked to sign as the 64 bytes that other evidence binds."""
    return qualifying_data.ljust(64, b"\0")


def _enrolled(given: TpmEvidence, policy: Policy) -> Voucher | None:
    """Return the voucher for a key that the relying party enrolled, if it is one."""
    keys = policy.tpm.keys if policy.tpm else None
    if not keys:
        return None
    spki = given.spki if given.public is None else public.parse(given.public).spki
    if spki is None or named(sha256(spki)) not in keys:
        return None
    return Voucher(spki=spki, by="the policy, which lists the key as enrolled,", level="measured")


def _appraised(
    asked: Asked,
    facts: TpmFacts,
    log_checks: list[Check],
    booted: firmware.BootFacts | None,
) -> list[Check]:
    policy = asked.policy
    return [
        *simulated_root(facts.level, facts.root or "", policy),
        check_kind("tpm", policy),
        boot.registers(facts.pcrs, policy.tpm),
        *boot.boot(booted, log_checks, policy.boot),
        *freshness.checks(bound(facts.qualifying_data), policy, now=asked.now, seen=asked.seen),
    ]
