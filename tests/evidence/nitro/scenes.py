"""What the tests of Nitro share: real documents, one simulated AWS, and a judge."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from typing import Any

from teeproof.evidence.eventlog.attestation import parse_attestation
from teeproof.evidence.nitro import appraise
from teeproof.evidence.nitro.chain import AWS_NITRO_ROOT
from teeproof.evidence.nitro.document import NitroDocument, parse
from teeproof.evidence.nitro.verify import Verification, verify
from teeproof.evidence.policy import Policy
from teeproof.evidence.simulated.nitro import Enclave, SimulatedNitro
from teeproof.evidence.verdict import Check
from tests.vectors import Record

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
T = int(NOW.timestamp())
AWS = SimulatedNitro(b"\5" * 32)


def expecting(**fields: Any) -> Policy:
    """Return a policy for Nitro with these expectations; AWS's root unless others are named."""
    return Policy(**({"tee": "nitro", "roots": (AWS_NITRO_ROOT,)} | fields))


OPT_IN = expecting(simulated_roots=(AWS.root_fingerprint,))


@cache
def made(enclave: Enclave | None = None) -> bytes:
    """Return a document with nothing wrong."""
    return AWS.document(enclave or Enclave(), now=NOW)


def genuine(record: Record) -> NitroDocument:
    """Return a real document, out of the attestation that carries it."""
    return parse(parse_attestation(record.read("document.bin")).quote)


def verified(document: NitroDocument, *, now: int | None = None) -> Verification:
    """Return what verification finds, as of the document's own time where none is given."""
    at = document.seconds if now is None else now
    return verify(document, roots=frozenset(OPT_IN.roots), now=at)


def judge(
    data: bytes | NitroDocument, expected: Policy = OPT_IN, *, now: int = T
) -> tuple[Check, ...]:
    """Return all checks of a document."""
    document = parse(data) if isinstance(data, bytes) else data
    found = verify(document, roots=frozenset(expected.roots), now=now)
    more = appraise.checks(found.facts, expected, now=now) if found.facts else []
    return (*found.checks, *more)


def failures(checks: tuple[Check, ...]) -> list[tuple[str, str | None]]:
    """Return names and codes of the checks that failed."""
    return [(check.name, check.code) for check in checks if check.state == "failed"]


def state_of(checks: tuple[Check, ...], name: str) -> str:
    """Return the state of the check with this name."""
    return next(check.state for check in checks if check.name == name)
