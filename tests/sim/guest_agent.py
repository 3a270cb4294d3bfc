"""A guest agent on a unix socket, as dstack runs one, and what it does when it is hostile.

It answers in every dialect that dstack ever spoke, so that an unmodified ``dstack-sdk`` works with
it. Where quotes come from is up to the test: a recorded one, one whose report data is written over
(which is what dstack's own simulator does), or the simulated platform.

A fault is a function that gets the handler and the good answer, and writes to the socket what a
hostile or broken agent would.
"""

from __future__ import annotations

import gzip
import json
import socketserver
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

Dialect = Literal["0.5", "0.5-early", "0.6", "tappd", "tappd-early"]
Fault = Callable[["Handler", bytes], None]

REPORT_DATA = slice(568, 632)  # of a version 4 quote
MRCONFIGID = slice(48 + 184, 48 + 232)


@dataclass(frozen=True, slots=True)
class Quoted:
    """What an agent has to say for one report data.

    Attributes:
        quote: the quote's bytes; none on another platform than TDX.
        event_log: JSON text.
        vm_config: JSON text, as the host gave it.
        compose: app-compose.json, as the host gave it.
        attestation: dstack's versioned attestation, where there is one.
    """

    quote: bytes
    event_log: str
    vm_config: str = ""
    compose: str = "{}"
    attestation: bytes = b""


Quoter = Callable[[bytes], Quoted]


def recorded(quoted: Quoted) -> Quoter:
    """Give the same answer whatever is asked, as a stale or replaying agent does."""
    return lambda _report_data: quoted


def patched(quoted: Quoted) -> Quoter:
    """Write the report data over a version 4 quote, which breaks its signature."""

    def quote(report_data: bytes) -> Quoted:
        raw = bytearray(quoted.quote)
        raw[REPORT_DATA] = report_data
        return replace(quoted, quote=bytes(raw))

    return quote


def from_response(answer: Mapping[str, Any], *, compose: str = "{}") -> Quoted:
    """Return what a recorded answer to GetQuote says."""
    return Quoted(
        quote=bytes.fromhex(answer["quote"]),
        event_log=answer["event_log"],
        vm_config=answer.get("vm_config", ""),
        compose=compose,
    )


