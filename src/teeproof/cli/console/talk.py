"""The served model, for the console: each answer's receipt is checked in this process.

Every question is one of its own; the service is believed as ``inference.client`` believes it: its
evidence over a fresh nonce first, then each receipt against the bytes that came.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable
from typing import Any

import msgspec

from teeproof.cli.joining import Joined
from teeproof.core.clock import to_epoch, wall_clock
from teeproof.core.errors import Error, Unavailable
from teeproof.explorer.console.port import Answered
from teeproof.inference.client import Service
from teeproof.inference.link import Link, Reply
from teeproof.inference.reading import text_of
from teeproof.inference.verify import AnswerVerdict
from teeproof.proof.receipt import Receipt

__all__ = ["LocalTalk"]

_SERVICE = "model"
_PATIENCE = 60.0  # seconds for each exchange, however slowly it goes on
_MOMENT = 5.0  # seconds for a question that is cut to end
_MOST_TOKENS = 200


class LocalTalk:
    """The port ``Talk``, for the model that a demo on this machine serves.

    Args:
        reach: where the demo's services are now.
    """

    def __init__(self, reach: Callable[[], Joined]) -> None:
        self._reach = reach
        self._key = secrets.token_urlsafe(16)  # receipts are given to who asked
        self._lock = threading.Lock()
        self._open: tuple[str, Service] | None = None
        self._name = ""
        self._link: Link | None = None
        self._closed = False

    def model(self) -> str:
        """See ``Talk``."""
        self._reach().url(_SERVICE)
        return self._name or _SERVICE

    def ask(self, text: str) -> Answered:
        """See ``Talk``."""
        if not self._lock.acquire(timeout=_PATIENCE):
            raise Unavailable("the model still answers an earlier question", code="busy")
        try:
            begun = time.monotonic()
            service = self._service()
            if not self._name:
                self._name = service.first_model()
            body = {
                "model": self._name, "messages": [{"role": "user", "content": text}],
                "temperature": 0, "max_tokens": _MOST_TOKENS,
            }  # fmt: skip
            request = service.with_nonce(msgspec.json.encode(body))
            since = to_epoch(service.now())
            reply = service.send(request)
            receipt, verdict, problem = _checked(service, reply, request=request, since=since)
            milliseconds = round(1000 * (time.monotonic() - begun))
            return self._told(text_of(reply.body), receipt, verdict, problem, milliseconds)
        except Error:
            self._forget()  # whoever serves it next has to show its evidence first
            raise
        finally:
            self._lock.release()

    def close(self) -> None:
        """See ``Talk``."""
        self._closed = True
        if (link := self._link) is not None:
            link.cut()  # or a service that trickles would keep this process
        if self._lock.acquire(timeout=_MOMENT):
            try:
                self._forget()
            finally:
                self._lock.release()

    def _service(self) -> Service:
        joined = self._reach()
        url = joined.url(_SERVICE)
        if self._open is not None and self._open[0] == url:
            return self._open[1]
        self._forget()
        policy = joined.policy_of(_SERVICE)
        link = self._link = Link(url, self._key, timeout=_PATIENCE, longest=_PATIENCE)
        if self._closed:
            link.cut()
        service = Service(link, policy=policy, now=wall_clock, random=secrets.token_hex)
        try:
            service.attest()
        except BaseException:
            service.close()
            raise
        self._open, self._name = (url, service), ""
        return service

    def _forget(self) -> None:
        if self._open is not None:
            self._open[1].close()
        self._open = None

    def _told(
        self,
        text: str,
        receipt: Receipt | None,
        verdict: AnswerVerdict | None,
        problem: str,
        milliseconds: int,
    ) -> Answered:
        if verdict is None:
            return Answered(
                text=text, receipt=receipt, state="not_checked", level=None, checks=(),
                why=problem, milliseconds=milliseconds, fee="",
            )  # fmt: skip
        machine = None if verdict.identity is None else verdict.identity
        evidence = None if machine is None else machine.evidence
        checks = [
            *verdict.checks,
            *(() if machine is None else machine.checks),
            *(() if evidence is None else evidence.checks),
        ]
        failures = verdict.failures
        return Answered(
            text=text,
            receipt=receipt,
            state="passed" if verdict.ok and not failures else "failed",
            level=None if evidence is None else evidence.level,
            checks=tuple((check.name, check.state, check.detail) for check in checks),
            why=failures[0].detail if failures else "",
            milliseconds=milliseconds,
            fee="" if receipt is None else self._fee(receipt),
        )

    def _fee(self, receipt: Receipt) -> str:
        """Return what a receipt says that its answer costs; empty if that is nothing."""
        for event in receipt.body["event_log"]:
            if event.get("type") == "x.usage" and event.get("amount", "0") != "0":
                return self._priced(event)
        return ""

    def _priced(self, event: dict[str, Any]) -> str:
        """Return an amount with its token's name, as the chain tells it; otherwise as it stands."""
        from teeproof.chain.client import Chain  # noqa: PLC0415  eth_abi
        from teeproof.chain.token import Token, parse_asset  # noqa: PLC0415

        amount, asset = str(event.get("amount"))[:80], str(event.get("asset"))[:120]
        try:
            chain_id, address = parse_asset(asset)
            url = self._reach().url("chain")
            with Chain.connect(url, expected_chain_id=chain_id) as chain:
                token = Token(chain, address)
                return f"{token.text(int(amount))} {token.symbol}"
        except (Error, ValueError):
            return f"{amount} units of {asset}"


def _checked(
    service: Service, reply: Reply, *, request: bytes, since: int
) -> tuple[Receipt | None, AnswerVerdict | None, str]:
    """Return receipt and verdict, or why there is none: an answer without one is not hidden."""
    try:
        receipt, verdict = service.check(reply, request=request, since=since)
    except Error as error:
        return None, None, f"its receipt could not be had or read: {error.detail}"
    return receipt, verdict, ""
