"""One bounded request to a configured server: retried where that may help, and never led elsewhere.

A redirect is an error, whatever it names. Nothing is decompressed, so a short answer is short. An
answer is read up to its bound and no further, and all of it must be there in a bounded time.

What is asked is in messages by its words alone: the address of an AMD certificate has the chip's id
in it, so addresses are neither in errors nor in logs.

Sources: RFC 9110, 10.2.3 (Retry-After) and 15.

Trusts: nothing that it is told.  Does not trust: network, servers.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING
from urllib.parse import urlencode, urlsplit

from teeproof.core.errors import TooLarge, Unavailable
from teeproof.core.version import VERSION
from teeproof.evidence.fetch.services import NAMES, Services
from teeproof.evidence.fetch.watch import ending

if TYPE_CHECKING:
    import ssl

    import httpx

__all__ = ["MAX_WAIT", "NotServed", "Reply", "Web"]

ATTEMPTS = 4
MAX_WAIT = 60  # seconds that a server may ask us to wait; then the user decides
FIRST_WAIT = 1
TIMEOUT = 30.0  # seconds for one step of a request
WHOLE = 120.0  # seconds for one request with its answer
_AGAIN = (429, 500, 502, 503, 504)
_GONE = (404, 410)
_asking: ContextVar[bool] = ContextVar("asking", default=False)


class NotServed(Unavailable):
    """The server was reached, and has not what was asked for."""

    default_code = "endorsements_not_served"


class _Again(Exception):
    """A try failed in a way that another may not."""

    def __init__(self, got: str, wait: float | None = None) -> None:
        super().__init__(got)
        self.got, self.wait = got, wait


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer.

    Attributes:
        content: its bytes.
        headers: by name in lower case.
    """

    content: bytes
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Question:
    service: str
    path: str
    what: str
    limit: int
    content: bytes | None = None
    form: str | None = None


class Web:
    """The way to the configured servers.

    Args:
        services: where they are; if they say so, nobody is asked.
        sleep: waits so many seconds.
        clock: seconds that only grow.
        told: called with one sentence before each wait.
        whole: seconds for one request with its answer.
    """

    def __init__(
        self,
        services: Services,
        *,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
        told: Callable[[str], None] = lambda _: None,
        whole: float = WHOLE,
    ) -> None:
        self.services, self._whole = services, whole
        self._sleep, self._clock, self._told = sleep, clock, told

    def get(
        self,
        service: str,
        path: str,
        query: Mapping[str, str] | None = None,
        *,
        what: str,
        limit: int,
    ) -> Reply:
        """Return what a server answers.

        Args:
            service: a name of ``services.NAMES``.
            path: below the service's address.
            query: names and values.
            what: what is asked for, in words; no secret.
            limit: the largest answer in bytes.

        Raises:
            Unavailable: code ``offline``, or ``fetch_failed``: not reached, or no usable answer.
            NotServed: it answered that it has no such thing.
            TooLarge: it sends more than ``limit``.
        """
        tail = f"?{urlencode(query)}" if query else ""
        return self._ask(_Question(service, path + tail, what, limit))

    def post(
        self, service: str, path: str, content: bytes, *, form: str, what: str, limit: int
    ) -> Reply:
        """Return what a server answers to some bytes of this media type; as ``get``."""
        return self._ask(_Question(service, path, what, limit, content, form))

    def _ask(self, question: _Question) -> Reply:
        host = urlsplit(self._base(question)).netloc
        if self.services.offline:
            raise Unavailable(
                f"{question.what} would have to be fetched from {host}, and teeproof is offline:"
                " fetch it where there is a network, and add the file with teeproof endorsements"
                " add",
                code="offline",
            )
        wait: float = FIRST_WAIT
        for left in reversed(range(ATTEMPTS)):
            try:
                return self._try(question, host)
            except _Again as failed:
                if not left or (failed.wait or 0) > MAX_WAIT:
                    raise _failed(question, host, failed) from None
                pause = failed.wait if failed.wait is not None else wait
                self._told(
                    f"{host}: {failed.got}; asking again in {pause:.0f} s for {question.what}"
                )
                self._sleep(pause)
                wait *= 2
        raise AssertionError("the last try returns or raises")

    def _try(self, question: _Question, host: str) -> Reply:
        import httpx  # noqa: PLC0415  only who fetches pays for it

        headers = {"Accept-Encoding": "identity", "User-Agent": f"teeproof/{VERSION}"}
        if question.form is not None:
            headers["Content-Type"] = question.form
        method = "GET" if question.content is None else "POST"
        url = self._base(question).rstrip("/") + question.path
        until = self._clock() + self._whole
        try:
            with (
                _silence(),
                ending(self._whole) as trace,
                httpx.Client(
                    headers=headers,
                    timeout=TIMEOUT,
                    follow_redirects=False,
                    verify=self._trusted(question.service),
                    # What is not encrypted stays on this machine: no proxy of the environment's.
                    trust_env=url.startswith("https:"),
                ) as client,
                client.stream(method, url, content=question.content, extensions=trace) as answer,
            ):
                _check(answer, host, question.what)
                return Reply(self._read(answer, question, until), dict(answer.headers))
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            # No text of the library's: it may hold the address.
            raise _Again(f"not reached ({type(error).__name__})") from None

    def _base(self, question: _Question) -> str:
        base: str = getattr(self.services, question.service.replace("-", "_"))
        return base

    def _read(self, answer: httpx.Response, question: _Question, until: float) -> bytes:
        data = bytearray()
        for chunk in answer.iter_raw():
            data += chunk
            if len(data) > question.limit:
                raise TooLarge(
                    f"{answer.url.host} sends more than there can be of {question.what}: ask"
                    " another server",
                    code="fetch_too_large",
                    expected=f"at most {question.limit} bytes",
                    got="more",
                )
            if self._clock() > until:
                raise _Again(f"not done after {self._whole:.0f} s")
        return bytes(data)

    def _trusted(self, service: str) -> ssl.SSLContext | bool:
        """Return whom a server's TLS certificate must come from."""
        path = self.services.ca_file
        if path is None or self.services.is_vendors_own(service):
            return True
        import ssl  # noqa: PLC0415  only who fetches pays for it

        try:
            return ssl.create_default_context(cafile=path)
        except (OSError, ValueError) as error:
            raise Unavailable(
                "the file of certificates for your servers cannot be read: name a PEM file",
                code="ca_file_unavailable",
                got=f"{path}: {getattr(error, 'strerror', None) or type(error).__name__}"[:200],
            ) from None


