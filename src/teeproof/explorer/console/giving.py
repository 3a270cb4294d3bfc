"""Contribute, see what it earned and why, take it back.

A file is sealed in this process and leaves it as ciphertext. Orders that are typed one by one make
a file in memory, which is sealed and sent like any other once it has as many as the pool takes.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from teeproof.core.errors import Error, Malformed, TooLarge, Unavailable, Usage
from teeproof.data.records import read_records
from teeproof.data.samples import file_of, sample_orders
from teeproof.data.terms import MAX_FILE_BYTES, PoolTerms
from teeproof.explorer.answering import download, json_answer
from teeproof.explorer.console.family import Family
from teeproof.explorer.console.forms import Form, read_form
from teeproof.explorer.console.port import Gifts, Given, Owner
from teeproof.explorer.console.telling import earned_text, part_text, told, why_earned
from teeproof.explorer.pages.family import aside

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

__all__ = ["GivingPages"]

_MOST_TYPED = 500  # orders that are typed for one file
_SAMPLE = 60  # orders of a file to try it with
_AT_ONCE = 2  # contributions that are sealed and judged
_EMPTY = dict.fromkeys(("text", "side", "asset", "part", "when", "price"), "")
_TYPED_NAME = "typed.jsonl"


class GivingPages(Family):
    """Contributions."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._typed: list[bytes] = []
        self._sending = 0
        self._sending_typed = False

    async def home(self, _: Request) -> Response:
        """What was given and earned, and the form."""
        return await self._home()

    async def home_json(self, _: Request) -> Response:
        """The same for programs."""
        owner, terms, given, problems = await aside(self._site, self._look)
        return json_answer(
            {
                "owner": None if owner is None else owner.public,
                "payout": None if owner is None else owner.payout,
                "pool": None if terms is None else terms.name,
                "earned": earned_text(part for one in given for part in one.earned),
                "contributions": [_json(one) for one in given],
                "typed": len(self._typed),
                "problems": [error.to_json() for error in problems],
            }
        )

    async def contribute(self, request: Request) -> Response:
        """Seal and send a file, or the orders that were typed."""
        form = await read_form(request, self._gate, most_file=MAX_FILE_BYTES)
        try:
            gifts, typed = self._gifts, form.word("what") == "typed"
            lines = tuple(self._typed) if typed else ()
            name, data = (_TYPED_NAME, b"".join(lines)) if typed else _file(form)
            if self._sending >= _AT_ONCE or (typed and self._sending_typed):
                raise Unavailable("another file is being judged: wait for it", code="busy")
            self._sending += 1
            self._sending_typed |= typed
            try:
                made = await aside(self._site, lambda: gifts.contribute(name, data))
            finally:
                self._sending -= 1
                self._sending_typed &= not typed
        except Error as error:
            return await self._home(problem=error)
        # What another page typed meanwhile was not sent.
        self._typed = [one for one in self._typed if not any(one is sent for sent in lines)]
        return self.onward(f"/console/contributions/{made}")

    async def type_order(self, request: Request) -> Response:
        """Add an order to the file that is being typed, or begin it anew."""
        form = await read_form(request, self._gate)
        if form.word("what") == "clear":
            self._typed.clear()
            return self.onward("/console#type")
        try:
            self._typed.append(_line(form, room=_MOST_TYPED - len(self._typed)))
        except Error as error:
            return await self._home(problem=error, draft=form.words)
        return self.onward("/console#type")

    async def sample(self, _: Request) -> Response:
        """A file to try it with: orders of nobody, other ones each time."""
        records = sample_orders(_SAMPLE, seed=secrets.randbelow(1 << 32))
        return download(file_of(records), "sample-orders.jsonl")

    async def one(self, request: Request) -> Response:
        """One contribution."""
        return self._one(await self._find(request))

    async def one_json(self, request: Request) -> Response:
        """The same for programs."""
        return json_answer(_json(await self._find(request)))

    async def withdraw(self, request: Request) -> Response:
        """Take a contribution back."""
        form = await read_form(request, self._gate)
        given, gifts = await self._find(request), self._gifts
        try:
            if form.word("sure") != "yes":
                raise Usage("tick the box first: an erased key does not come back", code="not_sure")
            await aside(self._site, lambda: gifts.withdraw(given.id))
        except Error as error:
            return self._one(given, problem=error)
        return self.onward(f"/console/contributions/{given.id}")

    async def _home(
        self, *, problem: Error | None = None, draft: dict[str, str] | None = None
    ) -> Response:
        owner, terms, given, problems = await aside(self._site, self._look)
        parts = [part for one in given for part in one.earned]
        return self.show(
            "console.html", title="Your console", owner=owner, terms=terms, problems=problems,
            given=[(one, told(one)) for one in given], earned=earned_text(parts),
            answers=len({part.answer for part in parts}),
            typed=[line.decode() for line in self._typed[-5:]], count=len(self._typed),
            most=MAX_FILE_BYTES >> 20, sample=_SAMPLE, draft=_EMPTY | (draft or {}),
            typing=bool(self._typed or draft), problem=problem,
        )  # fmt: skip

    def _look(self) -> tuple[Owner | None, PoolTerms | None, Sequence[Given], list[Error]]:
        """Return what there is; each part that cannot be had is told by its error."""
        gifts, problems = self._console.gifts, list[Error]()
        owner: Owner | None = None
        terms: PoolTerms | None = None
        given: Sequence[Given] = ()
        if gifts is None:
            return owner, terms, given, problems
        try:
            owner, given = gifts.owner(), gifts.given()
        except Error as error:
            problems.append(error)
        try:
            terms = gifts.terms()
        except Error as error:
            if error.code not in {one.code for one in problems}:
                problems.append(error)
        return owner, terms, given, problems

    async def _find(self, request: Request) -> Given:
        wanted, gifts = request.path_params["id"], self._gifts
        for one in await aside(self._site, gifts.given):
            if one.id == wanted:
                return one
        raise Unavailable(
            "you have contributed nothing by this id, or the log does not show it yet",
            code="result_unknown", got=wanted[:80],
        )  # fmt: skip

    def _one(self, given: Given, *, problem: Error | None = None) -> Response:
        return self.show(
            "console_gift.html", title=given.name or "A contribution", given=given,
            told=told(given), problem=problem,
            parts=[(part, part_text(part), why_earned(part)) for part in given.earned],
        )  # fmt: skip

    @property
    def _gifts(self) -> Gifts:
        if self._console.gifts is None:
            raise Unavailable("this console takes no contributions", code="route_unknown")
        return self._console.gifts


