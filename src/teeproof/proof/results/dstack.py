"""A verdict in the JSON that dstack-verifier answers with.

    {"is_valid": false, "reason": "…",
     "details": {"quote_verified": true, "event_log_verified": true,
                 "os_image_hash_verified": false, …, "app_info": {…}}}

Its clients read one word, ``is_valid``. There it says that the quote, the event log and the digest
of the operating system's image were all verified; here it says so too, and that the policy allows
the rest. What was not checked is false or null. The image's digest counts as verified where the
policy pins it *and* the measurements of the guest that names it; the ACPI tables never do. Nothing
simulated is valid.

``boot_info``, which dstack's KMS asks contracts about, is there only where all is valid.

Source: dstack, verifier/src/types.rs (VerificationResponse, PolicyBootInfo), dstack-attest
(AppInfo, TeeVariant).

Trusts: the verdict that it is given.  Does not trust: nothing else comes in.
"""

from __future__ import annotations

from typing import Any

from teeproof.core.errors import Error
from teeproof.evidence.verdict import Verdict

__all__ = ["answer_of", "refusal_of"]

_VARIANTS = {"tdx": "dstack-tdx", "sev-snp": "dstack-amd-sev-snp", "nitro": "dstack-nitro-enclave"}
_LOG = ("event-log-format", "event-log-payloads", "event-log-replay", "event-log-order")
_IMAGE = ("guest-image", "os-image")
_APP = (
    "app_id", "compose_hash", "instance_id", "os_image_hash", "mr_system", "mr_aggregated",
    "key_provider_info",
)  # fmt: skip
# What dstack's KMS asks its contract about (``bootAuth``), in its own spelling.
_BOOT = {
    "mrAggregated": "mr_aggregated", "osImageHash": "os_image_hash", "mrSystem": "mr_system",
    "appId": "app_id", "composeHash": "compose_hash", "instanceId": "instance_id",
    "deviceId": "device_id", "keyProviderInfo": "key_provider_info",
}  # fmt: skip
_NOTHING: dict[str, Any] = {
    "quote_verified": False,
    "event_log_verified": False,
    "os_image_hash_verified": False,
    "acpi_tables_verified": False,
    "os_image_is_dev": None,
    "os_image_version": None,
    "tee_variant": None,
    "report_data": None,
    "tcb_status": None,
    "advisory_ids": [],
    "key_provider": None,
    "app_info": None,
}


def answer_of(verdict: Verdict) -> dict[str, Any]:
    """Return the whole answer."""
    details = _details(verdict)
    verified = all(details[f"{what}_verified"] for what in ("quote", "event_log", "os_image_hash"))
    valid = verdict.ok and verdict.level == "hardware" and verified
    return {
        "is_valid": valid,
        "details": details | ({"boot_info": _boot_info(details)} if valid else {}),
        "reason": None if valid else _reason(verdict, details),
    }


def refusal_of(error: Error) -> dict[str, Any]:
    """Return the answer on what cannot be read as evidence."""
    got = f" (got {error.got})" if error.got else ""
    return {"is_valid": False, "details": dict(_NOTHING), "reason": f"{error.detail}{got}"}


def _details(verdict: Verdict) -> dict[str, Any]:
    facts = verdict.facts
    if not verdict.authentic:
        return dict(_NOTHING)
    passed = {check.name for check in verdict.checks if check.state == "passed"}
    log = passed.issuperset(_LOG)
    given = facts.get("tcb")
    tcb: dict[str, Any] = given if isinstance(given, dict) else {}
    application = facts.get("application") if log else None
    return _NOTHING | {
        "quote_verified": True,
        "event_log_verified": log,
        "os_image_hash_verified": log and passed.issuperset(_IMAGE),
        "tee_variant": _VARIANTS.get(verdict.kind),
        "report_data": facts.get("report_data"),
        "tcb_status": tcb.get("status"),
        "advisory_ids": list(tcb.get("advisories") or ()),
        "key_provider": (application or {}).get("key_provider"),
        "app_info": _app_info(facts, application) if application else None,
    }


def _app_info(facts: dict[str, Any], application: dict[str, Any]) -> dict[str, Any]:
    """Return what the log establishes."""
    platform = facts.get("platform")
    device = str(platform.get("id") or "") if isinstance(platform, dict) else ""
    found = {name: application.get(name) for name in _APP}
    return found | {"device_id": device.removeprefix("sha256:") or None}


def _boot_info(details: dict[str, Any]) -> dict[str, Any]:
    """Return what a contract would be asked about; what is empty is empty text, as there."""
    app = details["app_info"]
    found = {theirs: app[ours] or "" for theirs, ours in _BOOT.items()}
    return {
        "teeVariant": details["tee_variant"],
        **found,
        "tcbStatus": details["tcb_status"] or "",
        "advisoryIds": details["advisory_ids"],
    }


def _reason(verdict: Verdict, details: dict[str, Any]) -> str:
    """Return one sentence: the first failure, or what was not checked."""
    if verdict.failures:
        first = verdict.failures[0]
        return f"{first.name}: {first.detail}"
    if verdict.level != "hardware":
        return f"the evidence is {verdict.level or 'of no known level'}: no hardware vouches for it"
    missing = [
        words
        for field, words in (
            ("event_log_verified", "the event log was not checked: none came along that replays"),
            (
                "os_image_hash_verified",
                "the OS image was not checked: the policy must pin os_image_hash, and mrtd, rtmr1"
                " and rtmr2",
            ),
        )
        if not details[field]
    ]
    return "; ".join(missing)
