"""What policies are known by: one digest of all expectations, one of the roots that they pin.

Trusts: SHA-256.  Does not trust: nothing comes from outside.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from teeproof.core import strictjson
from teeproof.core.digests import named, sha256
from teeproof.evidence.nvidia.policy import GpuPolicy

if TYPE_CHECKING:
    from teeproof.evidence.policy import Policy

__all__ = ["digest_of", "roots_digest_of"]


@lru_cache(maxsize=128)
def digest_of(policy: Policy) -> str:
    """Return ``sha256:…`` of a policy's canonical form."""
    return named(sha256(strictjson.dumps(policy.to_json()).encode()))


@lru_cache(maxsize=128)
def roots_digest_of(policy: Policy) -> str:
    """Return ``sha256:…`` of all roots that a policy pins, those of GPUs and TPMs too."""
    gpu = policy.gpu or GpuPolicy()  # what it pins where the policy says nothing of GPUs
    pinned = {
        "roots": sorted(policy.roots),
        "simulated_roots": sorted(policy.simulated_roots),
        "gpu": [sorted(gpu.device_roots), sorted(gpu.rim_roots), sorted(gpu.simulated_roots)],
    }
    if policy.tpm is not None and (policy.tpm.roots or policy.tpm.keys):
        pinned |= {"tpm": [sorted(policy.tpm.roots), sorted(policy.tpm.keys or ())]}
    return named(sha256(strictjson.dumps(pinned).encode()))
