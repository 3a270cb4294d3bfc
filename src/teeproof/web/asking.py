"""Who asks a service of ours: answers of a bounded size, and its refusals as the errors they are.

Trusts: nothing; what comes back is bytes.  Does not trust: service, network.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, TypedDict
from urllib.parse import urlsplit

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
from teeproof.core.hosts import is_this_machine

if TYPE_CHECKING:
    import httpx

__all__ = ["Asker", "Way", "connection", "read_bounded", "said", "way_to"]

_MAX_ANSWER = 8 << 20
_MAX_ERROR_BYTES = 64 << 10
_LONGEST = 2000  # characters of a text that a refusal may have
_CODE = re.compile(r"[a-z][a-z0-9_]{0,63}", re.ASCII)
_NAMES = ("error", "detail", "expected", "got")
# The inverse of what ``asgi.status_of`` writes.
_KINDS: dict[int, type[Error]] = {
    400: Malformed,
    401: NotAuthentic,
    403: NotAllowed,
    405: Usage,
    413: TooLarge,
}


class Asker:
    """Somebody who asks a service of ours.

    Args:
        url: the service's address.
        noun: what it is: ``market``; it stands in errors and their codes.
        timeout: seconds to wait for it at any one time.
    """

    def __init__(self, url: str, *, noun: str = "service", timeout: float = 60.0) -> None:
        self.url, self._noun = url.rstrip("/"), noun
        self._http = connection(self.url, timeout=timeout)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def get(self, path: str, *, limit: int = _MAX_ANSWER) -> bytes:
        """Return what is at a path; errors as ``post``."""
        return self._send("GET", path, None, limit)

    def post(self, path: str, body: bytes, *, limit: int = _MAX_ANSWER) -> bytes:
        """Return the answer to a body.

        Raises:
            Error: of the kind that the service names, with its code; without one,
                ``<noun>_refused``.
            Unavailable: code ``<noun>_unreachable``.
            TooLarge: it answers with more than ``limit`` bytes.
        """
        return self._send("POST", path, body, limit)

    def _send(self, method: str, path: str, body: bytes | None, limit: int) -> bytes:
        import httpx  # noqa: PLC0415  only who asks pays for it

        try:
            with self._http.stream(method, f"{self.url}/{path}", content=body) as answer:
                most = limit if answer.status_code == 200 else _MAX_ERROR_BYTES
                data = b"".join(read_bounded(answer, most, who=f"the {self._noun}"))
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise Unavailable(
                f"the {self._noun} at {self.url} does not answer: start it, or name another",
                code=f"{self._noun}_unreachable",
                got=(str(error) or type(error).__name__)[:200],
            ) from None
        if answer.status_code != 200:
            raise self._refused(answer.status_code, data)
        return data

    def _refused(self, status: int, body: bytes) -> Error:
        texts = said(body)
        return _KINDS.get(status, Unavailable)(
            texts.get("detail", f"the {self._noun} answers HTTP {status}"),
            code=texts.get("error", f"{self._noun}_refused"),
            expected=texts.get("expected"),
            got=texts.get("got"),
        )


def connection(url: str, *, timeout: float, headers: dict[str, str] | None = None) -> httpx.Client:
    """Return what keeps connections to a server: no redirects, and nothing is compressed.

    What a compressed answer grows to is not bounded by what arrives, and digests are over what
    crosses the wire.
    """
    import httpx  # noqa: PLC0415  as above

    return httpx.Client(
        headers={"Accept-Encoding": "identity", "User-Agent": "teeproof"} | (headers or {}),
        timeout=timeout,
        follow_redirects=False,
        **way_to(url),
    )


class Way(TypedDict):
    """What of a connection goes by the address alone; arguments of httpx's clients."""

    verify: bool
    trust_env: bool


def way_to(url: str) -> Way:
    """Return whether certificates are checked, and whether the environment may name a proxy."""
    return Way(
        # Reading the machine's root certificates takes 20 ms, and plain http asks for none.
        verify=not url.lower().startswith("http://"),
        # A proxy of the environment has no business with this machine's own ports.
        trust_env=not is_this_machine(_host(url)),
    )


def read_bounded(response: httpx.Response, limit: int, *, who: str) -> Iterator[bytes]:
    """Give an answer's parts as they come, byte for byte.

    Raises:
        TooLarge: there are more than ``limit`` bytes; the rest is not read.
    """
    size = 0
    for part in response.iter_raw():
        size += len(part)
        if size > limit:
            raise TooLarge(
                f"{who} answers with more than it should", expected=f"at most {limit} bytes"
            )
        yield part


def said(body: bytes, *, longest: int = _LONGEST) -> dict[str, str]:
    """Return the texts of the one error shape, cut to a length; nothing of any other answer."""
    try:
        value = strictjson.loads(body, limit=_MAX_ERROR_BYTES, what="refusal")
    except Malformed:
        return {}
    given: dict[str, Any] = value if isinstance(value, dict) else {}
    texts = {name: given[name][:longest] for name in _NAMES if isinstance(given.get(name), str)}
    if not _CODE.fullmatch(texts.get("error", "")):
        texts.pop("error", None)
    return texts


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""
