"""Tell files about NVIDIA GPUs by their bytes: evidence, manifests, OCSP answers.

Trusts: nothing; the verifier reads them strictly.  Does not trust: whoever made the files.
"""

from __future__ import annotations

from typing import Any, Literal

from teeproof.evidence.nvidia import bundle

__all__ = ["GpuKind", "of_bytes", "of_json"]

GpuKind = Literal["gpu-evidence", "gpu-manifest", "ocsp-answer"]

_SEQUENCE, _STATUS = 0x30, b"\x0a\x01"  # RFC 6960, 4.2.1: responseStatus, ENUMERATED, comes first


def of_bytes(data: bytes) -> GpuKind | None:
    """Return what is no JSON: a manifest in XML, or an OCSP answer in DER."""
    if data.lstrip(b" \t\r\n")[:1] == b"<" and b"SoftwareIdentity" in data[:4096]:
        return "gpu-manifest"
    if data[:1] == bytes([_SEQUENCE]) and len(data) > 2:
        head = 2 + (data[1] & 0x7F if data[1] & 0x80 else 0)
        return "ocsp-answer" if data[head : head + 2] == _STATUS else None
    return None


def of_json(value: Any) -> GpuKind | None:
    """Return what parsed JSON is: evidence of devices, or the RIM service's answer."""
    if bundle.has_shape(value):
        return "gpu-evidence"
    if not isinstance(value, dict):
        return None
    answer = isinstance(value.get("rim"), str) and isinstance(value.get("id"), str)
    return "gpu-manifest" if answer else None
