"""The dstack socket: what a broken or hostile agent, host or network cannot do."""

from __future__ import annotations

import itertools
import json
import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from teeproof.core.errors import Error, NotAuthentic, Unavailable, Usage
from teeproof.evidence.collect.dstack import DstackAttester
from teeproof.evidence.tdx import quote as tdx_quote
from tests.evidence.collect.test_dstack import NONCE, on_platform
from tests.sim import guest_agent as sim

OTHER = bytes(64)
QUOTER = on_platform()


@pytest.fixture
def socket_path(tmp_path: Path) -> Path:
    return tmp_path / "agent.sock"


@pytest.fixture
def listen(socket_path: Path) -> Iterator[object]:
    with ExitStack() as stack:
        yield lambda quoter=QUOTER, **options: stack.enter_context(
            sim.GuestAgent(socket_path, quoter, **options)
        )


def refusal(agent: sim.GuestAgent, *, timeout: float = 120.0) -> Error:
    with pytest.raises(Error) as caught:
        DstackAttester(agent.path, timeout=timeout).attest(NONCE)
    return caught.value


def test_agent_replays_a_stale_quote_and_both_sides_are_named(listen):
    error = refusal(listen(sim.recorded(QUOTER(OTHER))))

    assert isinstance(error, NotAuthentic)
    assert (error.code, error.expected, error.got) == (
        "agent_report_data",
        NONCE.hex(),
        OTHER.hex(),
    )


def test_agent_claims_our_report_data_beside_a_quote_of_other_data(listen):
    agent = listen(sim.recorded(QUOTER(OTHER)), fault=sim.change(report_data=NONCE.hex()))

    assert refusal(agent).code == "agent_report_data"


def test_agent_lies_in_the_copy_beside_a_good_quote_and_nobody_reads_it(listen):
    agent = listen(fault=sim.change(report_data=OTHER.hex(), mrtd="00", compose_hash="00"))

    evidence = DstackAttester(agent.path).attest(NONCE)

    assert tdx_quote.parse(evidence.quote).body.report_data == NONCE


@pytest.mark.parametrize("bit", [0, 8 * 32, 8 * 64 - 1])
def test_agent_gives_a_quote_whose_report_data_is_one_bit_away(listen, bit: int):
    def quote(report_data: bytes) -> sim.Quoted:
        return QUOTER((int.from_bytes(report_data) ^ 1 << bit).to_bytes(64))

    assert refusal(listen(quote)).code == "agent_report_data"


