"""Verify underneath another program: a transport for ``httpx`` that checks every answer's receipt.

    client = OpenAI(
        base_url="http://…/v1", api_key="…", max_retries=0,
        http_client=httpx.Client(transport=Verifying(service)),
    )

An answer that is not streamed is handed on once it was checked. Of a stream, the pieces are handed
on as they come and its end, ``[DONE]``, is held back until all of it was checked: a program that
saw the end has seen a checked answer, and one whose stream raises has not. What fails is raised as
our error. Let the client not ask again (``max_retries=0``): an answer that failed is evidence.

Trusts: the service object's policy.  Does not trust: the service, its host, the network.
"""

from __future__ import annotations

from collections.abc import Iterator

import httpx  # this module is loaded by who uses it

from teeproof.core.clock import to_epoch
from teeproof.core.errors import TooLarge
from teeproof.inference.client import Service
from teeproof.inference.link import MAX_ANSWER, Reply
from teeproof.inference.verify import AnswerVerdict, Expected
from teeproof.proof.receipt import Receipt

__all__ = ["Verifying"]

_PATH = "/v1/chat/completions"
_OF_THE_BODY = frozenset({"content-length", "transfer-encoding"})
_END = b"[DONE]"


class Verifying(httpx.BaseTransport):
    """Checks each chat completion that goes through it.

    Args:
        service: where answers come from.
        expected: what is expected of each.
        inner: what sends.

    Attributes:
        checked: receipt and verdict of each answer so far, the newest last.
    """

    def __init__(
        self,
        service: Service,
        *,
        expected: Expected | None = None,
        inner: httpx.BaseTransport | None = None,
    ) -> None:
        self.checked: list[tuple[Receipt, AnswerVerdict]] = []
        self._service, self._expected = service, expected
        self._inner = inner or httpx.HTTPTransport()

    def close(self) -> None:
        """Close the connections."""
        self._inner.close()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request, and check the answer if it is one."""
        if request.method != "POST" or request.url.path != _PATH:
            return self._inner.handle_request(request)
        body = self._service.with_nonce(request.read())
        since = to_epoch(self._service.now())
        headers = httpx.Headers(request.headers)
        for name in _OF_THE_BODY & headers.keys():
            del headers[name]
        headers["accept-encoding"] = "identity"  # digests are over what crosses the wire
        sent = httpx.Request(
            "POST", request.url, headers=headers, content=body, extensions=request.extensions
        )
        response = self._inner.handle_request(sent)
        if response.status_code != 200:
            return response
        name = response.headers.get("x-receipt-id", "")[:100]
        verified = _Verified(self, response, body, name, since)
        if response.headers.get("content-type", "").startswith("text/event-stream"):
            return httpx.Response(200, headers=response.headers, stream=verified)
        try:
            whole = b"".join(verified)
        finally:
            response.close()
        return httpx.Response(200, headers=response.headers, content=whole)

    def check(self, body: bytes, *, request: bytes, name: str, since: int) -> None:
        """Check an answer, and remember what was found; raise what failed."""
        found = self._service.check(
            Reply(body, name), request=request, since=since, expected=self._expected
        )
        self.checked.append(found)
        found[1].require()


class _Verified(httpx.SyncByteStream):
    """The bytes of an answer; the last of them only if all hold."""

    def __init__(
        self, owner: Verifying, response: httpx.Response, request: bytes, name: str, since: int
    ) -> None:
        self._owner, self._response, self._request = owner, response, request
        self._name, self._since = name, since

    def __iter__(self) -> Iterator[bytes]:
        seen, given = bytearray(), 0
        for chunk in self._response.iter_raw():
            seen += chunk
            if len(seen) > MAX_ANSWER:
                raise TooLarge("the answer is too long", expected=f"at most {MAX_ANSWER} bytes")
            safe = _safe(seen, given)
            if safe > given:
                yield bytes(seen[given:safe])
                given = safe
        self._owner.check(bytes(seen), request=self._request, name=self._name, since=self._since)
        yield bytes(seen[given:])

    def close(self) -> None:
        self._response.close()


def _safe(seen: bytearray, given: int) -> int:
    """Return how many bytes hold neither the end nor a beginning of it.

    However the end's line is framed, readers tell it by this text; without it none is whole.
    """
    at = seen.find(_END, max(0, given - len(_END)))
    if at >= 0:
        return at
    for count in range(min(len(_END) - 1, len(seen)), 0, -1):
        if seen.endswith(_END[:count]):
            return len(seen) - count
    return len(seen)