def _check(answer: httpx.Response, host: str, what: str) -> None:
    status = answer.status_code
    if status in _AGAIN:
        raise _Again(f"HTTP {status}", _retry_after(answer.headers))
    if status in _GONE:
        raise NotServed(
            f"{host} has no {what}: see that the evidence is what you think it is",
            got=f"HTTP {status}",
        )
    if answer.is_redirect:
        elsewhere = urlsplit(answer.headers.get("Location", "")).netloc or "another place"
        got = f"HTTP {status}, a redirect to {elsewhere[:100]!a}, which nobody configured"
        raise _refused(host, what, got)
    if status != 200:
        raise _refused(host, what, f"HTTP {status}")
    coding = answer.headers.get("Content-Encoding", "identity")
    if coding != "identity":
        raise _refused(host, what, f"{coding[:20]!a} encoding, which was not asked for")


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Return how long a server asks us to wait; None if it does not, or not in a known form."""
    text = headers.get("Retry-After", "").strip()
    if text.isascii() and text.isdecimal():
        return float(int(text[:9]))
    try:  # a date: how long it is from there to it, the server knows best
        until, now = (parsedate_to_datetime(t) for t in (text, headers.get("Date", "")))
        return max(0.0, (until - now).total_seconds())
    except (ValueError, TypeError, OverflowError):
        return None


def _failed(question: _Question, host: str, last: _Again) -> Unavailable:
    if (last.wait or 0) > MAX_WAIT:
        got = f"{last.got}, and to come back in {last.wait:.0f} s"
        todo = "try again then"
    else:
        got, todo = f"{last.got}, {ATTEMPTS} times", "check the network, or try again later"
    return Unavailable(
        f"{NAMES[question.service]} ({host}) did not give {question.what}: {todo}",
        code="fetch_failed",
        expected=question.what,
        got=got,
    )


def _refused(host: str, what: str, got: str) -> Unavailable:
    return Unavailable(
        f"{host} did not give {what}: see that this is the service that you mean",
        code="fetch_failed",
        expected=what,
        got=got,
    )


@contextmanager
def _silence() -> Iterator[None]:
    """Keep the library from writing addresses into logs."""
    logger = logging.getLogger("httpx")
    if _drop not in logger.filters:
        logger.addFilter(_drop)
    token = _asking.set(True)
    try:
        yield
    finally:
        _asking.reset(token)


def _drop(_: logging.LogRecord) -> bool:
    return not _asking.get()
