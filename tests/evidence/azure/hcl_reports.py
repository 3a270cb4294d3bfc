"""Reports of Azure's paravisor for tests: made here, or real ones with something changed."""

from __future__ import annotations

import hashlib
import json
import struct
from base64 import urlsafe_b64encode
from typing import Any

from teeproof.evidence.azure.document import AzureEvidence
from teeproof.evidence.azure.hardware import Established
from teeproof.evidence.azure.hcl import HclReport
from tests.evidence.tpm import forge

SNP, TDX = 2, 4
_REPORT_DATA = {SNP: 0x50, TDX: 128}


def jwk(key: Any, kid: str = "HCLAkPub") -> dict[str, Any]:
    numbers = key.public_key().public_numbers()
    return {
        "kid": kid,
        "key_ops": ["sign"],
        "kty": "RSA",
        "e": base64(numbers.e.to_bytes(3, "big")),
        "n": base64(numbers.n.to_bytes(256, "big")),
    }


def base64(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def runtime(*keys: dict[str, Any], **more: Any) -> bytes:
    return json.dumps({"keys": list(keys) or [jwk(forge.rsa_key())], **more}).encode()


def report(
    text: bytes | None = None,
    *,
    kind: int = SNP,
    hashed: int = 1,
    size: int | None = None,
    whole: int | None = None,
    committed: bytes | None = None,
    magic: bytes = b"HCLA",
    tail: bytes = bytes(100),
) -> bytes:
    """Return a report whose hardware part commits to the text, if nothing else is asked for."""
    text = runtime() if text is None else text
    name = {1: "sha256", 2: "sha384", 3: "sha512"}.get(hashed, "sha256")
    data = hashlib.new(name, text).digest().ljust(64, b"\0") if committed is None else committed
    hardware = bytearray(0x4A0)
    hardware[0] = 0x81 if kind == TDX else 2
    at = _REPORT_DATA.get(kind, 0x50)
    hardware[at : at + 64] = data
    size = len(text) if size is None else size
    request = struct.pack("<IIIII", 20 + size if whole is None else whole, 1, kind, hashed, size)
    return magic + bytes(28) + bytes(hardware) + request + text + tail


def established(hcl: HclReport) -> tuple[list[Any], Established]:
    """Believe the SEV-SNP report inside, as whoever verified its signature would."""
    return [], Established(
        report_data=hcl.report[0x50:0x90], level="hardware", what="the SEV-SNP report"
    )


def nothing(hcl: HclReport) -> tuple[list[Any], None]:
    """Believe nothing of the report inside."""
    return [], None


def evidence(raw: bytes | None = None, *, key: Any = None, **said: Any) -> AzureEvidence:
    """Return evidence of a machine whose TPM signs with an RSA key."""
    from dataclasses import replace

    tpm = replace(forge.evidence(key or forge.rsa_key(), **said), public=None)
    return AzureEvidence(hcl_report=report() if raw is None else raw, tpm=tpm)
