"""Ask the model, and take nothing from its service but bytes whose receipt holds.

What fails is no error here: it is an answer without a receipt, which no rule lets pass, and the
reason is in the record. The service's machine is admitted under the policy that the agent was
measured with; its receipt and its identity are kept beside the agent's statements.

Trusts: the policy, this machine's clock.  Does not trust: the service, its host, the model.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

from teeproof.agents.answers import MAX_RESPONSE
from teeproof.agents.records import Answer
from teeproof.core.clock import to_epoch, wall_clock
from teeproof.core.errors import Error
from teeproof.evidence.policy import Policy
from teeproof.proof.receipt import Receipt
from teeproof.proof.sealing import Store

if TYPE_CHECKING:
    from teeproof.inference.client import Service
    from teeproof.inference.link import Link

__all__ = ["Asker"]

_PATH = "/v1/chat/completions"
_LONGEST_PROBLEM = 200


class Asker:
    """Asks one service.

    Args:
        url: its address.
        policy: what is expected of its machine.
        store: where receipts are kept, beside the agent's statements.
        timeout: seconds to wait for it at any one time.
        now: the clock.
    """

    def __init__(
        self,
        url: str,
        *,
        policy: Policy,
        store: Store,
        timeout: float = 60.0,
        now: Callable[[], datetime] = wall_clock,
    ) -> None:
        self._url, self._policy, self._store = url, policy, store
        self._timeout, self._now = timeout, now
        self._service: Service | None = None
        self._link: Link | None = None

    def close(self) -> None:
        """Close the connections."""
        for connection in (self._service, self._link):
            if connection is not None:
                connection.close()
        self._service = self._link = None

    def ask(self, request: bytes) -> Answer:
        """Return what came back for a request; with a receipt, if one holds.

        Raises:
            Unavailable: the agent's own log did not take the receipt.
        """
        asked = request.decode()
        response: bytes | None = None
        try:
            service, link = self._connected()
            since = to_epoch(self._now())
            reply = link.post(_PATH, request, limit=MAX_RESPONSE)
            response = reply.body
            receipt, verdict = service.check(reply, request=request, since=since)
            verdict.require()
        except Error as error:
            problem = f"{error.code}: {error.detail}"[:_LONGEST_PROBLEM]
            return Answer(request=asked, response=_text(response), problem=problem)
        text = _text(response)
        if text is None:
            return Answer(request=asked, problem="response_malformed: the answer is no text")
        self._store.add_identity(service.identity.encode(), service.blobs)
        self._store.add_statement(receipt.encode())
        return Answer(
            request=asked, response=text, receipt=receipt.name, model=_model(receipt),
            policy=self._policy.digest,
        )  # fmt: skip

    def _connected(self) -> tuple[Service, Link]:
        """Return the service, admitted once, and a line to it."""
        from teeproof.inference.client import Service  # noqa: PLC0415  0.3 s
        from teeproof.inference.link import Link  # noqa: PLC0415  as above

        if self._link is None:
            self._link = Link(self._url, timeout=self._timeout)
        if self._service is None:
            self._service = Service.connect(
                self._url, policy=self._policy, timeout=self._timeout, now=self._now
            )
        return self._service, self._link


def _text(response: bytes | None) -> str | None:
    try:
        return None if response is None else response.decode()
    except UnicodeError:
        return None


def _model(receipt: Receipt) -> str | None:
    models = [link.digest for link in receipt.links if link.role == "model"]
    return models[0] if len(models) == 1 else None
