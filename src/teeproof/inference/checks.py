"""What a receipt of ours says of itself: one model, usage that adds up, one way in which it ended.

    answer-model     which weights ran, and which statement made them; or why none did
    answer-usage     tokens, and what they cost whom
    answer-ending    whole, or cut by whom
    answer-time      given while its keys were valid

Receipts of other services say none of this, and that is then *not checked*.

Trusts: nothing.  Does not trust: whoever wrote the receipt.
"""

from __future__ import annotations

from typing import Any

from teeproof.core.clock import format_time
from teeproof.evidence.verdict import Check, failed, not_checked, passed
from teeproof.inference.stream import CUTS
from teeproof.inference.usage import check_usage
from teeproof.proof.identity import IdentityRecord
from teeproof.proof.receipt import Receipt

__all__ = ["alive", "check_receipt", "events", "is_ours"]


def events(receipt: Receipt, kind: str) -> list[dict[str, Any]]:
    """Return a receipt's events of a type."""
    return [event for event in receipt.body["event_log"] if event["type"] == kind]


def is_ours(receipt: Receipt) -> bool:
    """Return whether a receipt says how its answer ended, as those of this service do."""
    return bool(events(receipt, "x.stream") or events(receipt, "x.refusal"))


def check_receipt(receipt: Receipt) -> tuple[Check, ...]:
    """Return what a receipt says of itself, checked; signature and edges are checked elsewhere."""
    if not is_ours(receipt):
        detail = "the receipt is of another kind of service: it states neither usage nor an end"
        return (not_checked("answer-model", detail),)
    refused = events(receipt, "x.refusal")
    if refused:
        return (_refusal(receipt, refused),)
    return (
        _model(events(receipt, "x.model")),
        check_usage(events(receipt, "x.usage")),
        _ending(receipt, events(receipt, "x.stream")),
    )


def alive(receipt: Receipt, identity: IdentityRecord) -> Check:
    """Hold the receipt's time against the keys' dates; both are by the clock of the same host."""
    keys, at = identity.keys, receipt.body.get("served_at")
    if type(at) is int and keys.not_before <= at <= keys.not_after:
        return passed("answer-time", f"it says that it was given at {format_time(at)}")
    return failed(
        "answer-time",
        "answer_outside_keys",
        "the answer says that it was given when its keys were not valid",
        expected=f"from {format_time(keys.not_before)} until {format_time(keys.not_after)}",
        got=str(at)[:40],
    )


def _refusal(receipt: Receipt, refused: list[dict[str, Any]]) -> Check:
    code = refused[0].get("code")
    others = [kind for kind in ("x.model", "x.usage", "x.stream") if events(receipt, kind)]
    if len(refused) > 1 or others or not isinstance(code, str):
        return failed(
            "answer-model",
            "answer_refusal",
            "the receipt says that the request was refused, and something else",
            expected="one x.refusal event with a code, and no model, usage or stream",
            got=", ".join(["x.refusal"] * len(refused) + others),
        )
    return passed("answer-model", f"the request was refused ({code[:80]}), so no model ran")


def _model(ran: list[dict[str, Any]]) -> Check:
    if len(ran) != 1 or "statement" not in ran[0]:
        return failed(
            "answer-model",
            "answer_model",
            "a receipt names one model, and the statement that made it",
            expected="one x.model event with a statement",
            got=f"{len(ran)} x.model events",
        )
    return passed("answer-model", f"the model that ran has the digest {ran[0]['digest'][:23]}…")


def _ending(receipt: Receipt, stated: list[dict[str, Any]]) -> Check:
    event = stated[0] if len(stated) == 1 else {}
    complete, cut_by, count = event.get("complete"), event.get("cut_by"), event.get("events")
    ends = cut_by is None if complete is True else complete is False and cut_by in CUTS
    counted = type(count) is int and count >= (complete is True)
    answered = any(one.name == "response" for one in receipt.subjects)
    if not (ends and counted and answered == bool(count)):
        return failed(
            "answer-ending",
            "answer_ending",
            "the receipt does not say in one way how the answer ended",
            expected=f"complete, or cut by one of {', '.join(CUTS)}; a response if any was sent",
            got=str(stated)[:200],
        )
    if complete:
        return passed("answer-ending", f"the whole answer was sent: {count} events")
    return passed("answer-ending", f"the answer was cut by the {cut_by} after {count} events")
