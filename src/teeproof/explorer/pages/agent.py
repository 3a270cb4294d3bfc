"""An agent's page: who can still change, stop or drain it; what it did; what it may do and holds.

GET /agent/<id>         the page
GET /agent/<id>.json    the same for programs
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from teeproof.agents.powers import Reason
from teeproof.agents.telling import agent_json, as_of, headline, holding, journal, mandate_lines
from teeproof.core.errors import Error
from teeproof.explorer.answering import json_answer
from teeproof.explorer.money.agency import Agency, Agent
from teeproof.explorer.pages.family import Site, aside, digest_of, proof_file
from teeproof.explorer.telling.answer import badge, tone_of

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

__all__ = ["AgentPages"]

_TONES = {
    "nobody": "good", "bounded": "measured", "somebody": "bad", "simulated": "simulated",
    "not_checked": "unknown",
}  # fmt: skip
_WORDS = {
    "nobody": "nobody", "bounded": "within limits", "somebody": "somebody",
    "simulated": "simulated", "not_checked": "not checked",
}  # fmt: skip


class AgentPages:
    """The pages of agents in the log."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._agency = None if site.book is None else Agency(site.book, site.node)
        site.leads.append(self._lead)

    async def page(self, request: Request) -> Response:
        """The page."""
        agent = await self._agent(request)
        return self._site.pages.html("agent.html", **self._values(agent))

    async def twin(self, request: Request) -> Response:
        """The same for programs."""
        agent = await self._agent(request)
        page, body = agent.page, agent_json(agent.known, agent.acted, agent.powers)
        verdict = None if page is None else {
            "answer": str(page.verdict), "exit_code": page.verdict.exit_code,
            "level": page.verdict.level,
        }  # fmt: skip
        return json_answer(body | {"verdict": verdict, "check_it_yourself": self._command(agent)})

    async def _agent(self, request: Request) -> Agent:
        name = f"sha256:{digest_of(request.path_params['id']).hex()}"
        _ = self._site.log
        assert self._agency is not None
        agency = self._agency
        return await aside(self._site, lambda: agency.agent(name))

    def _values(self, agent: Agent) -> dict[str, Any]:
        known, verdict = agent.known, agent.page.verdict if agent.page else None
        code, level = (3, None) if verdict is None else (verdict.exit_code, verdict.level)
        return {
            "title": "Who can still change, stop or drain this agent?",
            "agent": agent, "known": known, "as_of": as_of(known), "machine": known.machine,
            "badge": badge(code, level),
            "tone": tone_of(code, level),
            "first": headline(agent.powers),
            "rows": [(one, _TONES[one.state], _WORDS[one.state],
                      [(reason, _link(reason, agent)) for reason in one.reasons])
                     for one in agent.powers],
            "journal": journal(agent.acted), "mandate": mandate_lines(known.mandate),
            "holding": holding(known, agent.acted),
            "verdict": None if verdict is None else str(verdict),
            "command": self._command(agent), "one": known.agent[7:],
            "statement": known.statement[7:], "takes": proof_file(known.statement),
        }  # fmt: skip

    def _command(self, agent: Agent) -> str:
        """Return what a person types to see the same table."""
        asked = self._site.command(agent.known.statement).removeprefix("teeproof verify ")
        node = self._site.node
        url = "" if node is None else node.name if node.name == node.url else "URL"
        return f"teeproof agent {asked}{f' --chain {url}' if url else ''}"

    def _lead(self, query: str) -> str | None:
        """Return the page of the agent that a whole id names."""
        digits = query.strip().lower().removeprefix("sha256:")
        if self._agency is None or len(digits) != 64 or digits.strip("0123456789abcdef"):
            return None
        try:
            here = self._agency.is_here(f"sha256:{digits}")
        except Error:
            return None
        return f"/agent/{digits}" if here else None


def _link(reason: Reason, agent: Agent) -> str | None:
    """Return where a person looks at what shows something."""
    if reason.kind == "statement":
        return f"/p/{agent.known.statement[7:]}"
    if reason.kind == "evidence":
        return f"/identity/{agent.known.identity[7:]}"
    if reason.kind == "mandate":
        return "#mandate"
    if reason.kind in ("contract", "chain"):
        return "/chain"
    return None
