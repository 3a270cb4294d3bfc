"""A verdict told to somebody who has never heard of attestation: one sentence, and five answers.

    who ran this · what was said · how strong is it · what was not checked · what to do next

Nothing here judges: every word follows from a check, a level or a fact of the verdict. Only what a
verdict of level ``hardware`` says is good; whoever may read the memory is never left out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from teeproof.core.text import many
from teeproof.evidence.verdict import Check, Level

__all__ = [
    "BADGES",
    "Block",
    "Telling",
    "Tone",
    "badge",
    "open_questions",
    "sentence",
    "strength",
    "tone_of",
]

Tone = Literal["good", "bad", "simulated", "measured", "unknown"]

BADGES = {2: "NOT AUTHENTIC", 3: "CANNOT TELL", 4: "AUTHENTIC, NOT ALLOWED"}
_UNASKED = "the policy "  # how the detail of an expectation begins that the policy leaves unset
_LISTED = 6
_NAMED = 10
_GRAVEST = 2  # named beside the number of what was not checked, in this order
_IN_WORDS = {
    "author": "who said it",
    "key-binding": "whether the machine made its keys",
    "form": "what a statement of this kind must say",
    "checkpoint": "whether its log signed it",
    "witnesses": "whether anybody else saw the log",
    "inclusion": "whether it is in a log",
    "time": "when it was said",
    "closure": "statements that are not here",
    "action-on-chain": "whether the trade is on the chain",
    "origins": "how what came from outside was made",
    "age": "how old it is",
    "replay": "whether it was shown before",
    "release-code": "which code asked for the keys",
    "admission-moment": "whether the market asked a fresh question",
    "anchor": "whether a public chain holds the log's digest",
    "rotation": "whether its keys follow earlier ones",
    "policy": "what the policy expects",
    "compose": "what its compose file says",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One of the five answers.

    Attributes:
        title: the question.
        short: the answer in a few words.
        lines: what more there is to say, a sentence each.
        points: smaller questions, each with its answer.
        tone: its colour; the words say the same.
        commands: what to type, if anything.
    """

    title: str
    short: str
    lines: tuple[str, ...] = ()
    points: tuple[tuple[str, str], ...] = ()
    tone: Tone = "unknown"
    commands: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the same for programs."""
        return {
            "question": self.title,
            "answer": self.short,
            "points": dict(self.points),
            "more": list(self.lines),
            "commands": list(self.commands),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Telling:
    """A whole answer: the badge, the sentence, the five blocks."""

    badge: str
    tone: Tone
    sentence: str
    blocks: tuple[Block, Block, Block, Block, Block]

    @property
    def glance(self) -> tuple[tuple[str, str, str], ...]:
        """What fits a phone's first screen: each question, its answer, the block that has more."""
        who, _, strong, unchecked, following = self.blocks
        return (
            (who.title, who.short, "who"),
            *((question, words, "strong") for question, words in strong.points),
            (unchecked.title, unchecked.short, "unchecked"),
            (following.title, following.short, "next"),
        )

    def to_json(self) -> dict[str, Any]:
        """Return the same for programs."""
        blocks = [block.to_json() for block in self.blocks]
        return {"badge": self.badge, "sentence": self.sentence, "answers": blocks}


def badge(code: int, level: Level | None) -> str:
    """Return an exit code in a few words, as ``teeproof verify`` writes them."""
    if code == 0:
        return "SIMULATED, AND ALLOWED AS SUCH" if level == "simulated" else "AUTHENTIC AND ALLOWED"
    return "SIMULATED, NOT ALLOWED" if code == 4 and level == "simulated" else BADGES[code]


def tone_of(code: int, level: Level | None, *, confidential: bool = True) -> Tone:
    """Return the colour of an answer; green is for hardware alone, and where nobody reads along."""
    if code == 2 or (code == 4 and level != "simulated"):
        return "bad"
    if code == 3 or level is None:
        return "unknown"
    return ("good" if confidential else level_tone(level)) if level == "hardware" else level


