"""Fuzz targets for what a guest agent answers, and for the wrappings of public samples."""

from __future__ import annotations

import atexit
import json
import shutil
import socket
import tempfile
import threading
import time
from contextlib import suppress
from functools import cache
from pathlib import Path

from teeproof.core import strictjson
from teeproof.core.errors import Error, Malformed
from teeproof.evidence.collect import dstack_answer, guest_rpc
from teeproof.evidence.collect.simulated import SimulatedPlatform, SnpMachine
from teeproof.evidence.collect.tsm import TsmAttester
from teeproof.evidence.endorsements import Collateral
from teeproof.evidence.naming import report_data_of
from teeproof.evidence.samples import formats
from tests.evidence.collect.test_dstack import NONCE, on_platform
from tests.evidence.test_samples import _vendor_files
from tests.sim.tsm import table

_QUOTED = on_platform()(NONCE)
_ANSWER = json.dumps(
    {
        "quote": _QUOTED.quote.hex(),
        "event_log": _QUOTED.event_log,
        "vm_config": json.dumps({"vm_config": json.dumps({"mr_config": "a document"})}),
        "tcb_info": json.dumps({"app_compose": _QUOTED.compose}),
    }
).encode()
_V3 = bytes([3]) + bytes(47)


def fuzz_guest_answer(data: bytes) -> None:
    """Every part of an answer is taken or refused as malformed, each on its own."""
    with suppress(Malformed):
        answer = strictjson.loads(data, limit=guest_rpc.MAX_ANSWER_BYTES)
        if not isinstance(answer, dict):
            return
        with suppress(Malformed):
            assert len(dstack_answer.quote(answer).body.report_data) == 64
        with suppress(Malformed):
            log, events = dstack_answer.event_log(answer)
            assert (log is None) <= (events == [])
            assert isinstance(dstack_answer.measured_compose(events), bytes | None)
        with suppress(Malformed):
            assert isinstance(dstack_answer.compose(answer), bytes)
        with suppress(Malformed):
            assert isinstance(dstack_answer.mr_config(answer, _V3), bytes | None)
        with suppress(Malformed):
            assert dstack_answer.mr_config(answer, bytes(48)) is None


def fuzz_guest_http(data: bytes) -> None:
    """Whatever bytes come back on the socket, a call ends with an answer or one of our errors."""
    line = _line()
    line.data = data
    with suppress(Error):
        answer = guest_rpc.ask(line.path, "/Info", {}, timeout=10, clock=time.monotonic)
        assert len(answer.body) <= guest_rpc.MAX_ANSWER_BYTES
        guest_rpc.readable(answer, line.path, "/Info")


def fuzz_tsm_answer(data: bytes) -> None:
    """What a kernel gives is refused, or carries what was asked for; the first byte says whose."""
    provider = "sev_guest" if data[:1] == b"s" else "tdx_guest"
    size = _REPORT_BYTES if provider == "sev_guest" else len(data)
    outblob, auxblob = data[1 : 1 + size], data[1 + size :]
    with suppress(Error):
        found = TsmAttester().evidence(provider, outblob, auxblob, NONCE)
        assert report_data_of(found) == NONCE
        assert found.quote == outblob[: len(found.quote)]


def fuzz_sample_from_vendor_files(data: bytes) -> None:
    """What is cut out of the vendor's answer is part of it, byte for byte."""
    with suppress(Malformed):
        files = formats.from_vendor_files(_VENDOR | {"tcb_info": data})
        assert Collateral.parse(files["collateral.json"]).tcb_info in data


class _Line:
    """A socket that answers every question with the bytes of the moment."""

    def __init__(self, folder: Path) -> None:
        self.data = b""
        self.path = str(folder / "line.sock")
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(self.path)
        self._listener.listen()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            connection, _ = self._listener.accept()
            with connection, suppress(OSError):
                connection.recv(1 << 16)
                connection.sendall(self.data)


@cache
def _line() -> _Line:
    folder = Path(tempfile.mkdtemp(prefix="teeproof-fuzz-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return _Line(folder)


_VENDOR = _vendor_files()
_REPORT_BYTES = 1184


def _tsm_answers() -> list[bytes]:
    snp = SnpMachine(SimulatedPlatform(bytes(range(32))).snp)
    report = b"s" + snp.report(NONCE)
    return [b"t" + _QUOTED.quote, report, report + table(snp.key.chain)]


_OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
SEEDS = {
    "fuzz_guest_answer": lambda: [_ANSWER, b'{"quote":"","event_log":""}'],
    "fuzz_guest_http": lambda: [
        _OK + b'Content-Length: 14\r\n\r\n{"quote":"00"}',
        _OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        b'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.0 400 Bad\r\n\r\n{"error":"no"}',
        b"HTTP/1.1 307 Elsewhere\r\nLocation: /x\r\nContent-Encoding: gzip\r\n\r\n",
    ],
    "fuzz_tsm_answer": _tsm_answers,
    "fuzz_sample_from_vendor_files": lambda: [_VENDOR["tcb_info"]],
}
