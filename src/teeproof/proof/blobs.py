"""The parts of evidence as they are stored: each under a name, by the digest of its bytes.

    quote, event_log, compose, …     one part each
    manifest.0, manifest.1, ocsp.0   what a vendor says of GPUs, in files of its own

Trusts: nothing; the verifier checks what the parts say.
Does not trust: whoever stored them; bytes count by their digest.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from teeproof.core import strictjson
from teeproof.core.digests import named, sha256
from teeproof.core.errors import Malformed, NotAuthentic
from teeproof.evidence.endorsements import Collateral
from teeproof.evidence.record import Evidence

__all__ = ["attachments_of", "blobs_of", "check_part", "checked", "evidence_of_blobs"]

_SINGLE = (
    "quote", "event_log", "compose", "mr_config", "certificate", "certificates", "gpus",
    "firmware_log", "tpm", "platform_key", "collateral",
)  # fmt: skip
_SEVERAL = {"manifest": "manifests", "ocsp": "ocsp"}  # stored one by one
_NUMBERED = re.compile(r"(manifest|ocsp)\.(0|[1-9][0-9]{0,2})", re.ASCII)


def blobs_of(evidence: Evidence) -> dict[str, bytes]:
    """Return the evidence's parts as they are stored, by attachment name."""
    parts = {name: getattr(evidence, name) for name in _SINGLE if name != "collateral"}
    for name, field in _SEVERAL.items():
        parts |= {f"{name}.{number}": data for number, data in enumerate(getattr(evidence, field))}
    if evidence.collateral is not None:
        parts["collateral"] = strictjson.dumps(evidence.collateral.to_json()).encode()
    return {name: data for name, data in parts.items() if data is not None}


def attachments_of(blobs: dict[str, bytes]) -> dict[str, str]:
    """Return the digests by which a record names these parts."""
    return {name: named(sha256(data)) for name, data in blobs.items()}


def evidence_of_blobs(blobs: Mapping[str, bytes], *, name: str) -> Evidence:
    """Return the evidence whose parts these are, as ``blobs_of`` gives them.

    Args:
        blobs: by attachment name.
        name: what to call the evidence in messages.

    Raises:
        Malformed: no quote, a part of an unknown name, or collateral that is none.
    """
    if "quote" not in blobs:
        raise _malformed("a quote among the attachments", ", ".join(blobs) or "none")
    single: dict[str, Any] = {}
    several: dict[str, list[tuple[int, bytes]]] = {field: [] for field in _SEVERAL.values()}
    for part, data in blobs.items():
        check_part(part)
        if numbered := _NUMBERED.fullmatch(part):
            several[_SEVERAL[numbered[1]]].append((int(numbered[2]), data))
        else:
            single[part] = Collateral.parse(data) if part == "collateral" else data
    manifests, ocsp = (tuple(d for _, d in sorted(several[f])) for f in ("manifests", "ocsp"))
    return Evidence(**single, manifests=manifests, ocsp=ocsp, name=name)


def check_part(name: str) -> None:
    """Raise Malformed unless evidence has a part of this name."""
    if name not in _SINGLE and not _NUMBERED.fullmatch(name):
        raise _malformed(f"{', '.join(_SINGLE)}, manifest.0, ocsp.0", name)


def checked(data: bytes, digest: str) -> bytes:
    """Return bytes that have the digest by which they were asked for; NotAuthentic otherwise."""
    if named(sha256(data)) != digest:
        raise NotAuthentic(
            "this is not the part of the evidence that the identity names",
            code="blob_mismatch",
            expected=digest,
            got=named(sha256(data)),
        )
    return data


def _malformed(expected: str, got: str) -> Malformed:
    return Malformed(
        "this is not an identity", code="identity_malformed", expected=expected, got=got[:200]
    )
