"""Collect evidence from dstack's guest agent: a TDX quote for the report data that we choose.

Three dialects are spoken, found out by asking:

    0.5     POST /GetQuote -> quote, event_log, report_data, vm_config; /Version from 0.5.7 on
    0.6     the same, and ``attestation`` for platforms other than TDX; no EmitEvent
    tappd   POST /prpc/Tappd.TdxQuote with ``raw`` -> quote, event_log; images before 0.4.2

The agent runs inside the guest, yet its answer is believed only as far as the quote proves it: the
quote must parse and carry the report data that was asked for. What else it says (``report_data``,
``mrtd``, ``compose_hash`` beside the quote) is a copy that nobody signed, and is not read.

Source: dstack's ``agent_rpc.proto`` and its Python SDK 0.5.4.

Trusts: nothing; it carries what a verifier checks.  Does not trust: agent, host, network.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Mapping
from typing import Any, Literal

from teeproof.core.digests import sha256
from teeproof.core.errors import Error, Malformed, NotAuthentic, Unavailable, Usage
from teeproof.evidence.collect import dstack_answer, guest_rpc
from teeproof.evidence.record import Evidence

__all__ = [
    "DSTACK_SOCKETS",
    "TAPPD_SOCKETS",
    "Dialect",
    "DstackAttester",
    "default_endpoint",
    "endpoint_of",
]

Dialect = Literal["0.5", "0.6", "tappd"]

# In the order in which the Python SDK 0.5.4 looks for them.
DSTACK_SOCKETS = (
    "/var/run/dstack.sock",
    "/run/dstack.sock",
    "/var/run/dstack/dstack.sock",
    "/run/dstack/dstack.sock",
)
TAPPD_SOCKETS = tuple(path.replace("dstack.sock", "tappd.sock") for path in DSTACK_SOCKETS)
_PLACES = {
    "dstack": ("DSTACK_SIMULATOR_ENDPOINT", DSTACK_SOCKETS),
    "tappd": ("TAPPD_SIMULATOR_ENDPOINT", TAPPD_SOCKETS),
}

_REPORT_DATA_BYTES = 64
_OK, _NOT_FOUND = 200, 404

_log = logging.getLogger(__name__)


def default_endpoint(
    environment: Mapping[str, str], *, exists: Callable[[str], bool] = os.path.exists
) -> str | None:
    """Return where a guest agent should listen on this machine, or None where there is none.

    ``DSTACK_SIMULATOR_ENDPOINT`` wins, then ``TAPPD_SIMULATOR_ENDPOINT``, then the first of the
    default sockets that exists, dstack's before tappd's.
    """
    named = (environment.get(variable) for variable, _ in _PLACES.values())
    found = (path for path in DSTACK_SOCKETS + TAPPD_SOCKETS if exists(path))
    return next(filter(None, named), None) or next(found, None)


def endpoint_of(
    agent: str, environment: Mapping[str, str], *, exists: Callable[[str], bool] = os.path.exists
) -> str | None:
    """Return where one of the agents, ``dstack`` or ``tappd``, should listen, or None.

    Its own variable wins over its default sockets.
    """
    variable, sockets = _PLACES[agent]
    return environment.get(variable) or next((path for path in sockets if exists(path)), None)


class DstackAttester:
    """The guest agent of a dstack machine, as something that makes evidence.

    Attributes:
        endpoint: where the agent listens.
        dialect: what it speaks, or None before it was first asked.
        version: the version that it says it has, or None if it does not say.
    """

    dialect: Dialect | None = None
    version: str | None = None

    def __init__(
        self,
        endpoint: str,
        *,
        timeout: float = 10.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Remember whom to ask; nothing is opened yet.

        Args:
            endpoint: a unix socket's path, or an http(s) URL of a simulator.
            timeout: seconds for each call to the agent, connecting included.
            clock: a clock that only goes forward, in seconds.
        """
        self.endpoint = endpoint
        self._timeout = timeout
        self._clock = clock

    @property
    def name(self) -> str:
        """What to call it in messages."""
        return f"dstack guest agent at {self.endpoint}"

    def attest(self, report_data: bytes) -> Evidence:
        """Return fresh evidence whose quote carries ``report_data``.

        The compose file comes along if it is the one that the event log measures, and the
        MrConfigV3 document if the quote commits to one; what is left out is logged.

        Args:
            report_data: exactly 64 bytes. Shorter data would be padded, and the SDK's tappd client
                pads on the other side than dstack does, so nothing is padded here.

        Raises:
            Usage: ``report_data`` has another length.
            NotAuthentic: the agent gave a quote for other report data.
            Unavailable: the agent could not be asked, refused, or gave an unusable answer.
        """
        if len(report_data) != _REPORT_DATA_BYTES:
            raise _wrong_length(report_data)
        path, answer = self._quote_answer(report_data)
        try:
            quote = dstack_answer.quote(answer)
            event_log, events = dstack_answer.event_log(answer)
            mr_config = dstack_answer.mr_config(answer, quote.body.mrconfigid)
        except Malformed as error:
            raise guest_rpc.unusable(self.endpoint, path, error) from None
        if quote.body.report_data != report_data:
            raise _other_report_data(self.endpoint, report_data, quote.body.report_data)
        return Evidence(
            quote=quote.raw,
            event_log=event_log,
            compose=self._compose(events),
            mr_config=mr_config,
            name=self.name,
        )

    def identify(self) -> Dialect:
        """Return the agent's dialect; the agent is asked the first time.

        Raises:
            Unavailable: the agent could not be asked.
        """
        if self.dialect is None:
            self.dialect = self._find_dialect()
        return self.dialect

    def _find_dialect(self) -> Dialect:
        answer = self._ask("/Version", {})
        if answer.status == _OK:
            said = guest_rpc.readable(answer, self.endpoint, "/Version").get("version")
            self.version = said if isinstance(said, str) else None
            return "0.6" if dstack_answer.release(self.version or "") >= (0, 6) else "0.5"
        # Before 0.5.7 there is no Version, and dstack says 400; tappd serves nothing at / and says
        # 404, but knows Info, or (0.3.1) says 400 to it.
        if answer.status == _NOT_FOUND and self._ask("/prpc/Tappd.Info", {}).status != _NOT_FOUND:
            return "tappd"
        return "0.5"

    def _quote_answer(self, report_data: bytes) -> tuple[str, dict[str, Any]]:
        if self.identify() == "tappd":
            # Every tappd has TdxQuote, only later ones RawQuote; "raw" means unhashed.
            path = "/prpc/Tappd.TdxQuote"
            return path, self._call(
                path, {"report_data": report_data.hex(), "hash_algorithm": "raw"}
            )
        path = "/GetQuote"
        answer = self._call(path, {"report_data": report_data.hex()})
        if "attestation" in answer:
            self.dialect = "0.6"
        if answer.get("attestation") and not answer.get("quote"):
            raise _other_platform(self.endpoint)
        return path, answer

    def _compose(self, events: list[Any]) -> bytes | None:
        measured = dstack_answer.measured_compose(events)
        if measured is None:
            return None
        try:
            compose = dstack_answer.compose(self._call(self._info_path(), {}))
        except Error as error:
            _log.warning("event=compose_left_out reason=%s", error.code)
            return None
        if sha256(compose) != measured:
            _log.warning("event=compose_left_out reason=not_the_measured_one")
            return None
        return compose

    def _info_path(self) -> str:
        return "/prpc/Tappd.Info" if self.dialect == "tappd" else "/Info"

    def _call(self, path: str, question: Mapping[str, object]) -> dict[str, Any]:
        return guest_rpc.readable(self._ask(path, question), self.endpoint, path)

    def _ask(self, path: str, question: Mapping[str, object]) -> guest_rpc.Answer:
        timeout, clock = self._timeout, self._clock
        return guest_rpc.ask(self.endpoint, path, question, timeout=timeout, clock=clock)


def _wrong_length(report_data: bytes) -> Usage:
    return Usage(
        "report_data is not 64 bytes long: hash what you want to bind",
        code="report_data_size",
        expected=f"{_REPORT_DATA_BYTES} bytes",
        got=f"{len(report_data)} bytes",
    )


def _other_report_data(endpoint: str, asked: bytes, got: bytes) -> NotAuthentic:
    return NotAuthentic(
        f"the guest agent at {endpoint} gave a quote for other report data, stale or somebody "
        "else's: ask again; a simulator that replays one recorded quote cannot attest",
        code="agent_report_data",
        expected=asked.hex(),
        got=got.hex(),
    )


def _other_platform(endpoint: str) -> Unavailable:
    return Unavailable(
        f"the guest agent at {endpoint} runs on a platform other than TDX: this attester reads "
        "TDX quotes only",
        code="agent_not_tdx",
        expected="a TDX quote",
        got="an attestation of another platform",
    )
