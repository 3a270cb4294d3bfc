"""An answer's page: a receipt for a person, and a form that says whether bytes are those signed.

GET  /answer/<id>          the page; <id> is the receipt's, as a statement
GET  /answer/<id>.json     the same for programs
POST /answer/<id>[.json]   the same, and whether the bodies that were sent are those signed

What is posted is hashed by the receipt's own rule, and nothing of it is kept or shown again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from teeproof.core import strictjson
from teeproof.explorer.answering import json_answer
from teeproof.explorer.made.answers import Answer, Compared, answer_of, compared
from teeproof.explorer.made.events import (
    MOST_EVENTS,
    ROLES,
    events_of,
    first_of,
    percent,
    price_of,
)
from teeproof.explorer.made.pasted import MOST_BYTES, Pasted, read_pasted
from teeproof.explorer.made.standing import maker_of
from teeproof.explorer.pages.family import Site, aside, digest_of, proof_file
from teeproof.explorer.telling.proof import framed, told_proof
from teeproof.explorer.telling.sentences import clause
from teeproof.explorer.telling.times import day, moment

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

__all__ = ["AnswerPages"]

_AT_ONCE = 8  # bodies in memory at the same time


class AnswerPages:
    """The pages of answers."""

    def __init__(self, site: Site) -> None:
        self._site = site

    async def page(self, request: Request) -> Response:
        """The page."""
        return await self._html(request, {})

    async def twin(self, request: Request) -> Response:
        """The same for programs."""
        return await self._json(request, {})

    async def compare(self, request: Request) -> Response:
        """The page, and what came of the bodies that were sent."""
        return await self._html(request, await self._given(request))

    async def compare_json(self, request: Request) -> Response:
        """The same for programs."""
        return await self._json(request, await self._given(request))

    async def _given(self, request: Request) -> dict[str, Pasted]:
        digest_of(request.path_params["id"])
        with self._site.judged_at_once(_AT_ONCE):
            return await read_pasted(request)

    async def _html(self, request: Request, given: Mapping[str, Pasted]) -> Response:
        one, book = digest_of(request.path_params["id"]), self._site.log

        def work() -> dict[str, Any]:
            answer = answer_of(book, one)
            return self._values(answer, _found(answer, given))

        return self._site.pages.html("answer.html", **await aside(self._site, work))

    async def _json(self, request: Request, given: Mapping[str, Pasted]) -> Response:
        one, book = digest_of(request.path_params["id"]), self._site.log

        def work() -> dict[str, Any]:
            answer = answer_of(book, one)
            return _body(answer, _found(answer, given)) | {"left_out": self._left_out(answer)}

        return json_answer(await aside(self._site, work))

    def _left_out(self, answer: Answer) -> int:
        """Return how many records name it as an input and are not signed by whom they name."""
        return self._site.log.left_out.of("answer-used", answer.page.id[7:])

    def _values(self, answer: Answer, found: list[Compared]) -> dict[str, Any]:
        page, body = answer.page, answer.receipt.body
        command, log = self._site.command(page.id), body.get("event_log")
        events = len(log) if isinstance(log, list) else 0
        return {
            "title": f"Answer {page.id[7:15]}", "page": page, "answer": answer, "found": found,
            "told": told_proof(page.verdict, page.read, body, command=command),
            "sentence": framed(page.verdict, page.read, _clause(answer)), "command": command,
            "takes": proof_file(page.id),
            "maker": maker_of(page.verdict, page.id), "faults": page.verdict.faults[:20],
            "when": moment(body.get("served_at")),
            "time": day(page.verdict.statement(page.id).time),
            "events": events_of(body), "more_events": max(0, events - MOST_EVENTS),
            "price": price_of(body), "percent": percent, "roles": ROLES,
            "refused": bool(first_of(body, "x.refusal")),
            "most": MOST_BYTES >> 20, "body": strictjson.dumps(body, pretty=True),
            "uses": [(read, standing, _used(read)) for read, standing in answer.uses],
            "left_out": self._left_out(answer),
        }  # fmt: skip


def _found(answer: Answer, given: Mapping[str, Pasted]) -> list[Compared]:
    return [
        compared(which, one.data, answer.digests.get(which), pasted=one.pasted)
        for which, one in given.items()
    ]


def _clause(answer: Answer) -> str:
    body = answer.receipt.body
    model = f"the model {answer.model[:8]}" if answer.model else "a model that it does not name"
    when = moment(body.get("served_at"))
    time = f" on {when} by its machine's clock" if when else ""
    if first_of(body, "x.refusal"):
        return f"an AI service refused a request{time}; no model ran"
    stream = first_of(body, "x.stream")
    cut = ", and the answer was cut off" if stream.get("complete") is False else ""
    return f"{model} answered a request{time}{cut}"


def _used(read: Any) -> str:
    predicate = {} if read.statement is None else strictjson.loads(
        read.statement.payload, limit=1 << 20, what="statement"
    )  # fmt: skip
    body = predicate.get("predicate", {}) if isinstance(predicate, dict) else {}
    return clause(read.type, body, title=read.title)


def _body(answer: Answer, found: list[Compared]) -> dict[str, Any]:
    page, body = answer.page, answer.receipt.body
    divided = answer.split
    return {
        "answer": page.id,
        "sentence": framed(page.verdict, page.read, _clause(answer)),
        "standing": answer.standing.to_json(),
        "maker": maker_of(page.verdict, page.id).to_json(),
        "model": f"sha256:{answer.model}" if answer.model else None,
        "digests": answer.digests,
        "compared": [one.to_json() for one in found],
        "said_no_later_than": page.verdict.statement(page.id).time,
        "events": [{"type": kind, "says": words} for kind, words in events_of(body)],
        "fee": None if divided is None else {
            "amount": str(divided.amount), "chain_id": divided.chain_id, "token": divided.token,
            "kept": str(divided.kept),
            "payees": [
                {"role": one.role, "address": one.address, "amount": str(one.amount)}
                for one in divided.payees[:200]
            ],
        },
        "fee_unknown": answer.why_not,
        "used_by": [
            {"statement": f"sha256:{read.id.hex()}", "says": _used(read),
             "standing": standing.to_json()}
            for read, standing in answer.uses
        ],
        "more_uses": answer.more_uses,
        "receipt": body,
    }  # fmt: skip
