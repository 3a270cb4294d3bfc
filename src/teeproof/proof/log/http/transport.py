"""Ask a server over HTTP: bounded answers, no redirects, and again only where that does no harm.

Trusts: nothing; what comes back is bytes.  Does not trust: server, network, proxies.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from teeproof.core.errors import Error, Malformed, NotAllowed, TooLarge, Unavailable, Usage
from teeproof.core.hosts import is_this_machine
from teeproof.web.asking import connection, read_bounded, said

if TYPE_CHECKING:
    import httpx

__all__ = ["Transport"]

_ATTEMPTS = 5
_LONGEST = 10  # times the timeout: a server may not answer byte by byte for ever
_FIRST_PAUSE = 0.2  # seconds; each further pause is twice as long, and up to half as long again
_AGAIN = frozenset({429, 502, 503, 504})
_MAX_ERROR_BYTES = 16 << 10
_LONGEST_TEXT = 500  # characters of what a refusal says
_KINDS: dict[int, type[Error]] = {
    401: NotAllowed,
    403: NotAllowed,
    404: Unavailable,
    409: Unavailable,
    413: TooLarge,
}


class Transport:
    """One server.

    Args:
        url: its address; paths are put behind it.
        token: sent with what needs it, and with nothing else.
        timeout: seconds to wait for the server at any one time; an answer may take ten times that.
        clock: a clock that only goes forward, in seconds.
        sleep: waits that many seconds.
        attempts: how often to ask in all, where asking again does no harm.

    Raises:
        Usage: the address is not http(s), or a token would cross a network in the clear.
    """

    def __init__(
        self,
        url: str,
        *,
        token: str | None = None,
        timeout: float = 30.0,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
        attempts: int = _ATTEMPTS,
    ) -> None:
        self.url = _checked(url, token).rstrip("/")
        self._token = token
        self._clock, self._sleep, self._attempts = clock, sleep, attempts
        self._longest = _LONGEST * timeout
        self._http = connection(self.url, timeout=timeout)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def get(self, path: str, *, limit: int, private: bool = False) -> bytes:
        """Return what lies at a path, at most ``limit`` bytes; errors as ``send``."""
        return self.send("GET", path, limit=limit, private=private)

    def send(
        self,
        method: str,
        path: str,
        *,
        limit: int,
        body: bytes | None = None,
        media_type: str | None = None,
        private: bool = True,
    ) -> bytes:
        """Ask, again after a pause where the server could not be reached or was busy.

        Every request of ours may be repeated: the same record gets the same index, the same blob
        the same place.

        Args:
            method: GET, POST or PUT.
            path: what follows the address.
            limit: the most bytes of an answer that are read.
            body: what to send.
            media_type: what it is.
            private: whether to send the token.

        Raises:
            Unavailable: not reached, redirected, or refused with 404 or a server's error; code
                ``log_unreachable``, or the one that the server gives.
            NotAllowed, TooLarge, Malformed: the server says so, by its status.
        """
        headers = {} if media_type is None else {"Content-Type": media_type}
        if private and self._token is not None:
            headers["Authorization"] = f"Bearer {self._token}"
        for attempt in range(self._attempts):
            try:
                return self._once(method, f"{self.url}/{path}", headers, body, limit)
            except _Passing as error:
                last = error
            if attempt + 1 < self._attempts:
                self._sleep(_FIRST_PAUSE * 2**attempt * (1 + random.random() / 2))  # noqa: S311
        raise last.error

    def _once(
        self, method: str, url: str, headers: dict[str, str], body: bytes | None, limit: int
    ) -> bytes:
        import httpx  # noqa: PLC0415  only who asks pays for it

        end = self._clock() + self._longest
        try:
            with self._http.stream(method, url, headers=headers, content=body) as response:
                most = limit if response.status_code == 200 else _MAX_ERROR_BYTES
                data = _read(response, url, most, in_time=lambda: self._clock() <= end)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise _Passing(_unreachable(url, str(error) or type(error).__name__)) from None
        if response.status_code == 200:
            return data
        refused = _refused(response, url, data)
        raise _Passing(refused) if response.status_code in _AGAIN else refused


class _Passing(Exception):
    """A failure that may be gone in a moment."""

    def __init__(self, error: Error) -> None:
        super().__init__(error.detail)
        self.error = error


def _read(response: httpx.Response, url: str, limit: int, *, in_time: Callable[[], bool]) -> bytes:
    if response.headers.get("Content-Encoding", "identity") != "identity":
        raise _unreachable(url, "a compressed answer, which nobody asked for")
    data = bytearray()
    for chunk in read_bounded(response, limit, who=url):
        data += chunk
        if not in_time():
            raise _Passing(_unreachable(url, "its answer takes too long"))
    return bytes(data)


def _refused(response: httpx.Response, url: str, body: bytes) -> Error:
    status = response.status_code
    if response.is_redirect:
        elsewhere = response.headers.get("Location", "")[:200]
        return _unreachable(url, f"HTTP {status}, a redirect to {elsewhere!r}: name that instead")
    texts = said(body, longest=_LONGEST_TEXT)
    kind = _KINDS.get(status, Malformed if status < 500 else Unavailable)
    return kind(
        f"{url} refuses: {texts.get('detail', f'HTTP {status}')}",
        # A static server has no name for what it does not have.
        code=texts.get("error", "tile_missing" if status == 404 else "log_refused"),
        expected=texts.get("expected"),
        got=texts.get("got"),
    )


def _unreachable(url: str, why: str) -> Unavailable:
    return Unavailable(
        f"{url} cannot be reached: {why[:300]}", code="log_unreachable", expected="HTTP 200"
    )


def _checked(url: str, token: str | None) -> str:
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        parts.port  # noqa: B018  raises where it is no number
    except ValueError:
        parts, host = urlsplit(""), ""
    if parts.scheme not in ("http", "https") or not host or parts.query or parts.fragment:
        raise Usage(
            "this is not the address of a server",
            code="url_malformed",
            expected="https://HOST[:PORT][/PATH]",
            got=url[:200],
        )
    if token is not None and parts.scheme == "http" and not is_this_machine(host):
        raise Usage(
            f"the token would cross the network to {host} for all to read: use https",
            code="token_in_the_clear",
            expected="https://…",
            got=url[:200],
        )
    return url
