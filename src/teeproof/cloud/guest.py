"""The guest agent of one simulated machine: dstack's API on a unix socket.

    GetQuote   report_data (hex, at most 64 bytes)   a quote, the event log
    GetKey     path, purpose, algorithm              a secret of this code, who vouches for it
    Info       -                                     what was measured, compose file and all
    Version    -                                     0.6.0: no EmitEvent

The unmodified ``dstack-sdk`` works with it. In dstack the agent is part of the guest's image; here
the launcher runs it, which is the simulation: whoever runs the launcher holds the machine's keys.

Source: dstack's ``agent_rpc.proto``.

Trusts: the simulated machine.  Does not trust: the workload that asks.
"""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Callable, Mapping
from datetime import datetime
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any, Self

from teeproof.cloud.attester import COLLATERAL_PATH
from teeproof.core import strictjson
from teeproof.core.clock import wall_clock
from teeproof.core.digests import sha256
from teeproof.core.errors import Error, Malformed, TooLarge
from teeproof.evidence.collect.simulated import Machine
from teeproof.evidence.endorsements import Collateral
from teeproof.evidence.eventlog import derived
from teeproof.evidence.tdx import quote as tdx_quote

__all__ = ["GuestAgent"]

_MAX_QUESTION = 64 << 10
_MAX_CALLS = 16  # at once; who comes next waits
_BACKLOG = 1024  # of those who wait; the kernel takes its own bound if that is less
_TIMEOUT = 30.0  # seconds in which a question must be there
_MAX_PATH = 256  # of a key
_REPORT_DATA = 64


class GuestAgent:
    """A guest agent that listens until it is closed.

    Args:
        machine: whose agent it is.
        path: of the socket.
        now: the clock.
        collateral: what the vendor publishes about the machine at a time.
    """

    def __init__(
        self,
        machine: Machine,
        path: Path,
        *,
        collateral: Callable[[datetime], Collateral],
        now: Callable[[], datetime] = wall_clock,
    ) -> None:
        self.machine, self._collateral, self._now = machine, collateral, now
        self._turns = threading.BoundedSemaphore(_MAX_CALLS)
        self._listening = socket.socket(socket.AF_UNIX)
        self._listening.bind(str(path))
        path.chmod(0o666)  # its folder is private; who has it mounted may ask
        self._listening.listen(_BACKLOG)
        threading.Thread(target=self._accept, name=f"guest agent {path}", daemon=True).start()

    def __enter__(self) -> Self:
        """Return the agent."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()

    def close(self) -> None:
        """Take no more calls."""
        with contextlib.suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)  # wakes the thread that accepts
        self._listening.close()

    def answer(self, path: str, question: Mapping[str, Any]) -> dict[str, Any]:
        """Return the answer to one call.

        Raises:
            Malformed: there is no such method here, or the question is not one of it.
        """
        method = _METHODS.get(path)
        if method is None:
            raise Malformed(f"Service not found: {path[:60]}", code="method_unknown")
        return method(self, question)

    @property
    def now(self) -> datetime:
        """The time by the machine's clock."""
        return self._now()

    @property
    def collateral(self) -> Collateral:
        """What the vendor publishes about the machine now."""
        return self._collateral(self._now())

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            self._turns.acquire()
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            with connection:
                connection.settimeout(_TIMEOUT)
                _Call(connection, "workload", self)  # type: ignore[arg-type]
        except OSError:
            pass  # it hung up
        finally:
            self._turns.release()


class _Call(BaseHTTPRequestHandler):
    """One connection with one call."""

    server: GuestAgent  # type: ignore[assignment]

    def do_POST(self) -> None:
        """Answer a call: 200 with the answer, 400 with what is wrong."""
        try:
            status, answer = HTTPStatus.OK, self.server.answer(self.path, self._question())
        except Error as error:
            status, answer = HTTPStatus.BAD_REQUEST, {"error": error.detail}
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments: Any) -> None:
        """Say nothing: what a workload asks for is its own affair."""

    def _question(self) -> dict[str, Any]:
        digits = self.headers.get("Content-Length", "0")
        if not (digits.isascii() and digits.isdecimal()) or int(digits[:12]) > _MAX_QUESTION:
            raise TooLarge("the question is too large", expected=f"at most {_MAX_QUESTION} bytes")
        raw = self.rfile.read(int(digits)) or b"{}"
        value = strictjson.loads(raw, limit=_MAX_QUESTION, what="question")
        if not isinstance(value, dict):
            raise Malformed("the question is no JSON object")
        return value


