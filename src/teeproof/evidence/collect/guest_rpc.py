"""Ask a guest agent one question over its socket, and read a bounded answer in bounded time.

A guest agent (dstack's, or one that speaks its protocol) listens on a unix socket inside the guest;
simulators may listen on an http(s) URL. A call is a POST with a JSON body. The answer's size, its
depth and the time it takes in all are bounded; nothing is decompressed, no redirect is followed and
no proxy is used.

Trusts: nothing; an answer is bytes until a quote proves it.  Does not trust: agent, host, network.
"""

from __future__ import annotations

import http.client
import io
import json
import os
import socket
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple
from urllib.parse import SplitResult, urlsplit

from teeproof.core import strictjson
from teeproof.core.errors import Malformed, Unavailable, Usage

__all__ = ["MAX_ANSWER_BYTES", "Answer", "ask", "readable", "unusable"]

MAX_ANSWER_BYTES = 4 << 20  # a quote, an event log and a compose file, in hex and JSON, fit twice
_MAX_HEADER_BYTES = 64 << 10
_MESSAGE_CHARACTERS = 300
_PAUSE = 0.01  # seconds between two tries to connect

_FAULTS: tuple[tuple[type[OSError], str, str], ...] = (
    (FileNotFoundError, "agent_no_socket", "there is no socket: mount it into the container"),
    (ConnectionRefusedError, "agent_refused", "nobody listens there: is the guest agent running?"),
    (PermissionError, "agent_forbidden", "this user may not open it: check its owner and mode"),
    (TimeoutError, "agent_timeout", "it did not answer in time: ask again, or allow more time"),
)


class Answer(NamedTuple):
    """What the agent said: an HTTP status and at most ``MAX_ANSWER_BYTES`` of body."""

    status: int
    body: bytes


def ask(
    endpoint: str,
    path: str,
    question: Mapping[str, object],
    *,
    timeout: float,
    clock: Callable[[], float],
) -> Answer:
    """Return the agent's answer to one POST, whatever its status.

    Args:
        endpoint: a unix socket's path, or an http(s) URL.
        path: the method's path, such as ``/GetQuote``.
        question: what to send, as JSON.
        timeout: seconds for the call in all, connecting included.
        clock: a clock that only goes forward, in seconds.

    Raises:
        Usage: the endpoint is no path and no http(s) URL.
        Unavailable: no socket, refused, too slow, too large, compressed, or not HTTP.
    """
    deadline = clock() + timeout

    def remaining() -> float:
        left = deadline - clock()
        if left <= 0:
            raise TimeoutError
        return left

    connection, prefix = _connection(endpoint, timeout)
    connection.response_class = _bounded_response(remaining)  # type: ignore[assignment]
    try:
        connection.request("POST", prefix + path, json.dumps(question).encode(), _HEADERS)
        with connection.getresponse() as response:
            return _read(response, endpoint, path)
    except _TooLongError:
        raise _too_large(endpoint, path) from None
    except OSError as error:
        raise _unreached(endpoint, path, error, timeout) from None
    # ValueError: a chunk of negative size, which the library does not expect.
    except (http.client.HTTPException, ValueError) as error:
        raise _unreadable(endpoint, path, "HTTP", f"{type(error).__name__}: {error}") from None
    finally:
        connection.close()


def readable(answer: Answer, endpoint: str, path: str) -> dict[str, Any]:
    """Return the JSON object of a good answer.

    Raises:
        Unavailable: another status than 200 (with the agent's message), or no JSON object.
    """
    if answer.status != http.HTTPStatus.OK:
        raise Unavailable(
            f"the guest agent at {endpoint} refused {path}: {_message(answer.body)}",
            code="agent_error",
            expected="HTTP 200",
            got=f"HTTP {answer.status}",
        )
    try:
        value = strictjson.loads(answer.body, limit=MAX_ANSWER_BYTES, what=f"answer to {path}")
    except Malformed as error:
        raise unusable(endpoint, path, error) from None
    if not isinstance(value, dict):
        raise _unreadable(endpoint, path, "a JSON object", f"a JSON {type(value).__name__}")
    return value


def unusable(endpoint: str, path: str, error: Malformed) -> Unavailable:
    """Return the error for an answer whose form is wrong, as ``error`` says."""
    got = f"{error.detail} ({error.got or error.code})"
    return _unreadable(endpoint, path, error.expected or "an answer as dstack gives it", got)


def _unreadable(endpoint: str, path: str, expected: str, got: str) -> Unavailable:
    return Unavailable(
        f"the guest agent at {endpoint} gave an answer to {path} that cannot be used: "
        "is this a dstack guest agent?",
        code="agent_answer_malformed",
        expected=expected,
        got=_printable(got),
    )


_SCHEMES = {
    "http": (http.client.HTTPConnection, 80),
    "https": (http.client.HTTPSConnection, 443),
}
_HEADERS = {"Content-Type": "application/json", "Accept": "application/json", "Connection": "close"}


