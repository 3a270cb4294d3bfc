"""Ask an attested service, and believe its answer only once its receipt has been checked.

    with Service.connect("http://…", policy=policy) as service:
        answer = service.ask("sell half my ETH below 2,000", expected=Expected(model="sha256:…"))
        answer.text, answer.receipt.name, answer.verdict.checks

``connect`` asks for evidence over a fresh nonce before anything is said. Each question carries a
nonce of its own, so no earlier answer has its digest. For programs that use the ``openai`` package,
``transport`` does the same underneath.

Trusts: the policy, this machine's clock.  Does not trust: the service, its host, the network.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

import msgspec

from teeproof.core import strictjson
from teeproof.core.clock import to_epoch, wall_clock
from teeproof.core.errors import Malformed, NotAllowed, NotAuthentic
from teeproof.evidence.binding import report_data_for
from teeproof.evidence.policy import Policy
from teeproof.evidence.verify import verify as verify_evidence
from teeproof.inference.link import MAX_ANSWER, Link, Reply
from teeproof.inference.reading import MAX_REPORT, read_report, text_of
from teeproof.inference.verify import AnswerVerdict, Expected, check_answer
from teeproof.inference.wire import MAX_BODY
from teeproof.proof.identity import IdentityRecord
from teeproof.proof.receipt import Receipt
from teeproof.proof.sealing import Store

__all__ = ["NONCE", "Answer", "Service", "ask", "text_of"]

NONCE = "teeproof_nonce"
"""The name, in a request's ``metadata``, of what makes it unlike every other."""
_LONGEST_NAME = 200  # characters of a model's
_SKEW = 300  # seconds by which the service's clock may be behind ours


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer that was checked.

    Attributes:
        text: what the model said.
        request: the body that was sent.
        response: the body that came.
        receipt: of both.
        verdict: what was checked.
        service: who answered.
    """

    text: str
    request: bytes
    response: bytes
    receipt: Receipt
    verdict: AnswerVerdict
    service: Service

    def keep(self, store: Store) -> bytes:
        """Add the receipt, and who signed it, to a store; return the receipt's id, 32 bytes."""
        store.add_identity(self.service.identity.encode(), self.service.blobs)
        return store.add_statement(self.receipt.encode())