def _file(form: Form) -> tuple[str, bytes]:
    if not form.data:
        raise Usage(
            "no file was chosen, or it is empty", code="upload_empty",
            expected='JSON lines, {"text": "…", "order": {…}}',
        )  # fmt: skip
    return form.name, form.data


def _line(form: Form, *, room: int) -> bytes:
    """Return the line that a form's fields make, held against the rules of every file."""
    if room <= 0:
        raise TooLarge("enough orders are typed: contribute these first", expected=f"{_MOST_TYPED}")
    order: dict[str, Any] = {form.word("side"): form.word("asset").upper()}
    order["part"] = _number(form.word("part"), "part")
    if form.word("when") in ("below", "above"):
        order[form.word("when")] = _number(form.word("price"), "price")
    data = msgspec.json.encode({"text": form.word("text"), "order": order}) + b"\n"
    (record,) = read_records(data).require()
    return record.encode() + b"\n"


def _number(text: str, what: str) -> float | int:
    plain = text.replace(",", "")
    try:
        if len(plain) > 20 or not plain.isascii():
            raise ValueError
        value = float(plain)
    except ValueError:
        raise Malformed(
            f"the {what} is no number", code="order_number", expected="such as 0.5 or 2000",
            got=text[:40],
        ) from None  # fmt: skip
    return int(value) if value.is_integer() else value


def _json(given: Given) -> dict[str, Any]:
    words = told(given)
    return {
        "id": given.id, "name": given.name, "statement": given.statement,
        "decision": given.said.decision, "weight": given.said.weight,
        "scores": msgspec.to_builtins(given.said.scores), "because": words.because,
        "checked": None if given.verdict is None else given.verdict.ok,
        "withdrawn": given.withdrawn, "datasets": list(given.datasets),
        "models": [one.statement for one in given.models], "answers": given.answers,
        "earned": words.earned,
        "parts": [
            {"answer": part.answer, "amount": str(part.amount), "token": part.symbol,
             "claimed": part.claimed, "because": why_earned(part)}
            for part in given.earned
        ],
    }  # fmt: skip
