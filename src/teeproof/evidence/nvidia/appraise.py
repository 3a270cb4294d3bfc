"""Hold what GPUs established against a policy: how many, which, how well known, for whom.

Trusts: facts of verified reports.  Does not trust: nothing else comes in.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from teeproof.evidence.appraise.expect import any_of
from teeproof.evidence.nvidia.facts import DeviceFacts, GpuFacts
from teeproof.evidence.nvidia.policy import GpuPolicy
from teeproof.evidence.verdict import Check, failed, not_checked, passed

__all__ = ["UNKNOWN", "checks"]


UNKNOWN = "nobody said with which nonce the GPUs were asked, so the reports may be of any time"


def checks(
    facts: GpuFacts, policy: GpuPolicy, *, nonces: Mapping[bytes, str], unknown: str = UNKNOWN
) -> list[Check]:
    """Return the checks of a policy.

    Args:
        facts: of a verification whose checks all held.
        policy: what the relying party expects.
        nonces: what the GPUs may have been asked with: 32 bytes -> one sentence on what such an
            answer shows; empty if nobody knows, and then the reports may be of any time.
        unknown: why nobody knows, one sentence.
    """
    gpus = facts.gpus
    return [
        *_simulated(facts, policy),
        _nonce(facts, nonces, unknown),
        _count(facts, policy),
        any_of(
            "gpu-architecture",
            policy.architectures,
            _odd((d.architecture for d in gpus), policy.architectures),
            what="GPU architecture",
        ),
        any_of(
            "gpu-driver",
            policy.drivers,
            _odd((d.driver for d in gpus), policy.drivers),
            what="GPU driver",
        ),
        any_of(
            "gpu-vbios",
            policy.vbios and tuple(text.upper() for text in policy.vbios),
            _odd((d.vbios for d in gpus), policy.vbios and tuple(t.upper() for t in policy.vbios)),
            what="VBIOS",
        ),
        _rims(facts, policy),
        _revocation(facts, policy),
    ]


def _simulated(facts: GpuFacts, policy: GpuPolicy) -> list[Check]:
    if facts.level != "simulated":
        return []
    strange = sorted(facts.simulated_roots - {*policy.simulated_roots})
    if not strange:
        return [
            passed(
                "gpu-simulated-root",
                "SIMULATED: the policy accepts this simulator's roots",
                "policy",
            )
        ]
    return [
        failed(
            "gpu-simulated-root",
            "gpu_simulated_root_not_accepted",
            "SIMULATED: no GPU stands behind this evidence, and the policy does not accept this "
            "simulator's roots: pin them under simulated_roots to test with it",
            "policy",
            expected=" or ".join(policy.simulated_roots) or "evidence of real hardware",
            got=", ".join(strange),
        )
    ]


def _nonce(facts: GpuFacts, nonces: Mapping[bytes, str], unknown: str) -> Check:
    if not nonces:
        return not_checked("gpu-nonce", unknown, "policy", got=facts.nonce.hex())
    if facts.nonce in nonces:
        return passed("gpu-nonce", nonces[facts.nonce], "policy", got=facts.nonce.hex())
    return failed(
        "gpu-nonce",
        "gpu_nonce_mismatch",
        "the reports answer another nonce: ask the GPUs again, with the expected one",
        "policy",
        expected=" or ".join(nonce.hex() for nonce in nonces),
        got=facts.nonce.hex(),
    )


def _count(facts: GpuFacts, policy: GpuPolicy) -> Check:
    got = f"{len(facts.gpus)} GPUs, {len(facts.switches)} switches"
    if policy.min_gpus is None and policy.min_switches is None:
        return not_checked(
            "gpu-count", "the policy does not say how many it expects", "policy", got=got
        )
    gpus, switches = policy.min_gpus or 0, policy.min_switches or 0
    if len(facts.gpus) >= gpus and len(facts.switches) >= switches:
        return passed("gpu-count", "as many devices as the policy asks for", "policy", got=got)
    return failed(
        "gpu-count",
        "gpu_count_too_low",
        "fewer devices reported than the policy asks for: get the report of each",
        "policy",
        expected=f"at least {gpus} GPUs and {switches} switches",
        got=got,
    )


def _odd(values: Iterable[str | None], allowed: Sequence[str] | None) -> str | None:
    """Return the first value that is not allowed, else the first; None if there is none."""
    found = list(values)
    odd = [value for value in found if value not in (allowed or ())]
    return next(iter(odd or found), None)


def _rims(facts: GpuFacts, policy: GpuPolicy) -> Check:
    if policy.rims is None:
        return not_checked(
            "gpu-measured", "the policy does not ask for the vendor's manifests", "policy"
        )
    if all(device.measured for device in facts.devices):
        return passed(
            "gpu-measured",
            "the vendor's manifests cover every device, as the policy asks",
            "policy",
        )
    return failed(
        "gpu-measured",
        "gpu_rims_missing",
        "the policy asks that measurements be what the vendor lists, and a manifest is missing: "
        "give those of driver and VBIOS of every device",
        "availability",
        expected="manifests for every device",
        got=_without(facts.devices, [d.measured for d in facts.devices]),
    )


def _revocation(facts: GpuFacts, policy: GpuPolicy) -> Check:
    if policy.revocation is None:
        return not_checked(
            "gpu-unrevoked", "the policy does not ask whether anything was revoked", "policy"
        )
    if all(device.revocation_known for device in facts.devices):
        return passed(
            "gpu-unrevoked", "nothing that was used is revoked, as the policy asks", "policy"
        )
    return failed(
        "gpu-unrevoked",
        "gpu_revocation_unknown",
        "the policy asks that nothing be revoked, and the vendor's word is missing: give OCSP "
        "answers for the devices' certificates, and for those of the manifests' signers",
        "availability",
        expected="OCSP answers for every certificate",
        got=_without(facts.devices, [d.revocation_known for d in facts.devices]),
    )


def _without(devices: Sequence[DeviceFacts], known: Sequence[bool]) -> str:
    return f"missing for {known.count(False)} of {len(devices)} devices"