class Service:
    """A service whose machine and keys were checked; make one with ``connect``.

    Attributes:
        identity: who it is.
        blobs: the evidence behind that, by ``sha256:…``.
        now: the clock.
    """

    identity: IdentityRecord
    blobs: dict[str, bytes]

    def __init__(
        self,
        link: Link,
        *,
        policy: Policy | None,
        now: Callable[[], datetime],
        random: Callable[[int], str],
    ) -> None:
        self._link, self._policy, self.now, self._random = link, policy, now, random

    @classmethod
    def connect(
        cls,
        url: str,
        *,
        policy: Policy | None = None,
        api_key: str | None = None,
        timeout: float = 60.0,
        now: Callable[[], datetime] = wall_clock,
        random: Callable[[int], str] = secrets.token_hex,
    ) -> Self:
        """Return the service at an address, once its evidence over a fresh nonce holds.

        Args:
            url: its address, without ``/v1``.
            policy: what is expected of its machine; without it, the built-in one of its kind.
            api_key: sent with each question; its receipts are then given to nobody else.
            timeout: seconds to wait for it at any one time.
            now: the clock.
            random: hex text of so many random bytes.

        Raises:
            Unavailable: it cannot be reached, or does not answer in its form.
            NotAuthentic, NotAllowed: its evidence does not hold, or is not what is expected.
        """
        service = cls(Link(url, api_key, timeout=timeout), policy=policy, now=now, random=random)
        try:
            service.attest()
        except BaseException:
            service.close()
            raise
        return service

    def __enter__(self) -> Self:
        """Return the service."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connections."""
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._link.close()

    def attest(self) -> None:
        """Ask for fresh evidence, and from then on believe the keys that it commits to."""
        nonce = self._random(32)
        reply = self._link.get(f"/v1/aci/attestation?nonce={nonce}", limit=MAX_REPORT)
        identity, blobs, fresh = read_report(reply.body)
        verdict = verify_evidence(fresh, now=self.now(), policy=self._policy)
        for check in verdict.failures:
            kind = NotAllowed if check.concern == "policy" else NotAuthentic
            raise kind(check.detail, code=check.code, expected=check.expected, got=check.got)
        bound = report_data_for(identity.keyset_digest, nonce=nonce).hex()
        if verdict.facts.get("report_data") != bound:
            raise NotAuthentic(
                "the service's evidence is not of these keys and this moment: it was made for"
                " another question, or by another machine",
                code="attestation_not_fresh",
                expected=bound,
                got=str(verdict.facts.get("report_data")),
            )
        self.identity, self.blobs = identity, blobs

    def models(self) -> list[dict[str, Any]]:
        """Return what the service says of its models; only receipts prove anything of them."""
        value = strictjson.loads(self._link.get("/v1/models").body, limit=MAX_ANSWER)
        found = value.get("data") if isinstance(value, dict) else None
        if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
            raise Malformed("this is no list of models", code="answer_malformed")
        return found

    def first_model(self) -> str:
        """Return the name of the first model that the service says it has.

        Raises:
            Malformed: it says that it has none, or one of no name (``answer_malformed``).
        """
        name = next((one.get("id") for one in self.models()), None)
        if not isinstance(name, str) or not 1 <= len(name) <= _LONGEST_NAME:
            raise Malformed(
                "the service names no model that could be asked", code="answer_malformed",
                expected=f"a model whose id has 1 to {_LONGEST_NAME} characters",
                got=ascii(name)[:100],
            )  # fmt: skip
        return name

    def receipt(self, name: str) -> Receipt:
        """Return the receipt with an id, or of the answer with an id; it is not checked yet."""
        return Receipt.parse(self._link.get(f"/v1/aci/receipts/{name}").body)

    def ask(
        self,
        text: str | Sequence[Mapping[str, str]],
        *,
        model: str | None = None,
        stream: bool = False,
        expected: Expected | None = None,
        **settings: Any,
    ) -> Answer:
        """Return the answer to a question, checked.

        Args:
            text: the question, or a conversation of ``role`` and ``content``.
            model: the model's name; without it, the first that the service has.
            stream: whether it shall come piece by piece; it is returned whole in any case.
            expected: what is expected of the answer beyond its own bytes.
            settings: further members of the request, such as ``max_tokens``.

        Raises:
            NotAuthentic, NotAllowed: the answer is not what it should be.
            Error: the service refuses, with its code.
        """
        messages = [{"role": "user", "content": text}] if isinstance(text, str) else list(text)
        name = self.first_model() if model is None else model
        request = self.with_nonce(
            msgspec.json.encode({"model": name, "messages": messages, "stream": stream} | settings)
        )
        since = to_epoch(self.now())
        reply = self.send(request)
        receipt, verdict = self.check(reply, request=request, expected=expected, since=since)
        verdict.require()
        said = text_of(reply.body)
        return Answer(said, request, reply.body, receipt, verdict, self)

    def send(self, request: bytes) -> Reply:
        """Return the answer to a request's body, not checked; ``check`` takes both.

        Raises:
            Error: the service refuses, with its code.
        """
        return self._link.post("/v1/chat/completions", request)

    def check(
        self, reply: Reply, *, request: bytes, since: int, expected: Expected | None = None
    ) -> tuple[Receipt, AnswerVerdict]:
        """Fetch the receipt of an answer, and check both; nothing is raised for what fails.

        Args:
            reply: the answer.
            request: the body that was sent.
            since: when, seconds since 1970.
            expected: what is expected of the answer.
        """
        receipt = self.receipt(reply.receipt_id)
        if receipt.keyset_digest != self.identity.keyset_digest:  # it was started again meanwhile
            self.attest()
        wanted = expected or Expected()
        if wanted.since is None:
            wanted = msgspec.structs.replace(wanted, since=since - _SKEW)
        verdict = check_answer(
            reply.body,
            request=request,
            receipt=receipt,
            identity=self.identity,
            blobs=self.blobs,
            now=self.now(),
            policy=self._policy,
            expected=wanted,
        )
        return receipt, verdict

    def with_nonce(self, request: bytes) -> bytes:
        """Return a request that is unlike every other; what is no JSON object stays as it is."""
        try:
            value = strictjson.loads(request, limit=MAX_BODY)
        except Malformed:
            return request
        if not isinstance(value, dict) or not isinstance(value.get("metadata") or {}, dict):
            return request
        value["metadata"] = (value.get("metadata") or {}) | {NONCE: self._random(16)}
        return msgspec.json.encode(value)


def ask(url: str, text: str, *, policy: Policy | None = None, **options: Any) -> Answer:
    """Return one service's answer to one question, checked; arguments as ``Service.ask``."""
    with Service.connect(url, policy=policy) as service:
        return service.ask(text, **options)
