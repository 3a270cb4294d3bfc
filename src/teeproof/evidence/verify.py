"""From evidence to verdict: the judge of its kind verifies it and holds it against a policy.

No I/O here: bytes, policy, endorsements and time come in, a verdict goes out.

Trusts: the policy's roots, this code.  Does not trust: host, network, operator, the evidence.
"""

from __future__ import annotations

from collections.abc import Callable, Container
from datetime import datetime
from functools import lru_cache

import msgspec

from teeproof.core.clock import format_time, to_epoch
from teeproof.core.errors import Usage
from teeproof.core.version import VERSION
from teeproof.evidence.endorsements import Collateral
from teeproof.evidence.judge import cca, composite, nitro, sev_snp, sgx, tdx, tpm
from teeproof.evidence.judge.asked import Asked, Judged, any_failed
from teeproof.evidence.judge.unread import unread
from teeproof.evidence.policy import Policy, load_policy
from teeproof.evidence.recognise import USUAL_POLICY, Kind, kind_of
from teeproof.evidence.record import Evidence
from teeproof.evidence.verdict import Provenance, Verdict

__all__ = ["verify"]


def _nvidia(asked: Asked) -> Judged:
    from teeproof.evidence.judge import nvidia  # noqa: PLC0415  few verify GPUs alone

    return nvidia.judge(asked)


def _azure_tdx(asked: Asked) -> Judged:
    from teeproof.evidence.judge import azure  # noqa: PLC0415  few machines are Azure's

    return azure.judge_tdx(asked)


def _azure_snp(asked: Asked) -> Judged:
    from teeproof.evidence.judge import azure  # noqa: PLC0415  as above

    return azure.judge_snp(asked)


_JUDGES: dict[Kind, Callable[[Asked], Judged]] = {
    "tdx": tdx.judge,
    "sgx": sgx.judge,
    "sev-snp": sev_snp.judge,
    "nitro": nitro.judge,
    "nvidia": _nvidia,
    "tpm": tpm.judge,
    "azure-tdx": _azure_tdx,
    "azure-snp": _azure_snp,
    "cca": cca.judge,
}
_INTEL: frozenset[Kind] = frozenset({"tdx", "sgx", "azure-tdx"})  # what collateral speaks of
_ONE_PATH: frozenset[Kind] = frozenset(
    {"sgx", "sev-snp", "nitro", "nvidia", "tpm", "azure-snp", "cca"}
)  # whether both were asked for makes no difference
_default = lru_cache(maxsize=8)(load_policy)


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
        evidence: the bytes of a quote or report, or one with all that explains it.
        now: the T that the verdict speaks of; an aware datetime.
        policy: what the relying party expects; without one, the built-in ``standard`` for TDX,
            ``sgx`` for SGX, and of the other kinds the one that is called like the kind.
        collateral: endorsements; without them, those that came along with the evidence.
        both_paths: whether to ask dcap-qvl too; if not, agreement is not checked.
        seen: report_data (64 bytes each) of evidence accepted before, to refuse replays; the
            verdict then has no cache key.
        expected_spki: the key (SubjectPublicKeyInfo, DER) that the peer of the live channel showed;
            the evidence must then carry an RA-TLS certificate over that key.

    Raises:
        Malformed: the quote is not a quote, or what came with it cannot be read; TooLarge: it is
            too large to be one.
        NotAuthentic: a verification service's tokens came in the place of GPU evidence.
        Usage: a firmware's log, a TPM's evidence or a platform key came with evidence that nothing
            ties it to.
    """
    if isinstance(evidence, bytes):
        evidence = Evidence(quote=evidence)
    kind = kind_of(evidence.quote)
    _require_read(evidence, kind)
    asked = Asked(
        evidence=evidence,
        policy=policy or _default(USUAL_POLICY[kind]),
        collateral=collateral or evidence.collateral,
        now=to_epoch(now),
        both_paths=both_paths or kind in _ONE_PATH,
        seen=seen,
        expected_spki=expected_spki,
    )
    found = _JUDGES[kind](asked)
    found = msgspec.structs.replace(found, checks=(*found.checks, *unread(evidence, kind)))
    return _verdict(asked, kind, composite.complete(asked, kind, found))


_READ: dict[str, frozenset[Kind]] = {
    "firmware_log": frozenset({"tdx", "tpm", "azure-tdx", "azure-snp"}),
    "tpm": frozenset({"tdx"}),
    "platform_key": frozenset({"cca"}),
}


def _require_read(evidence: Evidence, kind: Kind) -> None:
    """Refuse what no judge of this kind looks at: it must not seem to have been verified."""
    for part, kinds in _READ.items():
        if getattr(evidence, part) is not None and kind not in kinds:
            raise Usage(
                f"nothing ties a {part.replace('_', ' ')} to evidence of the kind {kind}: leave it"
                " out",
                code="piece_without_quote",
                expected=" or ".join(sorted(kinds)),
                got=kind,
            )


def _verdict(asked: Asked, kind: Kind, found: Judged) -> Verdict:
    policy, collateral = asked.policy, asked.collateral
    return Verdict(
        subject=found.subject,
        kind=kind,
        ok=not any_failed(found.checks),
        level=found.level,
        confidential=found.confidential,
        checks=tuple(found.checks),
        facts=found.facts,
        provenance=Provenance(
            verifier=f"teeproof {VERSION}",
            second_path=found.second_path,
            policy=policy.name,
            policy_digest=policy.digest,
            roots_digest=policy.roots_digest,
            endorsements_digest=collateral.id if collateral and kind in _INTEL else None,
            tcb_evaluation_number=found.evaluation_number,
            inputs_digest=asked.digest,
            replay_memory=asked.seen is not None,
            time=format_time(asked.now),
        ),
    )