class GuestAgent:
    """A guest agent that listens while the context lasts.

    Attributes:
        path: its socket.
        asked: the paths of the calls so far.
        fault: what it does instead of answering well; None for a good agent.
        faulty: the methods on which it does that.
    """

    def __init__(
        self,
        path: Path,
        quoter: Quoter,
        *,
        dialect: Dialect = "0.5",
        fault: Fault | None = None,
        faulty: tuple[str, ...] = ("GetQuote", "TdxQuote"),
    ) -> None:
        self.path = str(path)
        self.quoter = quoter
        self.dialect = dialect
        self.fault = fault
        self.faulty = faulty
        self.asked: list[str] = []
        self.over = threading.Event()
        self._server = _Server(self.path, Handler)
        self._server.agent = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self.over.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def answer(self, path: str, question: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
        """Return status and JSON of a good answer."""
        prefix = "/prpc/" if self.dialect.startswith("tappd") else "/"
        method = path.removeprefix(prefix)
        if not path.startswith(prefix) or "/" in method:
            return 404, {"error": {"code": 404, "reason": "Not Found"}}
        method = method.removeprefix("Tappd.") if prefix != "/" else method
        known = _METHODS[self.dialect].get(method)
        if known is None:
            return 400, {"error": f"Service not found: {method}"}
        try:
            return 200, known(self, question)
        except ValueError as error:
            return 400, {"error": str(error)}


class _Server(socketserver.ThreadingUnixStreamServer):
    agent: GuestAgent
    daemon_threads = False
    request_queue_size = 32

    def handle_error(self, _request: Any, _client: Any) -> None:
        """Let a client go that hangs up; anything else is a fault of this file."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(_request, _client)


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    server: _Server

    def do_POST(self) -> None:
        agent = self.server.agent
        agent.asked.append(self.path)
        body = self.rfile.read(int(self.headers["Content-Length"]))
        status, value = agent.answer(self.path, json.loads(body or b"{}"))
        good = json.dumps(value).encode()
        self.close_connection = True
        if agent.fault and self.path.rsplit("/")[-1].removeprefix("Tappd.") in agent.faulty:
            agent.fault(self, good)
        else:
            self.reply(good, status=status)

    def reply(self, body: bytes, *, status: int = 200, **headers: str) -> None:
        """Write a whole answer."""
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        for name, value in (
            {"content_length": str(len(body)), "connection": "close"} | headers
        ).items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.put(body)

    def put(self, data: bytes) -> bool:
        """Write bytes; False once the client has gone."""
        try:
            self.wfile.write(data)
        except OSError:
            return False
        return True

    def address_string(self) -> str:
        """Return a name for a client, which has no address on a unix socket."""
        return "client"

    def log_message(self, *_arguments: Any) -> None:
        """Stay quiet."""


def _report_data(question: Mapping[str, Any]) -> bytes:
    data = bytes.fromhex(question["report_data"])
    if len(data) > 64:
        raise ValueError("Report data is too long")
    return data.ljust(64, b"\0")


def _get_quote(agent: GuestAgent, question: Mapping[str, Any]) -> dict[str, Any]:
    report_data = _report_data(question)
    quoted = agent.quoter(report_data)
    answer = {
        "quote": quoted.quote.hex(),
        "event_log": quoted.event_log,
        "report_data": report_data.hex(),
        "vm_config": quoted.vm_config,
    }
    return answer | ({"attestation": quoted.attestation.hex()} if agent.dialect == "0.6" else {})


def _tdx_quote(agent: GuestAgent, question: Mapping[str, Any]) -> dict[str, Any]:
    if question.get("hash_algorithm") != "raw":
        raise ValueError("this agent hashes nothing")
    quoted = agent.quoter(_report_data(question))
    return {
        "quote": quoted.quote.hex(),
        "event_log": quoted.event_log,
        "hash_algorithm": "raw",
        "prefix": "",
    }


def _raw_quote(agent: GuestAgent, question: Mapping[str, Any]) -> dict[str, Any]:
    return _tdx_quote(agent, {**question, "hash_algorithm": "raw"})


def _attest(agent: GuestAgent, question: Mapping[str, Any]) -> dict[str, Any]:
    return {"attestation": agent.quoter(_report_data(question)).attestation.hex()}


def _info(agent: GuestAgent, _question: Mapping[str, Any]) -> dict[str, Any]:
    quoted = agent.quoter(bytes(64))
    zero = "00" * 32
    tcb_info = dict.fromkeys(("mrtd", "rtmr0", "rtmr1", "rtmr2", "rtmr3"), "00" * 48) | {
        "mr_aggregated": zero,
        "os_image_hash": zero,
        "compose_hash": zero,
        "device_id": zero,
        "event_log": json.loads(quoted.event_log or "[]"),
        "app_compose": quoted.compose,
    }
    return {
        "app_id": "00" * 20,
        "instance_id": "00" * 20,
        "app_cert": "",
        "tcb_info": json.dumps(tcb_info, indent=2),
        "app_name": "simulated",
        "device_id": zero,
        "mr_aggregated": zero,
        "os_image_hash": zero,
        "key_provider_info": "",
        "compose_hash": zero,
        "vm_config": quoted.vm_config,
        "cloud_vendor": "",
        "cloud_product": "",
    }


def _version(version: str) -> Callable[[GuestAgent, Mapping[str, Any]], dict[str, Any]]:
    return lambda _agent, _question: {"version": version, "rev": "0" * 20}


def _nothing(_agent: GuestAgent, _question: Mapping[str, Any]) -> dict[str, Any]:
    return {}


_EARLY = {"GetQuote": _get_quote, "Info": _info, "EmitEvent": _nothing}
_METHODS: dict[str, dict[str, Callable[[GuestAgent, Mapping[str, Any]], dict[str, Any]]]] = {
    "0.5-early": _EARLY,
    "0.5": _EARLY | {"Attest": _attest, "Version": _version("0.5.11")},
    "0.6": {
        "GetQuote": _get_quote,
        "Info": _info,
        "Attest": _attest,
        "Version": _version("0.6.0"),
    },
    "tappd": {"TdxQuote": _tdx_quote, "RawQuote": _raw_quote, "Info": _info},
    "tappd-early": {"TdxQuote": _tdx_quote},
}


def silence(handler: Handler, _good: bytes) -> None:
    """Take the question and say nothing until the test is over."""
    handler.server.agent.over.wait()


def dribble(handler: Handler, good: bytes) -> None:
    """Send one byte at a time, each soon enough for a timeout per read."""
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(good)))
    handler.end_headers()
    for byte in good:
        if handler.server.agent.over.wait(0.02) or not handler.put(bytes([byte])):
            return


def dribble_headers(handler: Handler, _good: bytes) -> None:
    """Send headers without end, one byte at a time."""
    handler.put(b"HTTP/1.1 200 OK\r\nX-Long: ")
    while not handler.server.agent.over.wait(0.02) and handler.put(b"a"):
        pass


def huge(handler: Handler, _good: bytes) -> None:
    """Send more than any answer has, with its true length."""
    handler.reply(b" " * (5 << 20))


def huge_claim(handler: Handler, good: bytes) -> None:
    """Claim an answer of a terabyte."""
    handler.reply(good, content_length=str(1 << 40))


def huge_chunk(handler: Handler, _good: bytes) -> None:
    """Claim a chunk of many terabytes."""
    handler.put(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7fffffffffff\r\n{")


def endless(handler: Handler, _good: bytes) -> None:
    """Send chunks as long as somebody reads."""
    handler.put(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while handler.put(b"10000\r\n" + b" " * 0x10000 + b"\r\n"):
        pass


def endless_continue(handler: Handler, _good: bytes) -> None:
    """Promise an answer for ever."""
    while handler.put(b"HTTP/1.1 100 Continue\r\n\r\n" * 1000):
        pass


def compressed(handler: Handler, good: bytes) -> None:
    """Send gzip that nobody asked for."""
    handler.reply(gzip.compress(good), content_encoding="gzip")


def truncated(handler: Handler, good: bytes) -> None:
    """Hang up in the middle of the body."""
    handler.reply(good[: len(good) // 2], content_length=str(len(good)))


def truncated_json(handler: Handler, good: bytes) -> None:
    """Send half a document as if it were whole."""
    handler.reply(good[: len(good) // 2])


def duplicate_key(handler: Handler, good: bytes) -> None:
    """Give the quote twice."""
    handler.reply(b'{"quote": "00", ' + good[1:])


def deep(handler: Handler, _good: bytes) -> None:
    """Send a million brackets."""
    handler.reply(b"[" * 1_000_000)


def no_object(handler: Handler, good: bytes) -> None:
    """Send a list."""
    handler.reply(b"[" + good + b"]")


def redirect(handler: Handler, good: bytes) -> None:
    """Point somewhere else."""
    handler.reply(good, status=307, location="/Elsewhere")


def no_http(handler: Handler, _good: bytes) -> None:
    """Speak another protocol."""
    handler.put(b"SSH-2.0-OpenSSH_9.2\r\n")


def negative_chunk(handler: Handler, good: bytes) -> None:
    """Say that a chunk has fewer bytes than none."""
    handler.put(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\n" + good)


def hang_up(_handler: Handler, _good: bytes) -> None:
    """Close without a word."""


def refuse(status: int, body: bytes) -> Fault:
    """Answer with an error."""
    return lambda handler, _good: handler.reply(body, status=status)


def change(**fields: Any) -> Fault:
    """Answer with some fields changed; None takes a field away."""

    def fault(handler: Handler, good: bytes) -> None:
        value = json.loads(good) | fields
        handler.reply(json.dumps({k: v for k, v in value.items() if v is not None}).encode())

    return fault
