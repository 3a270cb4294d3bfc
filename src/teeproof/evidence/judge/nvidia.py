"""Judge the evidence of NVIDIA GPUs and switches: alone, or beside that of their machine.

Trusts: the policy's roots of GPUs, this code.
Does not trust: host, network, operator, the evidence, whoever collected manifests and answers.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from teeproof.core.errors import Malformed
from teeproof.evidence import ratls
from teeproof.evidence.appraise import freshness
from teeproof.evidence.appraise.kind import check_kind
from teeproof.evidence.judge.asked import Asked, Judged, any_failed
from teeproof.evidence.nvidia import appraise, bundle, handed
from teeproof.evidence.nvidia import verify as gpus
from teeproof.evidence.nvidia.facts import GpuFacts
from teeproof.evidence.nvidia.nonce import gpu_nonce
from teeproof.evidence.nvidia.policy import GpuPolicy
from teeproof.evidence.policy import Policy
from teeproof.evidence.verdict import Check, not_checked

__all__ = ["Devices", "devices", "judge"]

_RAW = re.compile(r"[0-9a-f]{64}", re.ASCII)
_OWN = "the reports answer the relying party's own nonce: they are fresh"
_APART = f"{_OWN}, and nothing ties them to this machine"
_MACHINE = "the reports answer the nonce that this machine's report_data determines"
_UNBOUND = "the machine's report_data is all zero, so it determines no nonce for its GPUs"
_UNHELD = "the machine's evidence does not hold, so it determines no nonce for its GPUs"
_WORKLOAD = "the reports answer the nonce that what the policy expects of report_data determines"


class Devices(NamedTuple):
    """What was found of GPUs and switches.

    Attributes:
        id: the identity of all reports; None if a chain could not be read.
        checks: in reading order.
        facts: None if a check of authenticity failed.
    """

    id: str | None
    checks: list[Check]
    facts: GpuFacts | None


def judge(asked: Asked) -> Judged:
    """Return what comes of GPUs whose machine is unknown.

    Raises:
        Malformed, TooLarge: it is not their evidence, or a manifest or answer cannot be read.
        NotAuthentic: a verification service's tokens, which are no evidence.
    """
    if asked.evidence.gpus is not None:
        raise Malformed(
            "the evidence of GPUs was given twice, as a machine's and as that of its GPUs",
            code="gpu_bundle_malformed",
        )
    found = devices(asked, asked.evidence.quote, report_data=None, alone=True)
    carrier = ratls.check_carrier(asked.evidence, expected_spki=asked.expected_spki)
    held = found.facts if not any_failed(carrier) else None
    checks = [*found.checks, *carrier]
    if held is not None:
        bound = held.nonce in _nonces(msgspec.structs.replace(asked.policy, gpu=None), None)
        checks += [
            check_kind("nvidia", asked.policy),
            freshness.replayed(held.nonce.ljust(64, b"\0"), asked.seen),
            # A policy dates its own nonce: gpu.nonce may be an older one.
            freshness.age(asked.policy, bound=bound, now=asked.now),
        ]
    return Judged(
        subject=found.id,
        checks=checks,
        facts=held.to_json() if held else {},
        level=held.level if held else None,
        confidential=False,  # no report says that confidential computing is on
    )


def devices(
    asked: Asked, document: bytes, *, report_data: bytes | None, alone: bool = False
) -> Devices:
    """Return what comes of GPUs and switches.

    Args:
        asked: the policy, the manifests and OCSP answers, and T.
        document: their evidence (JSON).
        report_data: 64 bytes of their machine's verified evidence; None if it is unknown.
        alone: whether no machine's evidence came along.

    Raises:
        Malformed, TooLarge, NotAuthentic: as ``judge``.
    """
    policy = asked.policy.gpu or GpuPolicy()
    found = gpus.verify(
        bundle.parse(document),
        rims=[handed.read(data) for data in asked.evidence.manifests],
        ocsp=asked.evidence.ocsp,
        roots=policy.roots,
        now=asked.now,
    )
    checks = [*found.checks, *([_machine()] if alone else [])]
    if found.facts is None:
        checks.append(_not_appraised())
    else:
        nonces = _nonces(asked.policy, report_data)
        unknown = appraise.UNKNOWN if alone else _UNBOUND if report_data else _UNHELD
        checks += appraise.checks(found.facts, policy, nonces=nonces, unknown=unknown)
    return Devices(found.evidence_id, checks, found.facts)


def _nonces(policy: Policy, report_data: bytes | None) -> Mapping[bytes, str]:
    """Return what the GPUs may have been asked with, and what an answer to it shows."""
    own = _OWN if report_data is None else _APART
    found: dict[bytes, str] = {}
    if policy.nonce is not None and _RAW.fullmatch(policy.nonce):
        found[bytes.fromhex(policy.nonce)] = own  # older services ask GPUs with it as it is
    if report_data is not None:
        # Of zeros everyone knows the digest: they tie reports to no machine.
        found |= {gpu_nonce(report_data[:32]): _MACHINE} if any(report_data) else {}
    elif (expected := freshness.expected_report_data(policy)) is not None:
        found[gpu_nonce(expected[:32])] = _WORKLOAD
    if policy.gpu is not None and policy.gpu.nonce is not None:
        asked = bytes.fromhex(policy.gpu.nonce)
        found = {asked: found.get(asked, own)}
    return found


def _machine() -> Check:
    return not_checked(
        "gpu-machine", "no machine is known: the GPUs' evidence came without that of their machine"
    )


def _not_appraised() -> Check:
    return not_checked(
        "gpu-policy", "not reached: nothing can be expected of GPUs whose evidence does not hold",
        "policy",
    )  # fmt: skip
