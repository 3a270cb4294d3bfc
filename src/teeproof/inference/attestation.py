"""What the service says of itself: ACI's attestation report, with fresh evidence for a nonce.

Beside ACI's members stands ``teeproof``: the identity record and its evidence, from which a client
that knows ours makes a proof. The machine is asked for evidence by one client at a time.

Source: ACI specification (``aci/1``), sections 3.2 and 4.

Trusts: the attester.  Does not trust: clients; who asks decides nothing but the nonce.
"""

from __future__ import annotations

import base64
import contextlib
from collections.abc import Mapping
from typing import Any

import msgspec

from teeproof.cloud.manifest import Manifest
from teeproof.core.errors import Malformed
from teeproof.evidence.binding import report_data_for
from teeproof.evidence.collect import Attester
from teeproof.evidence.record import Evidence
from teeproof.proof.blobs import blobs_of
from teeproof.proof.keyset import keyset_of
from teeproof.proof.workload import Identity

__all__ = ["archived", "report"]


def report(identity: Identity, attester: Attester, *, nonce: str | None) -> dict[str, Any]:
    """Return the attestation report.

    Args:
        identity: the service's.
        attester: what makes evidence here.
        nonce: a client's; without one, evidence that proves nothing of when it was made.

    Raises:
        Unavailable: the machine gives no evidence.
    """
    record = identity.record
    keyset = keyset_of(record.keys)
    report_data = report_data_for(keyset.digest, nonce=nonce)
    evidence = attester.attest(report_data)
    return {
        "api_version": "aci/1",
        "workload_keyset_digest": keyset.digest,
        "attestation": {
            "tee_type": "tdx",
            "workload_keyset": msgspec.to_builtins(keyset),
            "report_data": report_data[:32].hex(),
            "source_provenance": _provenance(evidence),
            "evidence": _evidence(evidence),
        },
        "service_capabilities": {"supported_e2ee_versions": [], "serving": "direct"},
        "teeproof": archived(record.encode(), identity.blobs)
        | {"fresh": {name: _b64(data) for name, data in blobs_of(evidence).items()}},
    }


def archived(record: bytes, blobs: Mapping[str, bytes]) -> dict[str, Any]:
    """Return an identity and its evidence as JSON."""
    return {
        "identity": msgspec.json.decode(record),
        "blobs": {digest: _b64(data) for digest, data in blobs.items()},
    }


def _provenance(evidence: Evidence) -> dict[str, str | None]:
    """Name the code tree as the compose file does, whose digest the event log measures."""
    code = None
    if evidence.compose is not None:
        with contextlib.suppress(Malformed):  # another launcher's compose file
            code = Manifest.parse(evidence.compose).code
    return {
        "repo_url": None, "repo_commit": None, "image_digest": code, "image_provenance": None,
    }  # fmt: skip


def _evidence(evidence: Evidence) -> dict[str, str]:
    found = {"quote": evidence.quote.hex()}
    for name, data in (("event_log", evidence.event_log), ("app_compose", evidence.compose)):
        if data is not None:
            found[name] = data.decode(errors="replace")
    return found


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode()
