"""The digests that dstack derives from a quote's registers, and that its contracts list.

Source: dstack-attest, ``decode_mr_tdx_from_quote`` and ``get_devide_id``.

Trusts: the verified report that it is given.  Does not trust: nothing else comes in.
"""

from __future__ import annotations

from teeproof.core.digests import sha256
from teeproof.evidence.tdx.layout import TdReport10

__all__ = ["device_id", "mr_aggregated", "mr_system"]


def mr_system(report: TdReport10, *, key_provider_info: bytes | None) -> bytes:
    """Return mr_system, 32 bytes: firmware, kernel, command line, ramdisk and key provider.

    Args:
        report: a verified TD report.
        key_provider_info: the key-provider event's exact payload; None or empty stands for what the
            KMS computes before it has given keys.
    """
    provider = sha256(key_provider_info) if key_provider_info else bytes(32)
    return sha256(report.mrtd, *report.rtmrs[:3], provider)


def mr_aggregated(report: TdReport10, *, rtmr3: bytes | None = None) -> bytes:
    """Return mr_aggregated, 32 bytes: everything that the report measures.

    Args:
        report: a verified TD report.
        rtmr3: another RTMR3 than the report's, such as the one up to ``boot-mr-done``, which the
            KMS shows to contracts.
    """
    config = report.mrconfigid + report.mrowner + report.mrownerconfig
    return sha256(
        report.mrtd,
        *report.rtmrs[:3],
        report.rtmrs[3] if rtmr3 is None else rtmr3,
        config if any(config) else b"",
    )


def device_id(ppid: bytes) -> bytes:
    """Return dstack's device id, 32 bytes: SHA-256 of the platform's PPID (16 bytes)."""
    return sha256(ppid)