MALFORMED = {
    "not http": (sim.no_http, "BadStatusLine"),
    "a chunk of negative size": (sim.negative_chunk, "ValueError"),
    "gzip": (sim.compressed, "gzip encoding"),
    "truncated body": (sim.truncated, "are missing"),
    "truncated json": (sim.truncated_json, "is not JSON"),
    "duplicate key": (sim.duplicate_key, "given twice"),
    "deep": (sim.deep, "too many parts"),
    "a list": (sim.no_object, "a JSON list"),
    "no quote": (sim.change(quote=None), "NoneType"),
    "quote as number": (sim.change(quote=7), "int"),
    "wrong hex": (sim.change(quote="zz"), "zz"),
    "odd hex": (sim.change(quote="040"), "040"),
    "empty quote": (sim.change(quote=""), "0 bytes"),
    "no tdx quote": (sim.change(quote="03" + "00" * 999), "3"),
    "log as list": (sim.change(event_log=[]), "list"),
    "log no json": (sim.change(event_log="imr 0"), "is not JSON"),
    "log an object": (sim.change(event_log="{}"), "dict"),
    "log with a key twice": (sim.change(event_log='[{"imr":3,"imr":2}]'), "given twice"),
    "log too large": (sim.change(event_log=" " * (1 << 20) + "[]"), "1048578 characters"),
    "quote too large": (sim.change(quote="00" * ((64 << 10) + 1)), "131074 characters"),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_agent_gives_an_answer_of_the_wrong_form_and_the_form_is_named(listen, name: str):
    fault, got = MALFORMED[name]

    error = refusal(listen(fault=fault))

    assert isinstance(error, Unavailable)
    assert error.code == "agent_answer_malformed"
    assert got in (error.got or "")


def test_agent_hangs_up_without_a_word(listen):
    error = refusal(listen(fault=sim.hang_up))

    assert isinstance(error, Unavailable)
    assert error.code == "agent_unreachable"


@pytest.mark.parametrize("fault", [sim.huge, sim.huge_claim, sim.endless, sim.endless_continue])
def test_agent_floods_its_client_and_is_cut_off(listen, fault: sim.Fault):
    assert refusal(listen(fault=fault)).code == "agent_answer_too_large"


def test_agent_claims_a_chunk_of_terabytes_and_no_memory_is_set_aside_for_it(listen):
    assert refusal(listen(fault=sim.huge_chunk)).code == "agent_answer_malformed"


@pytest.mark.parametrize("fault", [sim.silence, sim.dribble, sim.dribble_headers])
def test_agent_stalls_and_the_whole_call_has_one_deadline(listen, fault: sim.Fault):
    error = refusal(listen(fault=fault), timeout=0.3)

    assert isinstance(error, Unavailable)
    assert error.code == "agent_timeout"


def test_time_runs_out_by_the_clock_that_is_given(listen):
    ticks = itertools.count(0, 6)
    attester = DstackAttester(listen().path, timeout=5, clock=lambda: next(ticks))

    with pytest.raises(Unavailable) as caught:
        attester.attest(NONCE)

    assert caught.value.code == "agent_timeout"


def test_agent_redirects_and_nobody_follows(listen):
    agent = listen(fault=sim.redirect)

    error = refusal(agent)

    assert (error.code, error.got) == ("agent_error", "HTTP 307")
    assert "/Elsewhere" not in agent.asked


@pytest.mark.parametrize(
    ("status", "body", "message"),
    [
        (400, b'{"error": "Failed to get quote"}', "Failed to get quote"),
        (400, b"\n\x0fReport too long", "Report too long"),
        (500, b"", "it gave no reason"),
        (503, b'["overloaded"]', "overloaded"),
    ],
)
def test_the_agents_own_words_are_part_of_the_refusal(
    listen, status: int, body: bytes, message: str
):
    error = refusal(listen(fault=sim.refuse(status, body)))

    assert (error.code, error.got, error.exit_code) == ("agent_error", f"HTTP {status}", 3)
    assert message in error.detail


def test_agent_sends_terminal_commands_in_its_error_and_they_are_disarmed(listen):
    body = json.dumps({"error": "\x1b]0;owned\x07\x1b[2J\u202eok" + "x" * 9999}).encode()

    error = refusal(listen(fault=sim.refuse(400, body)))

    assert error.detail.isprintable()
    assert len(error.detail) < 500


def test_agent_sends_terminal_commands_in_a_wrong_quote_and_they_are_disarmed(listen):
    error = refusal(listen(fault=sim.change(quote="\x1b[2J")))

    assert (error.got or "").isprintable()


def test_a_missing_socket_is_named_with_what_to_do(socket_path: Path):
    with pytest.raises(Unavailable) as caught:
        DstackAttester(str(socket_path)).attest(NONCE)

    assert caught.value.code == "agent_no_socket"
    assert str(socket_path) in caught.value.detail
    assert "mount it" in caught.value.detail


def test_a_socket_that_nobody_listens_on_is_told_from_a_missing_one(socket_path: Path):
    with socket.socket(socket.AF_UNIX) as left_behind:
        left_behind.bind(str(socket_path))

    with pytest.raises(Unavailable) as caught:
        DstackAttester(str(socket_path)).attest(NONCE)

    assert caught.value.code == "agent_refused"


def test_a_path_that_no_socket_can_have_is_refused_in_words(tmp_path: Path):
    with pytest.raises(Unavailable) as caught:
        DstackAttester(str(tmp_path / ("a" * 200))).attest(NONCE)

    assert caught.value.code == "agent_unreachable"
    assert "too long" in caught.value.detail


@pytest.mark.parametrize(
    "address", ["ftp://host", "http://", "http://u:p@host", "http://host:99999", "http://host/?a=b"]
)
def test_an_address_that_is_none_is_a_usage_error(address: str):
    with pytest.raises(Usage) as caught:
        DstackAttester(address).attest(NONCE)

    assert caught.value.code == "agent_address"
    assert "p@" not in caught.value.detail


def test_a_simulator_on_an_http_address_is_asked_under_its_prefix(listen):
    seen: list[bytes] = []

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=_answer_once, args=(server, seen))
        thread.start()
        port = server.getsockname()[1]
        with pytest.raises(Unavailable):
            DstackAttester(f"http://127.0.0.1:{port}/simulator/").attest(NONCE)
        thread.join()

    assert re.match(rb"POST /simulator/Version HTTP/1.1\r\n", seen[0])


def _answer_once(server: socket.socket, seen: list[bytes]) -> None:
    connection, _ = server.accept()
    with connection:
        seen.append(connection.recv(1 << 16))
        connection.sendall(b"HTTP/1.1 400 Bad\r\nContent-Length: 0\r\n\r\n")
    server.close()


def test_who_finds_the_queue_full_waits_its_turn(socket_path: Path):
    error = _refused_behind_another(socket_path, takes=2, timeout=120)

    assert error.code != "agent_timeout"  # somebody took the call, and hung up


def test_who_finds_the_queue_full_does_not_wait_for_ever(socket_path: Path):
    assert _refused_behind_another(socket_path, takes=0, timeout=0.3).code == "agent_timeout"


def _refused_behind_another(path: Path, *, takes: int, timeout: float) -> Unavailable:
    """What comes of a call where one waits already, with room for one, and some are taken."""
    with socket.socket(socket.AF_UNIX) as full, socket.socket(socket.AF_UNIX) as other:
        full.bind(str(path))
        full.listen(0)
        other.connect(str(path))

        def take() -> None:
            time.sleep(0.1)
            for _ in range(takes):
                full.accept()[0].close()

        taking = threading.Thread(target=take)
        taking.start()
        with pytest.raises(Unavailable) as caught:
            DstackAttester(str(path), timeout=timeout).attest(NONCE)
        taking.join()
    return caught.value
