"""Evidence as the files of a directory: one for each piece, under the name that people expect."""

from __future__ import annotations

from typing import Any

from teeproof.core import strictjson
from teeproof.evidence.recognise import kind_of
from teeproof.evidence.record import Evidence

__all__ = ["QUOTE_NAMES", "pieces_of"]

QUOTE_NAMES = {
    "sev-snp": "report.bin", "nitro": "document.bin", "tpm": "tpm.json", "cca": "token.cbor",
    "azure-tdx": "azure.json", "azure-snp": "azure.json", "nvidia": "gpus.json",
}  # fmt: skip
"""What the file of the quote is called, by kind; of every other kind ``quote.bin``."""


def pieces_of(evidence: Evidence) -> dict[str, bytes]:
    """Return what there is of evidence, by file name."""
    first = QUOTE_NAMES.get(kind_of(evidence.quote), "quote.bin")
    collateral = evidence.collateral
    files = {
        "tpm.json": evidence.tpm,
        "gpus.json": evidence.gpus,
        "certificates.pem": evidence.certificates,
        "collateral.json": _json(collateral.to_json()) if collateral else None,
        "event_log.json": evidence.event_log,
        "app-compose.json": evidence.compose,
        "mr_config.json": evidence.mr_config,
        "firmware_log.bin": evidence.firmware_log,
        "platform_key.json": evidence.platform_key,
    }
    files |= {f"manifest-{n}.{_ending(data)}": data for n, data in enumerate(evidence.manifests)}
    files |= {f"ocsp-{n}.der": data for n, data in enumerate(evidence.ocsp)}
    given = {name: data for name, data in files.items() if data is not None}
    return {first: evidence.quote} | given


def _ending(manifest: bytes) -> str:
    return "json" if manifest[:1] == b"{" else "xml"


def _json(value: dict[str, Any]) -> bytes:
    return strictjson.dumps(value, pretty=True).encode() + b"\n"
