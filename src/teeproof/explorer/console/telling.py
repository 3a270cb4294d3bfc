"""A contribution in words: what the pool decided, what it is worth and why, what it earned.

Every number is the validator's or the chain's; the words say what it counts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from teeproof.chain.token import text_of
from teeproof.data.statements import Scores
from teeproof.explorer.console.port import Earned, Given
from teeproof.explorer.telling.answer import Tone

__all__ = ["Told", "earned_text", "part_text", "told", "why_earned"]

_RECORD = 1_000_000  # weights are millionths of a record, factors parts per million


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A contribution, for people.

    Attributes:
        tone: its colour.
        badge: the decision in a word or two.
        worth: what it weighs.
        because: the one sentence why.
        scores: what was measured: name, value, what that is.
        earned: what it earned, in a few words.
        earned_because: why that, in a sentence.
    """

    tone: Tone
    badge: str
    worth: str
    because: str
    scores: tuple[tuple[str, str, str], ...]
    earned: str
    earned_because: str


def told(given: Given) -> Told:
    """Return a contribution in words."""
    tone, badge = _badge(given)
    return Told(
        tone=tone, badge=badge, worth=_worth(given), because=_because(given),
        scores=_scores(given.said.scores), earned=_earned(given),
        earned_because=_earned_because(given),
    )  # fmt: skip


def earned_text(parts: Iterable[Earned]) -> str:
    """Return what parts of fees are together, each answer's once; tokens are not added up."""
    sums: Counter[tuple[str, str, int]] = Counter()
    for part in {
        (part.answer, part.token, part.symbol, part.claimed): part for part in parts
    }.values():
        sums[part.token, part.symbol, part.decimals] += part.amount
    called = Counter(symbol for _, symbol, _ in sums)
    return " + ".join(
        f"{text_of(amount, decimals)} {symbol}" + (f" ({token})" if called[symbol] > 1 else "")
        for (token, symbol, decimals), amount in sums.items()
    )


def part_text(part: Earned) -> str:
    """Return one part of a fee as people read it."""
    return f"{text_of(part.amount, part.decimals)} {part.symbol}"


def why_earned(part: Earned) -> str:
    """Return why it is that much, in a sentence."""
    if part.doubt:
        return f"Paid on the chain; why it is this much is not shown: {part.doubt}."
    whose = "your file" if not part.others else f"your {part.others + 1} files together"
    share = 100 * part.weight / part.weights if part.weights else 0.0
    waits = "" if part.claimed else " It waits in the contract until somebody claims it."
    return (
        f"{part.percent / 100:g} % of the fee of {part.fee} goes to data; {whose} weigh"
        f"{'s' if not part.others else ''} {_records(part.weight)} of the {_records(part.weights)}"
        f" records' worth that the model learnt from: {share:.1f} %.{waits}"
    )


def _badge(given: Given) -> tuple[Tone, str]:
    if given.verdict is not None and not given.verdict.ok:
        return "bad", "THE POOL'S WORD DOES NOT HOLD"
    if given.withdrawn:
        return "unknown", "WITHDRAWN"
    if given.said.decision != "accepted":
        return "bad", {"copy": "A COPY", "refused": "REFUSED"}.get(given.said.decision, "NOT TAKEN")
    if given.verdict is None:
        return "unknown", "ACCEPTED, NOT CHECKED HERE"
    level = given.verdict.level
    return ("good" if level == "hardware" else level or "unknown"), "ACCEPTED"


def _worth(given: Given) -> str:
    if given.said.decision == "refused":
        return "worth nothing"
    return f"worth {_records(given.said.weight)} records" if given.said.weight else "worth nothing"


def _because(given: Given) -> str:
    said, scores = given.said, given.said.scores
    if said.decision == "refused":
        reasons = ", ".join(
            f"line {one.line}: {one.code}" if one.line else one.code for one in said.reasons[:5]
        )
        return f"The file was refused as a whole, for {said.faults} faults: {reasons}."
    if scores is None:
        return "The pool says nothing of what it measured."
    if said.decision == "copy":
        return (
            f"{scores.known} of its {scores.records} records are near-duplicates of what others"
            " sent before. A file that is mostly somebody's earlier file weighs nothing."
        )
    return (
        f"{scores.new} new records × {_percent(scores.value)} help × {_percent(scores.evidence)}"
        f" evidence = {_records(said.weight)} records' worth."
    )


def _scores(scores: Scores | None) -> tuple[tuple[str, str, str], ...]:
    if scores is None:
        return ()
    within = scores.records - scores.new - scores.known
    return (
        ("Records", f"{scores.records}", "Lines that were read; one order each."),
        (
            "New", f"{scores.new}",
            f"Near-duplicates of nothing before them: {_percent(scores.novelty)} of the file. Only"
            " these count.",
        ),
        (
            "Copies found", f"{scores.records - scores.new}",
            f"{scores.known} repeat what others contributed earlier, {within} repeat another line"
            " of this file. They count for nothing.",
        ),
        (
            "Held-out gain", _percent(scores.value),
            "How much the new records help to understand orders that nobody has sent: 0 % is no"
            " better than chance, 100 % is as much as can be. Measured on a sealed file that no"
            " contributor knows.",
        ),
        (
            "Evidence", _percent(scores.evidence),
            f"In {scores.confirmed} of {scores.records} records the sentence says all that the"
            " order says. Those count whole; where only your word stands for it, half.",
        ),
    )  # fmt: skip


def _earned(given: Given) -> str:
    if given.earned:
        return earned_text(given.earned) + (", and perhaps more" if given.unknown else "")
    return "not known" if given.unknown else "nothing yet"


def _earned_because(given: Given) -> str:
    if given.unknown:
        return f"{given.unknown[:1].upper()}{given.unknown[1:].rstrip('.')}."
    if given.earned:
        count = len({part.answer for part in given.earned})
        more = f" The latest: {why_earned(given.earned[0])}" if count > 1 else ""
        return f"From {count} paid answers.{more}" if more else why_earned(given.earned[0])
    if not given.said.weight:
        return "What weighs nothing earns nothing."
    return _not_yet(given)


def _not_yet(given: Given) -> str:
    """Return why something that weighs has earned nothing so far."""
    if given.models:
        gave = f" and gave {_count(given.answers, 'answer')}" if given.answers else ""
        return f"{_count(len(given.models), 'model')} learnt from it{gave}; no fee was paid yet."
    if given.withdrawn:
        return "No model was trained on it."
    return "No model has been trained on it yet. It earns when answers of one that was are paid."


def _count(count: int, noun: str) -> str:
    return f"{count} {noun}{'s' if count != 1 else ''}"


def _records(weight: int) -> str:
    return f"{weight / _RECORD:,.1f}"


def _percent(factor: int) -> str:
    return f"{factor / 10_000:.1f} %".replace(".0 %", " %")
