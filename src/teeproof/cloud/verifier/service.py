"""The service: verdicts over HTTP, as plain ASGI.

    POST /v1/verdicts           evidence in, a verdict out; JSON, or an EAR by ``Accept``
    GET  /v1/verdicts/<key>     a verdict that was given a while ago, likewise
    GET  /v1/policies           the policies that clients may name
    POST /verify                the same as dstack-verifier asks and answers
    GET  /health                whether it can answer
    GET  /                      what it is, and its public key

A verdict is an answer, so it comes with status 200 whatever it says; errors have the one shape.

Source: dstack, verifier/src/main.rs (the routes ``/verify`` and ``/health``); RFC 9782 (the media
type of an EAR).

Trusts: the ASGI server that calls, its operator.  Does not trust: clients.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Any

from teeproof.cloud.verifier.bodies import Bodies
from teeproof.cloud.verifier.judging import Question, read_answer
from teeproof.cloud.verifier.kept import Kept, Verdicts
from teeproof.cloud.verifier.policies import Policies
from teeproof.cloud.verifier.requests import Asked, asked_as_file, asked_as_json, asked_of_dstack
from teeproof.cloud.verifier.workers import Workers
from teeproof.core.clock import parse_time, to_epoch, wall_clock
from teeproof.core.digests import framed_sha256
from teeproof.core.errors import Error, Unavailable, Usage
from teeproof.core.version import VERSION
from teeproof.evidence.verdict import Verdict
from teeproof.proof.log.http.refusing import refusal
from teeproof.proof.results import dstack, ear, jws
from teeproof.proof.results.keyfile import VerdictKey
from teeproof.web.asgi import (
    JSON,
    NO_STORE,
    Answer,
    Receive,
    Request,
    Scope,
    Send,
    json_answer,
    no_such_path,
    require_method,
    respond,
)
from teeproof.web.oplog import Say, quiet

__all__ = ["VerifierService"]

_VERDICTS = "v1/verdicts"
_EAR = ear.MEDIA_TYPE.encode()
_FUTURE = 86_400  # seconds by which a client's T may lie ahead


class VerifierService:
    """The ASGI application.

    Args:
        workers: what verifies; the caller closes them once the server has ended.
        policies: those that clients may name.
        default: the name of the policy for who names none; None for the usual one of each kind.
        key: signs EARs; without one there are none.
        archive: tells the state of the archive of endorsements, so that what is kept does not
            outlive a change.
        shared: for how many seconds an answer as of now serves others who ask the same.
        verdicts: what is kept.
        bodies: what is read of requests.
        now: the clock.
        say: the operator's log.
    """

    def __init__(
        self,
        workers: Workers,
        *,
        policies: Policies,
        default: str | None = None,
        key: VerdictKey | None = None,
        archive: Callable[[], str] = str,
        shared: int = 60,
        verdicts: Verdicts | None = None,
        bodies: Bodies | None = None,
        now: Callable[[], datetime] = wall_clock,
        say: Say = quiet,
    ) -> None:
        self._workers, self._policies, self._default = workers, policies, default
        self._key, self._archive, self._shared = key, archive, shared
        self._verdicts = verdicts or Verdicts()
        self._bodies = bodies or Bodies()
        self._now, self._say = now, say
        self._asking: dict[bytes, asyncio.Task[Kept]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        await respond(
            scope, receive, send, find=lambda request: self._answer(request, receive),
            refuse=refusal, say=self._say,
            fault="the service made a mistake: its operator finds it in the log",
        )  # fmt: skip

    async def _answer(self, request: Request, receive: Receive) -> Answer:
        path = request.path
        if path in (_VERDICTS, "verify"):
            require_method(request.method, "POST")
            async with self._bodies.body_of(request, receive) as body:
                ours = path == _VERDICTS
                return await (self._judge(request, body) if ours else self._dstack(body))
        require_method(request.method, "GET, HEAD")
        if path.startswith(_VERDICTS + "/"):
            return self._again(request, path.removeprefix(_VERDICTS + "/"))
        if path == "v1/policies":
            return json_answer({"default": self._default, "policies": self._policies.to_json()})
        if path == "health":
            return json_answer({"status": "ok", "service": "teeproof", "version": VERSION})
        if not path:
            return json_answer(self._description())
        raise no_such_path(path)

    async def _judge(self, request: Request, body: bytes) -> Answer:
        kind = (request.header(b"content-type") or b"").partition(b";")[0].strip().lower()
        if self._wants_ear(request):
            asked = _asked(kind, body)
            return self._written(await self._kept(asked), signed=True, nonce=asked.nonce)
        # The same bytes are the same question: nothing of them is parsed again.
        times = b"%d" % self._time(None)
        same = framed_sha256(
            "teeproof.evidence-body.v1", kind, times, self._archive().encode(), body
        )
        kept = self._verdicts.answer(same)
        if kept is None:
            kept = await self._kept(_asked(kind, body))
            self._verdicts.keep(same, kept)
        return self._written(kept, signed=False, nonce=None)

    async def _dstack(self, body: bytes) -> Answer:
        asked = asked_of_dstack(body)
        try:
            kept = await self._kept(asked)
            answer = dstack.answer_of(Verdict.from_json(kept.body))
        except Unavailable:
            raise
        except Error as error:
            if error.code == "internal":
                raise
            answer = dstack.refusal_of(error)
        return json_answer(answer | ({"remarks": list(asked.remarks)} if asked.remarks else {}))

    def _again(self, request: Request, key: str) -> Answer:
        signed = self._wants_ear(request)
        kept = self._verdicts.by_key(key)
        if kept is None:
            raise Unavailable(
                "no verdict with this key is kept here, or not any more: send the evidence",
                code="verdict_unknown",
                got=ascii(key[:100])[1:-1],
            )
        return self._written(kept, signed=signed, nonce=None)

    def _written(self, kept: Kept, *, signed: bool, nonce: str | None) -> Answer:
        if not signed:
            where = (b"location", f"/{_VERDICTS}/{kept.key}".encode())
            return Answer(200, JSON, kept.body, (NO_STORE, where))
        assert self._key is not None
        verdict = Verdict.from_json(kept.body)
        self._require_come(to_epoch(parse_time(verdict.provenance.time)))
        token = ear.issue([verdict], self._key, nonce=nonce)
        return Answer(200, _EAR, token.encode(), (NO_STORE,))

    async def _kept(self, asked: Asked) -> Kept:
        """Return the answer to a question: kept, under way, or verified now."""
        name = self._default if asked.policy is None else asked.policy
        policy = None if name is None else self._policies.named(name)
        at = self._time(asked.at)
        time = self._while() if asked.at is None else f"at {at}"
        digest = asked.digest(
            policy=policy.digest if policy else "usual", time=time, archive=self._archive()
        )
        found = self._verdicts.answer(digest)
        if found is not None:
            return found
        task = self._asking.get(digest)
        if task is None:
            question = Question(files=asked.files, policy=policy.text if policy else None, at=at)
            task = asyncio.ensure_future(self._verify(digest, question))
            self._asking[digest] = task
            task.add_done_callback(lambda _: self._asking.pop(digest, None))
        return await asyncio.shield(task)

    async def _verify(self, digest: bytes, question: Question) -> Kept:
        body = read_answer(await self._workers.ask(question.encode()))
        verdict = Verdict.from_json(body)
        assert verdict.key is not None
        kept = Kept(key=verdict.key, body=body)
        self._verdicts.keep(digest, kept)
        self._say(
            "verdict", kind=verdict.kind, exit=verdict.exit_code, policy=verdict.provenance.policy
        )
        return kept

    def _time(self, at: int | None) -> int:
        now = to_epoch(self._now())
        if at is not None and at > now + _FUTURE:
            raise Usage(
                "nothing is known of that time yet: name one that has come",
                code="time_ahead",
                got=str(at),
            )
        return now if at is None else at

    def _require_come(self, at: int) -> None:
        """Raise Usage where an EAR would be dated ahead: by then, its evidence may be revoked."""
        now = to_epoch(self._now())
        if at > now + ear.SKEW:
            raise Usage(
                "an EAR is dated by T, and this verifier signs none that is dated ahead",
                code="time_ahead",
                expected=f"at most {now}",
                got=str(at),
            )

    def _while(self) -> str:
        """Return what stays the same for as long as an answer as of now serves others too."""
        return f"now {to_epoch(self._now()) // self._shared}"

    def _wants_ear(self, request: Request) -> bool:
        accepted = (request.header(b"accept") or b"").lower().split(b",")
        kinds = {one.partition(b";")[0].strip() for one in accepted}
        if _EAR not in kinds:
            return False
        if self._key is None:
            raise Usage(
                "this verifier has no verdict key, and signs nothing: ask for application/json",
                code="not_acceptable",
                got=ear.MEDIA_TYPE,
            )
        return True

    def _description(self) -> dict[str, Any]:
        return {
            "service": "teeproof",
            "version": VERSION,
            "jwk": jws.jwk(self._key.public) if self._key else None,
            "routes": ["POST /v1/verdicts", "GET /v1/verdicts/<key>", "GET /v1/policies",
                       "POST /verify", "GET /health"],
        }  # fmt: skip


def _asked(kind: bytes, body: bytes) -> Asked:
    return asked_as_json(body) if kind == JSON else asked_as_file(body)
