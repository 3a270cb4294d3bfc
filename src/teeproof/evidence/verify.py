"""From evidence to verdict: verify it, ask the second path, read its log, hold it against a policy.

No I/O here: bytes, policy, endorsements and time come in, a verdict goes out.

Trusts: the policy's roots, this code.  Does not trust: host, network, operator, the evidence.
"""

from __future__ import annotations

from collections.abc import Container
from datetime import datetime
from functools import lru_cache
from typing import Any

import msgspec

from teeproof.core.clock import format_time, to_epoch
from teeproof.core.digests import framed_sha256, named
from teeproof.core.version import VERSION
from teeproof.evidence import eventlog, ratls, second_path, sgx
from teeproof.evidence.appraise import application, domain, enclave, freshness, platform
from teeproof.evidence.endorsements import Collateral
from teeproof.evidence.policy import Policy, load_policy
from teeproof.evidence.record import Evidence
from teeproof.evidence.tdx import quote as tdx_quote
from teeproof.evidence.tdx import verify as tdx
from teeproof.evidence.tdx.facts import unwelcome
from teeproof.evidence.tdx.quote import TdxQuote
from teeproof.evidence.verdict import Check, Level, Provenance, Verdict, failed, not_checked, passed

__all__ = ["verify"]

SGX_VERSION = b"\x03\x00"  # the first two bytes of an SGX quote, version 3
_default = lru_cache(maxsize=4)(load_policy)


class _Asked(msgspec.Struct, frozen=True, kw_only=True):
    """All that a verdict depends on; the fields are the arguments of ``verify``."""

    evidence: Evidence
    policy: Policy
    collateral: Collateral | None
    now: int
    both_paths: bool
    seen: Container[bytes] | None
    expected_spki: bytes | None

    @property
    def digest(self) -> str:
        """``sha256:…`` of the inputs for which provenance has no digest of their own."""
        given = self.evidence
        optional = (
            given.event_log,
            given.compose,
            given.mr_config,
            given.certificate,
            self.expected_spki,
        )
        parts = (b"\0" if part is None else b"\1" + part for part in optional)
        return named(
            framed_sha256(
                "teeproof.verdict-inputs.v1", given.quote, bytes([self.both_paths]), *parts
            )
        )


def verify(
    evidence: Evidence | bytes,
    *,
    now: datetime,
    policy: Policy | None = None,
    collateral: Collateral | None = None,
    both_paths: bool = True,
    seen: Container[bytes] | None = None,
    expected_spki: bytes | None = None,
) -> Verdict:
    """Return the verdict on one piece of evidence.

    Args:
        evidence: a quote's bytes, or a quote with its event log, compose file and collateral.
        now: the T that the verdict speaks of; an aware datetime.
        policy: what the relying party expects; without one, the built-in ``standard`` for TDX and
            ``sgx`` for SGX.
        collateral: endorsements; without them, those that came along with the evidence.
        both_paths: whether to ask dcap-qvl too; if not, agreement is not checked.
        seen: report_data (64 bytes each) of evidence accepted before, to refuse replays; the
            verdict then has no cache key.
        expected_spki: the key (SubjectPublicKeyInfo, DER) that the peer of the live channel showed;
            the evidence must then carry an RA-TLS certificate over that key.

    Raises:
        Malformed: the quote is not a quote; TooLarge: it is too large to be one.
    """
    if isinstance(evidence, bytes):
        evidence = Evidence(quote=evidence)
    is_sgx = evidence.quote[:2] == SGX_VERSION
    asked = _Asked(
        evidence=evidence,
        policy=policy or _default("sgx" if is_sgx else "standard"),
        collateral=collateral or evidence.collateral,
        now=to_epoch(now),
        both_paths=both_paths or is_sgx,  # SGX has one path only
        seen=seen,
        expected_spki=expected_spki,
    )
    return _sgx(asked) if is_sgx else _tdx(asked)


