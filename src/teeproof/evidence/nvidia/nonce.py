"""The nonce that a workload gives to its GPUs, so that their reports answer to its own quote.

Every workload commits to D, the digest of its keyset and the verifier's nonce (``binding``). Its
GPUs are asked with a digest of D: whoever knows D can tell that the reports were made for it. That
ties a report to a workload and to a moment, and not to a machine: another host may have passed the
nonce on to a GPU of its own.

Trusts: SHA-256.  Does not trust: whoever hands over a report to have asked the GPU itself.
"""

from __future__ import annotations

from teeproof.core.digests import framed_sha256
from teeproof.core.errors import Usage

__all__ = ["NONCE_BYTES", "gpu_nonce"]

NONCE_BYTES = 32
_LABEL = "teeproof.gpu.v1"


def gpu_nonce(binding: bytes) -> bytes:
    """Return the 32 bytes with which a workload asks its GPUs.

    Args:
        binding: D, 32 bytes (``evidence.binding.binding``).

    Raises:
        Usage: another length.
    """
    if len(binding) != 32:
        raise Usage("the binding D has 32 bytes", code="binding_malformed")
    return framed_sha256(_LABEL, binding)
