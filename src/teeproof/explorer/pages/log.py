"""The log: its last checkpoint, who signed it, and how anybody checks that it only ever grew."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from teeproof.explorer.answering import json_answer
from teeproof.explorer.content import LogFacts
from teeproof.explorer.pages.family import Site, aside
from teeproof.proof.verify import Trust

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

__all__ = ["LogPages"]


class LogPages:
    """The page of the log."""

    def __init__(self, site: Site) -> None:
        self._site = site

    async def page(self, _: Request) -> Response:
        """The page."""
        facts = await aside(self._site, self._site.log.facts)
        text = (
            "" if facts.checkpoint is None else facts.checkpoint.encode().decode("utf-8", "replace")
        )
        return self._site.pages.html("log.html", title=f"The log {facts.origin}", facts=facts,
                                     text=text, **self._more(facts))  # fmt: skip

    async def twin(self, _: Request) -> Response:
        """The same for programs."""
        facts = await aside(self._site, self._site.log.facts)
        signed = facts.checkpoint
        more = self._more(facts)
        return json_answer({
            "origin": facts.origin, "key": facts.key, "entries": facts.entries,
            "published": facts.published,
            "root": None if signed is None else signed.checkpoint.root.hex(),
            "checkpoint": None if signed is None else signed.encode().decode("utf-8", "replace"),
            "signed_by": [
                {"name": name, "trusted_here_as": role} for name, role in more["signers"]
            ],
        })  # fmt: skip

    def _more(self, facts: LogFacts) -> dict[str, Any]:
        signed, trust = facts.checkpoint, self._site.log.trust
        names = [] if signed is None else [line.name for line in signed.note.signatures]
        signers = [(name, _role(name, facts, trust)) for name in names]
        quorum = trust.logs.quorum if trust.logs is not None else None
        return {"signers": signers, "quorum": quorum, "has_policy": trust.logs is not None}


def _role(name: str, facts: LogFacts, trust: Trust) -> str | None:
    """Return as what a signer's name is trusted here; the verifier checks the signature itself."""
    if name == facts.origin:
        return "the log itself"
    named = trust.logs is not None and name in trust.logs.witnesses
    return "a witness" if named else None
