"""Every claim and figure of the report, with our answer, from ``claims.toml``.

A finding is one of four: *reproduced* (a run of ours shows it), *contradicted* (a source or a run
shows otherwise), *not checkable here* (it needs hardware, a market or a company that we do not
have), or *open*. A claim whose part is only planned is never called reproduced; nor is what a page
complains of, where we show that it can be otherwise, without saying so.
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

__all__ = ["FINDINGS", "Claim", "Finding", "claims", "needs", "select"]

Finding = Literal["reproduced", "contradicted", "not checkable here", "open"]
FINDINGS: tuple[Finding, ...] = get_args(Finding)

_MAX_BYTES = 1 << 18
_NEEDS = {
    "demo/": "demo/ is what this leaves here: teeproof demo --once --keep demo",
    "$TEEPROOF_VECTORS": "$TEEPROOF_VECTORS is a folder of evidence that others published;"
    " teeproof samples fetch --all gets the part of it that is of Intel's machines",
    "pytest": "pytest runs in a checkout of the source: make test sets it up",
}
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
    why: str = ""
    command: str | None = None
    source: str | None = None
    figure: str | None = None

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


def select(*, section: str | None = None, finding: str | None = None) -> tuple[Claim, ...]:
    """Return the claims of a section, such as ``3`` or ``6.1``, and of one finding.

    Raises:
        Usage: the report has no such section, or there is no such finding.
    """
    if finding is not None and finding not in FINDINGS:
        raise Usage(
            "there is no such finding", code="finding_unknown",
            expected=", ".join(FINDINGS), got=finding[:40],
        )  # fmt: skip
    found = [c for c in claims() if section is None or _within(c.section, section)]
    if not found:
        numbers = dict.fromkeys(c.section.partition(" ")[0] for c in claims())
        raise Usage(
            "the report has no such section", code="section_unknown",
            expected=", ".join(n for n in numbers if n[:1].isdigit()), got=(section or "")[:40],
        )  # fmt: skip
    return tuple(c for c in found if finding is None or c.finding == finding)


def _within(section: str, wanted: str) -> bool:
    number = section.partition(" ")[0]
    if wanted[:1].isdigit():
        return number == wanted or number.startswith(f"{wanted}.")
    return section.casefold().startswith(wanted.casefold())
