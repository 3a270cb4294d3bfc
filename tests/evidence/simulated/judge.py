"""Ask the unmodified dcap-qvl, and read quotes and logs without any code of the product."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime

import dcap_qvl

from teeproof.evidence.collect.simulated import SimulatedPlatform
from teeproof.evidence.endorsements import Collateral
from teeproof.evidence.record import Evidence

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
SEED = b"\1" * 32
REPORT_DATA = bytes(range(64))


def ask(
    quote: bytes, collateral: Collateral, platform: SimulatedPlatform, *, now: datetime = NOW
) -> tuple[str, list[str]]:
    """Return dcap-qvl's status and advisories under this root; ValueError if it refuses."""
    theirs = dcap_qvl.QuoteCollateralV3.from_json(json.dumps(collateral.to_json()))
    seconds = int(now.timestamp())
    report = dcap_qvl.verify_with_root_ca(quote, theirs, platform.root_der, seconds)
    return report.status, sorted(report.advisory_ids)


def ask_about(evidence: Evidence, platform: SimulatedPlatform) -> tuple[str, list[str]]:
    """Return dcap-qvl's answer about evidence, with the collateral that came along."""
    assert evidence.collateral is not None
    return ask(evidence.quote, evidence.collateral, platform)


def registers(quote: bytes) -> list[str]:
    """Return RTMR0 to RTMR3 of a quote, as dcap-qvl reads them."""
    report = dcap_qvl.parse_quote(quote).report
    return [getattr(report, f"rt_mr{number}").hex() for number in range(4)]


def replayed(log: bytes, *, trusting_digests: bool) -> list[str]:
    """Return RTMR0 to RTMR3 after a log.

    Args:
        log: JSON bytes.
        trusting_digests: whether dstack's events count by the digest that the log states, as a
            careless verifier does it, or by the digest of their name and payload.
    """
    state = [bytes(48)] * 4
    for event in json.loads(log):
        digest = bytes.fromhex(event["digest"])
        if event["event_type"] == 0x08000001 and not trusting_digests:
            digest = hashlib.sha384(_preimage(event)).digest()
        state[event["imr"]] = hashlib.sha384(state[event["imr"]] + digest).digest()
    return [value.hex() for value in state]


def _preimage(event: dict[str, object]) -> bytes:
    name, payload = str(event["event"]), str(event["event_payload"])
    if event.get("version") == 2:
        text = f'{{"name":"{name}","payload":"{payload}","type":134217729}}'
        assert event["preimage"] == text.encode().hex()
        return text.encode()
    return b"\x01\x00\x00\x08:" + name.encode() + b":" + bytes.fromhex(payload)
