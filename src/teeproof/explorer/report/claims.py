"""Every claim and figure of the report, with our answer, from ``claims.toml``.

A finding is one of three: *reproduced* (a run of ours, or arithmetic on published figures, shows
it), *contradicted* (a source or a run shows otherwise) or *not checkable here*, and then ``lacks``
says what was missing; that our own stack has not built it yet is one such answer. A claim of which
a part holds and a part does not is two rows. A claim whose part is only planned is never called
reproduced, nor is what the report complains of in others, where ours only shows that it can be
otherwise.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from importlib import resources
from typing import Any, Literal, get_args

import msgspec

from teeproof.core import stricttoml
from teeproof.core.errors import Usage

__all__ = [
    "FINDINGS",
    "LACKS",
    "Claim",
    "Finding",
    "Lack",
    "chapters",
    "claims",
    "needs",
    "select",
]

Finding = Literal["reproduced", "contradicted", "not checkable here"]
FINDINGS: tuple[Finding, ...] = get_args(Finding)
Lack = Literal["hardware", "our stack", "others", "a market", "a measure"]
LACKS: dict[Lack, str] = {
    "hardware": "a machine or GPU in its TEE, or another place, was not at hand",
    "our stack": "our own stack has not built it yet",
    "others": "it is about somebody else's product, service, record or program",
    "a market": "it is a figure of a market or a company",
    "a measure": "it is an opinion, a hope or a forecast, and nothing measures it",
}
"""What a claim that is not checkable here would have needed, and the sentence that says so."""

_MAX_BYTES = 1 << 18
_NEEDS = {
    "demo/": "demo/ is what this leaves here: teeproof demo --once --keep demo",
    "$TEEPROOF_VECTORS": "$TEEPROOF_VECTORS is a folder of evidence that others published;"
    " teeproof samples fetch --all gets the part of it that is of Intel's machines",
    "pytest": "pytest runs in a checkout of the source: make test sets it up; tests over published"
    " evidence are skipped without $TEEPROOF_VECTORS",
    "python -m bench": "python -m bench.run runs in a checkout of the source, like make bench",
}
_PLAIN = re.compile(r"[^a-z0-9]+")
_TICKED = re.compile(r"`([^`]+)`")
_CARRIES_ON = re.compile(r"(for|by|in|as|on|at|with|of|where|against)\b")


class Claim(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One claim or figure of the report.

    Attributes:
        chapter: its chapter's heading.
        section: its section's, with the number.
        claim: what the report says, in our words.
        answer: what of ours answers it; places and commands stand in backticks.
        state: ``answered``, ``partly``, or ``planned:`` and the folders that will answer it.
        finding: what came of it.
        lacks: what was missing, one of ``LACKS``, of what is not checkable here; else None.
        why: the rest of the sentence that begins with the finding.
        command: what a person types to see it, word for word; None where only reading shows it. In
            it ``demo/`` is what ``teeproof demo --once --keep demo`` leaves, and
            ``$TEEPROOF_VECTORS`` a folder of evidence that others published.
        source: what the answer rests on beside the report and our own code.
        figure: a name in ``figures.FIGURES``: what is computed of the claim's numbers.
    """

    chapter: str
    section: str
    claim: str
    answer: str
    state: str
    finding: Finding
    lacks: Lack | None = None
    why: str = ""
    command: str | None = None
    source: str | None = None
    figure: str | None = None

    @property
    def number(self) -> str:
        """The number of its chapter, ``1`` to ``7``; ``0`` for what stands before the first."""
        digit = self.chapter[:1]
        return digit if digit.isdecimal() else "0"

    @property
    def key(self) -> str:
        """A name for links: the section's number and the first words of the claim."""
        number = self.section.partition(" ")[0]
        words = _PLAIN.sub("-", self.claim.casefold()).strip("-")
        return f"{number if number[0].isdecimal() else 0}-{words[:48].rstrip('-')}"

    @property
    def sentence(self) -> str:
        """The finding and why, as one sentence."""
        return f"{self.finding}{self.rest}"

    @property
    def rest(self) -> str:
        """What follows the finding in that sentence."""
        if not self.why:
            return ""
        joint = " " if _CARRIES_ON.match(self.why) else ": "
        return f"{joint}{self.why}"

    @property
    def places(self) -> tuple[str, ...]:
        """The folders, pages, tests and commands that the answer names."""
        return tuple(_TICKED.findall(self.answer))

    @property
    def basis(self) -> str:
        """What the finding rests on: always the report, and what stands beside it."""
        here = f"the report, {self.section}"
        return f"{here}; {self.source}" if self.source else here


@lru_cache(maxsize=1)
def claims() -> tuple[Claim, ...]:
    """Return every claim, in the report's order."""
    text = (resources.files("teeproof.explorer.report") / "claims.toml").read_text("utf-8")
    value: dict[str, Any] = stricttoml.loads(text, limit=_MAX_BYTES, what="claims of the report")
    return tuple(msgspec.convert(value["claim"], list[Claim], strict=True))


def needs(found: Iterable[Claim]) -> tuple[str, ...]:
    """Return what must be there for the commands of some claims to run, a sentence each."""
    words = " ".join(claim.command or "" for claim in found)
    return tuple(sentence for part, sentence in _NEEDS.items() if part in words)


def chapters() -> dict[str, str]:
    """Return the heading of each chapter by its number, as ``Claim.number`` gives it."""
    return {claim.number: claim.chapter for claim in claims()}


def select(
    *, section: str | None = None, finding: str | None = None, chapter: str | None = None
) -> tuple[Claim, ...]:
    """Return the claims of a section, such as ``3`` or ``6.1``, of a finding, of a chapter.

    Raises:
        Usage: the report has no such section or chapter, or there is no such finding.
    """
    if finding is not None and finding not in FINDINGS:
        raise _unknown("finding", "there is no such finding", FINDINGS, finding)
    if chapter is not None and chapter not in chapters():
        raise _unknown("chapter", "the report has no such chapter", chapters(), chapter)
    found = [c for c in claims() if section is None or _within(c.section, section)]
    if not found:
        numbers = dict.fromkeys(c.section.partition(" ")[0] for c in claims())
        known = [n for n in numbers if n[:1].isdigit()]
        raise _unknown("section", "the report has no such section", known, section or "")
    return tuple(
        c
        for c in found
        if (finding is None or c.finding == finding) and (chapter is None or c.number == chapter)
    )


def _unknown(what: str, message: str, known: Iterable[str], got: str) -> Usage:
    return Usage(message, code=f"{what}_unknown", expected=", ".join(known), got=got[:40])


def _within(section: str, wanted: str) -> bool:
    number = section.partition(" ")[0]
    if wanted[:1].isdigit():
        return number == wanted or number.startswith(f"{wanted}.")
    return section.casefold().startswith(wanted.casefold())