def _tdx(asked: _Asked) -> Verdict:
    evidence, policy, now = asked.evidence, asked.policy, asked.now
    quote = tdx_quote.parse(evidence.quote)
    ours = tdx.verify(quote, collateral=asked.collateral, roots=frozenset(policy.roots), now=now)
    checks = [*ours.checks, *_second_path(asked, quote, ours), *_carrier(asked)]
    facts = ours.facts if not _any_failed(checks) else None
    described: dict[str, Any] = {}
    if facts is None:
        checks.append(_not_appraised())
    else:
        log_checks, app = eventlog.verify(
            evidence.event_log,
            rtmrs=facts.body.rtmrs,
            mrconfigid=facts.body.mrconfigid,
            compose=evidence.compose,
            mr_config=evidence.mr_config,
        )
        checks += log_checks
        checks.append(_required_path(policy, checks))
        checks += platform.checks(facts, policy, now=now)
        checks += domain.checks(facts, policy)
        checks += application.checks(
            facts.body, app, policy, log_checks=log_checks, compose=evidence.compose
        )
        checks += freshness.checks(facts.body.report_data, policy, now=now, seen=_memory(asked))
        described = facts.to_json() | {"application": application.describe(facts.body, app)}
    return _verdict(
        asked,
        "tdx",
        ours.evidence_id,
        checks,
        described,
        level=facts.level if facts else None,
        confidential=facts.confidential if facts else False,
        evaluation_number=facts.evaluation_number if facts else None,
        second=_ran(checks),
    )


def _carrier(asked: _Asked) -> tuple[Check, ...]:
    return ratls.check_carrier(asked.evidence, expected_spki=asked.expected_spki)


def _memory(asked: _Asked) -> Container[bytes]:
    return frozenset() if asked.seen is None else asked.seen


def _second_path(asked: _Asked, quote: TdxQuote, ours: tdx.Verification) -> list[Check]:
    if not asked.both_paths:
        return second_path.skipped("only our own path was asked for")
    if asked.collateral is None or ours.root_der is None or ours.root is None:
        return second_path.skipped(f"{second_path.NAME} needs endorsements and a trusted root")
    opinion = second_path.ask(
        quote.raw,
        collateral=asked.collateral,
        root_fingerprint=ours.root,
        root_der=ours.root_der,
        now=asked.now,
    )
    return second_path.compare(
        opinion, ours=ours.checks, tcb=ours.tcb, unwelcome=unwelcome(quote.body)
    )


def _required_path(policy: Policy, checks: list[Check]) -> Check:
    agreed = any(c.name == "second-path-signatures" and c.state == "passed" for c in checks)
    if policy.second_path is None:
        return not_checked("two-paths", "the policy does not ask for a second verifier", "policy")
    if agreed:
        return passed(
            "two-paths",
            "a second verifier ran and found every signature good, as the policy asks",
            "policy",
        )
    return failed(
        "two-paths",
        "second_path_missing",
        "the policy asks for a second verifier, and none ran",
        "policy",
        expected=second_path.NAME,
        got="no second verifier",
    )


def _sgx(asked: _Asked) -> Verdict:
    policy, now = asked.policy, asked.now
    quote = sgx.parse(asked.evidence.quote)
    found, facts, evidence_id = sgx.verify(
        quote, collateral=asked.collateral, roots=policy.roots, now=now
    )
    checks = [*found, *_carrier(asked)]
    if _any_failed(checks):
        facts = None
    if facts is None:
        checks.append(_not_appraised())
    else:
        checks += enclave.checks(facts, policy, now=now, seen=_memory(asked))
    return _verdict(
        asked,
        "sgx",
        evidence_id,
        checks,
        facts.to_json() if facts else {},
        level="hardware" if facts else None,
        confidential=facts is not None and not facts.debug,
        evaluation_number=facts.tcb_info.tcb_evaluation_data_number if facts else None,
        second=second_path.NAME if asked.collateral else None,
    )


def _verdict(
    asked: _Asked,
    kind: str,
    subject: str | None,
    checks: list[Check],
    facts: dict[str, Any],
    *,
    level: Level | None,
    confidential: bool,
    evaluation_number: int | None,
    second: str | None,
) -> Verdict:
    policy, collateral = asked.policy, asked.collateral
    return Verdict(
        subject=subject,
        kind=kind,
        ok=not _any_failed(checks),
        level=level,
        confidential=confidential,
        checks=tuple(checks),
        facts=facts,
        provenance=Provenance(
            verifier=f"teeproof {VERSION}",
            second_path=second,
            policy=policy.name,
            policy_digest=policy.digest,
            roots_digest=policy.roots_digest,
            endorsements_digest=collateral.id if collateral else None,
            tcb_evaluation_number=evaluation_number,
            inputs_digest=asked.digest,
            replay_memory=asked.seen is not None,
            time=format_time(asked.now),
        ),
    )


def _any_failed(checks: list[Check]) -> bool:
    return any(check.state == "failed" for check in checks)


def _not_appraised() -> Check:
    return not_checked(
        "policy", "not reached: nothing can be expected of evidence that does not hold", "policy"
    )


def _ran(checks: list[Check]) -> str | None:
    ran = any(c.name.startswith("second-path") and c.state != "not_checked" for c in checks)
    return second_path.NAME if ran else None
