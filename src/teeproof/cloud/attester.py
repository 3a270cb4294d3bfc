"""Ask the machine's guest agent, as dstack's workloads do: for evidence, and for secrets.

What a quote needs to be verified beside itself (Intel's collateral) is signed by the vendor, so it
may come from anybody. The agents of our machines hand it over, and other agents are not asked.

Trusts: the guest agent for secrets, as every workload of a dstack guest does.
Does not trust: what it says beside a quote.
"""

from __future__ import annotations

import time

import msgspec

from teeproof.core.errors import Malformed, Unavailable
from teeproof.evidence.collect.dstack import DstackAttester
from teeproof.evidence.collect.guest_rpc import ask, readable
from teeproof.evidence.endorsements import Collateral
from teeproof.evidence.record import Evidence

__all__ = ["COLLATERAL_PATH", "GuestAttester", "derive"]

COLLATERAL_PATH = "/Teeproof.Collateral"
"""Not of dstack: what the vendor publishes about this machine, as ``{"collateral": "<JSON>"}``."""
_TIMEOUT = 30.0


class GuestAttester(DstackAttester):
    """The guest agent of this machine; its evidence comes with the vendor's collateral."""

    def attest(self, report_data: bytes) -> Evidence:
        """Return fresh evidence; arguments and errors as of ``DstackAttester.attest``."""
        evidence = super().attest(report_data)
        answer = ask(self.endpoint, COLLATERAL_PATH, {}, timeout=_TIMEOUT, clock=time.monotonic)
        if answer.status != 200:  # another agent: a verifier needs collateral from elsewhere
            return evidence
        given = readable(answer, self.endpoint, COLLATERAL_PATH).get("collateral")
        try:
            collateral = Collateral.parse(given if isinstance(given, str) else "")
            return msgspec.structs.replace(evidence, collateral=collateral)
        except Malformed as error:
            raise Unavailable(
                f"the guest agent's collateral cannot be used: {error.detail}",
                code="agent_answer_malformed",
            ) from None


def derive(endpoint: str, path: str) -> bytes:
    """Return the 32 secret bytes that the agent derives for this code and a path.

    Raises:
        Unavailable: it did not answer, or not as dstack does.
    """
    question = {"path": path, "purpose": "teeproof", "algorithm": "ed25519"}
    answer = ask(endpoint, "/GetKey", question, timeout=_TIMEOUT, clock=time.monotonic)
    key = readable(answer, endpoint, "/GetKey").get("key")
    if not isinstance(key, str) or len(key) != 64 or key.strip("0123456789abcdef"):
        raise Unavailable(
            "the guest agent gave no key", code="agent_answer_malformed", expected="64 hex digits"
        )
    return bytes.fromhex(key)