def _get_quote(agent: GuestAgent, question: Mapping[str, Any]) -> dict[str, Any]:
    report_data = _hex(question, "report_data", _REPORT_DATA).ljust(_REPORT_DATA, b"\0")
    evidence = agent.machine.evidence(report_data, now=agent.now, collateral=agent.collateral)
    return {
        "quote": evidence.quote.hex(),
        "event_log": (evidence.event_log or b"").decode(),
        "report_data": report_data.hex(),
        "vm_config": "{}",
        "attestation": "",
    }


def _get_key(agent: GuestAgent, question: Mapping[str, Any]) -> dict[str, Any]:
    path, purpose = _text(question, "path"), _text(question, "purpose")
    algorithm = _text(question, "algorithm") or "secp256k1"
    secret = agent.machine.derive(path)
    public_key = _public_key(algorithm, secret)
    chain = agent.machine.vouch(public_key, purpose=purpose)
    return {"key": secret.hex(), "signature_chain": [one.hex() for one in chain]}


def _info(agent: GuestAgent, _question: Mapping[str, Any]) -> dict[str, Any]:
    machine, guest = agent.machine, agent.machine.guest
    body = tdx_quote.parse(machine.quote(bytes(_REPORT_DATA))).body
    digests = {
        "mr_aggregated": derived.mr_aggregated(body).hex(),
        "os_image_hash": guest.os_image_hash.hex(),
        "compose_hash": guest.compose_hash.hex(),
        "device_id": sha256(machine.processor.ppid).hex(),
    }
    tcb_info = {
        "mrtd": body.mrtd.hex(),
        **{f"rtmr{n}": value.hex() for n, value in enumerate(body.rtmrs)},
        **digests,
        "event_log": [event.to_json() for event in machine.events],
        "app_compose": guest.compose.decode(),
    }
    return {
        "app_id": guest.app_id.hex(),
        "instance_id": guest.instance_id.hex(),
        "app_cert": "",
        "tcb_info": json.dumps(tcb_info),
        "app_name": str(strictjson.loads(guest.compose, limit=len(guest.compose)).get("name", "")),
        **digests,
        "key_provider_info": guest.key_provider_info.decode(),
        "vm_config": "{}",
        "cloud_vendor": "teeproof",
        "cloud_product": "simulated",
    }


def _version(_agent: GuestAgent, _question: Mapping[str, Any]) -> dict[str, Any]:
    return {"version": "0.6.0", "rev": "teeproof-simulated"}


def _collateral(agent: GuestAgent, _question: Mapping[str, Any]) -> dict[str, Any]:
    return {"collateral": strictjson.dumps(agent.collateral.to_json())}


_METHODS: dict[str, Callable[[GuestAgent, Mapping[str, Any]], dict[str, Any]]] = {
    "/GetQuote": _get_quote,
    "/GetKey": _get_key,
    "/Info": _info,
    "/Version": _version,
    COLLATERAL_PATH: _collateral,
}


def _public_key(algorithm: str, secret: bytes) -> bytes:
    from teeproof.proof import signing  # noqa: PLC0415  needs libsodium or libsecp256k1

    if algorithm not in ("secp256k1", "k256", "ed25519"):
        raise Malformed(f"Unsupported algorithm: {algorithm[:40]}", code="algorithm_unknown")
    return signing.public_key("ed25519" if algorithm == "ed25519" else "secp256k1", secret)


def _text(question: Mapping[str, Any], name: str) -> str:
    value = question.get(name, "")
    if not isinstance(value, str) or len(value) > _MAX_PATH:
        raise Malformed(f"{name} is text of at most {_MAX_PATH} characters")
    return value


def _hex(question: Mapping[str, Any], name: str, limit: int) -> bytes:
    value = question.get(name)
    if not isinstance(value, str) or len(value) > 2 * limit:
        raise Malformed(f"{name} is hex of at most {limit} bytes")
    try:
        return bytes.fromhex(value)
    except ValueError:
        raise Malformed(f"{name} is no hex") from None