class _UnixConnection(http.client.HTTPConnection):
    """HTTP over a unix socket."""

    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path, self._patience = path, timeout

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        until = time.monotonic() + self._patience
        while True:
            try:
                return self.sock.connect(self._path)
            except BlockingIOError:  # too many wait already, of which the kernel tells at once
                if time.monotonic() >= until:
                    raise TimeoutError from None
                time.sleep(_PAUSE)


class _Stream(io.RawIOBase):
    """A socket's bytes, with one deadline for all of them and a limit on their number."""

    def __init__(self, sock: socket.socket, remaining: Callable[[], float]) -> None:
        self._sock, self._remaining = sock, remaining
        self._raw = sock.makefile("rb", buffering=0)
        self._left = MAX_ANSWER_BYTES + _MAX_HEADER_BYTES

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._sock.settimeout(self._remaining())
        count = self._raw.readinto(buffer) or 0
        self._left -= count
        if self._left < 0:
            raise _TooLongError
        return count

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Bounded:
    """What ``HTTPResponse`` needs of a socket: a file to read from."""

    def __init__(self, sock: socket.socket, remaining: Callable[[], float]) -> None:
        self._stream = _Stream(sock, remaining)

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(self._stream)


class _TooLongError(http.client.HTTPException):
    pass


def _bounded_response(remaining: Callable[[], float]) -> Callable[..., http.client.HTTPResponse]:
    def make(sock: socket.socket, **options: Any) -> http.client.HTTPResponse:
        return http.client.HTTPResponse(_Bounded(sock, remaining), **options)  # type: ignore[arg-type]

    return make


def _connection(endpoint: str, timeout: float) -> tuple[http.client.HTTPConnection, str]:
    if "://" not in endpoint:
        return _UnixConnection(endpoint, timeout), ""
    url = urlsplit(endpoint)
    if url.scheme not in _SCHEMES or not url.hostname or url.username or url.query or url.fragment:
        raise Usage(
            "this is no guest agent's address",  # not repeated: it may hold a password
            code="agent_address",
            expected="a socket's path, or http://host:port",
        )
    kind, default_port = _SCHEMES[url.scheme]
    port = _port(url, endpoint) or default_port
    return kind(url.hostname, port, timeout=timeout), url.path.rstrip("/")


def _port(url: SplitResult, endpoint: str) -> int | None:
    try:
        return url.port
    except ValueError:
        raise Usage(f"{endpoint} has no valid port", code="agent_address") from None


def _read(response: http.client.HTTPResponse, endpoint: str, path: str) -> Answer:
    encoding = response.headers.get("Content-Encoding", "identity")
    if encoding.lower() != "identity":
        raise _unreadable(endpoint, path, "an answer as it is", f"{encoding} encoding")
    if (response.length or 0) > MAX_ANSWER_BYTES:
        raise _too_large(endpoint, path)
    body = response.read(MAX_ANSWER_BYTES + 1)
    if len(body) > MAX_ANSWER_BYTES:
        raise _too_large(endpoint, path)
    if response.length:
        missing = f"{len(body)} bytes, then silence; {response.length} are missing"
        raise _unreadable(endpoint, path, "a whole answer", missing)
    return Answer(response.status, body)


def _unreached(endpoint: str, path: str, error: OSError, timeout: float) -> Unavailable:
    for kind, code, advice in _FAULTS:
        if isinstance(error, kind):
            return Unavailable(
                f"the guest agent at {endpoint} cannot be asked for {path}: {advice}",
                code=code,
                expected=f"an answer within {timeout:g} s",
                got=error.strerror or type(error).__name__,
            )
    reason = os.strerror(error.errno) if error.errno else str(error) or type(error).__name__
    return Unavailable(
        f"the guest agent at {endpoint} cannot be asked for {path}: {_printable(reason)}",
        code="agent_unreachable",
        got=_printable(reason),
    )


def _too_large(endpoint: str, path: str) -> Unavailable:
    return Unavailable(
        f"the guest agent at {endpoint} sent too much for {path}: is this a dstack guest agent?",
        code="agent_answer_too_large",
        expected=f"at most {MAX_ANSWER_BYTES} bytes",
        got="more",
    )


def _message(body: bytes) -> str:
    """Return what the agent said of its refusal: dstack sends ``{"error": …}``, or other bytes."""
    try:
        value = strictjson.loads(body, limit=MAX_ANSWER_BYTES)
        text = value["error"] if isinstance(value, dict) and "error" in value else value
    except Malformed:
        text = body[:_MESSAGE_CHARACTERS].decode(errors="replace")
    return _printable(str(text)) or "it gave no reason"


def _printable(text: str) -> str:
    # An agent's words end up in a terminal; control characters would command it.
    clean = "".join(c if c.isprintable() else " " for c in text[:_MESSAGE_CHARACTERS])
    return " ".join(clean.split())
