"""Answer one request: hash what comes, run the model, send, and keep a receipt of what was sent.

The receipt is durable before the last byte of the answer leaves, so whoever has the whole answer
can fetch it. However a request ends once it was taken in, there is a receipt of it: an answer, a
refusal, or a cut, with who cut it. Only what was never taken in has none: a body that is too large,
a client that left before its end, and what found no place.

Trusts: engine, writer, keeper.  Does not trust: clients.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

from teeproof.core.clock import to_epoch
from teeproof.core.errors import Error, Malformed, Unavailable
from teeproof.inference.engine.engine import Ask, Engine, Generation, Step
from teeproof.inference.engine.sampling import Sampling
from teeproof.inference.http import Call, Channel, Hung, refusal, watched
from teeproof.inference.keeping import Keeper
from teeproof.inference.receipts import Exchange, Writer
from teeproof.inference.serving import Serving
from teeproof.inference.stream import Sent
from teeproof.inference.turns import Turns
from teeproof.inference.wire import DONE, ChatRequest, Shape, error_body, parse_request
from teeproof.proof.receipt import Receipt
from teeproof.web.asgi import JSON, Answer
from teeproof.web.oplog import Say, quiet

__all__ = ["Answering"]

_SLICE = 0.004  # seconds that an answer runs before others have their turn
_SEEDS = 1 << 53


@dataclass(slots=True)
class _Attempt:
    """One answer on its way."""

    exchange: Exchange
    channel: Channel
    request: ChatRequest
    generation: Generation
    shape: Shape
    sent: Sent = field(default_factory=Sent)
    finish: str | None = None
    kept: bool = False
    open: bool = False

    async def give(self, event: bytes) -> None:
        await self.channel.event(event)
        self.sent.add(event)


class Answering:
    """Answers chat completions.

    Args:
        engine: the model.
        serving: its name and limits.
        writer: of receipts.
        keeper: of receipts.
        turns: who runs, who waits.
        now: the clock.
        random: hex text of so many random bytes.
        say: the operator's log.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        serving: Serving,
        writer: Writer,
        keeper: Keeper,
        turns: Turns,
        now: Callable[[], datetime],
        random: Callable[[int], str] = secrets.token_hex,
        say: Say = quiet,
    ) -> None:
        self._engine, self._serving, self._writer = engine, serving, writer
        self._keeper, self._turns, self._now = keeper, turns, now
        self._random, self._say = random, say

    async def chat(self, call: Call, channel: Channel) -> None:
        """Answer a request.

        Raises:
            TooLarge, Unavailable: it was not taken in.
            Disconnected: the client left before it had said everything.
        """
        body = await channel.body()
        self._writer.require_living_keys()
        exchange = Exchange(
            receipt_id=f"rcpt-{self._random(16)}",
            chat_id=f"chatcmpl-{self._random(16)}",
            at=to_epoch(self._now()),
            request=body,
            credential=call.credential,
        )
        async with watched(channel), self._turns.place():
            try:
                attempt = await self._begin(exchange, channel)
            except Error as error:
                await self._refuse(exchange, channel, error)
            else:
                await self._finish(attempt)

    async def _begin(self, exchange: Exchange, channel: Channel) -> _Attempt:
        request = parse_request(exchange.request)
        if request.model != self._serving.name:
            raise Unavailable(
                "this service does not have that model: see GET /v1/models",
                code="model_unknown",
                expected=self._serving.name,
                got=request.model[:100],
            )
        generation = await self._turns.step(partial(self._start, request))
        shape = Shape(
            chat_id=exchange.chat_id,
            model=self._serving.name,
            created=exchange.at,
            salt=self._random(16),
        )
        return _Attempt(exchange, channel, request, generation, shape)

    def _start(self, request: ChatRequest) -> Generation:
        """Return the answer before its first step; in the model's thread."""
        engine, most = self._engine, self._serving.limits.tokens
        prompt = engine.prompt(request.conversation)
        room = engine.config.context - len(prompt)
        wanted = request.most if request.most is not None else max(1, min(most, room))
        if wanted > most:
            raise Malformed(
                "an answer here is not as long as that: ask for fewer tokens",
                code="max_tokens_exceeded",
                expected=f"at most {most}",
                got=str(wanted),
            )
        seed = secrets.randbelow(_SEEDS) if request.seed is None else request.seed
        sampling = Sampling(
            temperature=request.temperature or 0.0,
            top_p=1.0 if request.top_p is None else request.top_p,
            seed=seed,
        )
        return engine.start(Ask(prompt, wanted, sampling, request.stops))

    async def _refuse(self, exchange: Exchange, channel: Channel, error: Error) -> None:
        answer, sent = refusal(error), Sent()
        sent.add(answer.body)
        receipt = self._writer.refusal(exchange, sent, code=error.code)
        await self._keep(exchange, receipt)
        self._say("refused", status=answer.status, error=error.code, receipt=exchange.receipt_id)
        await channel.answer(answer._replace(headers=(*answer.headers, _receipt_id(exchange))))

    async def _finish(self, attempt: _Attempt) -> None:
        """Answer to the end, or write down who ended it."""
        try:
            await (self._stream if attempt.request.stream else self._whole)(attempt)
        except Hung:
            await self._cut(attempt, "client")
        except asyncio.CancelledError:
            if not attempt.kept:  # there is no loop to wait in any more
                receipt = self._receipt(attempt, "server")
                self._keeper.store.put(receipt, credential=attempt.exchange.credential)
            raise
        except Error as error:
            await self._break(attempt, error, "server")
        except Exception as error:
            self._say("fault", error=type(error).__name__)
            known = Error("the model made a mistake here: tell its operator", code="engine_failed")
            await self._break(attempt, known, "engine")
        self._tell(attempt)

    async def _whole(self, attempt: _Attempt) -> None:
        text = [step.text async for step in self._steps(attempt)]
        generation = attempt.generation
        body = attempt.shape.whole(
            "".join(text), finish=attempt.finish or "", prompt=len(generation.ask.prompt),
            count=generation.count,
        )  # fmt: skip
        attempt.sent.add(body)
        await self._keep_whole(attempt)
        headers = (_receipt_id(attempt.exchange), (b"cache-control", b"no-store"))
        await attempt.channel.answer(Answer(200, JSON, body, headers))

    async def _stream(self, attempt: _Attempt) -> None:
        generation, shape = attempt.generation, attempt.shape
        await attempt.channel.open_stream((_receipt_id(attempt.exchange),))
        attempt.open = True
        await attempt.give(shape.first())
        async for step in self._steps(attempt):
            if step.text:
                await attempt.give(shape.piece(step.text))
        ends = [shape.last(attempt.finish or "")]
        if attempt.request.include_usage:
            ends.append(shape.usage(prompt=len(generation.ask.prompt), count=generation.count))
        ends.append(DONE)
        for event in ends:
            attempt.sent.add(event)
        await self._keep_whole(attempt)
        with contextlib.suppress(Hung):
            for event in ends:
                await attempt.channel.event(event, last=event is DONE)

    async def _steps(self, attempt: _Attempt) -> AsyncIterator[Step]:
        """Run the model while there is somebody to answer."""
        while attempt.finish is None:
            if attempt.channel.gone:
                raise Hung
            for step in await self._turns.step(partial(_some, attempt.generation)):
                attempt.finish = step.finish
                yield step
        if attempt.channel.gone:
            raise Hung

    async def _keep_whole(self, attempt: _Attempt) -> None:
        await self._keep(attempt.exchange, self._receipt(attempt, None))
        attempt.kept = True

    async def _cut(self, attempt: _Attempt, cut_by: str) -> None:
        """Keep the receipt of an answer that did not end."""
        if not attempt.kept:
            with contextlib.suppress(Unavailable):
                await self._keep(attempt.exchange, self._receipt(attempt, cut_by))
                attempt.kept = True

    async def _break(self, attempt: _Attempt, error: Error, cut_by: str) -> None:
        """Say that an answer ends here, and why."""
        body = error_body(error)
        if attempt.open:
            event = b"data: " + body + b"\n\n"
            attempt.sent.add(event)
            await self._cut(attempt, cut_by)
            with contextlib.suppress(Hung):
                await attempt.channel.event(event, last=True)
            return
        attempt.sent = Sent()
        attempt.sent.add(body)
        await self._cut(attempt, cut_by)
        await attempt.channel.answer(refusal(error))

    def _receipt(self, attempt: _Attempt, cut_by: str | None) -> Receipt:
        return self._writer.answer(
            attempt.exchange, attempt.sent, attempt.generation, finish=attempt.finish, cut_by=cut_by
        )

    async def _keep(self, exchange: Exchange, receipt: Receipt) -> None:
        await asyncio.to_thread(self._keeper.keep, receipt, credential=exchange.credential)

    def _tell(self, attempt: _Attempt) -> None:
        self._say(
            "answered",
            receipt=attempt.exchange.receipt_id if attempt.kept else "none",
            finish=attempt.finish or "cut",
            prompt=len(attempt.generation.ask.prompt),
            tokens=attempt.generation.count,
            stream=attempt.request.stream,
        )


def _some(generation: Generation) -> list[Step]:
    """Return the steps of one slice of time, at least one; in the model's thread."""
    end, found = time.monotonic() + _SLICE, [generation.step()]
    while found[-1].finish is None and time.monotonic() < end:
        found.append(generation.step())
    return found


def _receipt_id(exchange: Exchange) -> tuple[bytes, bytes]:
    return b"x-receipt-id", exchange.receipt_id.encode()
