"""Talk to the model, with the receipt beside each answer.

The conversation is in this process's memory and nowhere else: a bounded number of turns, gone when
it ends. Each question is put on its own. What the model says is text, never markup.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from teeproof.core.clock import format_time, to_epoch, wall_clock
from teeproof.core.errors import Error, Unavailable, Usage
from teeproof.explorer.answering import json_answer
from teeproof.explorer.console.family import Family
from teeproof.explorer.console.forms import Form, read_form
from teeproof.explorer.console.port import Answered, Talk
from teeproof.explorer.pages.family import aside

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

__all__ = ["MOST_TURNS", "TalkingPages", "Turn"]

MOST_TURNS = 50
LONGEST = 1_000  # characters of a question
_LONGEST_ANSWER = 4_000  # that are kept
_CHECKS = 200
_AT_ONCE = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """A question, and what came of it: an answer, or an error."""

    at: str
    question: str
    answered: Answered | None = None
    problem: Error | None = None


class TalkingPages(Family):
    """The conversation."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._turns: deque[Turn] = deque(maxlen=MOST_TURNS)
        self._asking = 0

    async def page(self, _: Request) -> Response:
        """The conversation."""
        return self._page()

    async def twin(self, _: Request) -> Response:
        """The same for programs."""
        assert self._talk
        return json_answer({"most_turns": MOST_TURNS, "turns": [_json(one) for one in self._turns]})

    async def ask(self, request: Request) -> Response:
        """Ask, and show the answer with its receipt."""
        form = await read_form(request, self._gate)
        try:
            question, talk = _question(form), self._talk
            if self._asking >= _AT_ONCE:
                raise Unavailable("too many questions wait: try again in a moment", code="busy")
        except Error as error:
            return self._page(problem=error, draft=form.words.get("text", "")[:LONGEST])
        self._asking += 1
        at = format_time(to_epoch(wall_clock()))
        try:
            answered = await aside(self._site, lambda: talk.ask(question))
            self._turns.append(Turn(at=at, question=question, answered=answered))
        except Error as error:
            self._turns.append(Turn(at=at, question=question, problem=error))
        finally:
            self._asking -= 1
        return self.onward("/console/talk#last")

    async def forget(self, request: Request) -> Response:
        """Forget the conversation."""
        await read_form(request, self._gate)
        self._turns.clear()
        return self.onward("/console/talk")

    def _page(self, *, problem: Error | None = None, draft: str = "") -> Response:
        missing: Error | None = None
        try:
            name = self._talk.model()
        except Error as error:
            if error.code == "route_unknown":
                raise
            name, missing = "", error
        return self.show(
            "console_talk.html", title="Talk to the model", turns=tuple(self._turns), name=name,
            missing=missing, most=MOST_TURNS, longest=LONGEST, draft=draft, problem=problem,
            most_checks=_CHECKS,
        )  # fmt: skip

    @property
    def _talk(self) -> Talk:
        if self._console.talk is None:
            raise Unavailable("this console has no model to talk to", code="route_unknown")
        return self._console.talk


def _question(form: Form) -> str:
    text = form.word("text").replace("\r\n", "\n")
    if not text or len(text) > LONGEST:
        raise Usage(
            "a question has between one character and so many", code="question_length",
            expected=f"1 to {LONGEST} characters", got=f"{len(text)}",
        )  # fmt: skip
    if any(not character.isprintable() and character != "\n" for character in text):
        raise Usage(
            "the question holds characters that do not print: take them out, so that what you see"
            " is what is asked",
            code="question_unprintable",
        )
    return text


def _json(turn: Turn) -> dict[str, Any]:
    answered = turn.answered
    value: dict[str, Any] = {"at": turn.at, "question": turn.question}
    if turn.problem is not None or answered is None:
        return value | {"error": None if turn.problem is None else turn.problem.to_json()}
    return value | {
        "answer": answered.text[:_LONGEST_ANSWER], "state": answered.state, "why": answered.why,
        "receipt": None if answered.receipt is None else answered.receipt.name,
        "level": answered.level, "fee": answered.fee, "milliseconds": answered.milliseconds,
        "checks": [
            {"name": name, "state": state, "detail": detail}
            for name, state, detail in answered.checks[:_CHECKS]
        ],
    }  # fmt: skip
