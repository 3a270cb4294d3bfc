"""What a verdict means for one thing, in a few words, and who said it on which machine."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from teeproof.core.errors import Error
from teeproof.evidence.verdict import Check, Level
from teeproof.explorer.log.content import Book, Page
from teeproof.explorer.log.together import failed_below
from teeproof.explorer.telling.answer import Tone, badge, tone_of
from teeproof.explorer.telling.proof import KINDS
from teeproof.proof.verify import IdentityVerdict, ProofVerdict
from teeproof.proof.verify.claims import code_of

__all__ = [
    "UNCHECKED",
    "Maker",
    "Standing",
    "looked_at",
    "maker_of",
    "standing_of",
]

_HOLDS: dict[Level | None, str] = {
    "hardware": "holds",
    "measured": "holds, on a machine that a TPM measured",
    "simulated": "holds, on simulated machines",
    None: "holds, on machines of which nothing is established",
}
_FAILS = {
    2: "does not hold: {}",
    3: "cannot be told: {}",
    4: "is not what the policy here allows: {}",
}
_CODES = {"authenticity": 2, "availability": 3, "policy": 4}  # the gravest first


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How a thing stands.

    Attributes:
        code: exit code of its verdict; None where nothing was checked.
        level: of the machines that it rests on.
        badge: in capitals.
        tone: its colour; the words say the same.
        words: after "It": ``holds``, ``does not hold: …``.
    """

    code: int | None
    level: Level | None
    badge: str
    tone: Tone
    words: str

    @property
    def ok(self) -> bool:
        """Whether it was checked, and nothing failed."""
        return self.code == 0

    def to_json(self) -> dict[str, Any]:
        """Return the same for programs."""
        return {"exit_code": self.code, "level": self.level, "badge": self.badge,
                "words": self.words}  # fmt: skip


UNCHECKED = Standing(
    code=None, level=None, badge="NOT CHECKED HERE", tone="unknown",
    words="was not checked here: its own page says what holds",
)  # fmt: skip


def standing_of(verdict: ProofVerdict, statement: str | None = None) -> Standing:
    """Return how a proof stands, or one of its statements (``sha256:…``) and what it rests on."""
    if statement is None:
        checks, code = [fault.check for fault in verdict.faults], int(verdict.exit_code)
    else:
        checks, code = failed_below(verdict, statement), 0
        if checks:
            code = _CODES[_gravest(checks).concern]
    return _standing(code, verdict.level, _gravest(checks).detail if code else "")


def looked_at(book: Book, statement: bytes) -> tuple[Page | None, Standing]:
    """Return a statement's page and how it stands; where it cannot be read, why."""
    try:
        page = book.page(statement)
    except Error as error:
        return None, _standing(3, None, error.detail)
    return page, standing_of(page.verdict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Maker:
    """Who said something.

    Attributes:
        id: of the identity, hex; empty if nobody is shown to have said it.
        machine: its kind, in words.
        code: what it is shown to run, hex; None if that is not shown.
        holds: whether nothing about identity or machine failed.
    """

    id: str
    machine: str
    code: str | None
    holds: bool

    def to_json(self) -> dict[str, Any]:
        """Return the same for programs."""
        return {"identity": f"sha256:{self.id}" if self.id else None, "machine": self.machine,
                "code": self.code, "holds": self.holds}  # fmt: skip


def maker_of(verdict: ProofVerdict, statement: str) -> Maker:
    """Return who said a statement (``sha256:…``) of a proof."""
    name = verdict.statement(statement).author
    found: IdentityVerdict | None = next((i for i in verdict.identities if i.id == name), None)
    if found is None:
        return Maker(id="", machine="no known machine", code=None, holds=False)
    evidence = found.evidence
    if evidence is None:
        return Maker(id=found.id[7:], machine="a machine of which nothing is shown", code=None,
                     holds=found.ok)  # fmt: skip
    kind = KINDS.get(evidence.kind, evidence.kind)
    words = {"simulated": f"a simulated {kind} machine", "measured": f"a measured {kind} machine"}
    return Maker(
        id=found.id[7:], machine=words.get(evidence.level or "", f"a {kind} machine"),
        code=code_of(evidence.facts), holds=found.ok,
    )  # fmt: skip


def _standing(code: int, level: Level | None, why: str) -> Standing:
    words = _HOLDS[level] if code == 0 else _FAILS[code].format(why.rstrip("."))
    return Standing(code=code, level=level, badge=badge(code, level), tone=tone_of(code, level),
                    words=words)  # fmt: skip


def _gravest(failed: Iterable[Check]) -> Check:
    return min(failed, key=lambda check: list(_CODES).index(check.concern))
