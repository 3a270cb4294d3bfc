"""What a node claims of GPUs, held against what its identity's evidence establishes of them.

A report names the chip, and not the product that it is sold in: an H100 and an H200 are both a
GH100. So a node claims chips, by the names that reports give them. The reports must answer the
nonce that the node's own quote determines; that they sit in that very machine no report shows.

Trusts: the facts, which a verifier made.  Does not trust: the claim.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from teeproof.core.errors import Error
from teeproof.evidence.nvidia.nonce import gpu_nonce
from teeproof.network.claim import NodeClaim

__all__ = ["doubts", "gpus_of"]

Doubt = tuple[str, str, str, str]


def gpus_of(facts: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what stands for each GPU that verified evidence shows, ``sha256:…``, sorted.

    One chip has one, whichever machine shows its report: who lists it twice has relayed it.
    """
    proven = facts.get("gpus")
    devices = proven.get("devices", ()) if isinstance(proven, Mapping) else ()
    return tuple(sorted({one["device_id"] for one in devices if not one["is_switch"]}))


def doubts(claim: NodeClaim, facts: Mapping[str, Any]) -> Iterator[Doubt]:
    """Yield what speaks against a claim of GPUs: code, sentence, expected, got.

    Args:
        claim: what the node says; its form was checked.
        facts: what its verified evidence establishes (``Verdict.facts``).
    """
    brought = len(claim.gpu_reports)
    if not claim.hardware.gpus:
        if brought:
            yield (
                "gpu_report_of_nothing", "brings GPU reports and claims no GPU", "no report",
                f"{brought} reports",
            )  # fmt: skip
        return
    proven = facts.get("gpus")
    if brought:
        yield (
            "gpu_report_apart",
            f"claims {claim.gpus_in_words} and brings GPU reports apart from its identity, which"
            " nothing ties to its machine: boot with the GPUs' evidence",
            "the evidence of the GPUs in the identity's own",
            f"{brought} reports",
        )
    elif not isinstance(proven, Mapping):
        yield (
            "gpu_report_missing",
            f"claims {claim.gpus_in_words} and brings no GPU report",
            "a report of each GPU, signed by its vendor's key",
            "none",
        )
    else:
        yield from _unproven(claim, facts, proven)


def _unproven(
    claim: NodeClaim, facts: Mapping[str, Any], proven: Mapping[str, Any]
) -> Iterator[Doubt]:
    if proven.get("nonce") != _nonce(facts):
        yield (
            "gpu_of_another_machine",
            "the GPUs' reports do not answer the node's own quote",
            "the nonce that report_data determines",
            str(proven.get("nonce")),
        )
    devices = [device for device in proven.get("devices", ()) if not device["is_switch"]]
    there = Counter(device["chip"] for device in devices)
    shown = ", ".join(f"{count} {chip}" for chip, count in sorted(there.items())) or "none"
    for wanted in claim.hardware.gpus:
        if there[wanted.model] < wanted.count:
            yield (
                "gpu_unproven",
                f"claims {wanted}, and its evidence shows {shown}; a report names the chip, such as"
                " GH100 of an H100 or an H200",
                str(wanted),
                shown,
            )


def _nonce(facts: Mapping[str, Any]) -> str | None:
    """Return the nonce that the machine's evidence determines, hex; None where it binds nothing."""
    try:
        return gpu_nonce(bytes.fromhex(str(facts.get("report_data", "")))[:32]).hex()
    except (Error, ValueError):
        return None
