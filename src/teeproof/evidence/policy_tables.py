"""The tables inside a policy, and how a policy is written as JSON.

Trusts: whoever wrote the policy.  Does not trust: the evidence; nothing here comes from it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC
from typing import TYPE_CHECKING, Any

import msgspec

from teeproof.evidence.cca.policy import CcaPolicy
from teeproof.evidence.eventlog.firmware.policy import BootPolicy
from teeproof.evidence.nvidia.policy import GpuPolicy
from teeproof.evidence.policy_forms import check_written
from teeproof.evidence.tpm.policy import TpmPolicy

if TYPE_CHECKING:
    from teeproof.evidence.policy import Policy

__all__ = ["TABLES", "BootPolicy", "CcaPolicy", "GpuPolicy", "TpmPolicy", "check_tables"]
__all__ += ["written"]

TABLES: dict[str, type[msgspec.Struct]] = {
    "gpu": GpuPolicy,
    "tpm": TpmPolicy,
    "boot": BootPolicy,
    "cca": CcaPolicy,
}
"""The fields of a policy that are tables of their own."""


def check_tables(value: Mapping[str, Any]) -> None:
    """Say of the usual mistakes in a table what to write instead; Usage names the field."""
    for table, kind in TABLES.items():
        inner = value.get(table)
        if isinstance(inner, dict):
            check_written(inner, kinds=kind.__annotations__, statuses=(), table=table)


def written(policy: Policy) -> dict[str, Any]:
    """Return the fields that are set."""
    body = _set(msgspec.to_builtins(policy))
    body |= {table: _set(body[table]) for table in TABLES if table in body}
    if policy.tcb_grace_days is not None:
        body["tcb_grace_days"] = dict(policy.tcb_grace_days)
    if policy.minimum_tcb is not None:
        body["minimum_tcb"] = [{"product": m.product} | m.parts for m in policy.minimum_tcb]
    if policy.nonce_issued_at is not None:
        # One instant, one digest, in whatever zone it was written.
        body["nonce_issued_at"] = policy.nonce_issued_at.astimezone(UTC).isoformat()
    return body


def _set(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}
