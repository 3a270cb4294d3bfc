"""One connection to a service: bounded answers as they came, byte for byte, and its refusals.

Trusts: nothing; what comes back is bytes.  Does not trust: service, network.
"""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple

from teeproof.core import strictjson
from teeproof.core.errors import (
    Error,
    Malformed,
    NotAllowed,
    NotAuthentic,
    TooLarge,
    Unavailable,
    Usage,
)
from teeproof.web.asking import connection, read_bounded

__all__ = ["MAX_ANSWER", "Link", "Reply", "refused"]

MAX_ANSWER = 8 << 20
_KINDS: dict[int, type[Error]] = {
    401: NotAuthentic,
    403: NotAllowed,
    404: Unavailable,
    412: NotAllowed,
    413: TooLarge,
}


class Reply(NamedTuple):
    """An answer.

    Attributes:
        body: every byte of it.
        receipt_id: what the service calls its receipt; empty where it names none.
    """

    body: bytes
    receipt_id: str


class Link:
    """A service's address.

    Args:
        url: without ``/v1``.
        api_key: sent with every request.
        timeout: seconds to wait at any one time.
        longest: seconds for a whole exchange, however busily bytes trickle in; None for any.
    """

    def __init__(
        self,
        url: str,
        api_key: str | None = None,
        *,
        timeout: float = 60.0,
        longest: float | None = None,
    ) -> None:
        if not re.match(r"https?://[^/]", url):
            raise Usage("this is not a service's address", code="address_malformed", got=url[:100])
        self.url = url.rstrip("/").removesuffix("/v1")
        headers = {} if api_key is None else {"Authorization": f"Bearer {api_key}"}
        self._longest, self._ended = longest, ""
        self._socket: Any = None
        self._http = connection(self.url, timeout=timeout, headers=headers)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def cut(self, why: str = "the connection was ended here") -> None:
        """End what is under way, from any thread; from then on there is no exchange."""
        self._ended = why
        with suppress(OSError, AttributeError):
            self._socket.shutdown(socket.SHUT_RDWR)  # whoever reads wakes up

    def get(self, path: str, *, limit: int = MAX_ANSWER) -> Reply:
        """Return what lies at a path; errors as ``post``."""
        return self._send("GET", path, None, limit)

    def post(self, path: str, body: bytes, *, limit: int = MAX_ANSWER) -> Reply:
        """Return the answer to a body.

        Raises:
            Unavailable: the service cannot be reached, or stops in the middle.
            Error: it refuses; the kind by its status, the code as it says.
        """
        return self._send("POST", path, body, limit)

    def _send(self, method: str, path: str, body: bytes | None, limit: int) -> Reply:
        import httpx  # noqa: PLC0415  only who asks pays for it

        headers = {} if body is None else {"Content-Type": "application/json"}
        url, seen = f"{self.url}{path}", {"trace": self._seen}
        try:
            with (
                self._bounded(),
                self._http.stream(
                    method, url, headers=headers, content=body, extensions=seen
                ) as response,
            ):
                data = b"".join(read_bounded(response, limit, who="the service"))
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            self._require_open()
            raise self._silent(str(error) or type(error).__name__) from None
        self._require_open()  # a body without a length ends where its connection does
        if response.status_code != 200:
            raise refused(response.status_code, data)
        return Reply(data, response.headers.get("X-Receipt-Id", "")[:100])

    @contextmanager
    def _bounded(self) -> Iterator[None]:
        """Cut an exchange that takes too long."""
        self._require_open()
        if self._longest is None:
            yield
            return
        why = f"it took longer than {self._longest:g} s"
        timer = threading.Timer(self._longest, self.cut, [why])
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def _seen(self, event: str, about: Mapping[str, Any]) -> None:
        """Keep the socket; httpcore tells of it where it was connected, and where TLS took over."""
        if event in ("connection.connect_tcp.complete", "connection.start_tls.complete"):
            self._socket = about["return_value"].get_extra_info("socket")
            if self._ended:
                self.cut(self._ended)  # it was told to end before there was one

    def _require_open(self) -> None:
        if self._ended:
            raise self._silent(self._ended)

    def _silent(self, why: str) -> Unavailable:
        return Unavailable(
            f"the service at {self.url} does not answer: {why}",
            code="service_unreachable",
            got=self.url,
        )


def refused(status: int, body: bytes) -> Error:
    """Return the error that a service answered with."""
    kind = _KINDS.get(status, Malformed if status < 500 else Unavailable)
    said = _said(body)
    code = said.get("code", "")
    return kind(
        f"the service refuses: {said.get('message', f'HTTP {status}')}",
        code=code if re.fullmatch("[a-z][a-z0-9_]{0,63}", code) else "service_refused",
        expected=said.get("expected"),
        got=said.get("got"),
    )


def _said(body: bytes) -> dict[str, str]:
    try:
        value: Any = strictjson.loads(body, limit=64 << 10)
    except Malformed:
        return {}
    given = value.get("error") if isinstance(value, dict) else None
    found = given if isinstance(given, dict) else {}
    return {name: text[:500] for name, text in found.items() if isinstance(text, str)}