def strength(
    level: Level | None, *, confidential: bool, why_not: str, kinds: Collection[str] = ()
) -> Block:
    """Return the third answer: are the machines real, and could their operator read it?

    Args:
        level: of the verdict.
        confidential: whether it is shown that the operator cannot.
        why_not: where it is not, the reason.
        kinds: of the machines' evidence: what keeps the operator out is not the same in all.
    """
    real = {
        "hardware": "Yes: a vendor's root key vouches for the hardware.",
        "measured": "A TPM vouches for what was started, and not for secrecy.",
        "simulated": "No. A simulator made the evidence, and anybody can run one.",
        None: "Not shown: nothing here vouches for any hardware.",
    }[level]
    kept = level == "hardware" and confidential
    read = _kept_out(kinds) if kept else f"Assume yes: {why_not}."
    words = {"hardware": "Hardware", "measured": "Measured", "simulated": "Simulated"}
    return Block(
        title="How strong is it?",
        short=words.get(level or "", "Nothing is established"),
        points=(("Are the machines real?", real), ("Could their operator read it?", read)),
        tone="good" if kept else level_tone(level),
    )


def _kept_out(kinds: Collection[str]) -> str:
    """Return what the operator is kept out by; Nitro has a hypervisor there, and no encryption."""
    hardware = "the vendor's hardware and its patches hold"
    if set(kinds) == {"nitro"}:
        return "No, as far as AWS's hypervisor keeps its word: the memory is not encrypted."
    if "nitro" in kinds:
        return f"No, as far as {hardware}, and where it is AWS's, as its hypervisor keeps its word."
    return f"No, as far as {hardware}: the memory is kept from the host."


def level_tone(level: Level | None) -> Tone:
    """Return a level's colour, where nobody has shown that the operator is kept out."""
    return "unknown" if level is None else "measured" if level == "hardware" else level


def open_questions(checks: Sequence[Check], further: Sequence[Check] = ()) -> Block:
    """Return the fourth answer: what nobody checked.

    Args:
        checks: of the thing itself; each reason is told.
        further: of what it rests on; alike ones are told once, with how many there are.
    """
    unset = list(dict.fromkeys(c.name for c in (*checks, *further) if _is_unset(c)))
    own: dict[str, list[str]] = {}
    for check in sorted(filter(_is_open, checks), key=_gravity):
        own.setdefault(check.detail, []).append(check.name)
    below = sorted((c for c in further if _is_open(c) and c.detail not in own), key=_gravity)
    rest = Counter(check.name for check in below)
    details = {check.name: check.detail for check in reversed(below)}
    lines = [f"{_named(*names)}: {sentence(why)}" for why, names in own.items()]
    lines += [
        f"In what it rests on, {_named(name, inside=True)}"
        f"{f', {count} times, such as' if count > 1 else ''}: {sentence(details[name])}"
        for name, count in rest.items()
    ]
    count = sum(map(len, own.values())) + len(rest)
    if len(lines) > _LISTED:
        left = len(lines) - _LISTED
        lines = [*lines[:_LISTED], f"And {left} more: each stands with its check."]
    if unset:
        more = f" and {len(unset) - _NAMED} more" if len(unset) > _NAMED else ""
        lines.append(f"The policy does not ask about {', '.join(unset[:_NAMED])}{more}.")
    found = {check.name for check in (*checks, *further) if _is_open(check)}
    gravest = [words for name, words in _IN_WORDS.items() if name in found]
    return Block(
        title="What was not checked?",
        short=_counted(count, gravest[:_GRAVEST], len(unset)),
        lines=tuple(lines),
    )


def _counted(count: int, gravest: Sequence[str], unasked: int) -> str:
    """Return how much was not checked: what nobody could, and what the policy leaves out."""
    if not count:
        asked = f"Only what the policy does not ask: {many(unasked, 'thing')}"
        return asked if unasked else "Everything was checked"
    short = many(count, "thing")
    if gravest:
        short += f", such as {', and '.join(gravest)}"
    return f"{short}; and {unasked} that the policy does not ask" if unasked else short


def _gravity(check: Check) -> int:
    """Return the place of what was not checked: the gravest first, what has no words last."""
    names = list(_IN_WORDS)
    return names.index(check.name) if check.name in names else len(names)


def _named(*names: str, inside: bool = False) -> str:
    """Return checks in words, with the names under which they stand in the lists."""
    if len(names) > 1 or names[0] not in _IN_WORDS:
        return ", ".join(names)
    words = _IN_WORDS[names[0]]
    return f"{words if inside else words[0].upper() + words[1:]} ({names[0]})"


def sentence(text: str) -> str:
    """Return text that ends as a sentence does."""
    return text if text.endswith((".", "…")) else f"{text}."


def _is_open(check: Check) -> bool:
    return check.state == "not_checked" and not _is_unset(check)


def _is_unset(check: Check) -> bool:
    unset = check.concern == "policy" and check.detail.startswith(_UNASKED)
    return check.state == "not_checked" and unset
