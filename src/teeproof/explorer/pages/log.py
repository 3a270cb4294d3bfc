"""The log: its last checkpoint, who signed it, and how anybody checks that it only ever grew.

The signatures are checked here with the keys that the explorer was started with, and no others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from teeproof.core.clock import format_time, to_epoch
from teeproof.evidence.verdict import Check, failed, not_checked, passed
from teeproof.explorer.answering import json_answer
from teeproof.explorer.log.content import LogFacts
from teeproof.explorer.pages.family import Site, aside

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

__all__ = ["LogPages"]

_UNTOLD = "nobody told this explorer which logs and witnesses to trust"


class LogPages:
    """The page of the log."""

    def __init__(self, site: Site) -> None:
        self._site = site

    async def page(self, _: Request) -> Response:
        """The page."""
        facts = await aside(self._site, self._site.log.facts)
        left_out = await self._left_out(facts)
        return self._site.pages.html(
            "log.html", title=f"The log {facts.origin}", facts=facts, text=_text(facts),
            checks=self._checks(facts), unknown=self._unknown(facts), left_out=left_out,
        )  # fmt: skip

    async def twin(self, _: Request) -> Response:
        """The same for programs."""
        facts = await aside(self._site, self._site.log.facts)
        signed = facts.checkpoint
        body: dict[str, Any] = {
            "origin": facts.origin, "key": facts.key, "entries": facts.entries,
            "published": facts.published,
            "root": None if signed is None else signed.checkpoint.root.hex(),
            "checkpoint": None if signed is None else _text(facts),
            "checks": [
                {"name": one.name, "state": one.state, "detail": one.detail}
                for one in self._checks(facts)
            ],
            "signed_by_unknown": self._unknown(facts), "left_out": await self._left_out(facts),
        }  # fmt: skip
        return json_answer(body)

    def _checks(self, facts: LogFacts) -> list[Check]:
        """Return what the explorer's own keys say of the checkpoint."""
        book, signed = self._site.log, facts.checkpoint
        if signed is None:
            return [not_checked("checkpoint", "the log has published none")]
        if book.trust.logs is None:
            return [not_checked(name, _UNTOLD) for name in ("checkpoint", "witnesses")]
        found = book.trust.logs.judge(signed, now=to_epoch(book.now()))
        checks = [_of_the_log(found.log, facts.origin)]
        for one in found.cosignatures:
            make = passed if one.counted else not_checked
            checks.append(make("witness", f"{one.name} ({one.key}): {one.why}"))
        if not found.quorum:
            checks.append(failed("quorum", "quorum_missed", "too few trusted witnesses signed"))
        elif found.time is not None:
            time = format_time(found.time)
            checks.append(
                passed("quorum", f"enough trusted witnesses signed, no later than {time}")
            )
        else:
            checks.append(not_checked("quorum", "the policy asks for no witness"))
        return checks

    async def _left_out(self, facts: LogFacts) -> int:
        """Return how many entries are in no list, as whom they name did not sign them."""
        book = self._site.log
        return await aside(self._site, lambda: book.left_out.total) if facts.published else 0

    def _unknown(self, facts: LogFacts) -> list[str]:
        """Return the names of signers whose keys the explorer was not told of."""
        signed, logs = facts.checkpoint, self._site.log.trust.logs
        names = [] if signed is None else [line.name for line in signed.note.signatures]
        if logs is None:
            return names
        keys = [key for log in logs.logs.values() for key in log.keys]
        keys += [witness.key for witness in logs.witnesses.values()]
        known = {key.name for key in keys}
        return [name for name in names if name not in known]


def _of_the_log(holds: bool | None, origin: str) -> Check:
    if holds is None:
        return not_checked("checkpoint", f"this explorer was told of no key for {origin}")
    if holds:
        return passed("checkpoint", f"{origin} signed it")
    return failed("checkpoint", "log_signature", f"the signature of {origin} does not hold")


def _text(facts: LogFacts) -> str:
    signed = facts.checkpoint
    return "" if signed is None else signed.encode().decode("utf-8", "replace")
